"""The charts that a run copies: which version, which images each needs, and what is open in it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from attrs import evolve, field, frozen

from transload.app.charts import FoundChart, fetched, find_chart, location_of
from transload.catalog.chartuse import ChartUse
from transload.catalog.selected import Selected, merge
from transload.discovery.finding import Question, Unread
from transload.errors import CorruptError, DocumentInvalid, TransloadError
from transload.events import Counting
from transload.files import local_errors, read_file
from transload.limits import YAML_BYTES
from transload.oci import Reference
from transload.report.texts import count
from transload.threads import Cancellation, in_parallel

if TYPE_CHECKING:
    from transload.app.stores import Stores
    from transload.charts import Chart
    from transload.discovery.charts import ChartReading
    from transload.discovery.charts.tree import Tree

ReadAgain = Callable[[dict[str, "Tree"]], "ChartReading"]
_THREADS = 8
_NAMED = 3  # questions in one note


def _not_read(_: dict[str, Tree]) -> ChartReading:
    raise AssertionError("the images of this chart are not wanted")


@frozen(kw_only=True)
class ChosenChart:
    """A chart that a run copies, as `chart`, and the `images` that it needs.

    `reading` is what was read out of it; None if its images are not wanted. `read_again` reads it with more values over
    those that it was read with.
    """

    use: ChartUse
    found: FoundChart
    chart: Selected
    reading: ChartReading | None = None
    images: tuple[Selected, ...] = ()
    read_again: ReadAgain = field(default=_not_read, repr=False, eq=False)

    @property
    def label(self) -> str:
        """Name and version, for people."""
        return f"{self.chart.repository.rpartition('/')[2]} {self.found.version}"

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
        if self.reading is None:
            return
        certain = sum(image.finding.sureness == "certain" for image in self.reading.images)
        if self.images and certain < len(self.reading.images):
            yield (
                f"chart {self.label} needs {count(len(self.images), 'image')} by its values and templates;"
                " it was not rendered by Helm, so this is likely and not certain"
            )
        elif not self.images:
            yield f"chart {self.label} names no image that could be read"
        yield from self._open()

    def _open(self) -> Iterator[str]:
        assert self.reading is not None  # noqa: S101 - `notes` looks
        questions = [item for item in self.reading.open if isinstance(item, (Question, Unread))]
        if questions:
            named = "; ".join(f"{item.place}: {item.reason}" for item in questions[:_NAMED])
            more = f"; and {len(questions) - _NAMED} more" if len(questions) > _NAMED else ""
            be = "is" if len(questions) == 1 else "are"
            yield f"{count(len(questions), 'question')} {be} open in chart {self.label}: {named}{more}"


def hosts_of(uses: Iterable[ChartUse]) -> Iterator[str]:
    """The hosts that charts come from, as logins name them; files have none."""
    for use in uses:
        host = location_of(use.address).host
        if host:
            yield host


def choose_charts(uses: Iterable[ChartUse], stores: Stores, cancellation: Cancellation) -> tuple[ChosenChart, ...]:
    """Find the charts of a set, and read the images that they need out of them.

    Raises what `find_chart` raises, and `DocumentInvalid` for a file of values that cannot be read.
    """
    found = [(use, _found(use, stores)) for use in uses]
    counting = Counting(stores.working, "selecting")

    def choose(pair: tuple[ChartUse, FoundChart]) -> ChosenChart:
        chosen = _chosen(*pair)
        counting.add(1)
        return chosen

    return tuple(in_parallel(choose, found, _THREADS, cancellation))


def _found(use: ChartUse, stores: Stores) -> FoundChart:
    try:
        return find_chart(use.address, stores)
    except TransloadError as error:
        if use.address.is_on_web and not use.where:  # a word of the command line
            error.hint = "; ".join(filter(None, (error.hint, "if this is an image, leave the scheme out")))
        raise


def _chosen(use: ChartUse, found: FoundChart) -> ChosenChart:
    if not use.images and found.name.tag:
        return ChosenChart(use=use, found=found, chart=_as_selected(use, found, found.name.tag))
    found, chart = fetched(found)
    selected = _as_selected(use, found, found.name.tag or chart.tag)
    if not use.images:
        return ChosenChart(use=use, found=found, chart=selected)
    read = _reader(chart, use)
    reading = read({})
    images = (evolve(_image(image.finding.text), platforms=use.platforms) for image in reading.images)
    return ChosenChart(use=use, found=found, chart=selected, reading=reading, images=merge(images), read_again=read)


def _as_selected(use: ChartUse, found: FoundChart, tag: str) -> Selected:
    location = found.location
    if location.kind == "registry":
        reference, store = Reference(location.value, found.name), ""
    else:
        reference, store = Reference(location.host or "localhost", found.name), location.locator
    return Selected(reference, use.repository_of(found.name.repository), tag, store=store)


def _image(text: str) -> Selected:
    return Selected.of(Reference.parse(text))


def _reader(chart: Chart, use: ChartUse) -> ReadAgain:
    from transload.discovery.charts import read_chart

    values = [_values(path) for path in use.values]

    def read(above: dict[str, Tree]) -> ChartReading:
        try:
            return read_chart(chart.content, f"{chart.name}-{chart.version}.tgz", [*values, above])
        except DocumentInvalid as error:
            raise CorruptError(f"{chart.origin}: {error}", subject=chart.origin, hint=error.hint) from error

    return read


def _values(path: Path) -> dict[str, Tree]:
    from transload.discovery.charts.tree import values_of

    with local_errors("reading", path):
        return values_of(read_file(path, YAML_BYTES + 1), str(path))
