"""Real charts' shapes: which references are right, which are found, and which stay open."""

from tests.unit.discovery.charts.shapes import GLOBAL_REGISTRY, packed
from transload.discovery.charts import ChartReading, Fields, read_chart
from transload.discovery.charts.tree import values_of
from transload.discovery.finding import Question, Unread


def found(reading: ChartReading) -> set[str]:
    return {image.finding.text for image in reading.images}


def questions(reading: ChartReading) -> dict[str, str]:
    return {item.text: item.reason for item in reading.open if isinstance(item, Question)}


def unread(reading: ChartReading) -> list[str]:
    return [item.reason for item in reading.open if isinstance(item, Unread)]


def test_a_global_registry_precedes_that_of_each_image() -> None:
    chart = packed(GLOBAL_REGISTRY)
    reading = read_chart(chart, "cache-1.2.3.tgz")
    assert found(reading) == {
        "docker.io/acme/cache:7.2.4-debian-12-r9",
        "docker.io/acme/cache-exporter:1.58.0-debian-12-r4",
    }
    assert questions(reading) == {
        "docker.io/acme/os-shell:12-debian-12-r18": "not needed as it seems: volumePermissions.enabled is false"
    }
    image = reading.images[0]
    assert str(image.finding.place) == "cache-1.2.3.tgz!values.yaml:5: image"
    assert image.fields == Fields(
        registry=("image", "registry"),
        shared_registry=("global", "imageRegistry"),
        repository=("image", "repository"),
        tag=("image", "tag"),
        digest=("image", "digest"),
    )
    mine = values_of(b"global: {imageRegistry: r.example:5000}\nvolumePermissions: {enabled: true}\n", "mine.yaml")
    assert found(read_chart(chart, "cache.tgz", [mine])) == {
        "r.example:5000/acme/cache:7.2.4-debian-12-r9",
        "r.example:5000/acme/cache-exporter:1.58.0-debian-12-r4",
        "r.example:5000/acme/os-shell:12-debian-12-r18",
    }
