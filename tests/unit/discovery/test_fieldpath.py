"""Paths to fields that are images."""

import json

import pytest

from transload.discovery.fieldpath import FieldPath
from transload.discovery.finding import Finding, Question
from transload.discovery.kinds import read_file
from transload.errors import UsageError

DOCUMENT = {
    "apiVersion": "v1",  # in a group of its own, fields called image are found without a path
    "kind": "Farm",
    "spec": {
        "image": "a:1",
        "workers": [{"image": "b:1"}, {}, {"image": "c"}],
        "images": {"one": "d:1", "two": "e:1", "three": 5},
        "a.b/c": "f:1",
    },
}


@pytest.mark.parametrize(
    ("path", "texts", "asked"),
    [
        ("spec.image", ["a:1"], []),
        (".spec.image", ["a:1"], []),
        ("$.spec.workers[*].image", ["b:1"], ["c"]),
        ("spec.workers[].image", ["b:1"], ["c"]),
        ("spec.images.*", ["d:1", "e:1"], [""]),
        ('spec."a.b/c"', ["f:1"], []),
        ("spec.image.deeper", [], []),
        ("spec.nothing", [], []),
    ],
)
def test_what_a_path_finds(path: str, texts: list[str], asked: list[str]) -> None:
    found = list(read_file(json.dumps(DOCUMENT).encode(), "-", [FieldPath.parse(path)]))
    assert [item.text for item in found if isinstance(item, Finding) and item.rule == "field"] == texts
    told = [item.text for item in found if isinstance(item, Question)]
    assert told == asked
    assert len({item.place for item in found}) == len(found), "what was asked for is not told a second time"


@pytest.mark.parametrize("path", ["", ".", "spec..image", "[]", "spec.[", 'spec."x', "spec.x]", "a." * 400 + "a"])
def test_what_is_no_path(path: str) -> None:
    with pytest.raises(UsageError, match="is not a path to a field"):
        FieldPath.parse(path)
