"""Catalog files: what is read, and what is refused with its place."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transload.catalog.definition import parse_catalog
from transload.catalog.setfile import parse_set
from transload.errors import DocumentInvalid, UsageError

HEAD = "kind: Catalog\nversion: 1\nname: n\nregistry: r.example\n"
LISTS = "lists:\n  x: {images: [a, b]}\n"
RELEASES = "releases:\n  - {tag: v1.0, images: [a, b]}\n"


def test_the_smallest_catalog() -> None:
    catalog = parse_catalog(HEAD + RELEASES, "f")
    assert [str(one.source) for one in catalog.select(catalog.newest())] == ["r.example/a:v1.0", "r.example/b:v1.0"]
    assert parse_set(HEAD + RELEASES, "f") == catalog


@pytest.mark.parametrize(
    ("rest", "message", "hint"),
    [
        ("", "f:1: key 'releases' is missing", None),
        (RELEASES + "titel: x\n", "f:7: titel: unknown key", "did you mean title?"),
        (RELEASES + "releases: []\n", "f:7: key 'releases' is written twice, first on line 5", None),
        ("releases: []\n", "f:5: releases: the list is empty", None),
        ("releases: [a]\n", "f:5: releases[0]: expected a mapping, found 'a'", None),
        ("releases:\n  - {tag: v1.0}\n", "f:6: releases[0]: expected either list or images", ...),
        ("releases:\n  - {tag: v1.0, list: x}\n", "f:6: releases[0].list: no list 'x' stands above", ...),
        ("releases:\n  - {tag: v1.0, images: []}\n", "f:6: releases[0].images: the list is empty", None),
        ("releases:\n  - {tag: v1.0, images: [a, a]}\n", "f:6: releases[0].images[1]: 'a' is listed twice", None),
        ("releases:\n  - {tag: v1.0, images: [A]}\n", "f:6: releases[0].images[0]: repository 'A' has capital", ...),
        ("releases:\n  - {tag: -1, images: [a]}\n", "f:6: releases[0].tag: '-1' is not a tag", ...),
        ("releases:\n  - {tag: [v1.0], images: [a]}\n", "f:6: releases[0].tag: expected text, found a list", None),
        ("releases:\n  - {tag: v1.0, date: May, images: [a]}\n", "f:6: releases[0]: 'May' is not a date", ...),
        ("releases:\n  - {tag: v1.0, basis: sure, images: [a]}\n", "f:6: releases[0].basis: expected listed or", None),
        (
            "releases:\n  - {tag: v1.0, images: [a]}\n  - {tag: v1.0, images: [a]}\n",
            "f:7: releases[1]: 'v1.0' is listed twice, first on line 6",
            None,
        ),
        (RELEASES + "anchor: c\n", "f:1: the anchor 'c' is not an image of the newest release", "known: a, b"),
        (RELEASES + "order: random\n", "f:7: order: expected version or listed, found 'random'", None),
        (RELEASES + "tag_pattern: '('\n", "f:7: tag_pattern: the tag pattern is not a regular expression", None),
        (RELEASES + "tag_pattern: '[[a]--]'\n", "f:7: tag_pattern: the tag pattern is not a regular expression", None),
        (
            "releases: [{tag: v1.0, images: [a], facts: {c: .1}}]\ncompanions: [{image: b, tag_fact: c}]\n",
            "f:1: '.1' is not a tag",
            ...,
        ),
        (RELEASES + "repository: /a\n", "f:7: repository: '/a' is not a repository", ...),
        (RELEASES + "companions: [{image: a}]\n", "f:7: companions[0]: key 'tag_fact' is missing", None),
        ("releases:\n  - {tag: nightly, images: [a]}\n", "", None),
        (LISTS + "  y: {from: z}\n" + RELEASES, "f:7: lists.y.from: no list 'z' stands above", "lists are: x"),
        (LISTS + "  y: {from: x, drop: [c]}\n" + RELEASES, "f:7: lists.y.drop[0]: 'c' is not in the list", ...),
        (LISTS + "  y: {from: x, add: [a]}\n" + RELEASES, "f:7: lists.y.add[0]: 'a' is in the list already", None),
        (LISTS + "  y: {from: x, drop: [a, b]}\n" + RELEASES, "f:7: lists.y: the list is empty", None),
        (LISTS + "  y: {from: x, images: [a]}\n" + RELEASES, "f:7: lists.y.images: unknown key", ...),
    ],
)
def test_what_is_refused(rest: str, message: str, hint: object) -> None:
    if not message:  # a release whose tag is no version is a release all the same
        assert parse_catalog(HEAD + rest, "f").newest().tag == "nightly"
        return
    with pytest.raises(DocumentInvalid) as caught:
        parse_catalog(HEAD + rest, "f")
    assert str(caught.value).startswith(message)
    assert caught.value.subject == "f"
    if hint is not ...:
        assert caught.value.hint == hint


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: n\n", "f:1: key 'kind' is missing"),
        ("kind: Catalogue\n", "f:1: kind: expected ImageSet or Catalog, found 'Catalogue'"),
        ("kind: Catalog\n", "f:1: key 'version' is missing"),
        ("kind: Catalog\nversion: 2\n", "f:2: version: expected 1, found '2'"),
        ("- [kind]\n", "f:1: expected a mapping, found a list"),
        (HEAD.replace("r.example", "https://r.example") + RELEASES, "f:4: registry: 'https://r.example' is not a reg"),
    ],
)
def test_what_is_no_catalog(text: str, message: str) -> None:
    with pytest.raises(DocumentInvalid) as caught:
        parse_set(text, "f")
    assert str(caught.value).startswith(message)


WORDS = [
    *("kind", "version", "name", "registry", "releases", "lists", "tag", "images", "list", "from", "add", "drop"),
    *("order", "anchor", "Catalog", "ImageSet", "1", "v1.0", "a", "catalogs", "arcdata", "defaults", "source"),
    *("target", "digest", "platforms", "optional", "true", "newest", "1.39..1.46", "facts", "companions"),
]
SCALARS = st.sampled_from(WORDS) | st.text("ab:/@. 1", max_size=6).map(repr)
TREES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]")
        | st.dictionaries(SCALARS, inner, max_size=4).map(
            lambda entries: "{" + ", ".join(f"{key}: {value}" for key, value in entries.items()) + "}"
        )
    ),
    max_leaves=12,
)


@given(st.sampled_from(["Catalog", "ImageSet"]), st.dictionaries(st.sampled_from(WORDS), TREES, max_size=6))
def test_any_document_is_a_set_or_an_error_of_ours(kind: str, entries: dict[str, str]) -> None:
    document = {"kind": kind, "version": "1"} | entries
    text = "\n".join(f"{key}: {value}" for key, value in document.items())
    assert refusal(text).startswith("f:")


def refusal(text: str) -> str:
    try:
        found = parse_set(text, "f")
    except UsageError as error:
        return str(error)
    return f"f: is {found!r}"
