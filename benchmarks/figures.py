"""Figures, what they are measured against, and the table that shows them."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from attrs import field, frozen

from benchmarks.processes import Cost


@frozen
class Figure:
    """One line of the table. `ours` and `theirs` are shown as they are; `ratio` is ours by theirs.

    `reach` is what is wanted, `reached` whether it is so (None where nothing is promised). `samples` are raw values.
    """

    name: str
    ours: str
    theirs: str = ""
    ratio: float | None = field(default=None, kw_only=True)
    reach: str = field(default="", kw_only=True)
    reached: bool | None = field(default=None, kw_only=True)
    samples: dict[str, Any] = field(factory=dict, repr=False, kw_only=True)


def compared(
    name: str,
    ours: Sequence[Cost],
    theirs: Sequence[Cost],
    peer: str,
    at_most: float | None = None,
    of: Callable[[Cost], float] = lambda cost: cost.wall_s,
    unit: str = "s",
) -> Figure:
    """Medians of both, and the median of the ratios of the rounds, which a machine that is busy for a while leaves."""
    pairs = list(zip(map(of, ours), map(of, theirs), strict=True))
    ratio = statistics.median(one / other for one, other in pairs)
    return Figure(
        name,
        f"{statistics.median(one for one, _ in pairs):.2f} {unit}",
        theirs=f"{peer} {statistics.median(other for _, other in pairs):.2f} {unit}",
        ratio=round(ratio, 3),
        reach="" if at_most is None else f"≤ {at_most:g} ×",
        reached=None if at_most is None else ratio <= at_most,
        samples={"ours": [one for one, _ in pairs], "theirs": [other for _, other in pairs]},
    )


def limited(name: str, value: float, at_most: float, unit: str, theirs: str = "", samples: Any = None) -> Figure:
    """A value of ours under a limit."""
    shown, reach = f"{value:.0f} {unit}", f"≤ {at_most:g} {unit}"
    return Figure(name, shown, theirs, reach=reach, reached=value <= at_most, samples={"ours": samples or [value]})


def counted(name: str, value: object, expected: object = None, theirs: str = "") -> Figure:
    """A count, which is the same in every run."""
    wanted = None if expected is None else value == expected
    return Figure(name, str(value), theirs, reach="" if expected is None else f"= {expected}", reached=wanted)


def table(figures: Iterable[Figure]) -> str:
    """As text that is also Markdown."""
    head = ("what", "transload", "beside it", "ratio", "to reach", "reached")
    rows = [
        (
            figure.name,
            figure.ours,
            figure.theirs,
            "" if figure.ratio is None else f"{figure.ratio:.3f}",
            figure.reach,
            {None: "", True: "yes", False: "no"}[figure.reached],
        )
        for figure in figures
    ]
    return markdown(head, rows)


def markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table whose columns are as wide as what is in them."""
    lines = [tuple(head), *(tuple(row) for row in rows)]
    widths = [max(3, *(len(line[place]) for line in lines)) for place in range(len(head))]
    lines.insert(1, tuple("-" * width for width in widths))
    return "\n".join(
        "| " + " | ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)) + " |" for line in lines
    )
