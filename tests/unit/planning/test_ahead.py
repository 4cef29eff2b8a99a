"""What is certain while a plan is being made: the same steps as the plan has in the end, or nothing."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.planning.scene import SOURCE, TARGET, Scene, item
from transload.memory import MemoryStore
from transload.planning import BlobStep, Item, Request, make_plan
from transload.ports import RequestCosts
from transload.testing.images import Built, image
from transload.testing.layers import layer


class Far(MemoryStore):
    """As a registry: repositories have blobs of their own, and requests cost something."""

    blobs_per_repository = True
    request_costs = RequestCosts()


def scene() -> Scene:
    return Scene(source=Far(SOURCE), target=Far(TARGET))


def planned(made: Scene, items: Sequence[Item]) -> tuple[list[BlobStep], list[BlobStep]]:
    """What was certain early, and what the plan copies."""
    early: list[BlobStep] = []
    plan = make_plan(Request(tuple(items)), made.sources, made.target, threads=3, begin=early.extend)
    return early, [step for step in plan.blob_steps() if step.origin is None]


def shared(name: str, *layers: int) -> Built:
    return image(name, [layer(f"layer{number}", 40 + number) for number in layers])


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sets(st.integers(0, 6), min_size=1, max_size=4), min_size=1, max_size=8), st.randoms())
def test_at_a_new_target_all_is_certain_in_the_order_of_the_plan(images: list[set[int]], chance: random.Random) -> None:
    made, wanted = scene(), []
    for number, layers in enumerate(images):
        repository = chance.choice(["a", "b", f"own{number}"])
        made.publish(shared(f"image{number}", *layers), f"{repository}:{number}")
        wanted.append(item(f"{repository}:{number}"))
    early, copied = planned(made, wanted)
    assert early == copied
    assert all(one.id < other.id for one, other in pairwise(early))


def test_if_the_target_has_one_of_the_repositories_nothing_is_certain() -> None:
    """A blob may be there, and be mounted from there."""
    made = scene()
    made.publish(shared("one", 1), "new:1")
    made.deliver(shared("old", 1), "there:0")
    made.publish(shared("two", 1, 2), "there:1")
    early, copied = planned(made, [item("new:1"), item("there:1")])
    assert early == []
    assert all(step.repository != "new" or step.descriptor.size != 41 for step in copied), "the layer is mounted"


class Tokens(Far):
    """Logins that were not made yet, for all that is to be written."""

    def __init__(self, locator: str, logins: int) -> None:
        super().__init__(locator)
        self.logins_to_come = logins

    @property
    def expecting(self) -> Tokens:
        return self

    def reading(self, repositories: Iterable[str]) -> None:
        pass

    def writing(self, origins: Mapping[str, Iterable[str]]) -> None:
        pass


@pytest.mark.parametrize(("logins", "begins"), [(0, True), (1, True), (2, False)])
def test_at_a_target_with_tokens_one_for_everything_is_no_more_than_the_plan_takes(logins: int, begins: bool) -> None:
    target = Tokens(TARGET, logins)
    made = Scene(source=Far(SOURCE), target=target)
    made.publish(shared("one", 1), "a:1")
    made.publish(shared("two", 1, 2), "b:1")
    early: list[BlobStep] = []  # asked without the scene's wrapper, which has no logins
    plan = make_plan(Request((item("a:1"), item("b:1"))), made.sources, target, begin=early.extend)
    assert early == ([step for step in plan.blob_steps() if step.origin is None] if begins else [])


def test_if_one_name_is_wanted_twice_nothing_is_certain() -> None:
    made = scene()
    made.publish(shared("one", 1), "a:1")
    early, _ = planned(made, [item("a:1", "b:1"), item("a:1", "b:1")])
    assert early == []


def test_an_image_that_is_missing_does_not_stop_the_others() -> None:
    made = scene()
    made.publish(shared("one", 1), "a:1")
    early, copied = planned(made, [item("lost:1"), item("a:1")])
    assert early == copied != []
