"""Making what is lost or damaged in a bundle again."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from transload.app.detect import carried_place
from transload.app.repairing import repair_carried
from transload.app.stores import Carried
from transload.verbs import arguments
from transload.verbs.means import Means, Options, at_work

if TYPE_CHECKING:
    from transload.bundle.repairing.repair import Repaired


def repair(
    bundle: str | Path,
    *,
    into: str | Path | None = None,
    key: str | Path | None = None,
    volumes: str | Path | Iterable[str | Path] = (),
    **options: Unpack[Options],
) -> Repaired:
    """Make lost, damaged or mixed up volumes of a bundle again, from its recovery volumes: `transload repair`.

    In place, or in the folder `into`: then the bundle stays as it is, and only repaired files are written. `key` and
    `volumes` are those of `push`. All of the bundle is read and proved against its ledger before a file is changed.
    The result has the repaired files; it has none if nothing was wrong.

    Raises `BeyondRepair` if more is lost than the recovery volumes replace (nothing was changed then), `NotFound`
    for a bundle without recovery volumes, `DiskFull`, `Busy`, `Interrupted`, `LocalError`, `BundleUnsigned` and its
    kind.
    """
    carried = Carried(arguments.paths("volumes", volumes), arguments.path_if_any("key", key))
    place = carried_place(str(arguments.path("bundle", bundle)), carried)
    means = Means.of(options, key=carried.key, volumes=carried.folders)
    with at_work(means) as work:
        return repair_carried(place, arguments.path_if_any("into", into), work.stores, work.cancellation)
