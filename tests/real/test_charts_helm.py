"""Charts and Helm itself: the artifact of `helm push`, values that lead to the target, and what helm renders."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

import transload
from tests.real.programs import program
from tests.real.servers import Registry
from tests.unit.charts.building import archive, chart_repository, stores_at
from tests.unit.discovery.charts.shapes import SHAPES, laid_out, packed
from transload.app.charts.finding import find_chart
from transload.app.stores import Stores
from transload.catalog.chartaddress import ChartAddress
from transload.charts.artifact import artifact_of
from transload.charts.chart import Chart
from transload.charts.index import Index
from transload.discovery.charts import read_chart, read_chart_folder
from transload.discovery.charts.relocating import overlay_of, overlay_text
from transload.discovery.finding import Question
from transload.errors import ManifestUnknown
from transload.memory import MemoryStore
from transload.oci import Digest, Name, Reference
from transload.server import ServeSettings, serve
from transload.testing.images import fill, image

# Every field of Helm's metadata, letters that Go escapes, and annotations in the place of Helm's own.
METADATA = """apiVersion: v2
name: {name}
version: {version}
description: A web server & its <friends> "é"
type: application
appVersion: "1.27"
kubeVersion: ">=1.20"
home: https://example.org/web
icon: https://example.org/i.png
keywords: [a, b]
deprecated: true
condition: x.y
tags: t
sources: [https://example.org/web/source, https://example.org/more]
maintainers:
  - {{name: Ann, email: ann@example.org, url: https://ann.example}}
  - name: Bob
annotations: {{z: last, a: first, org.opencontainers.image.title: mine}}
dependencies:
  - name: db
    version: 0.1.0
    repository: ""
    condition: db.enabled
    tags: [one]
    import-values: [data, {{child: a, parent: b}}]
    alias: database
"""
DB = "apiVersion: v2\nname: db\nversion: 0.1.0\n"
_CREATED = "org.opencontainers.image.created"
_IMAGE = re.compile(r"(?<![\w./:-])[a-z0-9][\w.:-]*/[\w./-]+:[\w.-]+(?:@sha256:[0-9a-f]{64})?")


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", f"{Path(program('helm')).parent}{os.pathsep}{os.environ['PATH']}")
    for name in ("HOME", "TRANSLOAD_STATE_DIR", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_RUNTIME_DIR"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)


def helm(*words: str) -> str:
    done = subprocess.run(["helm", *words], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def names_in(rendered: str) -> set[str]:
    return {text for text in _IMAGE.findall(rendered) if not text.startswith("https:")}


def test_the_artifact_is_the_one_of_helm_push(registry: Registry) -> None:
    content = archive("web", "1.2.3+b.1", metadata=METADATA, files={"charts/db/Chart.yaml": DB})
    Path("web-1.2.3+b.1.tgz").write_bytes(content)
    Path("web-1.2.3+b.1.tgz.prov").write_bytes(b"signed")
    helm("push", "web-1.2.3+b.1.tgz", f"oci://{registry.host}/helm", "--plain-http")
    ours = artifact_of(Chart.parse(content, "web", b"signed")).manifest
    with transload.open_store(registry.host) as store:
        theirs = store.fetch("helm/web:1.2.3_b.1")
    assert (theirs.config, theirs.layers) == (ours.config, ours.layers)
    assert {key: value for key, value in theirs.annotations.items() if key != _CREATED} == ours.annotations


def test_helm_pulls_what_was_copied(registry: Registry) -> None:
    content = archive("web", "1.2.3+b.1")
    Path("web.tgz").write_bytes(content)
    Path("web.tgz.prov").write_bytes(b"signed")
    Path("set.yaml").write_text("kind: ImageSet\nversion: 1\ncharts: [{chart: web.tgz, images: false}]\n")
    transload.mirror("set.yaml", to=f"{registry.host}/copied")
    Path("out").mkdir()
    where = f"oci://{registry.host}/copied/charts/web"
    helm("pull", where, "--version", "1.2.3+b.1", "--plain-http", "--prov", "--destination", "out")
    assert Path("out/web-1.2.3+b.1.tgz").read_bytes() == content
    assert Path("out/web-1.2.3+b.1.tgz.prov").read_bytes() == b"signed"


# Not these: helm refuses a chart whose subcharts are missing, and nothing of the other one is rendered.
@pytest.mark.parametrize("shape", sorted(set(SHAPES) - {"umbrella", "annotated"}))
def test_helm_renders_names_at_the_target_only(shape: str) -> None:
    Path("chart.tgz").write_bytes(packed(SHAPES[shape]))
    reading = read_chart(packed(SHAPES[shape]), "chart.tgz")
    places = {}
    for image_of in reading.images:
        source = Reference.parse(image_of.finding.text)
        name = Name(f"mirror/{source.name.repository}", source.name.tag, source.name.digest)
        places[image_of.finding.text] = Reference("registry.local:5000", name)
    overlay = overlay_of(reading, places)
    Path("values.yaml").write_text(overlay_text(overlay, "values"))
    before, after = (
        names_in(helm("template", "chart.tgz")),
        names_in(helm("template", "chart.tgz", "-f", "values.yaml")),
    )
    astray = {text for text in after if not text.startswith("registry.local:5000/mirror/")}
    unknown = before - places.keys()  # what only helm finds
    assert astray == unknown | {item.text for item in overlay.unplaced}
    assert len(after) == len(before)


VERSIONS = (
    *("0.1.0", "0.1.5", "0.2.0", "1.0.0-alpha.1", "1.0.0", "1.2.3", "1.2.10", "1.3.0+b.2", "1.4.0-rc.1", "1.4.0"),
    *("2.0.0-beta", "2.0.0", "2.1.0-rc.1"),
)
RANGES = (
    *("", "*", "x", "^1", "^0", "^0.1", "~1", "~1.2", "~>1.2", "1", "1.2", "1.x", "1.2.x", "1.2.x || 2.x", "1.2 - 1.4"),
    *(">=1 <2", ">=1, <2", "<1", "<=1.2.3", ">2", ">1.2.3-0", "^2.1.0-0", ">=1.0.0-alpha", "^1.4.0-rc.0"),
    *("1.4.0-rc.1", "v1.2.3", "1.3.0", "1.3.0+b.2", "9.9.9"),
)


def test_versions_are_chosen_as_helm_chooses_them(tmp_path: Path) -> None:
    with chart_repository({f"web-{version}.tgz": archive(version=version) for version in reversed(VERSIONS)}) as wire:
        place = f"http://{wire.host}/charts"
        with stores_at(tmp_path) as stores:
            for wanted in RANGES:
                assert _ours(place, wanted, stores) == _of_helm(place, wanted), wanted


def _ours(place: str, wanted: str, stores: Stores) -> str | None:
    address = ChartAddress(place=place, name="web")
    try:
        return find_chart(address.at(wanted) if wanted else address, stores).version
    except ManifestUnknown:
        return None


def _of_helm(place: str, wanted: str) -> str | None:
    words = ["helm", "show", "chart", "web", "--repo", place, *(["--version", wanted] if wanted else [])]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)
    found = re.search(r"^version: (.*)$", done.stdout, re.MULTILINE)
    return found[1].strip("\"'") if found else None


@pytest.mark.parametrize("form", ["yaml", "json"])
def test_indexes_that_helm_writes_are_read(form: str) -> None:
    for name, version in (("web", "1.2.3"), ("web", "1.1.0"), ("db", "0.1.0+b")):
        Path(f"{name}-{version}.tgz").write_bytes(
            archive(name, version, metadata=METADATA.partition("dependencies")[0])
        )
    helm("repo", "index", ".", *(["--json"] if form == "json" else []))
    index = Index(Path("index.yaml").read_bytes(), "index.yaml")
    assert sorted(index.names) == ["db", "web"]
    (first, second) = index.entries("web")
    assert (first.version, second.version, first.urls) == ("1.2.3", "1.1.0", ("web-1.2.3.tgz",))
    assert first.digest == Digest.of(Path("web-1.2.3.tgz").read_bytes())


def test_a_chart_of_the_target_takes_its_images_from_there(registry: Registry) -> None:
    """From the vendor to the site, by the commands that the file of values names."""
    store = MemoryStore()
    fill(store, image("app", layers=(100,)), "team/app", "1")
    with serve(store, ServeSettings()) as vendor:
        values = f"image: {{registry: {vendor.host_port}, repository: team/app, tag: '1'}}\n"
        text = "{{ with .Values.image }}{{ .registry }}/{{ .repository }}:{{ .tag }}{{ end }}"
        pod = f"apiVersion: v1\nkind: Pod\nmetadata: {{name: a}}\nspec:\n  containers:\n    - image: {text}\n"
        Path("web.tgz").write_bytes(archive(files={"values.yaml": values, "templates/pod.yaml": pod}))
        Path("set.yaml").write_text("kind: ImageSet\nversion: 1\ncharts: [web.tgz]\n")
        result = transload.mirror("set.yaml", to=f"{registry.host}/site", values_folder="values")
    assert result.notes == ()  # helm rendered it, so nothing is only likely
    chart = f"oci://{registry.host}/site/charts/web"
    rendered = helm("template", chart, "--version", "1.2.3", "--plain-http", "--values", result.written[0])
    assert names_in(rendered) == {f"{registry.host}/site/team/app:1"}


_RENDERED = re.compile(r"^\s*(?:- )*image: [\"']?([^\s\"'{]+:[^\s\"'{]+)", re.MULTILINE)
_BY_A_FILE = "quay.io/acme/file:1"  # a chart's template reads it from another file, which is a question


@pytest.mark.parametrize("shape", sorted(set(SHAPES) - {"umbrella"}))  # helm refuses missing subcharts
def test_nothing_that_helm_renders_is_missing(shape: str) -> None:
    root = laid_out(SHAPES[shape], Path("chart"))
    reading = read_chart_folder(root)
    found = {image.finding.text for image in reading.images}
    asked = {item.text for item in reading.open if isinstance(item, Question)}
    asked |= {text.rpartition(":")[0] or text for text in asked}
    for text in _RENDERED.findall(helm("template", "release-name", str(root))):
        known = text in found or text.rpartition(":")[0] in asked
        assert known or _BY_A_FILE in text, f"{text} is neither found nor asked about"
