"""Reads a chart without Helm: what it says it needs, what its values name, and what its templates write.

Its templates are carried out as far as that is possible without Helm, so what they write and what values name is only
likely. What cannot be decided is a question; a subchart that is missing is told with what to do about it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path as FilePath

from transload.discovery.charts.annotations import stated
from transload.discovery.charts.chart import Chart, chart_of
from transload.discovery.charts.coalescing import Missing, Use, coalesced, used
from transload.discovery.charts.deciding import Item, decided
from transload.discovery.charts.fields import ChartImage
from transload.discovery.charts.package import Room, collected, unpacked
from transload.discovery.charts.rules import Candidate, candidates
from transload.discovery.charts.templates import Written, templates_of
from transload.discovery.charts.tree import Path, Tree, at, mapping_at, merged, written
from transload.discovery.finding import Discovered, Finding, Irrelevant, Place, Question, Unread
from transload.errors import LimitExceeded
from transload.limits import CHART_FINDINGS
from transload.values import frozen


@frozen(kw_only=True, eq=False)
class ChartReading:
    """What a chart needs, as far as can be known without Helm.

    `images` are the findings, each with the values that name it; `open` has the questions and what could not be read.
    `values` are all values of the chart and its subcharts, each under its name or alias, the user's over the chart's.
    """

    name: str
    version: str
    values: dict[str, Tree]
    images: tuple[ChartImage, ...]
    open: tuple[Question | Unread | Irrelevant, ...]

    @property
    def discovered(self) -> Iterator[Discovered]:
        """Findings, questions and what could not be read."""
        yield from (image.finding for image in self.images)
        yield from self.open


def read_chart(content: bytes, file: str, values: Sequence[dict[str, Tree]] = ()) -> ChartReading:
    """Read a packed chart (`.tgz`), called `file` in places.

    `values` are merged over those of the chart, the last ones on top, as `helm --values` does. Raises `NoChart` for an
    archive without `Chart.yaml`, `DocumentInvalid` for one that is wrong, `CorruptError`, `Refused`, `LimitExceeded`.
    """
    room = Room()
    return _reading(chart_of(unpacked(content, file, room), f"{file}!", room), values)


def read_chart_folder(root: FilePath, values: Sequence[dict[str, Tree]] = ()) -> ChartReading:
    """Read the chart in a folder. Raises as `read_chart` does; `LocalError` if the folder cannot be read."""
    room = Room()
    return _reading(chart_of(collected(root, room), f"{root.as_posix().rstrip('/')}/", room), values)


def _reading(chart: Chart, values: Sequence[dict[str, Tree]]) -> ChartReading:
    above: Tree = {}
    for more in values:
        above = merged(above, more)
    assert isinstance(above, dict)  # noqa: S101 - merged mappings are a mapping
    tree = coalesced(chart, above)
    everything = list(islice(_everything(chart, tree), CHART_FINDINGS + 1))
    if len(everything) > CHART_FINDINGS:
        raise LimitExceeded(f"{chart.name} names more than {CHART_FINDINGS} images", subject=chart.name)
    return ChartReading(
        name=chart.name,
        version=chart.version,
        values=tree,
        images=tuple(item for item in everything if isinstance(item, ChartImage)),
        open=tuple(item for item in everything if not isinstance(item, ChartImage)),
    )


def _everything(chart: Chart, tree: dict[str, Tree]) -> Iterator[Item]:
    uses: list[Use] = []
    for use in used(chart, tree):
        if isinstance(use, Missing):
            yield _missing(use)
        elif use.why_off:
            where = f"subchart {written(use.path)}, switched off: {use.why_off}"
            yield Irrelevant(place=Place(file=f"{use.chart.inside}Chart.yaml", path=where))
        else:
            uses.append(use)
    for use in uses:
        yield from use.chart.unread
        yield from _stated(use)
    writes = templates_of(chart, uses, tree)
    yield from writes.unread
    yield from decided([named for use in uses for named in _named(use, tree, writes)], writes)


def _missing(missing: Missing) -> Unread | Question | Irrelevant:
    dependency = missing.dependency
    if missing.why_off:
        return Irrelevant(place=dependency.place)
    name = " ".join(filter(None, (dependency.name, dependency.version)))
    source = f" (from {dependency.repository})" if dependency.repository else ""
    if missing.path:
        reason = f"the subchart is not in charts/ of {written(missing.path)}{source}, and helm goes on without it"
        return Question(text=name, place=dependency.place, reason=reason)
    return Unread(
        place=dependency.place,
        reason=f"the subchart {name}{source} is not in charts/: run helm dependency build, or discover it, too",
    )


def _stated(use: Use) -> Iterator[Item]:
    if use.chart.annotations is not None:
        off = {below.chart.name for below in use.below.values() if below.why_off}
        for item in stated(use.chart.annotations, off):
            yield ChartImage(finding=item) if isinstance(item, Finding) else item


def _named(use: Use, tree: dict[str, Tree], writes: Written) -> Iterator[Candidate]:
    """What the values of one chart name, with paths from the root of all values."""

    def looks(path: Path) -> bool:
        return not writes.is_known or (*use.path, *path) in writes.looks

    for candidate in candidates(mapping_at(tree, use.path), set(use.below), looks):
        is_of_root = bool(use.path) and candidate.at[0] == "global" and at(tree, candidate.at) is not None
        if not is_of_root:  # what is global in the outermost chart is named there
            yield candidate.below(use.path)
