"""Values for charts, written after the run."""

from pathlib import PurePosixPath

import pytest
import yaml

from tests.unit.configuration.relocations import ONE, moved, relocation
from tests.unit.discovery.charts.shapes import about, packed
from transload.configuration import Configuration, InputFile, Wishes
from transload.configuration.kinds import KINDS
from transload.errors import CorruptError, UsageError

DEPLOYMENT = """
kind: Deployment
spec: {template: {spec: {containers: [
  {name: a, image: "{{ .Values.image.registry }}/{{ .Values.image.repository }}:{{ .Values.image.tag }}"},
  {name: b, image: "quay.io/fixed/b:1"}]}}}
"""
CHART = packed(
    {
        "Chart.yaml": about("app"),
        "values.yaml": "image:\n  registry: quay.io\n  repository: a/b\n  tag: '1.10'\n",
        "templates/deployment.yaml": DEPLOYMENT,
    }
)
MOVED = (moved("quay.io/a/b:1.10", "r.local:5000/m/a/b:1.10", ONE), moved("quay.io/fixed/b:1", "r.local:5000/m/b:1"))


def written(content: bytes = CHART, name: str = "app-1.2.3.tgz") -> Configuration:
    chart = InputFile(name=PurePosixPath(name), content=content)
    return KINDS["helm-values"].write(relocation(*MOVED), Wishes(inputs=(chart,)))


def test_the_fields_of_the_chart_lead_to_the_registry() -> None:
    [file] = written().files
    assert str(file.path) == "app-1.2.3-values-relocated.yaml"
    image = {"registry": "r.local:5000", "repository": "m/a/b", "tag": "1.10"}
    assert yaml.safe_load(file.content) == {"image": image}


def test_what_no_value_leads_there_is_told() -> None:
    configuration = written()
    assert "of app-1.2.3.tgz, 1 stay where they are: quay.io/fixed/b:1" in configuration.notes[-1]
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
