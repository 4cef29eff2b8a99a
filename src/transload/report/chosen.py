"""What rules for tags chose: how many tags of how many, each tag with its reason, and the same for programs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

from transload.report.styled import Styled, folded
from transload.report.texts import count, one_line

if TYPE_CHECKING:
    from transload.catalog.ruled import Choice, RuledPrefix


def chosen_lines(choices: Sequence[Choice], width: int | None = None) -> Iterator[Styled]:
    """A line for each repository that the set names, and for each prefix: `12 of 140 tags of …: >=1.40, newest 3`."""
    for prefix, group in groupby(choices, lambda choice: choice.prefix):
        for told in map(str, group) if prefix is None else (_under(prefix, tuple(group)),):
            yield from folded("tags:     ", one_line(told), width, "faint")


def _under(prefix: RuledPrefix, choices: Sequence[Choice]) -> str:
    taken = sum(len(choice.taken) for choice in choices)
    tags = count(sum(len(choice.verdicts) for choice in choices), "tag")
    some = sum(bool(choice.taken) for choice in choices)
    without = f", without {', '.join(prefix.deny)}" if prefix.deny else ""
    return (
        f"{taken:,} of {tags} in {some:,} of {count(len(choices), 'repository')} under {prefix}{without}: {prefix.rule}"
    )


def explained_lines(choices: Iterable[Choice]) -> Iterator[Styled]:
    """Every tag of every repository, newest first, with the reason why it was taken or left."""
    for choice in choices:
        yield Styled()
        yield Styled.of((choice.repository, "strong"), f": {one_line(str(choice.ruled.rule))}")
        room = max((len(verdict.tag) for verdict in choice.verdicts), default=0)
        for verdict in choice.verdicts:
            told = f"{verdict.tag:<{room}}  {one_line(verdict.why)}"
            if verdict.taken:
                yield Styled.of("  ", ("taken", "good"), f"  {told}")
            else:
                yield Styled.of("  ", ("left", "faint"), f"   {told}")


def chosen_json(choice: Choice) -> dict[str, Any]:
    """An item of `tags` in the plan (docs/formats/json-output.md)."""
    return {
        "repository": choice.repository,
        "prefix": str(choice.prefix) if choice.prefix else None,
        "rule": str(choice.ruled.rule),
        "taken": len(choice.taken),
        "tags": [{"tag": verdict.tag, "taken": verdict.taken, "why": verdict.why} for verdict in choice.verdicts],
    }
