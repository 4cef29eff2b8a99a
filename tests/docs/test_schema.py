"""The JSON Schemas say what the readers of the formats take: the keys, and which examples and mistakes they know."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import pytest
import yaml

from tests.docs.pages import DOCS, blocks
from tools import schema
from transload.catalog import chartuse, definition, rulefile, setentries, setfile, setreleases
from transload.trust import keyless, policyfile
from transload.trust.notation import options

SET = json.loads(schema.schemas()["image-set.schema.json"])
CATALOG = json.loads(schema.schemas()["catalog.schema.json"])
POLICY = json.loads(schema.schemas()["policy.schema.json"])
TYPES = {"object": dict, "array": list, "string": str, "boolean": bool, "integer": int, "number": (int, float)}
WORDS = {
    *("$schema", "title", "description", "definitions", "$ref", "type", "enum", "const", "pattern", "minimum", "items"),
    *("minItems", "properties", "required", "additionalProperties", "anyOf", "oneOf", "minProperties"),
}


def fits(value: Any, rule: Mapping[str, Any], root: Mapping[str, Any]) -> bool:
    """Whether a value is as a schema says: draft 7, as far as our schemas use it."""
    assert rule.keys() <= WORDS
    if "$ref" in rule:
        return fits(value, root["definitions"][rule["$ref"].rpartition("/")[2]], root)
    kinds = rule.get("type", list(TYPES))
    alone = (
        any(_is(value, kind) for kind in ([kinds] if isinstance(kinds, str) else kinds))
        and value in rule.get("enum", [value])
        and value == rule.get("const", value)
        and (not isinstance(value, str) or re.search(rule.get("pattern", ""), value) is not None)
        and (not _is(value, "integer") or value >= rule.get("minimum", value))
        and (not isinstance(value, list) or len(value) >= rule.get("minItems", 0))
        and (not isinstance(value, list) or all(fits(item, rule.get("items", {}), root) for item in value))
        and ("oneOf" not in rule or sum(fits(value, way, root) for way in rule["oneOf"]) == 1)
        and ("anyOf" not in rule or any(fits(value, way, root) for way in rule["anyOf"]))
    )
    return alone and (not isinstance(value, dict) or _fields_fit(value, rule, root))


def _fields_fit(value: dict[str, Any], rule: Mapping[str, Any], root: Mapping[str, Any]) -> bool:
    others = rule.get("additionalProperties", True)
    return (
        value.keys() >= set(rule.get("required", ()))
        and len(value) >= rule.get("minProperties", 0)
        and all(
            fits(content, rule["properties"][key], root)
            if key in rule.get("properties", {})
            else others is not False and fits(content, {} if others is True else others, root)
            for key, content in value.items()
        )
    )


def _is(value: Any, kind: str) -> bool:
    return isinstance(value, TYPES[kind]) and (kind == "boolean" or not isinstance(value, bool))  # type: ignore[arg-type]


class Loader(yaml.SafeLoader):
    """Reads YAML as editors do: a day is text."""


Loader.yaml_implicit_resolvers = {
    letter: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for letter, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def read(text: str) -> Any:
    return yaml.load(text, Loader)  # noqa: S506 - it is the safe one


EXAMPLES = [
    pytest.param(block.text, id=str(block))
    for page in sorted(DOCS.rglob("*.md"))
    for block in blocks(page)
    if block.language == "yaml" and re.search("^kind: (ImageSet|Catalog)$", block.text, re.MULTILINE)
]


@pytest.mark.parametrize("text", EXAMPLES)
def test_every_example_fits(text: str) -> None:
    document = read(text)
    which = {"ImageSet": SET, "Catalog": CATALOG}[document["kind"]]
    assert fits(document, which, which)


POLICIES = [
    pytest.param(block.text, id=str(block))
    for block in blocks(DOCS / "formats" / "policy.md")
    if block.language == "yaml"
]


@pytest.mark.parametrize("text", POLICIES)
def test_every_example_of_a_policy_fits(text: str) -> None:
    assert fits(read(text), POLICY, POLICY)


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("prefix: registry.example/vendor", "prefx: registry.example/vendor"),
        ("mode: require", "mode: refuse"),
        ("cosign-key: cosign.pub", "cosign: cosign.pub"),
        ("cosign-key: cosign.pub", "{cosign-key: a.pub, sigstore: {trusted-root: a}}"),
        ("identities:", "identity:"),
    ],
)
def test_wrong_policies_do_not_fit(right: str, wrong: str) -> None:
    text = POLICIES[0].values[0]
    assert isinstance(text, str)
    assert right in text
    assert not fits(read(text.replace(right, wrong, 1)), POLICY, POLICY)


def test_the_keys_are_those_of_the_readers() -> None:
    properties = {name: set(found["properties"]) for name, found in SET["definitions"].items()}
    assert set(SET["properties"]) == set(setfile._SET)
    assert properties == {
        "image": set(setentries.IMAGE),
        "release": set(setreleases.RELEASE),
        "rule": set(rulefile.RULE),
        "repositories": set(rulefile.REPOSITORIES),
        "catalog": set(setfile._CATALOG),
        "chart": set(chartuse.KEYS),
    }
    assert set(SET["properties"]["defaults"]["properties"]) == set(setentries.DEFAULTS)
    assert set(CATALOG["properties"]) == {*definition._REQUIRED, *definition._OPTIONAL}
    assert set(CATALOG["required"]) == set(definition._REQUIRED)
    assert set(CATALOG["definitions"]["release"]["properties"]) == set(definition._RELEASE)
    signer = POLICY["definitions"]["signer"]["properties"]
    assert set(signer["sigstore"]["properties"]) == set(keyless._OPTIONS)
    assert set(signer["notation"]["properties"]) == set(options.KEYS)
    assert set(POLICY["definitions"]["rule"]["properties"]) == set(policyfile._RULE)
    assert set(POLICY["definitions"]["attestation"]["properties"]) == set(policyfile._ATTESTATION)
    assert set(signer) == set(policyfile._READERS)


PAGES = [("image-set.md", schema.IMAGE_SET), ("catalog.md", schema.CATALOG), ("policy.md", schema.POLICY)]


@pytest.mark.parametrize(("page", "shapes"), PAGES)
def test_every_kind_belongs_to_a_documented_key(page: str, shapes: Mapping[str, Mapping[str, Any]]) -> None:
    told = schema.rows((DOCS / "formats" / page).read_text(encoding="utf-8"))
    assert {place: set(keys) for place, keys in told.items()} == {place: set(keys) for place, keys in shapes.items()}


@pytest.mark.parametrize(
    "text",
    [
        "images: [nginx, {source: a, tag: 1.10}]",
        "images: [{source: a, tags: all}]",
        "images: [{source: a, tags: [1.10, latest]}]",
        "images: [{source: a, tags: {newer_than: 2026-01-01, newest: '3', sort: date}}]",
        "images: [{source: a, tags: {newest: '${N:-3}'}, optional: '${O}'}]",
        "include: [a.yaml]",
        "repositories: [{prefix: quay.io/a}]",
    ],
)
def test_what_fits(text: str) -> None:
    assert fits(read(f"kind: ImageSet\nversion: 1\n{text}"), SET, SET)


@pytest.mark.parametrize(
    "text",
    [
        "name: nothing wanted",
        "imagse: [nginx]\nimages: []",
        "images: nginx",
        "images: [{tag: 1}]",
        "images: [{source: a, tags: some}]",
        "images: [{source: a, tags: {}}]",
        "images: [{source: a, tags: []}]",
        "images: [{source: a, tags: {newest: 0}}]",
        "images: [{source: a, tags: {newer_than: yesterday}}]",
        "images: [{source: a, tags: {sort: size}}]",
        "images: [{source: a, optional: perhaps}]",
        "repositories: [{tags: all}]",
        "catalogs: [{name: a, file: b}]",
        "catalogs: [{releases: newest}]",
        "images: []\nquestions: [{text: a}]",
    ],
)
def test_what_does_not_fit(text: str) -> None:
    assert not fits(read(f"kind: ImageSet\nversion: 1\n{text}"), SET, SET)
