"""Whether the disk of a folder has room for what a plan brings."""

from __future__ import annotations

import contextlib

from transload.app.mirror import Prepared
from transload.errors import TransloadError
from transload.oci import Descriptor
from transload.planning.plan import ManifestStep
from transload.ports import Target


def check_room(prepared: Prepared) -> None:
    """Raises `DiskFull` before anything is fetched, if the target is a folder and its disk has too little room."""
    if prepared.location.kind != "oci":
        return
    from transload.layout import LayoutStore

    plan, target = prepared.plan, prepared.target
    manifests = (plan.manifests[step.digest].descriptor for step in plan.steps if isinstance(step, ManifestStep))
    wanted = [*(step.descriptor for step in plan.blob_steps()), *manifests]
    if isinstance(target, LayoutStore):
        target.check_space(descriptor for descriptor in wanted if not _is_there(target, descriptor))


def _is_there(target: Target, descriptor: Descriptor) -> bool:
    with contextlib.suppress(TransloadError):  # the run will report the error
        return target.exists("", descriptor)
    return False
