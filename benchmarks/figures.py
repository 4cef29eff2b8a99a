"""Figures, what they are measured against, and the table that shows them."""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from attrs import asdict, field, frozen

from benchmarks.processes import Cost
from transload import __version__


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
    head = ("what", "transload", "beside it", "ratio", "to reach", "")
    rows: list[tuple[str, ...]] = [head]
    rows += [
        (
            figure.name,
            figure.ours,
            figure.theirs,
            "" if figure.ratio is None else f"{figure.ratio:.2f}",
            figure.reach,
            {None: "", True: "yes", False: "no"}[figure.reached],
        )
        for figure in figures
    ]
    widths = [max(len(row[place]) for row in rows) for place in range(len(head))]
    rows.insert(1, tuple("-" * width for width in widths))
    return "\n".join(
        "| " + " | ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)) + " |" for row in rows
    )


def surroundings() -> dict[str, str]:
    """Date, machine and versions: without them figures mean nothing."""
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "machine": f"{os.cpu_count()} cores, {platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "transload": __version__,
        "skopeo": _version("skopeo", "--version"),
        "docker-registry": _version("docker-registry", "--version"),
    }


def write(path: Path, figures: Iterable[Figure], about: dict[str, Any]) -> None:
    """Everything as JSON, the single samples included."""
    path.parent.mkdir(parents=True, exist_ok=True)
    document = {**about, "figures": [asdict(figure) for figure in figures]}
    path.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")


def _version(*words: str) -> str:
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    return done.stdout.strip().rpartition(" ")[2] if done.returncode == 0 else "not installed"
