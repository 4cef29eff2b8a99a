"""Plots of what was measured, as SVG that fits a light page and a dark one. Without matplotlib there are none.

matplotlib writes the colours of text and lines into each element. They are exchanged for variables that a rule at the
top of the file sets, by what the reader's system prefers.
"""

from __future__ import annotations

import re
import statistics
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.processes import Cost
from benchmarks.race import FLOOR, GROWTH, MIB, OURS, Sample
from benchmarks.wording import told_size

INK, GRID = "#010203", "#040506"  # stand for what the style sets
_STYLE = (
    "<style>:root{--ink:#24292f;--grid:#d0d7de}"
    "@media(prefers-color-scheme:dark){:root{--ink:#e6edf3;--grid:#3d444d}}</style>"
)
# Okabe and Ito's colours, which also colour-blind people tell apart; all are seen on white and on black.
COLOURS = {OURS: "#0072b2", "skopeo": "#d55e00", "crane": "#009e73", "regsync": "#cc79a7", "oras": "#e69f00"}
_STEPS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c6bb1")
_MORE = ("#56b4e9", "#8c6bb1", "#7f7f7f")
BYTES = "size of the image"


def _peak_mib(cost: Cost) -> float:
    return cost.peak_bytes / MIB


MEASURES: tuple[tuple[str, Callable[[Cost], float]], ...] = (
    ("wall time (s)", lambda cost: cost.wall_s),
    ("processor time (s)", lambda cost: cost.cpu_s),
    ("peak memory (MiB)", _peak_mib),
)
TOLD = {
    "scenes": "Wall time where there is something to compare with, a bar for each tool",
    "images": "Time, processor time and memory against the number of images",
    "layers": "Time, processor time and memory against the size of one layer",
    GROWTH: "Time, processor time and memory of each step, from 10 to 10,000 images of ten small blobs",
}
GROWING: tuple[tuple[str, str, Callable[[Sample], int]], ...] = (
    ("images", "images", lambda sample: sample.images),
    ("layers", BYTES, lambda sample: sample.size),
)


def draw(samples: Sequence[Sample], folder: Path) -> list[Path]:
    """Every plot that there is something for, written into `folder`."""
    try:
        import matplotlib  # noqa: F401 - the group `bench` of pyproject.toml: measuring goes on without
    except ImportError:
        return []
    folder.mkdir(parents=True, exist_ok=True)
    drawn = []
    beside = [sample for sample in samples if sample.scene not in ("images", "layers", "start", GROWTH)]
    beside = [sample for sample in beside if "counted" not in sample.scene and len(_tools([sample])) == 1]
    if len(_tools(beside)) > 1:
        drawn.append(_bars(beside, folder / "scenes.svg"))
    for scene, label, of in GROWING:
        chosen = [sample for sample in samples if sample.scene == scene]
        if len({of(sample) for sample in chosen}) > 1:
            drawn.append(_lines(chosen, label, of, folder / f"{scene}.svg"))
    grown = [sample for sample in samples if sample.scene == GROWTH]
    if len({sample.images for sample in grown}) > 1:
        drawn.append(_growth(grown, folder / f"{GROWTH}.svg"))
    return drawn


def themed(svg: str) -> str:
    """With colours that follow the reader's choice of light or dark."""
    svg = svg.replace(INK, "var(--ink)").replace(GRID, "var(--grid)")
    svg = svg[svg.index("<svg ") :]  # no document type, which would name an address
    svg = re.sub(r"(<svg [^>]*>)", lambda found: found[1] + _STYLE, svg, count=1)
    return re.sub(r"\s*<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)  # a date and a name of the library


# --- inside


def _bars(samples: Sequence[Sample], path: Path) -> Path:
    """Wall time of each scene, a bar for each tool."""
    rows = list(dict.fromkeys((sample.scene, sample.stage) for sample in samples))
    rows = [row for row in rows if len(_tools(_at(samples, row))) > 1]
    tools = _tools(samples)
    figure, axes = _figure(1, (9, 1.2 + 0.24 * len(rows) * (len(tools) + 0.7)))
    height = 1 / (len(tools) + 0.7)
    for place, tool in enumerate(tools):
        found = [(number, _median(_at(samples, row), tool, MEASURES[0][1])) for number, row in enumerate(rows)]
        shown = [(number + place * height, value) for number, value in found if value is not None]
        bars = axes[0].barh([at for at, _ in shown], [value for _, value in shown], height * 0.92, color=_colour(tool))
        axes[0].bar_label(bars, [f"{value:.3g}" for _, value in shown], padding=2, fontsize=7, color=INK)
        bars.set_label(tool)
    middle = height * (len(tools) - 1) / 2
    axes[0].set_yticks([number + middle for number in range(len(rows))], [_shortened(row) for row in rows])
    axes[0].invert_yaxis()
    axes[0].margins(y=0.01)
    axes[0].set_xscale("log")
    _plain(axes[0].xaxis)
    axes[0].set_xlabel("wall time (s), median, on a logarithmic scale; less is better")
    figure.legend(loc="outside upper center", ncols=len(tools), frameon=False, labelcolor=INK)
    return _save(figure, path)


def _lines(samples: Sequence[Sample], label: str, of: Callable[[Sample], int], path: Path) -> Path:
    """Time, processor time and memory against size, a line for each tool."""
    figure, axes = _figure(3, (11, 3.4))
    for axis, (name, measure) in zip(axes, MEASURES, strict=True):
        for tool in _tools(samples):
            sizes = sorted({of(sample) for sample in samples if sample.tool == tool})
            values = [_median([sample for sample in samples if of(sample) == size], tool, measure) for size in sizes]
            axis.plot(sizes, values, marker="o", markersize=4, color=_colour(tool), label=tool)
        axis.set_xscale("log")
        axis.set_title(name, color=INK, fontsize=10)
        sizes = sorted({of(sample) for sample in samples})
        axis.set_xticks(sizes, [told_size(size) if label == BYTES else str(size) for size in sizes])
        axis.set_xticks([], minor=True)
        if measure is _peak_mib:
            axis.set_ylim(bottom=0)
        else:
            axis.set_yscale("log")
            _plain(axis.yaxis)
            axis.set_title(f"{name}, logarithmic", color=INK, fontsize=10)
        axis.set_xlabel(label)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=len(labels), frameon=False, labelcolor=INK)
    return _save(figure, path)


