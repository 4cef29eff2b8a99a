"""An image set that is written reads back as the same."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from transload.catalog.builtin import load_builtin
from transload.catalog.chartaddress import ChartAddress
from transload.catalog.chartuse import ChartUse
from transload.catalog.imageset import CatalogUse, ImageSet
from transload.catalog.lists.taken import ListQuestion
from transload.catalog.ruled import RuledImages, RuledPrefix
from transload.catalog.selected import Selected, merge
from transload.catalog.setfile import parse_list, parse_set
from transload.catalog.setwriting import set_text
from transload.catalog.tagpattern import check_pattern
from transload.catalog.tagrule import EVERY_TAG, TagRule
from transload.catalog.versionrange import VersionRange
from transload.errors import UsageError
from transload.oci import Digest, Name, Platform, Reference

LISTS = sorted(
    path for path in (Path(__file__).parent / "lists" / "files").iterdir() if path.suffix not in {".taken", ".txt"}
)
registries = st.sampled_from(["docker.io", "quay.io", "localhost", "r.example:5000", "[::1]:5000", "Host"])
repositories = st.sampled_from(["a/b", "library/nginx", "no/on", "1/2", "a_b/c--d", "x.y/z"])
tags = st.sampled_from(["1.10", "no", "latest", "v1.2.3_2026", "_", "null", "1e3", "2026-01-01", "x.-", "0x1f"])
digests = st.sampled_from([Digest("sha256:" + "1" * 64), Digest("sha512:" + "a" * 128)])
platforms = st.lists(
    st.sampled_from([Platform.parse("amd64"), Platform.parse("linux/arm/v7"), Platform.parse("windows/amd64")]),
    max_size=2,
    unique=True,
).map(tuple)


@st.composite
def selected(draw: st.DrawFn) -> Selected:
    digest = draw(st.none() | digests)
    tag = draw(tags if digest is None else st.none() | tags)
    source = Reference(draw(registries), Name(draw(repositories), tag, digest))
    image = Selected.of(source, draw(st.none() | repositories))
    if draw(st.booleans()):
        image = evolve(image, tag=draw(tags))
    return evolve(image, platforms=draw(platforms), optional=draw(st.booleans()))


@st.composite
def rules(draw: st.DrawFn) -> TagRule:
    if draw(st.booleans()):
        return draw(st.sampled_from([EVERY_TAG, TagRule(exact=("1.10", "no"))]))
    versions = st.builds(
        VersionRange.parse,
        st.sampled_from([">=1.40 <2", "*", "^1 || 3.x"]),
        prerelease=st.booleans(),
        semver=st.booleans(),
    )
    patterns = st.sampled_from([r"v?\d+", "a|b", "[\"'#:]", ".*", "a$", "[$${}]x$", r"\$\${HOME}"]).map(check_pattern)
    return TagRule(
        exact=draw(st.sampled_from([(), ("latest", "1.0")])),
        pattern=draw(st.none() | patterns),
        versions=draw(st.none() | versions),
        newest=draw(st.integers(1, 99)),
        sort=draw(st.sampled_from(["version", "name", "date"])),
        newer_than=draw(st.none() | st.just(date(2026, 1, 31))),
        deny=draw(st.sampled_from([(), ("edge", check_pattern("rc.*"))])),
    )


@st.composite
def ruled(draw: st.DrawFn) -> RuledImages:
    repository = draw(repositories)
    return RuledImages(
        source=Reference(draw(registries), Name(repository)),
        rule=draw(rules()),
        target=draw(st.just(repository) | repositories),
        platforms=draw(platforms),
        optional=draw(st.booleans()),
    )


prefixes = st.builds(
    RuledPrefix,
    registry=st.sampled_from(["quay.io", "r.example:5000", "localhost"]),
    prefix=st.just("") | repositories,
    rule=rules(),
    deny=st.sampled_from([(), ("scratch", "1/2")]),
    target=st.just("") | repositories,
    platforms=platforms,
    optional=st.booleans(),
)


charts = st.builds(
    ChartUse,
    address=st.sampled_from(
        [
            ChartAddress.parse("oci://quay.io/charts/web:1.2.3+up1"),
            ChartAddress.parse("oci://localhost:5000/web").at(">=1.0 <2"),
            ChartAddress.parse("https://charts.example/stable/web"),
            ChartAddress.parse("https://charts.example/no").at("1.10"),
            ChartAddress.parse(f"oci://quay.io/web@sha256:{'1' * 64}"),
        ]
    ),
    target=st.just("") | repositories,
    images=st.booleans(),
    values=st.sampled_from([(), (Path("/a/site values.yaml"),)]),
    platforms=platforms,
)


@st.composite
def image_sets(draw: st.DrawFn) -> ImageSet:
    by_place = {image.place: image for image in draw(st.lists(selected(), max_size=4))}
    return ImageSet(
        draw(st.sampled_from(["a", "no", "1.10", "a: b", "#", "ä\u202e\x1b", "${HOME} $$"])),
        merge(by_place.values()),
        ruled=tuple(draw(st.lists(ruled(), max_size=2))),
        prefixes=tuple(draw(st.lists(prefixes, max_size=2))),
        charts=tuple(draw(st.lists(charts, max_size=2))),
    )


def without_places(image_set: ImageSet) -> ImageSet:
    return evolve(
        image_set,
        notes=(),
        ruled=tuple(evolve(images, where="") for images in image_set.ruled),
        prefixes=tuple(evolve(prefix, where="") for prefix in image_set.prefixes),
        charts=tuple(evolve(chart, where="") for chart in image_set.charts),
    )


@given(image_sets())
def test_what_is_written_reads_back_as_the_same(image_set: ImageSet) -> None:
    found = parse_set(set_text(image_set, comments=["made\nby: \x1b a test"]), "set.yaml")
    assert isinstance(found, ImageSet)
    assert without_places(found) == image_set


@pytest.mark.parametrize("path", LISTS, ids=lambda path: path.name)
def test_a_list_of_another_tool_does_too(path: Path) -> None:
    listed = parse_list(path.read_bytes(), path.name)
    assert listed is not None
    found = parse_set(set_text(listed.as_set("a"), questions=listed.questions), "set.yaml")
    assert isinstance(found, ImageSet)
    assert without_places(found) == without_places(listed.as_set("a"))
    assert bool(found.notes) == bool(listed.questions)


@given(st.text(max_size=40), st.text(max_size=40))
def test_questions_are_any_text(text: str, reason: str) -> None:
    written = set_text(ImageSet("a"), questions=[ListQuestion(text, "f.yaml:1", reason or "?")])
    found = parse_set(written.encode("utf-8", "replace"), "set.yaml")
    assert isinstance(found, ImageSet)
    assert len(found.notes) == 1


def test_catalogs_are_not_written() -> None:
    with pytest.raises(UsageError, match="catalogs"):
        set_text(ImageSet("a", catalogs=(CatalogUse(catalog=load_builtin("arcdata")),)))
