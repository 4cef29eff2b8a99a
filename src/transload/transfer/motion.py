"""How far the blobs of a run that are under way have come, and when a byte moved last."""

from __future__ import annotations

from transload.events import Event, RunResumed, StepDone, StepFailed, StepMoved, StepStarted
from transload.planning import BlobStep, Plan, Step
from transload.planning.plan import Share
from transload.transfer.troubles import Troubles


class Motion:
    """Learns from events, which come one at a time. `troubles` hears of bytes that were not copied before."""

    def __init__(self, troubles: Troubles) -> None:
        self._troubles = troubles
        self._positions: dict[int, int] = {}

    def note(self, event: Event) -> None:
        """Take in an event."""
        if isinstance(event, StepMoved):
            if event.position <= self._positions.get(event.step, 0):
                return
            self._positions[event.step] = event.position
        if isinstance(event, (StepDone, StepFailed)):
            self._positions.pop(event.step, None)
        if isinstance(event, (StepMoved, StepDone, RunResumed)):
            self._troubles.moved()

    @property
    def underway(self) -> Share:
        """The blobs that are there in part, and their bytes."""
        return Share(len(self._positions), sum(self._positions.values()))


def started(step: Step, plan: Plan) -> StepStarted:
    """The event of a step that begins."""
    if isinstance(step, BlobStep):
        return StepStarted(step.id, step.descriptor.digest, step.label, step.descriptor.size)
    return StepStarted(step.id, step.digest, step.label, len(plan.manifests[step.digest].raw))
