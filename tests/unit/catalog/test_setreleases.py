"""An image set with releases is a catalog whose images have registries and tags of their own."""

from __future__ import annotations

from pathlib import Path

import pytest

from transload.catalog.catalog import Catalog
from transload.catalog.imageset import ImageSet
from transload.catalog.setfile import load_set, parse_set
from transload.errors import DocumentInvalid, ReleaseUnknown, TargetConflict

STATION = """\
kind: ImageSet
version: 1
defaults: {registry: registry.example.com, repository: vendor}
images: [quay.io/prometheus/prometheus:v2.53.0]
releases:
  - name: 2026.04
    date: 2026-04-14
    images: [gateway:1.0, nginx:1.26]
  - name: 2026.05
    note: the first with an archive
    images:
      - gateway:1.1
      - {source: docker.io/library/nginx:1.27, target: web}
      - {source: archive:3, optional: true}
"""


def station(text: str = STATION) -> Catalog:
    catalog = parse_set(text, "station.yaml")
    assert isinstance(catalog, Catalog)
    return catalog


def test_each_release_has_the_images_of_all_and_its_own() -> None:
    catalog = station()
    assert (catalog.name, catalog.is_set) == ("station", True)
    assert catalog.registries == {"quay.io", "registry.example.com", "docker.io"}
    (april, may) = catalog.releases_in("..")
    assert [image.place for image in catalog.select(april)] == [
        "prometheus/prometheus:v2.53.0",
        "gateway:1.0",
        "nginx:1.26",
    ]
    assert [str(image.source) for image in catalog.select(may)] == [
        "quay.io/prometheus/prometheus:v2.53.0",
        "registry.example.com/vendor/gateway:1.1",
        "docker.io/library/nginx:1.27",
        "registry.example.com/vendor/archive:3",
    ]
    assert [image.optional for image in catalog.select(may)] == [False, False, False, True]
    assert (april.date, may.date, may.note) == ("2026-04-14", None, "the first with an archive")


def test_the_order_is_that_of_the_file() -> None:
    catalog = station(STATION.replace("2026.04", "zebra").replace("2026.05", "ant"))
    assert catalog.newest().tag == "ant"
    assert [release.tag for release in catalog.releases_in("zebra..ant")] == ["zebra", "ant"]
    with pytest.raises(ReleaseUnknown, match="station has no release 'bee'"):
        catalog.release("bee")


def test_images_of_all_releases_alone_are_enough() -> None:
    text = "kind: ImageSet\nversion: 1\nimages: [nginx:1]\nreleases: [{name: one}, {name: two, images: [redis:7]}]\n"
    assert [len(release.selected) for release in station(text).releases] == [1, 2]


def test_a_set_uses_the_releases_of_another(tmp_path: Path) -> None:
    (tmp_path / "station.yaml").write_text(STATION)
    (tmp_path / "site.yaml").write_text(
        "kind: ImageSet\nversion: 1\n"
        "catalogs: [{file: station.yaml, releases: 2026.04..2026.05, target: st, images: [gateway]}]\n"
    )
    site = load_set(tmp_path / "site.yaml")
    assert isinstance(site, ImageSet)
    assert [image.place for image in site.select()] == ["st/gateway:1.0", "st/gateway:1.1"]


def test_variables_and_open_questions_are_as_in_any_set() -> None:
    text = STATION.replace("gateway:1.1", "gateway:${GATEWAY}") + "questions: [{text: '{{ x }}', reason: a template}]\n"
    catalog = parse_set(text, "station.yaml", {"GATEWAY": "9"})
    assert isinstance(catalog, Catalog)
    assert "gateway:9" in [image.place for image in catalog.select(catalog.newest())]
    assert "1 question is open in station.yaml" in catalog.notes[0]


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("name: 2026.05", "name: 2026.04", r"2026\.04.*twice"),
        ("name: 2026.05", "name: May 2026", "'May 2026' is not a name of a release"),
        ("name: 2026.05", "name: newest", "means something else"),
        ("name: 2026.05", "name: a..b", "means something else"),
        ("name: 2026.05", 'name: "a\\e[31m"', r"'a.x1b.31m' is not a name"),
        ("name: 2026.05", "tag: 2026.05", "releases.1..*tag.*unknown key"),
        ("  - name: 2026.04\n", "  - note: none\n", "name"),
        ("date: 2026-04-14", "date: 14.4.2026", "is not a date"),
        ("[gateway:1.0, nginx:1.26]", "[{source: gateway, tags: [1, 2]}]", "has the same tags always"),
        ("[gateway:1.0, nginx:1.26]", "[gateway:1.0, {source: other:2, target: gateway, tag: 1.0}]", "given twice"),
        ("releases:\n", "catalogs: [{name: arcdata}]\nreleases:\n", "stands beside releases"),
        ("releases:\n", "include: [other.yaml]\nreleases:\n", "stands beside releases"),
        (
            "releases:\n",
            "repositories: [{prefix: quay.io/x, tags: {newest: 1}}]\nreleases:\n",
            "stands beside releases",
        ),
        (STATION[STATION.index("releases:") :], "releases: []\n", "the list is empty"),
        (STATION[STATION.index("releases:") :], "releases: 1.40..1.46\n", "groups of images"),
        (STATION[STATION.index("releases:") :], "releases: [v1, v2]\n", "groups of images"),
        (STATION[STATION.index("releases:") :], "releases: {name: v1}\n", "expected a list"),
        (STATION[STATION.index("images: [quay") :], "releases: [{name: one}]\n", "the release has no images"),
    ],
)
def test_mistakes_are_told_with_their_place(old: str, new: str, told: str) -> None:
    assert old in STATION
    with pytest.raises(DocumentInvalid, match=told) as caught:
        station(STATION.replace(old, new))
    assert "station.yaml" in str(caught.value)


def test_one_name_for_different_content_in_a_release_is_refused() -> None:
    text = STATION.replace("[gateway:1.0, nginx:1.26]", "[gateway:1.0, {source: other:1.0, target: gateway}]")
    with pytest.raises(TargetConflict, match="gateway:1.0 is wanted twice"):
        station(text)


def test_other_registries_are_refused_where_they_would_do_nothing(tmp_path: Path) -> None:
    (tmp_path / "station.yaml").write_text(STATION)
    with pytest.raises(DocumentInvalid, match="name their registries themselves"):
        parse_set(
            "kind: ImageSet\nversion: 1\ncatalogs: [{file: station.yaml, registry: registry.local}]\n",
            str(tmp_path / "site.yaml"),
        )


def test_images_of_all_releases_do_not_multiply_without_bound() -> None:
    images = "".join(f"  - a{number}:1\n" for number in range(1000))
    releases = "".join(f"  - name: r{number}\n" for number in range(300))
    text = f"kind: ImageSet\nversion: 1\nimages:\n{images}releases:\n{releases}"
    with pytest.raises(DocumentInvalid, match="releases have more than 200,000 images together"):
        station(text)
