"""Whether the disk of a folder has room for what a plan brings."""

from __future__ import annotations

from transload.app.mirror import Prepared
from transload.planning.plan import ManifestStep


def check_room(prepared: Prepared) -> None:
    """Raises `DiskFull` before anything is fetched, if the target is a folder and its disk has too little room."""
    if prepared.location.kind != "oci":
        return
    from transload.layout import LayoutStore

    plan, target = prepared.plan, prepared.target
    manifests = (plan.manifests[step.digest].descriptor for step in plan.steps if isinstance(step, ManifestStep))
    if isinstance(target, LayoutStore):
        target.check_space((*(step.descriptor for step in plan.blob_steps()), *manifests))
