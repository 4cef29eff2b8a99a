"""Images in the texts of ConfigMaps, variables and scripts, and in the fields of unknown kinds."""

import json

import pytest

from tests.unit.discovery.reading import images, questions
from transload.discovery.finding import Finding, Place, Question
from transload.discovery.texts import TEXT_LENGTH, named_in

PLACE = Place(file="f.yaml")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("3.6=quay.io/a/b:1\n3.7=quay.io/a/b:2\n", ["quay.io/a/b:1", "quay.io/a/b:2"]),
        ("run --image=quay.io/a/b:1, then quay.io/a/b:1.", ["quay.io/a/b:1"]),
        ('{"image": "quay.io/a/b:1", "imagePullPolicy": "Always"}', ["quay.io/a/b:1"]),
        ("image: nginx:1.27\n# image: quay.io/a/b:1\n", ["nginx:1.27"]),
        ("see https://quay.io/a/b:1 or git@quay.io:a/b", []),
        ("http://127.0.0.1:8080/healthz and 10.0.0.0/8 and a/b:c", []),
    ],
)
def test_words_and_fields_of_a_text(text: str, found: list[str]) -> None:
    assert [item.text for item in named_in(text, PLACE, "r") if isinstance(item, Finding)] == found


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ('{"proxy": {"image": "proxyv2"}}', ["proxyv2"]),
        ('image: "{{ .Values.x }}"', ["{{ .Values.x }}"]),
        ("image: {repository: a}", []),
        ("image:\n", []),
        ("x" * (TEXT_LENGTH + 1), ["x" * 40]),
    ],
)
def test_what_a_text_leaves_open(text: str, asked: list[str]) -> None:
    assert [item.text for item in named_in(text, PLACE, "r") if isinstance(item, Question)] == asked


def test_parts_of_an_image_in_an_unknown_kind() -> None:
    content = """
apiVersion: farms.example/v1
kind: Farm
spec:
  image: {registry: quay.io, repository: a/b, tag: 1.10, digest: ''}
  sidecar: {image: {repository: a/c}}
  extra: [quay.io/a/d:1, not-an-image]
"""
    assert images(content, "f.yaml") == ["quay.io/a/b:1.10", "quay.io/a/d:1"]
    assert [text for text, _ in questions(content, "f.yaml")] == ["a/c"]


def test_the_definition_of_a_kind_names_nothing() -> None:
    content = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
spec: {versions: [{schema: {openAPIV3Schema: {properties: {image: {default: 'quay.io/a/b:1'}}}}}]}
"""
    assert images(content, "f.yaml") == []


@pytest.mark.parametrize(
    "text", ["\n" * 200_000 + "x", " " * 200_000 + "x", "image" + " " * 200_000 + "x", "a.b/" * 50_000]
)
@pytest.mark.timeout(60)  # what is not linear takes hours
def test_hostile_texts_take_linear_time(text: str) -> None:
    content = json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"a": text}})
    assert images(content, "f.json") == []
