"""What stores were asked, and what they will be asked: they are told before, so that few logins are needed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

from transload.planning.plan import BlobStep, Plan, Requests
from transload.planning.request import Item
from transload.ports import Source, Target


class Asks(Protocol):
    """Counts the requests of a store that sends some (`requests_sent`), tokens and redirects included."""

    @property
    def total(self) -> int:
        """All requests so far."""
        ...


class Expects(Protocol):
    """Prepares a store for what it will be asked (`expecting`), so that one login serves many repositories.

    What is expected takes the place of what was expected before. Asking for more than that is allowed.
    """

    def reading(self, repositories: Iterable[str]) -> None:
        """These repositories will be read."""
        ...

    def writing(self, origins: Mapping[str, Iterable[str]]) -> None:
        """These repositories will be written to, and blobs mounted in each from its origins."""
        ...

    @property
    def logins_to_come(self) -> int:
        """How many requests the logins for what is expected will take, as far as the store knows."""
        ...


def asked_so_far(sources: Iterable[Source], target: Source) -> Requests:
    """How many requests were sent for these stores since they were opened. A store on both sides counts as target."""
    return Requests(sum(map(_asked, _others(sources, target))), _asked(target))


def expect_survey(items: Iterable[Item], sources: Mapping[str, Source], target: Source) -> None:
    """Tell both sides which repositories will be read to make a plan."""
    wanted = tuple(items)
    _expect_reading(((item.source_store, item.source.repository) for item in wanted), sources)
    if (expecting := _expecting(target)) is not None:
        expecting.reading(dict.fromkeys(item.target.repository for item in wanted))


def is_open_for(items: Iterable[Item], target: Target) -> bool:
    """Whether at most one login, for all of it, lets something be written under each of these names.

    A plan needs that one too, whatever it mounts: whoever may write into all repositories may read them.
    """
    if (expecting := _expecting(target)) is not None:
        expecting.writing({item.target.repository: {} for item in items})
    return _logins(target) <= 1


def expect_run(plan: Plan, sources: Mapping[str, Source], target: Target) -> None:
    """Tell both sides what the steps of a plan will read and write."""
    copied = [step for step in plan.blob_steps() if step.origin is None]
    _expect_reading(((step.source_store, step.source_repository) for step in copied), sources)
    if (expecting := _expecting(target)) is not None:
        expecting.writing(_origins(plan))


def logins_to_come(plan: Plan, sources: Mapping[str, Source], target: Target) -> Requests:
    """How many requests for logins the steps will take. Both sides are told what the steps will do."""
    expect_run(plan, sources, target)
    return Requests(sum(map(_logins, _others(sources.values(), target))), _logins(target))


def _origins(plan: Plan) -> dict[str, dict[str, None]]:
    """The repositories that are written to, each with those that blobs are mounted from."""
    origins: dict[str, dict[str, None]] = {}
    for step in plan.steps:
        if isinstance(step, BlobStep):
            mounted = origins.setdefault(step.repository, {})
            if step.origin is not None:
                mounted[step.origin] = None
        else:
            origins.setdefault(step.name.repository, {})
    return origins


def _expect_reading(repositories: Iterable[tuple[str, str]], sources: Mapping[str, Source]) -> None:
    wanted: dict[str, dict[str, None]] = {locator: {} for locator in sources}
    for locator, repository in repositories:
        wanted[locator][repository] = None
    for locator, names in wanted.items():
        if (expecting := _expecting(sources[locator])) is not None:
            expecting.reading(names)


def _others(sources: Iterable[Source], target: Source) -> Iterable[Source]:
    """The stores that are only read, each once."""
    return {id(store): store for store in sources if store is not target}.values()


def _expecting(store: Source) -> Expects | None:
    expecting: Expects | None = getattr(store, "expecting", None)
    return expecting


def _logins(store: Source) -> int:
    expecting = _expecting(store)
    return expecting.logins_to_come if expecting is not None else 0


def _asked(store: Source) -> int:
    asked: Asks | None = getattr(store, "requests_sent", None)
    return asked.total if asked is not None else 0
