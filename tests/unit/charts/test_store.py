"""Charts as a store: names, parts of content, and what happens when memory is short or a plan is an old one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.charts.building import archive, chart_repository, stores_at
from transload.app.charts.finding import find_named
from transload.app.location import Location
from transload.charts import Chart, open_charts
from transload.charts.artifact import artifact_of
from transload.charts.store import ChartStore
from transload.cli.main import main
from transload.errors import (
    BlobUnknown,
    CorruptError,
    ManifestUnknown,
    NotFound,
    ReferenceInvalid,
    RepositoryUnknown,
    UsageError,
)
from transload.net.http import Http
from transload.oci import Descriptor, Digest, Name
from transload.testing.reading import read

FILES = {
    "web-1.2.3.tgz": archive(),
    "web-1.1.0.tgz": archive(version="1.1.0"),
    "db-0.1.0+b.tgz": archive("db", "0.1.0+b"),
}


@pytest.fixture
def store(tmp_path: Path) -> ChartStore:
    for name, content in FILES.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "readme.txt").write_text("no chart")
    return opened(tmp_path)


def opened(path: Path) -> ChartStore:
    return open_charts(f"charts:{path}", str(path), Http, lambda _: None)


def test_names(store: ChartStore) -> None:
    assert list(store.repositories()) == ["db", "web"]
    assert sorted(store.tags("web")) == ["1.1.0", "1.2.3"]
    assert list(store.tags("db")) == ["0.1.0_b"]
    with pytest.raises(RepositoryUnknown):
        list(store.tags("other"))
    manifest = store.fetch(Name("web", "1.2.3"))
    assert store.resolve(Name("web", None, manifest.digest)) == manifest.descriptor
    for name in (Name("web", "9"), Name("other", "1"), Name("web", None, Digest.of(b"nothing"))):
        with pytest.raises(NotFound):
            store.fetch(name)


def test_content_and_parts_of_it(store: ChartStore) -> None:
    manifest = store.fetch(Name("web", "1.2.3"))
    (layer,) = manifest.layers
    for offset, length in ((0, None), (1, None), (0, 10), (5, 7), (layer.size, None), (3, 0)):
        end = None if length is None else offset + length
        assert read(store, "web", layer, offset, length) == FILES["web-1.2.3.tgz"][offset:end]
    assert read(store, "web", manifest.descriptor) == manifest.raw
    assert all(store.exists("web", part) for part in (*manifest.blobs, manifest.descriptor))
    assert not store.exists("web", Descriptor(layer.media_type, layer.digest, layer.size + 1))
    assert not store.exists("db", layer)
    with pytest.raises(BlobUnknown):
        read(store, "web", Descriptor(layer.media_type, Digest.of(b"nothing"), 7))


def test_a_store_that_keeps_nothing_reads_again(store: ChartStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("transload.charts.store.CHARTS_KEPT_BYTES", 1)
    manifests = {tag: store.fetch(Name("web", tag)) for tag in ("1.1.0", "1.2.3")}
    for tag, manifest in manifests.items():
        assert read(store, "web", manifest.layers[0]) == FILES[f"web-{tag}.tgz"]


@pytest.mark.parametrize("wanted", ["config", "layer", "provenance"])
def test_a_part_is_found_by_its_digest_alone(wanted: str, tmp_path: Path) -> None:
    """As a saved plan names it."""
    parts = artifact_of(Chart.parse(FILES["web-1.1.0.tgz"], "web", b"signed")).manifest
    part = {"config": parts.blobs[0], "layer": parts.blobs[1], "provenance": parts.blobs[2]}[wanted]
    charts = {name: FILES[name] for name in ("web-1.2.3.tgz", "web-1.1.0.tgz")}
    with chart_repository(charts, **{"web-1__1__0__tgz__prov": b"signed"}) as wire, Http() as http:
        place = f"http://{wire.host}/charts"
        store = open_charts(f"charts:{place}", place, lambda: http, lambda _: None)
        assert Digest.of(read(store, "web", part)) == part.digest
        asked = [line for line in wire.lines if line.endswith(".tgz")]
    assert len(asked) == (1 if wanted == "layer" else 2)


def test_an_archive_alone_is_a_store(tmp_path: Path) -> None:
    (tmp_path / "any.tgz").write_bytes(FILES["web-1.2.3.tgz"])
    assert list(opened(tmp_path / "any.tgz").repositories()) == ["web"]


def test_a_bad_archive_in_a_folder_is_named(store: ChartStore, tmp_path: Path) -> None:
    (tmp_path / "bad.tgz").write_bytes(b"no")
    with pytest.raises(CorruptError, match="bad.tgz is not a chart that can be stored"):
        list(store.repositories())


def test_a_chart_by_its_name_and_range(tmp_path: Path) -> None:
    with chart_repository(FILES) as wire, stores_at(tmp_path) as stores:
        location = Location.parse(f"charts:http://{wire.host}/charts/")
        found = {text: find_named(text, location, stores).name for text in ("web", "web:<1.2", "db:0.1.0+b")}
        assert found == {
            "web": Name("web", "1.2.3"), "web:<1.2": Name("web", "1.1.0"), "db:0.1.0+b": Name("db", "0.1.0_b"),
        }  # fmt: skip
        with pytest.raises(ManifestUnknown):
            find_named("web:7", location, stores)
        with pytest.raises(ReferenceInvalid):
            find_named("../web", location, stores)


@pytest.mark.parametrize("text", ["charts:https://ann:geheim@h.example", "charts:https://h.example?a=geheim",
                                  "charts:https://", "charts:http://h.example:99999", "charts:"])  # fmt: skip
def test_addresses_that_are_none(text: str) -> None:
    with pytest.raises(UsageError) as refused:
        Location.parse(text)
    assert "geheim" not in f"{refused.value.message} {refused.value.subject} {refused.value.hint}"


def test_charts_are_no_target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for line in (["mirror", "quay.io/a/b:1", "--to"], ["check"]):
        assert main([*line, "charts:https://h.example"]) == 2
    assert list(tmp_path.iterdir()) == [] or not (tmp_path / "https:").exists()
