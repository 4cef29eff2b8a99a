"""Every example in the documentation of the formats is read; every documented key exists and the other way round."""

import doctest
import re
from pathlib import Path
from types import ModuleType

import pytest

from transload.catalog import (
    chartuse,
    definition,
    difference,
    offer,
    references,
    release,
    rulefile,
    selected,
    setentries,
    setfile,
    setreleases,
    versionrange,
)
from transload.catalog.catalog import Catalog
from transload.catalog.imageset import ImageSet
from transload.catalog.references import parse_references
from transload.catalog.setfile import load_set, parse_set
from transload.errors import DocumentInvalid

FORMATS = Path(__file__).parents[3] / "docs" / "formats"
CATALOG = (FORMATS / "catalog.md").read_text(encoding="utf-8")
IMAGE_SET = (FORMATS / "image-set.md").read_text(encoding="utf-8")


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("example", blocks(CATALOG, "yaml"))
def test_catalogs_are_read(example: str) -> None:
    catalog = parse_set(example, "weather.yaml")
    assert isinstance(catalog, Catalog)
    assert catalog.releases[-1] == catalog.newest()
    assert catalog.select(catalog.newest())


@pytest.mark.parametrize("example", blocks(IMAGE_SET, "yaml"))
def test_image_sets_are_read(example: str, tmp_path: Path) -> None:
    (tmp_path / "weather.yaml").write_text(blocks(CATALOG, "yaml")[0], encoding="utf-8")
    (tmp_path / "base.yaml").write_text("kind: ImageSet\nversion: 1\nimages: [nginx:1.26]\n", encoding="utf-8")
    (tmp_path / "bonn.txt").write_text("nginx:1.25\n", encoding="utf-8")
    path = tmp_path / "set.yaml"
    path.write_text(example, encoding="utf-8")
    read = load_set(path)
    if isinstance(read, Catalog):
        assert read.is_set
    else:
        assert isinstance(read, ImageSet)
        assert not read.is_empty


def test_the_list_of_references_is_read() -> None:
    (example,) = blocks(IMAGE_SET, "text")
    assert [one.place.partition("@")[0] for one in parse_references(example, "list.txt")] == [
        "jetstack/cert-manager-controller:v1.14.0",
        "library/nginx:1.27",
        "pause",
        "certs/webhook:v1.14.0",
        "certs/cainjector:stable",
    ]


def test_the_error_shown_is_the_error_raised() -> None:
    (shown,) = blocks(CATALOG, "text")
    wrong = blocks(CATALOG, "yaml")[0].replace("title: Weather station\n", "").replace("images:", "imagse:")
    with pytest.raises(DocumentInvalid) as caught:
        parse_set(wrong, "weather.yaml")
    assert str(caught.value) == shown.strip()


def documented(text: str) -> set[str]:
    rows = text.partition("## Every key")[2].partition("\n## ")[0]
    return {key for row in re.findall(r"^\| (`[^|]+) \|", rows, re.MULTILINE) for key in re.findall(r"`(\w+)`", row)}


def test_every_key_is_documented() -> None:
    shape = {"kind", "version", "name", "registry", "releases", "tag"}
    assert documented(CATALOG) == shape | set(definition._OPTIONAL) | set(definition._RELEASE)
    keys = (setfile._SET, setfile._CATALOG, setentries.IMAGE, rulefile.RULE, rulefile.REPOSITORIES, chartuse.KEYS)
    assert documented(IMAGE_SET) == {key for group in (*keys, setreleases.RELEASE) for key in group}


@pytest.mark.parametrize("module", [difference, offer, references, release, selected, versionrange])
def test_docstrings_are_true(module: ModuleType) -> None:
    failed, tried = doctest.testmod(module)
    assert tried
    assert not failed
