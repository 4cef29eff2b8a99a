"""Asks stores for many tags and digests at once; what they do not answer is kept as trouble."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from transload.app.stores import Stores
from transload.errors import Interrupted, NotFound, Side, TransloadError, as_result, at_side
from transload.events import Counting
from transload.oci import Digest, Name
from transload.ports import Source
from transload.threads import Cancellation, in_parallel
from transload.values import field, frozen

_THREADS = 8
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

    def tagged(self, places: Iterable[Place]) -> dict[Place, bool | None]:
        """For each name whether the store has its tag; None where it did not say.

        Each repository's list of tags is asked for once, and only the tags in question are kept of it.
        """
        names: dict[Place, set[Place]] = {}
        for locator, name in places:
            names.setdefault((locator, Name(name.repository)), set()).add((locator, name))

        def those(repository: Place) -> frozenset[str]:
            asked = {name.tag for _, name in names[repository]}
            return frozenset(tag for tag in self._store(repository).tags(repository[1].repository) if tag in asked)

        none: frozenset[str] = frozenset()
        answers = self._answers(names, those, none)
        tagged: dict[Place, bool | None] = {}
        for repository, several in names.items():
            tags = answers.get(repository)
            tagged |= {place: None if tags is None else place[1].tag in tags for place in several}
        return tagged

    def digests(self, places: Iterable[Place]) -> dict[Place, Digest | None]:
        """The digest of each name, None for what is not there. What the store did not say is left out."""

        def digest(place: Place) -> Digest | None:
            return self._store(place).resolve(place[1]).digest

        return self._answers(set(places), digest, None)

    def _store(self, place: Place) -> Source:
        return self.stores[place[0]]

    def _answers(
        self, places: Iterable[Place], ask: Callable[[Place], Answer], not_there: Answer
    ) -> dict[Place, Answer]:
        """What `ask` says of each place, in parallel, without those where it raised."""
        ordered = sorted(places)
        counting = Counting(self.opened.working, "selecting", len(ordered), possible=True)
        answers: dict[Place, Answer] = {}

        def work(place: Place) -> None:
            try:
                with at_side(self.side):
                    answers[place] = ask(place)
            except NotFound:
                answers[place] = not_there
            except Interrupted:
                raise
            except TransloadError as error:
                self.troubles[f"{place[0]}/{place[1]}"] = as_result(error)
            counting.add()

        in_parallel(work, ordered, _THREADS, self.cancellation)
        return answers
