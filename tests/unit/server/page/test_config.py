"""What is read of an image's configuration, and pages of long lists."""

from __future__ import annotations

import pytest

from tests.unit.server.page.content import encoded
from transload.limits import PAGE_CONFIG_BYTES, PAGE_ROWS
from transload.oci import Descriptor, Digest
from transload.oci.mediatype import OCI_LAYER_GZIP
from transload.server.page.config import settings_of
from transload.server.page.paging import Wish, listing
from transload.server.page.reading import NotShown

LAYERS = [Descriptor(OCI_LAYER_GZIP, Digest.of(bytes([size])), size) for size in (10, 20)]
STEPS = [
    {"created_by": "ADD rootfs", "created": "2024"},
    {"created_by": "ENV A=1", "empty_layer": True},
    {"created_by": "RUN make", "comment": "buildkit"},
]


def test_the_steps_know_their_layers() -> None:
    read = settings_of(encoded({"history": STEPS}), LAYERS)
    assert [step.layer and step.layer.size for step in read.steps] == [10, None, 20]
    assert [step.text for step in read.steps] == ["ADD rootfs", "ENV A=1", "RUN make"]


def test_layers_are_not_guessed_when_they_do_not_fit_the_steps() -> None:
    assert [step.layer for step in settings_of(encoded({"history": STEPS[:2]}), LAYERS).steps] == [None, None]


def test_how_it_runs() -> None:
    config = {
        "Entrypoint": ["/bin/sh", "-c"],
        "Cmd": ["a b"],
        "User": "1000",
        "ExposedPorts": {"80/tcp": {}, "443/tcp": {}},
        "Env": ["A=1"],
        "Labels": {"b": "2", "a": "1", "wrong": 3},
    }
    read = settings_of(encoded({"os": "linux", "architecture": "arm64", "variant": "v8", "config": config}), LAYERS)
    assert read.platform == "linux/arm64/v8"
    assert dict(read.settings) == {
        "entrypoint": '["/bin/sh", "-c"]',
        "command": '["a b"]',
        "user": "1000",
        "ports": "80/tcp, 443/tcp",
    }
    assert (read.environment, read.labels) == (("A=1",), (("a", "1"), ("b", "2")))


def test_lists_are_bounded_and_all_are_counted() -> None:
    many = PAGE_ROWS + 7
    document = {"history": [{}] * many, "config": {"Labels": {str(number): "" for number in range(many)}}}
    read = settings_of(encoded(document), LAYERS)
    assert (len(read.steps), read.steps_count) == (PAGE_ROWS, many)
    assert (len(read.labels), read.labels_count) == (PAGE_ROWS, many)
    assert len(settings_of(encoded({"author": "x" * 1_000_000}), LAYERS).author) < 1100


@pytest.mark.parametrize("raw", [b"", b"{", b"\xff", b" " * (PAGE_CONFIG_BYTES + 1), b"[" + b"1," * 60_000 + b"1]"])
def test_what_cannot_be_read_is_said(raw: bytes) -> None:
    with pytest.raises(NotShown):
        settings_of(raw, LAYERS)


@pytest.mark.parametrize("document", [None, [], {"history": {}, "config": [], "created": 4}, {"history": [1, None]}])
def test_values_of_wrong_types_say_nothing(document: object) -> None:
    read = settings_of(encoded(document), LAYERS)
    assert (read.created, read.steps, read.settings) == ("", (), ())


def rows(count: int) -> list[str]:
    return [f"row {number}" for number in range(1, count + 1)]


def test_every_row_is_on_one_page() -> None:
    seen: list[str] = []
    for number in range(1, 4):
        page = listing(rows(25), Wish(number=number), 10, lambda row: (row,))
        seen += page.rows
        assert (page.pages, page.first, page.last) == (3, 10 * number - 9, min(25, 10 * number))
    assert seen == rows(25)


def test_all_words_must_be_found_in_any_case() -> None:
    page = listing(rows(25), Wish(words="ROW 2"), 10, lambda row: (row,))
    assert page.rows == ["row 2", "row 12", *rows(25)[19:]]
    assert (page.found, page.total) == (8, 25)


def test_the_queries_of_neighbours_keep_the_search() -> None:
    page = listing(rows(25), Wish(words="r&o", number=9), 10, lambda _: ("r&o",), more={"layer": "3"})
    assert (page.number, page.later, page.earlier) == (3, None, "?layer=3&q=r%26o&page=2")


@pytest.mark.parametrize("number", ["0", "-1", "x", "", "²", "9" * 30])
def test_a_number_that_is_none_means_the_first_page(number: str) -> None:
    assert Wish.of({"page": number}).number == 1


def test_an_empty_list_has_one_empty_page() -> None:
    page = listing(rows(0), Wish(number=5), 10, lambda row: (row,))
    assert (page.rows, page.pages, page.earlier, page.later) == ([], 1, None, None)
