"""The releases of a catalog for people, as lines, and for programs, as JSON."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from transload.catalog.offer import Holding, Offer, ReleaseList
from transload.report.problem import Problem, without_subject
from transload.report.styled import Styled, beside, folded
from transload.report.texts import count

_TAG = 26  # letters


def release_lines(listed: ReleaseList, width: int | None = None) -> list[Styled]:
    """A line for each release, newest first."""
    marks = [_mark(offer) for offer in listed.releases]
    room = max(map(len, marks), default=0)
    return [
        line
        for offer, mark in zip(listed.releases, marks, strict=True)
        for line in _release(offer, f"{mark:<{room}}", width)
    ]


def news(listed: ReleaseList, command: str) -> str:
    """What is new, in a sentence. `command` copies it, or the newest alone if the target has no whole release."""
    if not listed.new:
        unknown = sum(offer.is_new is None for offer in listed.releases)
        return f"whether {count(unknown, 'release')} would be new is not known" if unknown else "nothing is new"
    if len(listed.new) == len(listed.releases) > 1:
        return f"all {len(listed.new)} releases are new; to copy the newest: {command}"
    return f"{count(len(listed.new), 'release')} new; to copy what is new: {command}"


def trouble_lines(listed: ReleaseList, width: int | None = None) -> list[Styled]:
    """Each problem once, with the repositories that have it."""
    named: dict[Problem, tuple[Problem, list[str]]] = {}
    for name, error in sorted(listed.troubles.items()):
        problem = Problem.of(error)
        named.setdefault(without_subject(problem), (problem, []))[1].append(name)
    return [line for problem, names in named.values() for line in _trouble(problem, names, width)]


def release_json(offer: Offer) -> dict[str, Any]:
    """One entry of `releases` in docs/formats/json-output.md."""
    release, holding = offer.release, offer.holding
    return {
        "tag": release.tag,
        "date": release.date,
        "known": release.known,
        "basis": release.basis,
        "images": list(release.images),
        "facts": dict(release.facts),
        "at_target": offer.at_target,
        "new": offer.is_new,
        "held": None if holding is None else _holding_json(holding),
    }


def trouble_json(listed: ReleaseList) -> list[dict[str, Any]]:
    """What could not be asked: problem objects, each with its `repository`."""
    return [{"repository": name, **Problem.of(error).to_json()} for name, error in sorted(listed.troubles.items())]


def _holding_json(holding: Holding) -> dict[str, Any]:
    return {
        "state": holding.state,
        "there": list(holding.there),
        "differing": list(holding.differing),
        "absent": list(holding.absent),
        "unclear": list(holding.unclear),
    }


def _release(offer: Offer, mark: str, width: int | None) -> list[Styled]:
    release = offer.release
    facts = [count(len(release.images), "image")]
    if not release.known:
        facts.append(release.note or "not in the catalog")
    elif release.basis == "inferred":
        facts.append("list inferred")
    text = "  ".join([f"{release.date or '':<10}", *([mark] if mark else []), ", ".join(facts)])
    return beside(Styled.of(release.tag), text, _TAG, width)


def _mark(offer: Offer) -> str:
    """How much of a release is at the target, in a few words."""
    if offer.holding is None:
        return ""
    return ", ".join((["new"] if offer.is_new else []) + _parts(offer.holding))


def _parts(holding: Holding) -> list[str]:
    if holding.state == "whole":
        return ["at the target"]
    there = len(holding.there) + len(holding.differing)
    parts = [f"{there} of {holding.images} at the target"] if there or holding.unclear else []
    parts += [f"{len(holding.differing)} with other content"] if holding.differing else []
    return parts + ([f"{len(holding.unclear)} could not be asked"] if holding.unclear else [])


def _trouble(problem: Problem, names: Iterable[str], width: int | None) -> list[Styled]:
    lines = folded("could not ask: ", ", ".join(names), width, "bad")
    lines += folded("  because: ", problem.message, width)
    return lines + (folded("  hint: ", problem.hint, width) if problem.hint else [])
