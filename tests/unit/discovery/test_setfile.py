"""A listing, and the image set that is written of it."""

from pathlib import Path

import pytest
from attrs import evolve

from transload.catalog.imageset import ImageSet
from transload.catalog.setfile import parse_set
from transload.discovery import listing as listing_module
from transload.discovery.finding import Finding, Irrelevant, Place, Question, Unread
from transload.discovery.listing import listed
from transload.discovery.setfile import set_text
from transload.errors import LimitExceeded
from transload.limits import YAML_BYTES
from transload.oci import Digest, Reference

DIGEST = Digest("sha256:" + "ab" * 32)


def finding(text: str, line: int = 1, **more: object) -> Finding:
    fields = {"text": text, "place": Place(file="a.yaml", line=line), "rule": "pod"}
    return Finding(**{**fields, **more})  # type: ignore[arg-type]


def read_again(text: str, tmp_path: Path) -> ImageSet:
    parsed = parse_set(text, str(tmp_path / "set.yaml"))
    assert isinstance(parsed, ImageSet)
    return parsed


def test_the_same_image_under_three_names_is_one_with_three_places() -> None:
    names = ("nginx:1", "docker.io/library/nginx:1", "index.docker.io/library/nginx:1", "docker.io/nginx:1")
    listing = listed([finding(text, line) for line, text in enumerate(names, 1)])
    (image,) = listing.images
    assert [place.line for place in image.places] == [1, 2, 3, 4]
    assert image.texts == names


def test_an_image_is_certain_if_one_place_is() -> None:
    (image,) = listed([finding("a:1", sureness="likely"), finding("a:1", 2, digest=DIGEST)]).images
    assert (image.sureness, image.running) == ("certain", (DIGEST,))


def test_the_set_says_the_same_when_it_is_read(tmp_path: Path) -> None:
    odd = Place(file='a "b"\\\x1b\u2028.yaml', path="Pod x: spec")
    listing = listed(
        [
            finding("nginx:1.10"),
            finding(f"quay.io/a/b@{DIGEST}"),
            finding("[::1]:5000/c:1", sureness="likely"),
            Question(text='{{ "x" }}: \t#', place=odd, reason="a template"),
            Unread(place=Place(file="b.yaml"), reason="not YAML"),
            Irrelevant(place=odd),
        ]
    )
    parsed = read_again(set_text(listing, {Reference.parse("nginx:1.10"): DIGEST}), tmp_path)
    assert [(str(image.source), image.place) for image in parsed.images] == [
        (f"docker.io/library/nginx:1.10@{DIGEST}", "library/nginx:1.10"),
        (f"quay.io/a/b@{DIGEST}", f"a/b@{DIGEST}"),
        ("[::1]:5000/c:1", "c:1"),
    ]
    assert "2 questions are open" in parsed.notes[0]
    assert listing.irrelevant == 1


def test_images_that_would_have_one_name_at_the_target_get_two(tmp_path: Path) -> None:
    texts = ("quay.io/a/b:1", "registry.example:5000/a/b:1", f"quay.io/a/b:1@{DIGEST}", "[::1]:5000/a/b:1", "a/c:1")
    parsed = read_again(set_text(listed(map(finding, texts))), tmp_path)
    assert [image.place for image in parsed.images] == [
        "quay.io/a/b:1",
        "registry.example-5000/a/b:1",
        "quay.io/a/b:1-abababababab",
        "1-5000/a/b:1",
        "a/c:1",
    ]


def test_a_long_registry_before_a_long_path_still_is_a_path(tmp_path: Path) -> None:
    path = "/".join(["a" * 60] * 4)
    texts = [f"{'r' * 63}.example/{path}:1", f"{'s' * 63}.example/{path}:1"]
    parsed = read_again(set_text(listed(map(finding, texts))), tmp_path)
    assert len({image.place for image in parsed.images}) == 2


def test_only_questions_are_a_set_without_images(tmp_path: Path) -> None:
    text = set_text(listed([Question(text="nginx", place=Place(file="-"), reason="no tag")]))
    assert read_again(text, tmp_path).images == ()


def test_a_set_that_would_be_too_long_has_fewer_places(tmp_path: Path) -> None:
    place = Place(file="a.yaml", path="x" * 60)
    listing = listed(
        finding(f"quay.io/a/b{number % 100}:1", place=evolve(place, line=number)) for number in range(20_000)
    )
    text = set_text(listing)
    assert len(text) <= YAML_BYTES
    assert "more" not in set_text(listed([finding("a:1", number) for number in range(100)]))
    parsed = read_again(text, tmp_path)
    assert len(parsed.images) == 100
    assert '      - "and 150 places more"\n' in text


def test_a_set_that_is_too_long_anyway_is_refused() -> None:
    with pytest.raises(LimitExceeded, match=r"the image set would be longer than 1\.0 MiB"):
        set_text(listed(finding(f"quay.io/{'a' * 200}/b{number}:1") for number in range(5000)))


def test_more_places_than_there_is_memory_for_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing_module, "DISCOVERED_PLACES", 10)
    assert len(listed(finding("a:1", number) for number in range(10)).images) == 1
    with pytest.raises(LimitExceeded, match="more than 10 places"):
        listed(finding("a:1", number) for number in range(11))
