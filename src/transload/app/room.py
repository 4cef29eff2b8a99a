"""Whether a run can bring what its plan has: room on the disk of a folder, and bytes that it may move."""

from __future__ import annotations

from transload.app.mirror import Prepared
from transload.errors import UsageError
from transload.planning.plan import ManifestStep
from transload.report.texts import size
from transload.transfer.limits import Limits


def check_room(prepared: Prepared) -> None:
    """Raises `DiskFull` before anything is fetched, if the target is a folder and its disk has too little room."""
    if prepared.location.kind != "oci":
        return
    from transload.layout import LayoutStore

    plan, target = prepared.plan, prepared.target
    manifests = (plan.manifests[step.digest].descriptor for step in plan.steps if isinstance(step, ManifestStep))
    if isinstance(target, LayoutStore):
        target.check_space((*(step.descriptor for step in plan.blob_steps()), *manifests))


def check_limit(prepared: Prepared, limits: Limits) -> None:
    """Raises `UsageError` before anything moves, if a blob can never arrive, however often the run is repeated.

    It is larger than what one run may move, and the next run could not go on with it.
    """
    most = limits.max_bytes
    if most is None or prepared.location.kind != "registry":
        return
    from transload.app.halfway import goes_on  # few runs have a limit

    if goes_on(prepared.target, noted=(noted := prepared.journal.can_write())):
        return
    copied = [step for step in prepared.plan.blob_steps() if step.origin is None]
    largest = max(copied, key=lambda step: step.descriptor.size, default=None)
    if largest is None or largest.descriptor.size <= most:
        return
    host, least = prepared.location.value, largest.descriptor.size
    why, more = f"{host} does not take up half a blob", ""
    if not noted:
        why = f"without a state folder to write to, no run goes on with the half that an earlier one sent to {host}"
        more = ", or set TRANSLOAD_STATE_DIR to a folder that stays"
    raise UsageError(
        f"a blob of {largest.repository} has {size(least)}, more than one run may move (--max-bytes), and {why}",
        subject=host,
        hint=f"allow at least so much: --max-bytes {least}{more}",
    )
