"""Variables in image sets: what is filled in, where, and what never is."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transload.catalog.imageset import ImageSet
from transload.catalog.setfile import load_set, parse_set
from transload.catalog.setvariables import filled_text
from transload.errors import DocumentInvalid, LocalError, TargetConflict
from transload.limits import VARIABLE_LENGTH

HEAD = "kind: ImageSet\nversion: 1\n"
VALUES = {
    "HOST": "quay.io",
    "TAG": "1.2",
    "EMPTY": "",
    "NESTED": "${TAG}",
    "DOLLARS": "$$",
    "LONG": "x" * 1025,
    "BELL": "1\a",
}


def sources(text: str, variables: dict[str, str] = VALUES) -> list[str]:
    image_set = parse_set(HEAD + text, "set.yaml", variables)
    assert isinstance(image_set, ImageSet)
    return [str(image.source) for image in image_set.images]


def test_values_everywhere() -> None:
    text = """
defaults: {registry: "${HOST}", tag: "${TAG}"}
images: [app, "${HOST}/b:${OTHER:-7}", {source: c, target: "${NAME:-d}", tag: "${EMPTY:-9}"}]
"""
    assert sources(text) == ["quay.io/app:1.2", "quay.io/b:7", "quay.io/c:9"]


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("${HOST}/app:${TAG}", "quay.io/app:1.2"),
        ("${MISSING:-}", ""),
        ("${MISSING:-a b:-c}", "a b:-c"),
        ("${EMPTY:-default}", "default"),
        ("$${TAG}", "${TAG}"),
        ("$$$${TAG}", "$${TAG}"),
        ("$$${TAG}", "$1.2"),
        ("v[0-9]+$", "v[0-9]+$"),
        ("$TAG", "$TAG"),
        ("${NESTED}${DOLLARS}", "${TAG}$$"),
        ("KEY: ${KEYCLOAK_TAG:-26}", "KEY: 26"),
        ("${PWD:-here}", "here"),
    ],
)
def test_what_becomes_of_a_text(text: str, filled: str) -> None:
    assert filled_text(text, VALUES) == filled


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("${MISSING}", "set.yaml:4: images[0]: the variable MISSING is not set"),
        ("${EMPTY}", "set.yaml:4: images[0]: the variable EMPTY is empty"),
        ("${LONG}", f"the variable LONG has 1025 characters, and {VARIABLE_LENGTH} are allowed"),
        ("${BELL}", "the variable BELL has characters that cannot be printed"),
        ("${}", "'${}' is not a variable"),
        ("${1A}", "'${1A}' is not a variable"),
        ("${A-b}", "'${A-b}' is not a variable"),
        ("${A:-${TAG}}", "'${' is not a variable"),
        ("${A", "'${' is not a variable"),
        ("${A b}", "'${A b}' is not a variable"),
    ],
)
def test_wrong_variables(text: str, message: str) -> None:
    with pytest.raises(DocumentInvalid) as caught:
        sources(f"images:\n  - '{text}'")
    assert message in str(caught.value)


SECRETS = ["AWS_SECRET_ACCESS_KEY", "GITHUB_TOKEN", "PGPASSWORD", "DOCKER_AUTH_CONFIG", "api_key", "MYSQL_PWD"]


@pytest.mark.parametrize("name", SECRETS)
def test_secrets_are_not_given_to_a_set(name: str) -> None:
    with pytest.raises(DocumentInvalid, match="seems to be a secret") as caught:
        sources(f"images: ['evil.example/x:${{{name}:-1}}']", {name: "hunter2"})
    assert "hunter2" not in str(caught.value)
    with pytest.raises(DocumentInvalid, match="seems to be a secret") as caught:
        sources("images: ['evil.example/${HTTPS_PROXY}']", {"HTTPS_PROXY": "http://ann:hunter2@proxy"})
    assert "hunter2" not in str(caught.value)


def test_keys_and_findings_stay_as_they_are() -> None:
    text = """
