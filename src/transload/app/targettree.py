"""A tree of targets: which target of a run is fed by another one instead of the source (`--via SITE=FROM`). Pure."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from contextlib import suppress

from transload.app.location import Location
from transload.errors import TransloadError, UsageError
from transload.oci.reference import DEFAULT_REGISTRY, HUB_HOSTS

Feeds = tuple[int | None, ...]
"""For each target, the number of the one that feeds it; None for the source."""

_HINT = "name targets as --to does: --to site-a --to site-b --via site-b=site-a"


def address(location: Location) -> str:
    """A text that is equal for names of one place, as far as names tell."""
    if location.kind != "registry":
        return f"{location.kind}:{os.path.realpath(location.value)}"
    host = location.value.lower().removesuffix(":443")
    if host.partition(":")[0] == "localhost":
        host = host.replace("localhost", "127.0.0.1")
    return f"{DEFAULT_REGISTRY if host in HUB_HOSTS else host}/{location.prefix}"


def pairs_of(texts: Iterable[str], targets: Sequence[Location]) -> tuple[tuple[str, str], ...]:
    """Each `SITE=FROM` as a pair, cut at the `=` that has targets on both sides. Raises `UsageError`."""
    return tuple(_pair(text, targets) for text in texts)


def feeds_of(pairs: Iterable[tuple[str, str]], targets: Sequence[Location], *, is_default: bool = False) -> Feeds:
    """Who feeds whom. A default for a whole site may name targets that this run leaves out; such a pair does not count.

    Raises `UsageError` for a name that is no target, for a target that is fed twice, and for a circle.
    """
    feeds: list[int | None] = [None] * len(targets)
    for pair in pairs:
        site, giver = (_number(name, targets) for name in pair)
        if site is None or giver is None:
            if is_default:
                continue
            missing = pair[0] if site is None else pair[1]
            raise UsageError(f"--via names {missing}, which is not a target of this run", subject=missing, hint=_HINT)
        if feeds[site] not in {None, giver}:
            raise UsageError(
                f"--via feeds {targets[site]} twice: from {targets[feeds[site] or 0]} and from {targets[giver]}",
                subject=str(targets[site]),
                hint="leave one of them out",
            )
        feeds[site] = giver
    for number in range(len(targets)):
        _check_ends(number, feeds, targets)
    return tuple(feeds)


def givers(feeds: Feeds, names: Sequence[str]) -> tuple[str | None, ...]:
    """The name of the target that feeds each; None for the source."""
    return tuple(None if giver is None else names[giver] for giver in feeds)


def line_to(number: int, feeds: Feeds) -> tuple[int, ...]:
    """The targets on the way from the source to this one, which is the last."""
    giver = feeds[number]
    return (number,) if giver is None else (*line_to(giver, feeds), number)


def words_of(numbers: Iterable[int], feeds: Feeds, names: Sequence[str]) -> list[str]:
    """The `--via` of these targets, as words of a command line."""
    return [
        word
        for number in numbers
        if (giver := feeds[number]) is not None
        for word in ("--via", f"{names[number]}={names[giver]}")
    ]


def _pair(text: str, targets: Sequence[Location]) -> tuple[str, str]:
    parts = text.split("=")
    cuts = [("=".join(parts[:at]), "=".join(parts[at:])) for at in range(1, len(parts))]
    if not cuts or not all(cuts[0]):
        raise UsageError(f"--via {text} is not two targets with = between them", subject=text, hint=_HINT)
    fits = (pair for pair in cuts if None not in {_number(name, targets) for name in pair})
    return next(fits, cuts[0])


def _number(name: str, targets: Sequence[Location]) -> int | None:
    """Which target is meant: by its whole name, or by its host alone if no other target is there."""
    with suppress(TransloadError):
        wanted = Location.parse(name)
        whole = [number for number, target in enumerate(targets) if address(target) == address(wanted)]
        if whole or wanted.kind != "registry" or wanted.prefix:
            return whole[0] if whole else None
        hosts = [address(Location("registry", target.value)) if target.kind == "registry" else "" for target in targets]
        if hosts.count(address(wanted)) == 1:
            return hosts.index(address(wanted))
    return None


def _check_ends(number: int, feeds: Sequence[int | None], targets: Sequence[Location]) -> None:
    seen, at = [number], feeds[number]
    while at is not None:
        if at in seen:
            circle = " ← ".join(str(targets[each]) for each in (*seen[seen.index(at) :], at))
            raise UsageError(f"--via goes in a circle: {circle}", subject=str(targets[at]), hint="leave one --via out")
        seen.append(at)
        at = feeds[at]
