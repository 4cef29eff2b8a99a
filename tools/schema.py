"""The JSON Schemas of image sets, catalogs and policies, by which editors complete keys and mark mistakes.

The keys and what they mean come from the tables "Every key" in docs/formats, which tests hold against the readers; here
is only of which kind each value is. `tools/share.py` writes them to share/schema. Draft 7 is what the YAML language
server of most editors reads.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

Schema = dict[str, Any]

FORMATS = Path(__file__).resolve().parents[1] / "docs" / "formats"
_ROW = re.compile(r"^\| (`[^|]+) \| ([^|]+) \| (.+) \|$", re.MULTILINE)
_LINK = re.compile(r"\[([^\]]*)\]\([^)]*\)")

# Everything is text to us, but an editor reads `tag: 1.10` as a number. A variable can stand for any value.
TEXT: Schema = {"type": ["string", "number", "boolean"]}
WORD: Schema = {"type": "string"}
VARIABLE: Schema = {"type": "string", "pattern": r"\$\{"}
TRUTH: Schema = {"anyOf": [{"enum": [True, False, "true", "false"]}, VARIABLE]}
NUMBER: Schema = {"anyOf": [{"type": "integer", "minimum": 1}, {"type": "string", "pattern": r"^[0-9]+$|\$\{"}]}
DAY: Schema = {"type": "string", "pattern": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$|\$\{"}


def one_of(*words: str) -> Schema:
    """One of a few words, or a variable that stands for one."""
    return {"anyOf": [{"enum": list(words)}, VARIABLE]}


def list_of(items: Schema, least: int = 0) -> Schema:
    """A list with at least so many items."""
    return {"type": "array", "items": items, **({"minItems": least} if least else {})}


_NAMED_TEXTS: Schema = {"type": "object", "additionalProperties": TEXT}
_QUESTION: Schema = {
    "type": "object",
    "properties": {"text": TEXT, "found": list_of(TEXT), "reason": TEXT},
    "required": ["reason"],
    "additionalProperties": False,
}
_DEFAULTS: Schema = {
    "type": "object",
    "properties": {"registry": WORD, "repository": WORD, "tag": TEXT, "platforms": list_of(WORD, 1)},
    "additionalProperties": False,
}
_LIST: Schema = {
    "type": "object",
    "properties": {key: list_of(WORD) for key in ("images", "add", "drop")} | {"from": WORD},
    "additionalProperties": False,
}
_COMPANION: Schema = {
    "type": "object",
    "properties": {"image": WORD, "tag_fact": WORD},
    "required": ["image", "tag_fact"],
    "additionalProperties": False,
}


_SIGNERS = list_of({"type": "object", "minProperties": 1}, 1)
_RULE: Schema = {
    "type": "object",
    "properties": {
        "prefix": WORD,
        "mode": {"enum": ["require", "warn", "skip"]},
        "any-of": _SIGNERS,
        "all-of": _SIGNERS,
        "attestations": list_of({"type": "object", "required": ["predicate-type"]}, 1),
    },
    "required": ["prefix", "mode"],
    "additionalProperties": False,
}
_POLICY: Schema = {  # what a signer is has a page of its own
    "type": "object",
    "properties": {"version": {"enum": [1, "1"]}, "rules": list_of(_RULE, 1)},
    "required": ["rules"],
    "additionalProperties": False,
}


def _at(name: str) -> Schema:
    return {"$ref": f"#/definitions/{name}"}


_MATCH: Schema = {
    "anyOf": [
        TEXT,
        {"type": "object", "properties": {"regexp": WORD}, "required": ["regexp"], "additionalProperties": False},
    ]
}
_SIGSTORE: Schema = {
    "type": "object",
    "properties": dict.fromkeys(("issuer", "issuer-regexp", "identity", "identity-regexp", "trusted-root"), WORD),
    "required": ["trusted-root"],
    "additionalProperties": False,
}
_NOTATION: Schema = {
    "type": "object",
    "properties": {
        key: list_of(WORD, 1)
        for key in ("trust-stores", "identities", "timestamp-stores", "signing-authority-stores", "crls")
    },
    "required": ["identities"],
    "additionalProperties": False,
}
_RULES = {"anyOf": [{"const": "all"}, list_of(TEXT, 1), _at("rule")]}

# By the word in the table's column "where", then by key: what a value is.
IMAGE_SET: dict[str, dict[str, Schema]] = {
    "top": {
        "kind": {"const": "ImageSet"},
        "version": {"enum": [1, "1"]},
        "name": TEXT,
        "images": list_of({"anyOf": [WORD, _at("image")]}),
        "repositories": list_of(_at("repositories")),
        "catalogs": list_of(_at("catalog")),
        "charts": list_of({"anyOf": [WORD, _at("chart")]}),
        "releases": list_of(_at("release"), 1),
        "include": list_of(WORD),
        "defaults": _DEFAULTS,
        "questions": list_of(_QUESTION),
        "policy": _POLICY,
    },
    "release": {
        "name": TEXT,
        "images": list_of({"anyOf": [WORD, _at("image")]}),
        "date": TEXT,
        "note": TEXT,
    },
    "image": {
        "source": WORD,
        "tag": TEXT,
        "digest": WORD,
        "tags": _RULES,
        "target": WORD,
        "platforms": list_of(WORD, 1),
        "optional": TRUTH,
        "found": list_of(TEXT),
    },
    "rule": {
        "exact": list_of(TEXT, 1),
        "pattern": TEXT,
        "versions": TEXT,
        "prerelease": TRUTH,
        "semver": TRUTH,
        "newer_than": DAY,
        "newest": NUMBER,
        "sort": one_of("version", "name", "date"),
        "deny": list_of(TEXT),
    },
    "repositories": {
        "prefix": WORD,
        "tags": _RULES,
        "deny": list_of(WORD),
        "target": WORD,
        "platforms": list_of(WORD, 1),
        "optional": TRUTH,
    },
    "catalog": {
        "name": WORD,
        "file": WORD,
        "releases": {"anyOf": [TEXT, list_of(TEXT, 1)]},
        "images": list_of(WORD, 1),
        "registry": WORD,
        "repository": WORD,
        "target": WORD,
        "companions": TRUTH,
    },
    "chart": {
        "chart": WORD,
        "repository": WORD,
        "version": TEXT,
        "target": WORD,
        "images": TRUTH,
        "values": list_of(WORD),
        "platforms": list_of(WORD, 1),
    },
}
CATALOG: dict[str, dict[str, Schema]] = {
    "top": {
        "kind": {"const": "Catalog"},
        "version": {"enum": [1, "1"]},
        "name": TEXT,
        "registry": WORD,
        "releases": list_of(_at("release"), 1),
        "repository": WORD,
        "title": TEXT,
        "note": TEXT,
        "anchor": WORD,
        "order": {"enum": ["version", "listed"]},
        "tag_pattern": TEXT,
        "lists": {"type": "object", "additionalProperties": _LIST},
        "companions": list_of(_COMPANION),
    },
    "release": {
        "tag": TEXT,
        "list": TEXT,
        "images": list_of(WORD, 1),
        "name": TEXT,
        "date": TEXT,
        "basis": {"enum": ["listed", "established", "inferred"]},
        "facts": _NAMED_TEXTS,
        "note": TEXT,
    },
}
_ANY_SIGNERS = list_of(_at("signer"), 1)
POLICY: dict[str, dict[str, Schema]] = {
    "top": {"version": {"enum": [1, "1"]}, "rules": list_of(_at("rule"), 1)},
    "rule": {
        "prefix": WORD,
        "mode": {"enum": ["require", "warn", "skip"]},
        "any-of": _ANY_SIGNERS,
        "all-of": _ANY_SIGNERS,
        "attestations": list_of(_at("attestation"), 1),
    },
    "attestation": {
        "predicate-type": WORD,
        "any-of": _ANY_SIGNERS,
        "all-of": _ANY_SIGNERS,
        "where": {"type": "object", "additionalProperties": {"anyOf": [_MATCH, list_of(_MATCH, 1)]}},
    },
    "signer": {
        "cosign-key": {"anyOf": [WORD, {"type": "object", "properties": {"key": WORD}, "required": ["key"]}]},
        "sigstore": _SIGSTORE,
        "notation": _NOTATION,
    },
}


def schemas() -> dict[str, str]:
    """The schemas by the names of their files, as the texts to be written."""
    made = {
        "image-set": schema("image-set.md", "transload image set", IMAGE_SET),
        "catalog": schema("catalog.md", "transload catalog", CATALOG),
        "policy": schema("policy.md", "transload policy", POLICY),
    }
    return {
        f"{name}.schema.json": json.dumps(document, indent=2, ensure_ascii=False) + "\n"
        for name, document in made.items()
    }


def schema(page: str, title: str, shapes: Mapping[str, Mapping[str, Schema]]) -> Schema:
    """The schema of a format. Raises `KeyError` for a key of the page's table whose kind is not known here."""
    told = rows((FORMATS / page).read_text(encoding="utf-8"))
    objects = {where: _object(where, told, values) for where, values in shapes.items()}
    top = objects.pop("top")
    return {"$schema": "http://json-schema.org/draft-07/schema#", "title": title, **top, "definitions": objects}


