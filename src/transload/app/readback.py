"""`--verify-medium`: reads back from the medium what a run has written, and compares it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from transload.app.location import Location
from transload.app.mirror import Prepared
from transload.app.protecting import RecoveryVolumes
from transload.app.stores import Stores
from transload.bundle.format.blueprint import Blueprint
from transload.bundle.format.member import Read
from transload.bundle.writing.readback import check_finished, check_listed
from transload.errors import MediumDamaged, UsageError
from transload.events import Counting
from transload.files import local_errors
from transload.files.readback import ReadBack
from transload.oci import Descriptor
from transload.planning.plan import ManifestStep, Plan
from transload.threads import Cancellation
from transload.transfer import Outcome
from transload.values import evolve
from transload.wording import in_words

if TYPE_CHECKING:
    from transload.layout import LayoutStore


def counted(stores: Stores, cancellation: Cancellation, total: int) -> Read:
    """Counts the bytes that are read back, and ends the reading when the run is cancelled."""
    counting = Counting(stores.working, "reading-back", total, possible=True)

    def read(length: int) -> None:
        cancellation.check()
        counting.add(length)

    return read


def told(back: ReadBack, folder: Path) -> str:
    """What was read back, in a sentence for people."""
    good = f"{in_words(back.bytes)} read back from {folder}, all as written"
    if back.past_cache:
        return good
    return (
        f"{good}, but not past the system's cache, which is not possible here: take the medium out, put it in again "
        "and run transload verify"
    )


def check_bundle(path: Path, blueprint: Blueprint, stores: Stores, cancellation: Cancellation) -> None:
    """Read back a bundle that was finished before. Raises `MediumDamaged`."""
    back = ReadBack()
    check_finished(path, blueprint, back, counted(stores, cancellation, blueprint.cut.size))
    stores.notice(told(back, path.parent))


def check_recovery(recovery: RecoveryVolumes, stores: Stores, cancellation: Cancellation) -> None:
    """Read back recovery volumes that were written. Raises `MediumDamaged`."""
    back, files = ReadBack(), recovery.files
    with local_errors("looking at", recovery.path.parent):
        total = sum(file.stat().st_size for file in files)
    check_listed(files, back, counted(stores, cancellation, total))
    stores.notice(f"recovery volumes: {told(back, recovery.path.parent)}")


def check_on_medium(location: Location) -> None:
    """Raise `UsageError` for a target that is not a folder."""
    if location.kind != "oci":
        raise UsageError(
            f"{location} is not on a medium of this machine, so --verify-medium cannot read it back",
            hint="transload verify --deep reads what a registry has stored",
        )


def with_read_back(prepared: Prepared, stores: Stores, cancellation: Cancellation) -> Prepared:
    """The same run to a folder; at its end, what it has written is read back.

    Then `finish` raises `MediumDamaged`, and notes in the folder what is damaged.
    """
    from transload.layout import LayoutStore

    target = prepared.target
    assert isinstance(target, LayoutStore)  # noqa: S101 - `check_on_medium` was called before
    written = _written(prepared.plan)

    def finish(_outcome: Outcome) -> tuple[Path, ...]:
        back, read = ReadBack(), counted(stores, cancellation, sum(blob.size for blob in written))
        spoilt = [blob for blob in written if target.exists("", blob) and not _reads_back(target, blob, back, read)]
        for blob in spoilt:
            target.doubts.note(blob.digest)
            back.drop(target.paths.path(blob.digest))  # the next run reads it again, and not what the system remembers
        if spoilt:
            raise _damaged(target, spoilt)
        deep = f"transload verify {prepared.location} --deep reads what is there"
        stores.notice(
            told(back, target.root) if back.bytes else f"nothing was written, so nothing was read back: {deep}"
        )
        return ()  # the images are all that was written

    return evolve(prepared, finish=finish)


def _written(plan: Plan) -> tuple[Descriptor, ...]:
    blobs = {step.descriptor.digest: step.descriptor for step in plan.blob_steps()}
    manifests = (plan.manifests[step.digest].descriptor for step in plan.steps if isinstance(step, ManifestStep))
    return tuple((blobs | {manifest.digest: manifest for manifest in manifests}).values())


def _reads_back(target: LayoutStore, blob: Descriptor, back: ReadBack, read: Read) -> bool:
    hasher = hashlib.new(blob.digest.algorithm, usedforsecurity=False)
    for chunk in back.chunks(target.paths.path(blob.digest)):
        hasher.update(chunk)
        read(len(chunk))
    return hasher.hexdigest() == blob.digest.encoded


def _damaged(target: LayoutStore, spoilt: Iterable[Descriptor]) -> MediumDamaged:
    first, *others = [target.paths.expected_path(blob.digest) for blob in spoilt]
    more = f", and {len(others)} more" if others else ""
    return MediumDamaged(
        f"{first} does not read back as it was written{more}",
        subject=str(first),
        hint="the medium or its reader fails: use another one; the same command writes only these blobs again",
    )
