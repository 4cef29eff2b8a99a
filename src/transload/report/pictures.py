"""What the pictures of a report show: numbers and places, from which templates draw. Pure.

Widths and heights are in thousandths of the picture, so that it can have any size.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from transload.report.insight import Insight, RunCourse, RunHalt
from transload.report.result import ImageResult, Result
from transload.report.texts import shared_folder, shared_tag
from transload.values import evolve, frozen

ROWS = 20
"""Images that have a bar of their own."""
NAMED_SPANS = 40
"""With more images, a timeline says how many were done when, and names none."""
WHOLE = 1000
_COLUMNS = 200
_STAIRS = 80
_FEWEST = 4
_TICKS = (1, 2, 2.5, 5, 10)
_LEAST = 1.5  # the least width of a bar that somebody can still see


@frozen(kw_only=True)
class Bar:
    """One image: the bytes of layers that only it has, and of those that other images have too, and their widths."""

    name: str
    own: int
    shared: int
    own_width: float
    shared_width: float


@frozen(kw_only=True)
class Contents:
    """The layers of a run's images. `whole` is what they would be if none were shared, `once` each layer once.

    `more` images have no bar here.
    """

    images: int
    layers: int
    shared_layers: int
    own: int
    shared: int
    whole: int
    bars: tuple[Bar, ...]
    more: int

    @property
    def once(self) -> int:
        """Bytes of all layers, each once."""
        return self.own + self.shared

    @property
    def saved(self) -> int:
        """What sharing saves."""
        return self.whole - self.once

    @property
    def widths(self) -> tuple[float, float, float]:
        """Of the bar of all: own layers, shared ones, what sharing saves."""
        own = WHOLE * self.own / self.whole
        shared = WHOLE * self.shared / self.whole
        return round(own, 1), round(shared, 1), round(WHOLE - own - shared, 1)

    @property
    def percent(self) -> int:
        """How much sharing saves, in percent."""
        return 100 * self.saved // self.whole


def short_names(names: Sequence[str]) -> dict[str, str]:
    """The names of images without the folder and the tag that all of them share."""
    folder, tag = len(shared_folder(names)), len(shared_tag(names))
    return {name: name[folder : len(name) - tag] for name in names}


def contents(names: Sequence[str], parts: Sequence[Sequence[int]], sizes: Sequence[int]) -> Contents | None:
    """What images share. `parts` are the numbers of each one's layers in `sizes`. None if no layer is known."""
    shown = short_names(names)
    used = Counter(number for listed in parts for number in set(listed))
    bars: list[tuple[str, int, int]] = []
    for name, listed in zip(names, parts, strict=False):
        numbers = set(listed)
        if numbers:
            shared = sum(sizes[number] for number in numbers if used[number] > 1)
            bars.append((shown[name], sum(sizes[number] for number in numbers) - shared, shared))
    whole = sum(own + shared for _, own, shared in bars)
    if not whole:
        return None
    bars.sort(key=lambda bar: (-bar[1] - bar[2], bar[0]))
    largest = bars[0][1] + bars[0][2]
    return Contents(
        images=len(bars),
        layers=len(used),
        shared_layers=sum(count > 1 for count in used.values()),
        own=sum(sizes[number] for number, count in used.items() if count == 1),
        shared=sum(sizes[number] for number, count in used.items() if count > 1),
        whole=whole,
        bars=tuple(
            Bar(
                name=name,
                own=own,
                shared=shared,
                own_width=_width(own, largest),
                shared_width=_width(shared, largest),
            )
            for name, own, shared in bars[:ROWS]
        ),
        more=max(0, len(bars) - ROWS),
    )


@frozen(kw_only=True)
class Line:
    """The bytes per second of one side: the points of a line and of the area below it, and the fastest step."""

    side: str
    line: str
    area: str
    fastest: float


@frozen(kw_only=True)
class Mark:
    """A halt in the picture: where it is, how wide, and what it was."""

    left: float
    width: float
    halt: RunHalt


@frozen(kw_only=True)
class Throughput:
    """Bytes per second over time. `top` is the rate at the upper edge, `end_s` the time at the right one."""

    top: float
    end_s: float
    lines: tuple[Line, ...]
    marks: tuple[Mark, ...]

    @property
    def times(self) -> tuple[float, ...]:
        """The times below, from left to right."""
        return tuple(self.end_s * quarter / 4 for quarter in range(5))


def throughput(course: RunCourse) -> Throughput | None:
    """None if nothing moved, or too short to say when."""
    course = _coarser(course)
    steps = max(len(course.source), len(course.target))
    halted = max((halt.at_s + halt.wait_s for halt in course.halts), default=0.0)
    if steps < _FEWEST or not (any(course.source) or any(course.target)):
        return None
    end_s = max(steps * course.step_s, min(halted, 2 * steps * course.step_s))
    sides = [(side, amounts) for side, amounts in (("source", course.source), ("target", course.target)) if amounts]
    top = _rounded_up(max(max(amounts) for _, amounts in sides) / course.step_s)
    return Throughput(
        top=top,
        end_s=end_s,
        lines=tuple(_line(side, amounts, course.step_s, top, end_s) for side, amounts in sides),
        marks=tuple(_mark(halt, end_s) for halt in course.halts if halt.at_s <= end_s),
    )