def rows(page: str) -> dict[str, dict[str, tuple[str, str]]]:
    """The table of keys: by place and key, what the column "where" adds (`required`), and what the key means."""
    table = page.partition("## Every key")[2].partition("\n## ")[0]
    told: dict[str, dict[str, tuple[str, str]]] = {}
    for keys, column, meaning in _ROW.findall(table):
        places = [word.strip() for word in column.split(",")]
        added = [word for word in places if word in {"required", "at least one", "one of them"}]
        for place in (word for word in places if word not in added):
            for key in re.findall(r"`([\w-]+)`", keys):
                told.setdefault(place, {})[key] = (", ".join(added), _LINK.sub(r"\1", meaning))
    return told


def _object(where: str, told: Mapping[str, Mapping[str, tuple[str, str]]], values: Mapping[str, Schema]) -> Schema:
    keys = told[where]
    properties = {key: {"description": meaning, **values[key]} for key, (_, meaning) in keys.items()}
    required = [key for key, (added, _) in keys.items() if added == "required"]
    some = [{"required": [key]} for key, (added, _) in keys.items() if added == "at least one"]
    one = [{"required": [key]} for key, (added, _) in keys.items() if added == "one of them"]
    return {
        "type": "object",
        "properties": properties,
        **({} if required or some or one else {"minProperties": 1}),
        **({"required": required} if required else {}),
        **({"anyOf": some} if some else {}),
        **({"oneOf": one} if one else {}),
        "additionalProperties": False,
    }
