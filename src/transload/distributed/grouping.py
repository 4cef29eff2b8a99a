"""Which steps make a task for a worker, and the part of the plan that the task needs. Pure.

A task costs some ten milliseconds, so small blobs go together; a large one goes alone, and the largest goes first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from transload.planning import BlobStep, ManifestStep, Plan, Step
from transload.transfer.agenda import Agenda, is_body
from transload.values import evolve, frozen

GROUP_BYTES = 32 << 20
"""Blobs of fewer bytes go together, up to this many."""
GROUP_STEPS = 250
"""Steps of one task, at most: some seconds of work, and a message of less than 100 kB."""
GROUP_MANIFEST_BYTES = 4 << 20
"""Bytes of manifests in one task: they travel in it."""
_TASKS_EACH = 4  # so that all workers end at nearly the same time


@frozen(kw_only=True)
class GroupSize:
    """How large the tasks of a plan may be."""

    steps: int = GROUP_STEPS
    bytes: int = GROUP_BYTES

    @classmethod
    def of(cls, plan: Plan, at_a_time: int) -> GroupSize:
        """As large as they can be without leaving a worker idle: `at_a_time` tasks run side by side.

        >>> GroupSize.of(Plan(target="r", images=(), steps=(), manifests={}), 8)
        GroupSize(steps=1, bytes=1048576)
        """
        tasks = max(1, at_a_time) * _TASKS_EACH
        sizes = [step.descriptor.size for step in plan.blob_steps() if is_body(step)]
        steps = min(GROUP_STEPS, max(1, -(-len(plan.steps) // tasks)))
        return cls(steps=steps, bytes=min(GROUP_BYTES, max(1 << 20, sum(sizes) // tasks)))


def next_group(agenda: Agenda, plan: Plan, size: GroupSize, usable: Callable[[Step], bool]) -> list[Step]:
    """Take the steps of the next task, none of them if nothing is ready. A step that is not `usable` is left out.

    Bodies go with bodies only: the steps that need no bytes complete images, and wait for none.
    """
    group: list[Step] = []
    weight = 0
    while len(group) < size.steps and (step := agenda.take()) is not None:
        if not usable(step):
            continue
        most = size.bytes if is_body(step) else GROUP_MANIFEST_BYTES
        other = bool(group) and is_body(step) is not is_body(group[0])
        if group and (other or weight + _weight(step, plan) > most):
            agenda.put_back(step)
            break
        group.append(step)
        weight += _weight(step, plan)
        if weight >= most:
            break
    return group


def _weight(step: Step, plan: Plan) -> int:
    if isinstance(step, ManifestStep):
        return len(plan.manifests[step.digest].raw)
    return step.descriptor.size if is_body(step) else 0


def part_of(plan: Plan, steps: Sequence[Step], completed: Mapping[int, Iterable[int]]) -> Plan:
    """The part of `plan` that a task with these steps needs; they are numbered anew, in their order.

    None needs another one: all were ready. `completed` says which images each step completes.
    """
    goals: dict[int, list[int]] = {}
    for number, step in enumerate(steps):
        for image in completed.get(step.id, ()):
            goals.setdefault(image, []).append(number)
    return Plan(
        target=plan.target,
        images=tuple(evolve(plan.images[image], goals=tuple(goals[image]), notes=()) for image in sorted(goals)),
        steps=tuple(_renumbered(step, number) for number, step in enumerate(steps)),
        manifests={step.digest: plan.manifests[step.digest] for step in steps if isinstance(step, ManifestStep)},
    )


def _renumbered(step: Step, number: int) -> Step:
    return evolve(step, id=number, after=None) if isinstance(step, BlobStep) else evolve(step, id=number, needs=())
