"""Writes values beside a run that make its charts take their images from the target (`--values-folder`)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from transload.app.charting import ChartContent, ChosenChart
from transload.app.location import Location
from transload.catalog.selected import join
from transload.discovery.charts.relocating import Overlay, overlay_of, overlay_text, proved
from transload.discovery.finding import Finding
from transload.errors import UsageError
from transload.files import local_errors, replace_file
from transload.oci import Name, Reference
from transload.planning.plan import PlannedImage


def check_relocatable(charts: Sequence[ChosenChart], target: Location) -> None:
    """Raises `UsageError` if there is nothing that such values could say."""
    if target.kind != "registry":
        raise UsageError(
            f"values name a registry, and {target} is none",
            subject=str(target),
            hint="leave --values-folder out, and give it when the images go to the registry",
        )
    if not any(chart.content for chart in charts):
        raise UsageError("no chart is copied with its images, so there are no values to write", hint="name a chart")


def write_values(
    charts: Iterable[ChosenChart], images: Iterable[PlannedImage], target: Location, folder: Path
) -> tuple[Path, ...]:
    """Write a file of values for each chart that is copied with its images; returns the files.

    The folder is made if it is not there; files of an earlier run are replaced. Raises `LocalError`.
    """
    places = {(image.source_store, str(image.source)): image for image in images}
    read = [(chart, chart.content) for chart in charts if chart.content is not None]
    shared = Counter(_file_of(chart) for chart, _ in read)
    written: list[Path] = []
    with local_errors("writing", folder):
        folder.mkdir(parents=True, exist_ok=True)
    for chart, content in read:
        path = folder / _file_of(chart, whole=shared[_file_of(chart)] > 1)
        reading = content.reading()
        texts = [finding.text for finding in (*chart.findings, *(image.finding for image in reading.images))]
        destinations = _destinations(texts, places, target)
        _write(path, content, overlay_of(reading, destinations), destinations, _title(chart, target))
        written.append(path)
    return tuple(written)


def _write(
    path: Path, content: ChartContent, overlay: Overlay, destinations: Mapping[str, Reference], title: str
) -> None:
    """Write the values, read the chart with them, and note in the file what does not come from the target then."""
    _replace(path, overlay_text(overlay, title))
    discovered, _ = content.discovered(path)
    overlay = proved(overlay, (item for item in discovered if isinstance(item, Finding)), destinations)
    _replace(path, overlay_text(overlay, title))


def _replace(path: Path, text: str) -> None:
    with local_errors("writing", path):
        replace_file(path, text.encode())


def _destinations(
    texts: Iterable[str], places: Mapping[tuple[str, str], PlannedImage], target: Location
) -> dict[str, Reference]:
    """Where the images that these texts name are at the target."""
    destinations: dict[str, Reference] = {}
    for text in texts:
        source = Reference.parse(text)
        planned = places.get((source.registry, str(source.name)))
        if planned is not None:
            name = Name(planned.target.repository, planned.target.tag, planned.digest)
            destinations[text] = Reference(target.value, name)
    return destinations


def _title(chart: ChosenChart, target: Location) -> str:
    reference = f"oci://{join(str(target), chart.chart.repository)} --version {chart.found.version}"
    return (
        f"Values for chart {chart.label}, so that its images come from {target}.\n"
        f"helm install RELEASE {reference} --values THIS-FILE\n"
        "Values of your own go before it."
    )


def _file_of(chart: ChosenChart, *, whole: bool = False) -> str:
    repository = chart.chart.repository
    name = repository.replace("/", "-") if whole else repository.rpartition("/")[2]
    return f"{name}-{chart.chart.tag}-values-relocated.yaml"