def _coarser(course: RunCourse) -> RunCourse:
    """The same with longer steps: many narrow stairs show how often somebody looked, and not how fast it was."""
    while max(len(course.source), len(course.target)) > _STAIRS:
        course = evolve(course, step_s=course.step_s * 2, source=_pairs(course.source), target=_pairs(course.target))
    return course


def _pairs(amounts: Sequence[int]) -> tuple[int, ...]:
    return tuple(sum(amounts[place : place + 2]) for place in range(0, len(amounts), 2))


def _line(side: str, amounts: Sequence[int], step_s: float, top: float, end_s: float) -> Line:
    """Each step is a stair: what is known is how much came in it, not when."""
    points: list[str] = []
    for number, amount in enumerate(amounts):
        height = round(WHOLE - WHOLE * amount / step_s / top, 1)
        left, right = (round(WHOLE * edge * step_s / end_s, 1) for edge in (number, number + 1))
        points += [f"{left:g},{height:g}", f"{right:g},{height:g}"]
    end = points[-1].partition(",")[0]
    return Line(
        side=side,
        line=" ".join(points),
        area=" ".join(["0,1000", *points, f"{end},1000"]),
        fastest=max(amounts) / step_s,
    )


def _mark(halt: RunHalt, end_s: float) -> Mark:
    left = WHOLE * halt.at_s / end_s
    width = min(WHOLE * halt.wait_s / end_s, WHOLE - left)
    return Mark(left=round(min(left, WHOLE - 2), 1), width=round(max(width, 2.0), 1), halt=halt)


def _rounded_up(rate: float) -> float:
    """A round rate above this one: 1, 2, 2.5, 5 or 10 of a power of 1024 and of ten."""
    unit = 1.0
    while rate / unit >= 1024:
        unit *= 1024
    while rate / unit > 10:
        unit *= 10
    return unit * next(tick for tick in _TICKS if rate / unit <= tick)


@frozen(kw_only=True)
class Span:
    """When an image was copied, in seconds from the begin of copying, and where that is in the picture."""

    name: str
    image: ImageResult
    began_s: float
    duration_s: float
    left: float
    width: float


@frozen(kw_only=True)
class Timeline:
    """When images were copied. Few have a span each; of many there are lines: how many had begun, and were done."""

    end_s: float
    images: int
    spans: tuple[Span, ...] = ()
    begun: str = ""
    done: str = ""

    @property
    def times(self) -> tuple[float, ...]:
        """The times below, from left to right."""
        return tuple(self.end_s * quarter / 4 for quarter in range(5))


def timeline(images: Sequence[ImageResult], insight: Insight) -> Timeline | None:
    """None if it is not known when images began."""
    known = [
        (more.began_s, image.duration_s, image)
        for image, more in zip(images, insight.images, strict=False)
        if more.began_s is not None and image.duration_s is not None
    ]
    end_s = max((began_s + duration_s for began_s, duration_s, _ in known), default=0.0)
    if not end_s:
        return None
    if len(known) > NAMED_SPANS:
        return Timeline(
            end_s=end_s,
            images=len(known),
            begun=_counted((began_s for began_s, _, _ in known), len(known), end_s),
            done=_counted((began_s + duration_s for began_s, duration_s, _ in known), len(known), end_s),
        )
    names = short_names([image.name for image in images])
    known.sort(key=lambda span: (span[0], span[1], span[2].name))
    spans = tuple(
        Span(
            name=names[image.name],
            image=image,
            began_s=began_s,
            duration_s=duration_s,
            left=round(WHOLE * began_s / end_s, 1),
            width=_width(duration_s, end_s),
        )
        for began_s, duration_s, image in known
    )
    return Timeline(end_s=end_s, images=len(known), spans=spans)


def _counted(moments: Iterable[float], most: int, end_s: float) -> str:
    """The points of a line that says how many of these moments had come."""
    counted = Counter(min(_COLUMNS, int(moment / end_s * _COLUMNS)) for moment in moments)
    number, points = 0, ["0,1000"]
    for column in range(_COLUMNS + 1):
        number += counted[column]
        points.append(f"{WHOLE * column / _COLUMNS:g},{round(WHOLE - WHOLE * number / most, 1):g}")
    return " ".join(points)


def _width(part: float, whole: float) -> float:
    return 0.0 if not part else round(max(_LEAST, WHOLE * part / whole), 1)


@frozen(kw_only=True)
class Pictures:
    """All that a result has."""

    contents: Contents | None = None
    throughput: Throughput | None = None
    timeline: Timeline | None = None


def pictures(result: Result) -> Pictures:
    """Those of a result; of what is not known there is none."""
    insight = result.insight
    if insight is None:
        return Pictures()
    return Pictures(
        contents=contents(
            [image.name for image in result.images],
            [image.layers for image in insight.images],
            [layer.size for layer in insight.layers],
        ),
        throughput=throughput(insight.course) if insight.course else None,
        timeline=timeline(result.images, insight),
    )
