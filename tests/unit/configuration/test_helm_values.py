"""Values for charts, written after the run."""

from functools import partial
from pathlib import Path

import pytest
import yaml

from tests.unit.configuration.relocations import ONE, moved, relocation
from tests.unit.discovery.charts.shapes import about, laid_out, packed
from transload.configuration import Configuration, InputChart, MovedImage, Wishes
from transload.configuration.kinds import KINDS
from transload.discovery.charts import read_chart, read_chart_folder
from transload.errors import CorruptError, UsageError
from transload.oci import Reference

DEPLOYMENT = """
kind: Deployment
spec: {template: {spec: {containers: [
  {name: a, image: "{{ .Values.image.registry }}/{{ .Values.image.repository }}:{{ .Values.image.tag }}"},
  {name: b, image: "quay.io/fixed/b:1"}]}}}
"""
FILES = {
    "Chart.yaml": about("app"),
    "values.yaml": "image:\n  registry: quay.io\n  repository: a/b\n  tag: '1.10'\n",
    "templates/deployment.yaml": DEPLOYMENT,
}
CHART = packed(FILES)
MOVED = (moved("quay.io/a/b:1.10", "r.local:5000/m/a/b:1.10", ONE), moved("quay.io/fixed/b:1", "r.local:5000/m/b:1"))


def written(content: bytes = CHART, name: str = "app-1.2.3.tgz") -> Configuration:
    return made(InputChart(name=name, stem=name.removesuffix(".tgz"), read=partial(read_chart, content, name)))


def made(chart: InputChart, *more: MovedImage) -> Configuration:
    return KINDS["helm-values"].write(relocation(*MOVED, *more), Wishes(charts=(chart,)))


def test_the_fields_of_the_chart_lead_to_the_registry() -> None:
    [file] = written().files
    assert str(file.path) == "app-1.2.3-values-relocated.yaml"
    image = {"registry": "r.local:5000", "repository": "m/a/b", "tag": "1.10"}
    assert yaml.safe_load(file.content) == {"image": image}


def test_what_no_value_leads_there_is_told() -> None:
    configuration = written()
    assert "no value of app-1.2.3 leads these to r.local:5000: quay.io/fixed/b:1; " in configuration.notes[-1]
    assert b"quay.io/fixed/b:1" in configuration.files[0].content


@pytest.mark.parametrize(
    "content", [packed({"values.yaml": "a: b"}), b"", b"a: b"], ids=["no Chart.yaml", "empty", "YAML"]
)
def test_what_is_no_chart_is_refused(content: bytes) -> None:
    with pytest.raises((UsageError, CorruptError), match=r"app\.tgz"):
        written(content, "app.tgz")


def test_a_chart_without_any_image_that_was_moved_is_refused() -> None:
    other = packed({"Chart.yaml": about("other"), "values.yaml": "image: ghcr.io/x/y:1\n"})
    with pytest.raises(UsageError, match="no image of app"):
        written(other)


def test_a_folder_gives_the_same_values(tmp_path: Path) -> None:
    folder = laid_out(FILES, tmp_path / "app")
    [file] = made(InputChart(name="./app", stem="app", read=partial(read_chart_folder, folder))).files
    assert yaml.safe_load(file.content) == yaml.safe_load(written().files[0].content)
    assert str(file.path) == "app-values-relocated.yaml"
    assert b"# helm upgrade --install RELEASE ./app --values THIS-FILE" in file.content


@pytest.mark.parametrize("moves", [True, False], ids=["moved, too", "left where it was"])
def test_helm_is_told_where_the_chart_is(moves: bool) -> None:
    chart = InputChart(
        name="oci://quay.io/charts/app --version 1.2.3",
        stem="app-1.2.3",
        read=partial(read_chart, CHART, "app-1.2.3.tgz"),
        source=Reference.parse(f"quay.io/charts/app:1.2.3@{ONE}"),
        version="1.2.3",
    )
    more = [moved("quay.io/charts/app:1.2.3", "r.local:5000/m/charts/app:1.2.3", ONE)] if moves else []
    place = "r.local:5000/m" if moves else "quay.io"
    assert f"RELEASE oci://{place}/charts/app --version 1.2.3 --values app-1.2.3" in made(chart, *more).notes[0]


def test_a_subchart_that_is_not_there_is_told(tmp_path: Path) -> None:
    """A folder has its subcharts only after helm dependency build."""
    files = {**FILES, "Chart.yaml": about("app", "dependencies: [{name: cache, version: 1.0.0, repository: x}]\n")}
    folder = laid_out(files, tmp_path / "app")
    notes = made(InputChart(name="./app", stem="app", read=partial(read_chart_folder, folder))).notes
    assert "1 question is open in chart app: " in notes[-1]
    assert "the subchart cache 1.0.0 (from x) is not in charts/" in notes[-1]
