"""Scopes of tokens: which actions on which repository (distribution, docs/spec/auth/scope.md)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from transload.values import frozen

Granted = Mapping[tuple[str, str], frozenset[str]]
_ORDER = ("pull", "push", "delete", "*")


@frozen
class Scope:
    """Actions on one resource. `str()` gives the form that is sent: `repository:a/b:pull,push`."""

    type: str
    name: str
    actions: frozenset[str]

    def __str__(self) -> str:
        known = [action for action in _ORDER if action in self.actions]
        return f"{self.type}:{self.name}:{','.join(known + sorted(self.actions - set(_ORDER)))}"


def pull(repository: str) -> Scope:
    """Reading a repository."""
    return Scope("repository", repository, frozenset({"pull"}))


def push(repository: str) -> Scope:
    """Writing a repository; registries require both actions for it."""
    return Scope("repository", repository, frozenset({"pull", "push"}))


def removal(repository: str) -> Scope:
    """Deleting from a repository. The registry's challenge names the action: `delete`, or `push` at Quay.

    Quay gives no token if `delete` is asked for.
    """
    return Scope("repository", repository, frozenset({"push"}))


CATALOG = Scope("registry", "catalog", frozenset({"*"}))


def parse_scopes(text: str) -> tuple[Scope, ...]:
    """The scopes of a challenge, separated by blanks. A name may contain colons. Malformed scopes are skipped."""
    scopes = []
    for word in text.split():
        kind, _, rest = word.partition(":")
        name, colon, actions = rest.rpartition(":")
        if colon and name:
            scopes.append(Scope(kind, name, frozenset(filter(None, actions.split(",")))))
    return tuple(scopes)


def merged(scopes: Iterable[Scope]) -> tuple[Scope, ...]:
    """One scope per resource, those with push first, because some token servers look at the first one only."""
    actions: dict[tuple[str, str], frozenset[str]] = {}
    for scope in scopes:
        resource = (scope.type, scope.name)
        actions[resource] = actions.get(resource, frozenset()) | scope.actions
    joined = [Scope(kind, name, wanted) for (kind, name), wanted in actions.items()]
    return tuple(sorted(joined, key=lambda scope: "push" not in scope.actions))


def covers(have: Iterable[Scope], want: Iterable[Scope]) -> bool:
    """Whether a token for `have` is enough for `want`."""
    return granting(granted(have), want)


def granted(scopes: Iterable[Scope]) -> Granted:
    """The actions of each resource, for `granting`."""
    return {(scope.type, scope.name): scope.actions for scope in scopes}


def granting(have: Granted, want: Iterable[Scope]) -> bool:
    """The same as `covers`, where it is asked again and again about one token: it may be for a hundred resources."""
    return all(scope.actions <= have.get((scope.type, scope.name), frozenset()) for scope in want)