images: [{source: nginx, found: ["compose.yaml:3: ${IMAGE}"]}]
questions: [{text: "${IMAGE:?}", found: ["compose.yaml:3"], reason: not set}]
"""
    assert sources(text, {}) == ["docker.io/library/nginx:latest"]
    with pytest.raises(DocumentInvalid, match="unknown key"):
        sources("images: [{'${HOST}': nginx}]")


def test_an_alias_is_filled_once() -> None:
    twice = parse_set(HEAD + "images: [{source: a, tags: {pattern: &p 'v$$'}}, {source: b, tags: {pattern: *p}}]", "s")
    assert isinstance(twice, ImageSet)
    assert [images.rule.pattern.pattern for images in twice.ruled if images.rule.pattern] == ["v$", "v$"]


@given(st.text(alphabet="${}:-AB_ 1", max_size=30))
def test_any_text_is_filled_or_refused(text: str) -> None:
    try:
        filled_text(text, {"A": "1", "B": "2"})
    except DocumentInvalid:
        assert "${" in text


# --- include


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text if name.endswith(".txt") else HEAD + text)
    return path


def loaded(path: Path) -> list[str]:
    image_set = load_set(path, {"SITE": "bonn", "UP": "../secret", "ROOT": "/etc/passwd"})
    assert isinstance(image_set, ImageSet)
    return [f"{image.source} {image.place}" for image in image_set.images] + [
        str(rule.source) for rule in image_set.ruled
    ]


def test_a_set_includes_others(tmp_path: Path) -> None:
    write(
        tmp_path, "common/base.yaml", "defaults: {registry: quay.io, repository: a}\nimages: [b:1]\ninclude: [more.txt]"
    )
    write(tmp_path, "common/more.txt", "c:1 -> d\n")
    write(tmp_path, "bonn.yaml", "images: [{source: e, tags: all}, b:1]\nquestions: [{reason: why}]")
    path = write(
        tmp_path, "sites/set.yaml", "include: [../common/base.yaml, ../bonn.yaml, ../common/more.txt]\nimages: [f:1]"
    )
    assert loaded(path) == [
        "docker.io/library/c:1 d:1",
        "quay.io/a/b:1 b:1",
        "docker.io/library/b:1 library/b:1",
        "docker.io/library/f:1 library/f:1",
        "docker.io/library/e",
    ]
    image_set = load_set(path)
    assert image_set.name == "set"
    assert isinstance(image_set, ImageSet)
    assert [note for note in image_set.notes if "1 question is open" in note]


def test_a_variable_chooses_the_file(tmp_path: Path) -> None:
    write(tmp_path, "bonn.yaml", "images: [a:1]")
    assert loaded(write(tmp_path, "set.yaml", "include: ['${SITE}.yaml']")) == ["docker.io/library/a:1 library/a:1"]


@pytest.mark.parametrize(
    ("include", "message"),
    [
        ("include: [missing.yaml]", "set.yaml:3: include[0]: .*missing.yaml"),
        ("include: [set.yaml]", "set.yaml:3: include[0]: the file includes itself: set.yaml → set.yaml"),
        ("include: [first.yaml]", "the file includes itself: set.yaml → first.yaml → set.yaml"),
        ("include: ['${UP}.yaml']", "the variables lead to '../secret.yaml', which is outside"),
        ("include: ['${ROOT}']", "the path '/etc/passwd' is absolute"),
        ("include: [/etc/passwd]", "the path '/etc/passwd' is absolute"),
        ("include: ['${NOWHERE}.yaml']", "include[0]: the variable NOWHERE is not set"),
        ("include: ['https://ann:x@r.example/a.yaml']", "is an address"),
        ('include: ["a\\0b"]', "include[0]: expected text, found 'a\\x00b'"),
        ('catalogs: [{file: "a\\0b"}]', "catalogs[0].file: expected text, found 'a\\x00b'"),
        ("include: other.yaml", "expected a list, found 'other.yaml'"),
        ("include: [a.yaml, a.yaml]", "'a.yaml' is listed twice"),
        ("include: [wrong.yaml]", "set.yaml:3: include[0]: .*wrong.yaml:3: imagse: unknown key"),
        ("include: [catalog.yaml]", "catalog.yaml is a catalog"),
    ],
)
def test_wrong_includes(tmp_path: Path, include: str, message: str) -> None:
    write(tmp_path, "first.yaml", "include: [set.yaml]")
    write(tmp_path, "wrong.yaml", "imagse: [a:1]")
    write(tmp_path, "a.yaml", "images: [a:1]")
    (tmp_path / "catalog.yaml").write_text(
        "kind: Catalog\nversion: 1\nname: c\nregistry: r.example\nreleases: [{tag: v1.0, images: [a]}]\n"
    )
    with pytest.raises((DocumentInvalid, LocalError)) as caught:
        loaded(write(tmp_path, "set.yaml", include))
    assert all(part in str(caught.value) for part in message.split(".*"))


def test_depth_and_number_are_bounded(tmp_path: Path) -> None:
    for number in range(10):
        write(tmp_path, f"{number}.yaml", f"include: [{number + 1}.yaml]")
    write(tmp_path, "10.yaml", "images: [a:1]")
    assert loaded(tmp_path / "3.yaml") == ["docker.io/library/a:1 library/a:1"]
    with pytest.raises(DocumentInvalid, match="more than 8 levels deep"):
        loaded(tmp_path / "0.yaml")
    for number in range(205):
        write(tmp_path, f"many/{number}.txt", f"a:{number}\n")
    names = ", ".join(f"many/{number}.txt" for number in range(205))
    with pytest.raises(DocumentInvalid, match="more than 200 files are included"):
        loaded(write(tmp_path, "wide.yaml", f"include: [{names}]"))


def test_two_included_files_that_contradict_each_other(tmp_path: Path) -> None:
    write(tmp_path, "one.yaml", "images: [{source: 'a:1', target: 'x:1'}]")
    write(tmp_path, "two.yaml", "images: [{source: 'b:1', target: 'x:1'}]")
    with pytest.raises(TargetConflict, match="x:1 is wanted twice"):
        loaded(write(tmp_path, "set.yaml", "include: [one.yaml, two.yaml]"))
