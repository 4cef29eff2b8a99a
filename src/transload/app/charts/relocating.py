"""Writes values beside a run that make its charts take their images from the target (`--values-folder`)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from transload.app.charts.choosing import ChartContent, ChosenChart
from transload.app.location import Location
from transload.discovery.charts import ChartReading
from transload.discovery.charts.relocating import Overlay, overlay_of, overlay_text, proved
from transload.errors import UsageError
from transload.files import local_errors, replace_file
from transload.oci import Name, Reference
from transload.planning import Item
from transload.planning.plan import PlannedImage
from transload.ports import Source
from transload.transfer import Outcome
from transload.values import evolve, frozen

Finish = Callable[[Outcome], tuple[Path, ...]]
_Place = Callable[[Reference], PlannedImage | None]


@frozen(kw_only=True)
class _Copied:
    """A chart of a run, and its name at the target. It is read before the run, so that a bad one stops it."""

    content: ChartContent
    reading: ChartReading
    target: Name


def finish_with_values(
    charts: Sequence[ChosenChart], images: Sequence[PlannedImage], target: Location, folder: Path
) -> Finish:
    """What a run does at its end: write values for its charts.

    Raises `UsageError` if there is nothing that they could say, `CorruptError` for a chart that cannot be read.
    """
    places = {(image.source_store, str(image.source)): image for image in images}
    copied = []
    for chart in charts:
        planned = places.get((chart.chart.locator, str(chart.chart.source.name)))
        if chart.content is not None and planned is not None:
            copied.append(_Copied(content=chart.content, reading=chart.content.reading(), target=planned.target))
    _check(copied, target)
    return partial(_finish, copied, lambda source: places.get((source.registry, str(source.name))), target, folder)


def as_published(images: Sequence[PlannedImage], published: Sequence[Item]) -> tuple[PlannedImage, ...]:
    """The images with the names that they have at their publishers, if another target gives them to this one."""
    items = {item.target: item for item in published}

    def named(image: PlannedImage) -> PlannedImage:
        item = items.get(image.target)
        return image if item is None else evolve(image, source_store=item.source_store, source=item.source)

    return tuple(map(named, images))


def finish_with_carried_values(
    source: Source, images: Sequence[PlannedImage], target: Location, folder: Path
) -> Finish:
    """The same for the charts that a carried store has. Their images are known by their repositories and tags."""
    from transload.charts.artifact import carried_chart

    places = {str(image.source): image for image in images}
    copied = []
    for image in images:
        chart = None if image.error else carried_chart(source, image.source)
        if chart is not None:
            content = ChartContent(content=chart.content, file=f"{chart.name}-{chart.version}.tgz")
            copied.append(_Copied(content=content, reading=content.reading(), target=image.target))
    _check(copied, target)

    def place(reference: Reference) -> PlannedImage | None:
        name = reference.name
        tagged = places.get(str(Name(name.repository, name.tag))) if name.tag else None
        return tagged or (places.get(str(name.at(name.digest))) if name.digest else None)

    return partial(_finish, copied, place, target, folder)


def _check(copied: Sequence[_Copied], target: Location) -> None:
    if target.kind != "registry":
        raise UsageError(
            f"values name a registry, and {target} is none",
            subject=str(target),
            hint="leave --values-folder out, and give it when the images go to the registry",
        )
    if not copied:
        raise UsageError(
            "no chart is copied with its images, so there are no values to write", hint="leave --values-folder out"
        )


def _finish(
    charts: Sequence[_Copied], place: _Place, target: Location, folder: Path, outcome: Outcome
) -> tuple[Path, ...]:
    """Write a file for each chart; returns the files. Those of an earlier run are replaced. Raises `LocalError`."""
    if outcome.interrupted:
        return ()
    with local_errors("writing", folder):
        folder.mkdir(parents=True, exist_ok=True)
    return tuple(_written(charts, place, target, folder))


def _written(charts: Sequence[_Copied], place: _Place, target: Location, folder: Path) -> Iterator[Path]:
    shared = Counter(_file_of(chart.target) for chart in charts)
    for chart in charts:
        content, reading = chart.content, chart.reading
        findings = (*(image.finding for image in reading.images), *content.findings())
        destinations = _destinations((finding.text for finding in findings), place, target)
        if findings and not destinations:
            continue  # its images were left out
        path = folder / _file_of(chart.target, whole=shared[_file_of(chart.target)] > 1)
        title = _title(chart, target, reading.version)
        _write(path, content, overlay_of(reading, destinations), destinations, title)
        yield path


def _write(
    path: Path, content: ChartContent, overlay: Overlay, destinations: Mapping[str, Reference], title: str
) -> None:
    """Write the values, read the chart with them, and note in the file what does not come from the target then."""
    _replace(path, overlay_text(overlay, title))
    _replace(path, overlay_text(proved(overlay, content.findings(path), destinations), title))


def _replace(path: Path, text: str) -> None:
    with local_errors("writing", path):
        replace_file(path, text.encode())


def _destinations(texts: Iterable[str], place: _Place, target: Location) -> dict[str, Reference]:
    """Where the images that these texts name are at the target."""
    destinations: dict[str, Reference] = {}
    for text in texts:
        planned = place(Reference.parse(text))
        if planned is not None:
            name = Name(planned.target.repository, planned.target.tag, planned.digest)
            destinations[text] = Reference(target.value, name)
    return destinations


def _title(chart: _Copied, target: Location, version: str) -> str:
    name = chart.target.repository.rpartition("/")[2]
    return (
        f"Values for chart {name} {version}, so that its images come from {target}.\n"
        f"helm install RELEASE oci://{target.value}/{chart.target.repository} --version {version} --values THIS-FILE\n"
        "Values of your own go before it."
    )


def _file_of(name: Name, *, whole: bool = False) -> str:
    chart = name.repository.replace("/", "-") if whole else name.repository.rpartition("/")[2]
    return f"{chart}-{name.tag or name.digest}-values-relocated.yaml".replace(":", "-")
