"""Values for Helm charts, by which their images come from the registry: what `mirror --values-folder` writes in a run.

They are read by the rules for charts, without Helm. What no value leads to the registry is told in the file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

from transload.configuration.lookup import Found, Lookup
from transload.configuration.relocation import Relocation
from transload.configuration.wishes import ConfigFile, Configuration, InputChart, Wishes
from transload.discovery.charts import ChartReading, NoChart
from transload.discovery.charts.relocating import Overlay, overlay_of, overlay_text, proved
from transload.discovery.charts.tree import values_of
from transload.discovery.finding import Irrelevant
from transload.errors import UsageError
from transload.oci import Name, Reference
from transload.wording import number_of

_SHOWN = 3


def write(relocation: Relocation, wishes: Wishes) -> Configuration:
    """A file of values for each chart.

    Raises `UsageError` for what is no chart, and for a chart none of whose images was moved; `DocumentInvalid`,
    `CorruptError`, `LimitExceeded`, `LocalError` for one that cannot be read.
    """
    lookup = Lookup.of(relocation.images)
    files, notes = [], []
    for chart in wishes.charts:
        reading = _read(chart)
        destinations = _destinations(reading, lookup)
        if not destinations:
            raise UsageError(
                f"no image of {chart.name} is among those that were moved",
                subject=chart.name,
                hint="transload discover lists what the chart names",
            )
        helm = f"helm upgrade --install RELEASE {_for_helm(chart, lookup)} --values"
        title = _title(helm, reading, relocation.registry)
        overlay = _proved(overlay_of(reading, destinations), chart, destinations, title)
        path = PurePosixPath(f"{chart.stem}-values-relocated.yaml")
        files.append(ConfigFile(path=path, content=overlay_text(overlay, title).encode()))
        notes.append(f"{helm} {path} (values of your own go before it)")
        if overlay.unplaced:
            stay = sorted({item.text for item in overlay.unplaced})
            more = f" and {len(stay) - _SHOWN} more" if len(stay) > _SHOWN else ""
            notes.append(
                f"no value of {chart.stem} leads these to {relocation.registry}: {', '.join(stay[:_SHOWN])}{more}; "
                f"{path} says why"
            )
        notes += _open(chart, reading)
    return Configuration(files=tuple(files), notes=tuple(notes))


def _open(chart: InputChart, reading: ChartReading) -> Iterator[str]:
    """What the chart leaves open, such as a subchart that is not there: no value was looked for in it."""
    questions = [item for item in reading.open if not isinstance(item, Irrelevant)]
    if questions:
        named = "; ".join(f"{item.place}: {item.reason}" for item in questions[:_SHOWN])
        more = f"; and {len(questions) - _SHOWN} more" if len(questions) > _SHOWN else ""
        be = "is" if len(questions) == 1 else "are"
        yield f"{number_of(len(questions), 'question')} {be} open in chart {chart.stem}: {named}{more}"


def _read(chart: InputChart, *values: bytes) -> ChartReading:
    try:
        return chart.read([values_of(text, chart.name) for text in values])
    except NoChart as error:
        raise UsageError(
            f"{chart.name} is no chart",
            subject=chart.name,
            hint="name a packed chart (.tgz), its folder, or its address: oci://HOST/PATH/NAME:VERSION",
        ) from error


def _destinations(reading: ChartReading, lookup: Lookup) -> dict[str, Reference]:
    """Where the images that the chart names are, by their texts in it."""
    found = {image.finding.text: lookup.find(image.finding.text) for image in reading.images}
    return {text: _whole(place) for text, place in found.items() if isinstance(place, Found)}


def _whole(found: Found) -> Reference:
    """With tag and digest: the chart has fields for one of them, or for both."""
    return Reference(found.reference.registry, Name(found.reference.name.repository, found.tag, found.digest))


def _proved(overlay: Overlay, chart: InputChart, destinations: Mapping[str, Reference], title: str) -> Overlay:
    """The overlay, with what the chart, read with these values, still takes from elsewhere."""
    reading = _read(chart, overlay_text(overlay, title).encode())
    return proved(overlay, (image.finding for image in reading.images), destinations)


def _for_helm(chart: InputChart, lookup: Lookup) -> str:
    """The chart on Helm's command line: at the registry, if it was moved with the images."""
    place = lookup.find(str(chart.source)) if chart.source else None
    if not isinstance(place, Found):
        return chart.name
    return f"oci://{place.reference.registry}/{place.reference.name.repository} --version {chart.version}"


def _title(helm: str, reading: ChartReading, registry: str) -> str:
    return (
        f"Values for chart {reading.name} {reading.version}, so that its images come from {registry}.\n"
        f"{helm} THIS-FILE\n"
        "Values of your own go before it."
    )
