"""Uploads that an earlier run left unfinished at a target: this run goes on with them, or cancels the old ones."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice

from transload.clock import SYSTEM_CLOCK, Clock
from transload.limits import LEFT_UPLOADS
from transload.oci import Digest
from transload.planning import Plan
from transload.ports import Continues, Target
from transload.threads import Cancellation
from transload.transfer.journal import Journal

UNWANTED_S = 86_400.0
"""An upload that is not in the plan may belong to a run of other images, which goes on with it within a day."""


@contextmanager
def leftovers(
    plan: Plan, target: Target, journal: Journal, cancellation: Cancellation, clock: Clock = SYSTEM_CLOCK
) -> Iterator[None]:
    """A run, in which the target goes on with noted uploads and notes its own.

    At its end, uploads of blobs that are not in the plan are cancelled if the blob has arrived, or if they were noted
    more than `UNWANTED_S` ago: up to `LEFT_UPLOADS`, since others expire at the target. After an interruption nothing
    is asked any more, and the next run does it.
    """
    continues: Continues | None = getattr(target, "continues", None)
    if continues is None:
        yield
        return
    wanted = {(step.repository, step.descriptor.digest) for step in plan.blob_steps()}
    if not (wanted or journal.has_uploads):
        yield
        return
    with journal.held():
        continues.keep_notes(journal)
        try:
            yield
        finally:
            continues.keep_notes(None)
        unwanted = (
            upload
            for upload in journal.uploads()
            if (upload.repository, upload.digest) not in wanted
            and (journal.knows(upload.repository, upload.digest) or abs(clock.wall_s() - upload.noted_s) > UNWANTED_S)
        )
        for upload in islice(unwanted, LEFT_UPLOADS):
            if not cancellation.cancelled:
                drop(target, journal, upload.repository, upload.digest)


def drop(target: Target, journal: Journal, repository: str, digest: Digest) -> None:
    """Cancel the noted upload of a blob, if there is one: nobody will go on with it."""
    continues: Continues | None = getattr(target, "continues", None)
    address = journal.address(repository, digest)
    if continues is not None and address is not None:
        continues.cancel(repository, digest, address)
        journal.note_address(repository, digest, None)