def _growth(samples: Sequence[Sample], path: Path) -> Path:
    """Time, processor time and memory against the number of images, a line for each step of their way.

    Both scales are logarithmic: what grows as the work does rises as the dotted line.
    """
    figure, axes = _figure(3, (11, 3.8))
    steps = list(dict.fromkeys(sample.stage.partition(",")[0] for sample in samples))
    counts = sorted({sample.images for sample in samples})
    for axis, (name, measure) in zip(axes, MEASURES, strict=True):
        for step, colour in zip(steps, _STEPS, strict=False):
            own = [sample for sample in samples if sample.stage.partition(",")[0] == step]
            points = [(count, [measure(sample.cost) for sample in own if sample.images == count]) for count in counts]
            found = [(count, statistics.median(values)) for count, values in points if values]
            axis.plot(*zip(*found, strict=True), marker="o", markersize=4, color=colour, label=step)
        axis.set_xscale("log")
        axis.set_yscale("log")
        least, most = axis.get_ylim()
        middle = (least * most) ** 0.5 / (counts[0] * counts[-1]) ** 0.5
        axis.plot(counts, [middle * count for count in counts], ":", color=INK, linewidth=1, label="in proportion")
        axis.set_ylim(least, most)
        axis.set_xticks(counts, [f"{count:,}" for count in counts])
        axis.set_xticks([], minor=True)
        _plain(axis.yaxis)
        axis.set_title(name, color=INK, fontsize=10)
        axis.set_xlabel("images")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=4, frameon=False, labelcolor=INK)
    return _save(figure, path)


def _figure(columns: int, size: tuple[float, float]) -> tuple[Any, list[Any]]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, layout="constrained")
    axes = [figure.add_subplot(1, columns, place + 1) for place in range(columns)]
    for axis in axes:
        axis.set_facecolor("none")
        axis.grid(color=GRID, linewidth=0.6)
        axis.set_axisbelow(True)
        axis.tick_params(colors=INK, which="both", labelsize=8)
        axis.xaxis.label.set_color(INK)
        axis.yaxis.label.set_color(INK)
        for spine in axis.spines.values():
            spine.set_color(GRID)
    return figure, axes


def _plain(axis: Any) -> None:
    """Numbers as people write them: 0.1, 0.2, 0.5, 1."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def _save(figure: Any, path: Path) -> Path:
    import matplotlib as mpl

    # Text stays text, in the reader's font; the salt keeps identifiers the same from run to run.
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "bench", "font.family": "sans-serif"}):
        figure.savefig(path, format="svg", transparent=True)
    path.write_text(themed(path.read_text()))
    return path


def _tools(samples: Iterable[Sample]) -> list[str]:
    return sorted({sample.tool for sample in samples}, key=lambda tool: (tool != OURS, tool == FLOOR, tool))


def _at(samples: Sequence[Sample], row: tuple[str, str]) -> list[Sample]:
    return [sample for sample in samples if (sample.scene, sample.stage) == row]


def _median(samples: Sequence[Sample], tool: str, of: Callable[[Cost], float]) -> float | None:
    values = [of(sample.cost) for sample in samples if sample.tool == tool]
    return statistics.median(values) if values else None


def _shortened(row: tuple[str, str]) -> str:
    return f"{row[0].partition(' (')[0]}: {row[1]}"


def _colour(tool: str) -> str:
    return COLOURS.get(tool) or _MORE[sum(map(ord, tool)) % len(_MORE)]
