"""A realistic file of each format of another tool: what is taken, what is noted, and what stays open.

`files/NAME` is the file, written anew in the shape that the tool's documentation gives; `files/NAME.taken` is what is
expected. `python -m tests.unit.catalog.lists.test_formats` writes these again, to be read in the diff.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
import yaml

from tests.unit.test_parsers import changed, swapped
from transload.catalog.imageset import ImageSet
from transload.catalog.lists import FORMATS, OtherList
from transload.catalog.lists.taken import Format
from transload.catalog.setfile import load_set, parse_list, parse_set
from transload.catalog.tagrule import TagRule
from transload.errors import TransloadError

FILES = Path(__file__).parent / "files"
DOCUMENTS = sorted(path for path in FILES.iterdir() if path.suffix not in {".taken", ".txt"})


def read(path: Path) -> OtherList:
    listed = parse_list(path.read_bytes(), path.name)
    assert listed is not None
    return listed


def rule(made: TagRule) -> str:
    versions = made.versions
    flags = [name for name in ("semver", "prerelease") if versions is not None and getattr(versions, name)]
    return "; ".join([str(made), *flags])


def told(listed: OtherList) -> Iterator[str]:
    """What a list gives, a line for each thing."""
    yield ", ".join(listed.formats)
    for image in listed.images:
        yield " ".join(["image", str(image.source), "->", image.place, *map(str, image.platforms)])
    for images in listed.ruled:
        yield " ".join(["rule", str(images.source), "->", images.target or "(same)", *map(str, images.platforms)])
        yield f"     {rule(images.rule)}"
    for prefix in listed.prefixes:
        yield f"registry {prefix} -> {prefix.target or '(same)'}, not {', '.join(prefix.deny) or 'less'}"
        yield f"     {rule(prefix.rule)}"
    for chart in listed.charts:
        yield f"chart {chart.address} -> {chart.target or '(same)'}{', with images' if chart.images else ''}"
    yield from (f"note {note}" for note in listed.notes)
    yield from (f"open {question}" for question in listed.questions)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_what_is_taken_of_each_format(path: Path) -> None:
    expected = path.with_name(f"{path.name}.taken").read_text(encoding="utf-8")
    assert "\n".join(told(read(path))) + "\n" == expected


@pytest.mark.parametrize("known", FORMATS, ids=lambda known: known.name)
def test_every_format_has_a_file(known: Format) -> None:
    assert any(known.name in read(path).formats for path in DOCUMENTS)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_a_set_has_the_images_and_says_the_rest(path: Path) -> None:
    found, listed = load_set(path), read(path)
    assert isinstance(found, ImageSet)
    assert found.images == listed.images
    assert len(found.notes) >= len(listed.notes) + len(listed.questions)
    assert found.name == path.stem


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_byte_order_mark_and_crlf_change_nothing(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    listed = parse_list("\ufeff".encode() + text.replace("\n", "\r\n").encode(), path.name)
    assert listed is not None
    assert list(told(listed)) == list(told(read(path)))


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_a_parser_without_libyaml_reads_the_same(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listed = list(told(read(path)))
    monkeypatch.delattr(yaml, "CSafeLoader", raising=False)
    assert list(told(read(path))) == listed


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_a_changed_file_is_read_or_refused(path: Path) -> None:
    random, raw = Random(9), path.read_bytes()
    refusals = []
    for _ in range(60):
        try:
            parse_set(changed(raw, random), path.name)
        except TransloadError as error:
            refusals.append(error.message)
    assert all(path.name in refusal for refusal in refusals)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_other_values_are_read_or_refused_with_their_place(path: Path) -> None:
    random, refusals = Random(3), []
    text = path.read_text(encoding="utf-8").replace("\t", " ")
    for document in filter(None, yaml.load_all(text, yaml.BaseLoader)):  # noqa: S506 - only texts
        for _ in range(120):
            try:
                parse_list(json.dumps(swapped(document, random)), "f")
            except TransloadError as error:
                refusals.append(error.message)
    assert [refusal for refusal in refusals if not refusal.startswith("f:")] == []


def test_the_lists_of_rancher_and_hangar() -> None:
    found = load_set(FILES / "hangar.txt")
    assert isinstance(found, ImageSet)
    assert [f"{image.source} -> {image.place}" for image in found.images] == [
        "docker.io/rancher/rancher:v2.11.1 -> rancher/rancher:v2.11.1",
        "quay.io/skopeo/stable:v1.18.0 -> username/mirrored-skopeo-stable:v1.18.0",
        "docker.io/library/mysql:8.4 -> mirrored-mysql:8.4",
        "docker.io/rancher/shell:v0.4.0 -> rancher/shell:v0.4.0",
    ]


if __name__ == "__main__":
    for each in DOCUMENTS:
        each.with_name(f"{each.name}.taken").write_text("\n".join(told(read(each))) + "\n", encoding="utf-8")
