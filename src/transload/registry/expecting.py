"""Which repositories of a registry a run will ask, so that one token serves many of them (distribution, token.md).

A server that gives no token for several repositories, or one that is not enough for each, is asked for each alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from transload.registry.scope import Scope, merged, pull, push

Scopes = tuple[Scope, ...]

if TYPE_CHECKING:
    from transload.registry.api import Api

TOKEN_BYTES = 3000
"""About how many bytes the list of scopes in a token may take: a token is sent as a header, and many servers accept
no more than 8 KiB of headers."""
_ENTRY_BYTES = 70
"""What JSON adds to the name of a repository in a token: `{"type":"repository","name":"","actions":["pull","push"]}`"""


class Expecting:
    """See `planning.expected.Expects`."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def reading(self, repositories: Iterable[str]) -> None:
        """See `planning.expected.Expects`."""
        self._api.expect(to_read(dict.fromkeys(repositories)))

    def writing(self, origins: Mapping[str, Iterable[str]]) -> None:
        """See `planning.expected.Expects`."""
        self._api.expect(to_write(origins))

    @property
    def logins_to_come(self) -> int:
        """See `planning.expected.Expects`."""
        return self._api.tokens_to_come()


def to_read(repositories: Iterable[str]) -> dict[str, Scopes]:
    """What reading these repositories needs, by repository."""
    return {repository: (pull(repository),) for repository in repositories}


def to_write(origins: Mapping[str, Iterable[str]]) -> dict[str, Scopes]:
    """What writing into these repositories needs, each with those that blobs are mounted from."""
    return {
        repository: (push(repository), *map(pull, sorted({*mounted} - {repository})))
        for repository, mounted in origins.items()
    }


def grouped(needs: Iterable[Scopes]) -> Iterator[Scopes]:
    """Scopes that are asked for together, in the order of `needs`. No need is divided.

    Each scope is looked at once: this is done again for each request that has no token yet.
    """
    group: list[Scope] = []
    held: set[tuple[str, str]] = set()
    weight = 0
    for need in needs:
        resources = {(scope.type, scope.name) for scope in need}
        more = _weight(resources - held)
        if group and weight + more > TOKEN_BYTES:
            yield merged(group)
            group, held, weight, more = [], set(), 0, _weight(resources)
        group += need
        held |= resources
        weight += more
    if group:
        yield merged(group)


def together(needs: Mapping[str, Scopes], wanted: Scopes) -> Scopes:
    """The scopes to ask for when a token for `wanted` is needed: those of its group, and its own."""
    key = next((scope.name for scope in merged(wanted) if scope.type == "repository"), "")
    need = needs.get(key)
    if need is None:
        return wanted
    group = next((group for group in grouped(needs.values()) if _holds(group, need)), ())
    return merged((*group, *wanted))


def _holds(group: Scopes, need: Scopes) -> bool:
    names = {scope.name: scope.actions for scope in group}
    return all(scope.actions <= names.get(scope.name, frozenset()) for scope in need)


def _weight(resources: Iterable[tuple[str, str]]) -> int:
    return sum(len(name) + _ENTRY_BYTES for _, name in resources)
