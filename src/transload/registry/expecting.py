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
    """Scopes that are asked for together, in the order of `needs`. No need is divided."""
    group: Scopes = ()
    for need in needs:
        wider = merged((*group, *need))
        if group and _weight(wider) > TOKEN_BYTES:
            yield group
            wider = merged(need)
        group = wider
    if group:
        yield group


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


def _weight(scopes: Scopes) -> int:
    return sum(len(scope.name) + _ENTRY_BYTES for scope in scopes)
