"""The charts that a run copies: which version, which images each needs, and what is open in it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from transload.app.charts.finding import LocatedChart, fetched, find_chart
from transload.catalog.chartuse import ChartUse
from transload.catalog.selected import Selected, merge
from transload.discovery.finding import Discovered, Finding, Question, Unread
from transload.errors import CorruptError, DocumentInvalid, TransloadError
from transload.events import Counting
from transload.oci import Reference
from transload.report.texts import count
from transload.threads import Cancellation, in_parallel
from transload.values import evolve, field, frozen

if TYPE_CHECKING:
    from transload.app.charts.rendering import Helm
    from transload.app.stores import Stores
    from transload.discovery.charts import ChartReading

_THREADS = 8
_NAMED = 3  # questions in one note


@frozen(kw_only=True)
class ChartContent:
    """A fetched chart, and how it is read: with these files of values, rendered by `helm` if there is one."""

    content: bytes = field(repr=False)
    file: str
    values: tuple[Path, ...] = ()
    helm: Helm | None = None

    def discovered(self, *more: Path) -> tuple[tuple[Discovered, ...], bool]:
        """What it names, with `more` values over the others, and whether helm rendered it. Raises `DocumentInvalid`."""
        from transload.app.charts.reading import ChartReader
        from transload.app.charts.rendering import ChartOptions

        reader = ChartReader(options=ChartOptions(values=(*self.values, *more)), helm=self.helm)
        reader.check()
        items = tuple(reader.packed(self.content, self.file, ()))
        return items, any(chart.rendered for chart in reader.charts)

    def findings(self, *more: Path) -> tuple[Finding, ...]:
        """The images that it names, with `more` values over the others. Raises `DocumentInvalid`."""
        return tuple(item for item in self.discovered(*more)[0] if isinstance(item, Finding))

    def reading(self) -> ChartReading:
        """Where its values name its images. Raises `CorruptError` if it cannot be read."""
        from transload.app.charts.reading import ChartReader
        from transload.app.charts.rendering import ChartOptions
        from transload.discovery.charts import read_chart

        above = ChartReader(options=ChartOptions(values=self.values)).above
        try:
            return read_chart(self.content, self.file, [above])
        except DocumentInvalid as error:
            raise CorruptError(f"{self.file}: {error}", subject=self.file, hint=error.hint) from error


@frozen(kw_only=True)
class ChosenChart:
    """A chart that a run copies, as `chart`, and the `images` that it needs.

    `content` is what they were read from, None if they are not wanted. `findings` name them, `questions` are open.
    """

    use: ChartUse
    located: LocatedChart
    chart: Selected
    content: ChartContent | None = None
    images: tuple[Selected, ...] = ()
    findings: tuple[Finding, ...] = ()
    questions: tuple[Question | Unread, ...] = ()
    rendered: bool = False

    @property
    def label(self) -> str:
        """Name and version, for people."""
        return f"{self.chart.repository.rpartition('/')[2]} {self.located.version}"

    @property
    def selected(self) -> tuple[Selected, ...]:
        """The chart and its images."""
        return (self.chart, *self.images)

    @property
    def notes(self) -> Iterator[str]:
        """Which version was taken, how sure the images are, and what is open."""
        wanted = self.use.address
        if wanted.has_range and wanted.name:
            asked = f"the newest of {wanted.version}" if wanted.version else "the newest one"
            yield f"chart {self.label} is {asked} at {wanted.place}"
        if self.content is None:
            return
        if not self.images:
            yield f"chart {self.label} names no image that could be read"
        elif not self.rendered and any(finding.sureness == "likely" for finding in self.findings):
            yield (
                f"chart {self.label} needs {count(len(self.images), 'image')} by its values and templates;"
                " it was not rendered by Helm, so this is likely and not certain"
            )
        if self.questions:
            named = "; ".join(f"{item.place}: {item.reason}" for item in self.questions[:_NAMED])
            more = f"; and {len(self.questions) - _NAMED} more" if len(self.questions) > _NAMED else ""
            be = "is" if len(self.questions) == 1 else "are"
            yield f"{count(len(self.questions), 'question')} {be} open in chart {self.label}: {named}{more}"


def choose_charts(uses: Iterable[ChartUse], stores: Stores, cancellation: Cancellation) -> tuple[ChosenChart, ...]:
    """Find the charts of a set, and read the images that they need out of them.

    They are read once, also if several targets get them. Raises what `find_chart` raises, and `DocumentInvalid` for a
    file of values that cannot be read.
    """
    wanted = tuple(uses)
    if wanted not in stores.charts:
        stores.charts[wanted] = _all_chosen(wanted, stores, cancellation)
    chosen: tuple[ChosenChart, ...] = stores.charts[wanted]
    return chosen


def _all_chosen(uses: tuple[ChartUse, ...], stores: Stores, cancellation: Cancellation) -> tuple[ChosenChart, ...]:
    located = [(use, _found(use, stores)) for use in uses]
    helm = stores.helm
    counting = Counting(stores.working, "selecting")

    def choose(pair: tuple[ChartUse, LocatedChart]) -> ChosenChart:
        chosen = _chosen(*pair, helm)
        counting.add(1)
        return chosen

    return tuple(in_parallel(choose, located, _THREADS, cancellation))


def _found(use: ChartUse, stores: Stores) -> LocatedChart:
    try:
        return find_chart(use.address, stores)
    except TransloadError as error:
        if use.address.is_on_web and not use.where:  # a word of the command line
            error.hint = "; ".join(filter(None, (error.hint, "if this is an image, leave the scheme out")))
        raise


def _chosen(use: ChartUse, located: LocatedChart, helm: Helm | None) -> ChosenChart:
    if not use.images and located.name.tag and located.location.kind == "registry":
        return ChosenChart(use=use, located=located, chart=_as_selected(use, located, located.name.tag))
    located, chart = fetched(located)
    own = located.name.tag if located.location.kind == "registry" else None  # an index may write v before a version
    selected = _as_selected(use, located, own or chart.tag)
    if not use.images:
        return ChosenChart(use=use, located=located, chart=selected)
    file = f"{chart.name}-{chart.version}.tgz"
    content = ChartContent(content=chart.content, file=file, values=use.values, helm=helm)
    discovered, rendered = content.discovered()
    findings = tuple(item for item in discovered if isinstance(item, Finding))
    return ChosenChart(
        use=use,
        located=located,
        chart=selected,
        content=content,
        images=merge(evolve(image, platforms=use.platforms) for image in _images(findings)),
        findings=findings,
        questions=tuple(item for item in discovered if isinstance(item, (Question, Unread))),
        rendered=rendered,
    )


def _images(findings: Iterable[Finding]) -> Iterator[Selected]:
    """The images, under their own names; those of two registries that would share a name under their registry, too."""
    images = {Selected.of(Reference.parse(finding.text)): None for finding in findings}
    shared = Counter(image.place for image in images)
    for image in images:
        registry = re.sub(r"[^a-z0-9.]+", "-", image.source.registry.lower())
        yield image.under(registry) if shared[image.place] > 1 else image


def _as_selected(use: ChartUse, located: LocatedChart, tag: str) -> Selected:
    location = located.location
    if location.kind == "registry":
        reference, store = Reference(location.value, located.name), ""
    else:
        reference, store = Reference(location.host or "localhost", located.name), location.locator
    return Selected(reference, use.repository_of(located.name.repository), tag, store=store)
