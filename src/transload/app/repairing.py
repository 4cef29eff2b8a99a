"""Repairs a bundle that was carried, from its recovery volumes."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from transload.app.location import Location
from transload.app.stores import Stores
from transload.errors import LocalError, UsageError
from transload.events import Counting
from transload.files import local_errors
from transload.threads import Cancellation

if TYPE_CHECKING:
    from transload.bundle.repairing.repair import Repaired


def repair_carried(location: Location, into: Path | None, stores: Stores, cancellation: Cancellation) -> Repaired:
    """Repair the bundle at `location`, in place or in the folder `into`, which is made if it is missing.

    Raises `UsageError` for another kind of store, `LocalError` if there is no folder to make it in, what opening
    the bundle raises, and what `repair` raises.
    """
    from transload.bundle.repairing.repair import repair

    if location.kind != "bundle":
        raise UsageError(
            f"{location} is not a bundle of transload, and only bundles have recovery volumes",
            subject=str(location),
            hint="verify checks this one, and mirror writes what is damaged in a folder again",
        )
    stores.tells_mending = False  # what was damaged is told in the result
    bundle = stores.bundle(location)
    counting = Counting(stores.working, "repairing")

    def read(length: int) -> None:
        cancellation.check()
        counting.add(length)

    with contextlib.nullcontext() if into is None or bundle.mender is None else _made(into):
        return repair(bundle, into, read)


@contextlib.contextmanager
def _made(folder: Path) -> Iterator[None]:
    """Make the folder if only it is missing, not those above it: perhaps a medium is not mounted. Leaves none empty."""
    if folder.is_dir():
        yield
        return
    above = folder.absolute().parent
    if not above.is_dir():
        raise LocalError(f"there is no folder {above}", subject=str(folder), hint="make it, or mount the medium")
    with local_errors("creating", folder):
        folder.mkdir()
    try:
        yield
    finally:
        with contextlib.suppress(OSError):  # there are files in it
            folder.rmdir()


def repaired_json(repaired: Repaired) -> dict[str, Any]:
    """The `repaired` object of docs/formats/json-output.md."""
    return {
        "files": [{"file": str(file.path), "how": file.how, "blocks": file.blocks} for file in repaired.files],
        "aside": [str(path) for path in repaired.aside],
        "listed": [str(path) for path in repaired.listed],
    }
