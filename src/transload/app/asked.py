"""Asks stores for many tags and digests at once; what they do not answer is kept as trouble."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from attrs import field, frozen

from transload.app.stores import Stores
from transload.errors import Interrupted, NotFound, Side, TransloadError, as_result, at_side
from transload.events import Counting
from transload.oci import Digest, Name
from transload.ports import Source
from transload.threads import Cancellation, in_parallel

_THREADS = 8
Key = TypeVar("Key")
Answer = TypeVar("Answer")
Place = tuple[str, Name]
"""A name in a store, which is written as its locator."""


@frozen
class Asked:
    """The stores of one side, by locator. `troubles` has the errors, by store and name."""

    side: Side
    stores: Mapping[str, Source]
    opened: Stores
    cancellation: Cancellation
    troubles: dict[str, TransloadError] = field(factory=dict)

    def tags(self, places: Iterable[Place]) -> dict[Place, frozenset[str] | None]:
        """The tags of each repository, none if there is no such repository; None where the store did not say."""
        repositories = {(store, Name(name.repository)) for store, name in places}
        none: frozenset[str] = frozenset()
        answers = self._answers(repositories, lambda store, name: frozenset(store.tags(name.repository)), none)
        return {place: answers.get(place) for place in repositories}

    def digests(self, places: Iterable[Place]) -> dict[Place, Digest | None]:
        """The digest of each name, None for what is not there. What the store did not say is left out."""

        def digest(store: Source, name: Name) -> Digest | None:
            return store.resolve(name).digest

        return self._answers(set(places), digest, None)

    def _answers(
        self, places: Iterable[Place], ask: Callable[[Source, Name], Answer], not_there: Answer
    ) -> dict[Place, Answer]:
        """What `ask` says of each place, in parallel, without those where it raised."""
        ordered = sorted(places)
        counting = Counting(self.opened.working, "selecting", len(ordered), possible=True)
        answers: dict[Place, Answer] = {}

        def work(place: Place) -> None:
            locator, name = place
            try:
                with at_side(self.side):
                    answers[place] = ask(self.stores[locator], name)
            except NotFound:
                answers[place] = not_there
            except Interrupted:
                raise
            except TransloadError as error:
                self.troubles[f"{locator}/{name}"] = as_result(error)
            counting.add()

        in_parallel(work, ordered, _THREADS, self.cancellation)
        return answers
