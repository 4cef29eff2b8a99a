"""Repairs a bundle that was carried, from its recovery volumes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from transload.app.location import Location
from transload.app.stores import Stores
from transload.errors import LocalError, UsageError
from transload.events import Counting
from transload.threads import Cancellation

if TYPE_CHECKING:
    from transload.bundle.repairing.repair import Repaired


def repair_carried(location: Location, into: Path | None, stores: Stores, cancellation: Cancellation) -> Repaired:
    """Repair the bundle at `location`, in place or in the folder `into`.

    Raises `UsageError` for another kind of store, `LocalError` if there is no such folder, what opening the bundle
    raises, and what `repair` raises.
    """
    from transload.bundle.repairing.repair import repair

    if location.kind != "bundle":
        raise UsageError(
            f"{location} is not a bundle of transload, and only bundles have recovery volumes",
            subject=str(location),
            hint="verify checks this one, and mirror writes what is damaged in a folder again",
        )
    if into is not None and not into.is_dir():
        raise LocalError(f"there is no folder {into}", subject=str(into), hint="make it, or mount the medium")
    stores.tells_mending = False  # what was damaged is told in the result
    bundle = stores.bundle(location)
    counting = Counting(stores.working, "repairing")

    def read(length: int) -> None:
        cancellation.check()
        counting.add(length)

    return repair(bundle, into, read)


def repaired_json(repaired: Repaired) -> dict[str, Any]:
    """The `repaired` object of docs/formats/json-output.md."""
    return {
        "files": [{"file": str(file.path), "how": file.how, "blocks": file.blocks} for file in repaired.files],
        "aside": [str(path) for path in repaired.aside],
    }
