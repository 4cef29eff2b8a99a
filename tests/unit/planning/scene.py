"""A source and a target in memory, both counting what they are asked; and what must hold for every plan."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from transload.memory import MemoryStore
from transload.oci import Digest, Name
from transload.planning import Item, ManifestStep, Plan, Request, make_plan, planfile
from transload.planning.planner import Refuse
from transload.ports import Target
from transload.testing.faults import Fault, FaultyStore
from transload.testing.images import Built, fill
from transload.transfer import Outcome, run

SOURCE = "memory:source"
OTHER_SOURCE = "memory:other"
TARGET = "memory:target"


def item(source: str, target: str | None = None, store: str = SOURCE, **more: Any) -> Item:
    """`source` of a store is wanted as `target`, under its own name unless given."""
    return Item(store, Name.parse(source), Name.parse(target or source), **more)


class Scene:
    """Stores, plans and runs. `source` and `target` count only what is asked through them."""

    def __init__(self, *, source: Target | None = None, target: Target | None = None) -> None:
        self.source = FaultyStore(source or MemoryStore(SOURCE))
        self.other = FaultyStore(MemoryStore(OTHER_SOURCE))
        self.target = FaultyStore(target or MemoryStore(TARGET))

    @property
    def sources(self) -> dict[str, FaultyStore]:
        return {SOURCE: self.source, OTHER_SOURCE: self.other}

    def publish(self, built: Built, *names: str) -> Built:
        """Put an image into the source under each of the names."""
        return self._fill(self.source, built, names)

    def publish_elsewhere(self, built: Built, *names: str) -> Built:
        return self._fill(self.other, built, names)

    def deliver(self, built: Built, *names: str) -> Built:
        """Put an image into the target, as an earlier run did."""
        return self._fill(self.target, built, names)

    def _fill(self, store: FaultyStore, built: Built, names: tuple[str, ...]) -> Built:
        for name in map(Name.parse, names):
            fill(store.store, built, name.repository, name.tag)
        return built

    def plan(
        self,
        *items: Item | str,
        known: Callable[[str, Digest], bool] | None = None,
        elsewhere: Callable[[Digest], Iterable[str]] | None = None,
        refuse: Refuse | None = None,
        **request: Any,
    ) -> Plan:
        """Make a plan, and check what must hold for any plan. Questions are counted from here on."""
        for store in (*self.sources.values(), self.target):
            store.subjects.clear()
        wanted = tuple(item(each) if isinstance(each, str) else each for each in items)
        hints: dict[str, Any] = {"known": known, "elsewhere": elsewhere, "refuse": refuse}
        more = {name: hint for name, hint in hints.items() if hint is not None}
        plan = make_plan(Request(wanted, **request), self.sources, self.target, threads=4, **more)
        check_plan(plan)
        return plan

    def run(self, plan: Plan, **more: Any) -> Outcome:
        """Do it; questions are counted from here on."""
        for store in (*self.sources.values(), self.target):
            store.subjects.clear()
        return run(plan, self.sources, self.target, **more)

    def script(self, *faults: Fault, at: str = "source") -> None:
        """What goes wrong from now on."""
        store: FaultyStore = getattr(self, at)
        setattr(self, at, FaultyStore(store.store, faults))


def check_plan(plan: Plan) -> None:
    """Steps follow what they need, nothing is done twice, and the plan survives a file."""
    assert [step.id for step in plan.steps] == list(range(len(plan.steps)))
    for step in plan.steps:
        assert all(need < step.id for need in step.needs)
        assert step.after is None or step.after < step.id
    assert all(plan.steps[goal].id == goal for image in plan.images for goal in image.goals)
    assert set(plan.manifests) == {step.digest for step in plan.steps if isinstance(step, ManifestStep)}
    places = [(step.repository, step.descriptor.digest) for step in plan.blob_steps()]
    assert len(places) == len(set(places))
    copied = [step.descriptor.digest for step in plan.blob_steps() if step.origin is None]
    assert len(copied) == len(set(copied)), "a blob is copied twice"
    assert plan.copied.blobs == len(copied)
    assert plan.mounted.blobs == len(places) - len(copied)
    assert planfile.load_plan(planfile.dump_plan(plan)) == plan


def copied(plan: Plan) -> set[Digest]:
    """The blobs whose bytes are to be moved."""
    return {step.descriptor.digest for step in plan.blob_steps() if step.origin is None}


def mounted(plan: Plan) -> set[tuple[str, Digest, str]]:
    """What is to be mounted: repository, blob, origin."""
    return {
        (step.repository, step.descriptor.digest, step.origin) for step in plan.blob_steps() if step.origin is not None
    }


def stored(plan: Plan) -> list[str]:
    """Names of the manifests in the order of their steps."""
    return [str(step.name) for step in plan.steps if isinstance(step, ManifestStep)]
