"""Uploads that an earlier run left unfinished at a target: this run goes on with them, or cancels them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice

from transload.limits import LEFT_UPLOADS
from transload.oci import Digest
from transload.planning import Plan
from transload.ports import Continues, Target
from transload.threads import Cancellation
from transload.transfer.journal import Journal


@contextmanager
def leftovers(plan: Plan, target: Target, journal: Journal, cancellation: Cancellation) -> Iterator[None]:
    """A run, in which the target goes on with noted uploads and notes its own.

    At its end, uploads of blobs that are not in the plan are cancelled: up to `LEFT_UPLOADS`, since others expire at
    the target. After an interruption nothing is asked any more, and the next run does it.
    """
    continues: Continues | None = getattr(target, "continues", None)
    wanted = {(step.repository, step.descriptor.digest) for step in plan.blob_steps()}
    if continues is None or not (wanted or journal.has_uploads):
        yield
        return
    with journal.held():
        continues.keep_notes(journal)
        try:
            yield
        finally:
            continues.keep_notes(None)
        orphans = (upload for upload in journal.uploads() if upload[:2] not in wanted)
        for repository, digest, _ in islice(orphans, LEFT_UPLOADS):
            if not cancellation.cancelled:
                drop(target, journal, repository, digest)


def drop(target: Target, journal: Journal, repository: str, digest: Digest) -> None:
    """Cancel the noted upload of a blob, if there is one: nobody will go on with it."""
    continues: Continues | None = getattr(target, "continues", None)
    address = journal.address(repository, digest)
    if continues is not None and address is not None:
        continues.cancel(repository, digest, address)
        journal.note_address(repository, digest, None)
