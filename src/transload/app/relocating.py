"""Writes values beside a run that make its charts take their images from the target (`--values-folder`)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from transload.app.charting import ChosenChart
from transload.app.location import Location
from transload.catalog.selected import join
from transload.discovery.charts.relocating import Overlay, overlay_of, overlay_text, proved
from transload.discovery.charts.tree import values_of
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
    if not any(chart.reading for chart in charts):
        raise UsageError("no chart is copied with its images, so there are no values to write", hint="name a chart")


def write_values(
    charts: Iterable[ChosenChart], images: Iterable[PlannedImage], target: Location, folder: Path
) -> tuple[Path, ...]:
    """Write a file of values for each chart that is copied with its images; returns the files.

    The folder is made if it is not there; files of an earlier run are replaced. Raises `LocalError`.
    """
    places = {(image.source_store, str(image.source)): image for image in images}
    read = [chart for chart in charts if chart.reading is not None]
    shared = Counter(map(_file_of, read))
    written: list[Path] = []
    with local_errors("writing", folder):
        folder.mkdir(parents=True, exist_ok=True)
    for chart in read:
        path = folder / _file_of(chart, whole=shared[_file_of(chart)] > 1)
        text = overlay_text(_overlay(chart, places, target), _title(chart, target))
        with local_errors("writing", path):
            replace_file(path, text.encode())
        written.append(path)
    return tuple(written)


def _overlay(chart: ChosenChart, places: Mapping[tuple[str, str], PlannedImage], target: Location) -> Overlay:
    assert chart.reading is not None  # noqa: S101 - `write_values` looks
    destinations: dict[str, Reference] = {}
    for finding in (image.finding for image in chart.reading.images):
        source = Reference.parse(finding.text)
        planned = places.get((source.registry, str(source.name)))
        if planned is not None:
            name = Name(planned.target.repository, planned.target.tag, planned.digest)
            destinations[finding.text] = Reference(target.value, name)
    overlay = overlay_of(chart.reading, destinations)
    above = values_of(overlay_text(overlay, "").encode(), "the values written")
    return proved(overlay, chart.read_again(above), destinations)


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
