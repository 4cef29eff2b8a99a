"""What an attestation must say: its predicate type, and conditions on fields of its predicate.

Types and fields: https://slsa.dev/spec/v1.0/provenance, https://slsa.dev/spec/v0.2/provenance, and for the words of
predicate types `cosign attest --type`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from transload.documents.value import Value
from transload.limits import CONDITIONS, IDENTITY_LENGTH
from transload.trust.doubt import Doubt, shown
from transload.trust.wanted import Wanted, read_wanted
from transload.values import field, frozen
from transload.wording import hint as guess

COSIGN_SIGNATURE = "https://sigstore.dev/cosign/sign/v1"
"""The predicate type of a statement that only says: this image is signed. Every other one is an attestation."""

_PROVENANCE = "https://slsa.dev/provenance"
_WORDS = {  # with all versions of the type, unless the word names one
    "slsa-provenance": _PROVENANCE,
    "slsaprovenance": _PROVENANCE,
    "slsaprovenance02": f"{_PROVENANCE}/v0.2",
    "slsaprovenance1": f"{_PROVENANCE}/v1",
    "spdx": "https://spdx.dev/Document",
    "spdxjson": "https://spdx.dev/Document",
    "cyclonedx": "https://cyclonedx.org/bom",
    "openvex": "https://openvex.dev/ns",
    "vuln": "https://cosign.sigstore.dev/attestation/vuln",
    "link": "https://in-toto.io/Link",
    "custom": "https://cosign.sigstore.dev/attestation/v1",
}
_VERSION = re.compile(r"/v[0-9]{1,4}(\.[0-9]{1,4}){0,3}")
_STEP = re.compile(r'(?:"([^"]+)"|([^".\[\]]+))((?:\[[0-9]{1,6}\])*)(?:\.(?=.)|\Z)')
_KINDS = {dict: "an object", list: "a list", float: "a number with a fraction"}

# Where provenance of SLSA says it, before version 1 and since. Builders of version 1 choose the fields themselves, so
# all that are known are looked at: GitHub, slsa-github-generator and BuildKit, GitLab, Google Cloud Build (two).
_BUILDER, _SOURCE = "builder-id", "source-repository"
_EXTERNAL = "buildDefinition.externalParameters"
_PLACES = {
    _BUILDER: (("builder.id",), ("runDetails.builder.id",)),
    _SOURCE: (
        ("invocation.configSource.uri",),
        tuple(
            f"{_EXTERNAL}.{field}"
            for field in (
                "workflow.repository",
                "source.uri",
                "configSource.uri",
                "source",
                "buildConfigSource.repository",
                "sourceToBuild.repository",
            )
        ),
    ),
}


@frozen
class Condition:
    """A field of a predicate and what it must be, one of `wanted`. `name` is its path, or a word for several paths."""

    name: str
    wanted: tuple[Wanted, ...]

    def unmet(self, predicate_type: str, predicate: Mapping[str, Any]) -> str | None:
        """Why a predicate of this type does not meet it, for people; None if it does."""
        found = [(path, value) for path in self._paths(predicate_type) if (value := _at(predicate, path)) is not None]
        if self.name in _PLACES:  # `source` is a text in some provenance and an object in other
            found = [(path, value) for path, value in found if not isinstance(value, dict)]
        if not found:
            return f"it does not say {self.name}"
        return next((why for path, value in found if (why := self._wrong(path, value))), None)

    def _paths(self, predicate_type: str) -> tuple[str, ...]:
        if self.name not in _PLACES:
            return (self.name,)
        before, since = _PLACES[self.name]
        return before if predicate_type.startswith(f"{_PROVENANCE}/v0") else since

    def _wrong(self, path: str, value: Any) -> str | None:
        text = _text(value)
        if text is None:
            return f"{path} is {_KINDS.get(type(value), 'of a kind')}, which cannot be compared"
        if len(text) > IDENTITY_LENGTH:
            return f"{path} has {len(text)} characters, {IDENTITY_LENGTH} are compared"
        text = repository_in(text) if self.name == _SOURCE else text
        if any(wanted.accepts(text) for wanted in self.wanted):
            return None
        first, *others = self.wanted
        wish = f"does not match {first.text} as a whole" if first.is_regexp else f"is not {first.text}"
        return f"{path} is {shown(text)}, which {wish}{f' or one of {len(others)} others' if others else ''}"


@frozen
class WantedPredicate:
    """What an attestation must be and say. `name` is its type as the policy has it, a word or an address."""

    name: str
    _type: str
    _any_version: bool = False
    conditions: tuple[Condition, ...] = field(default=(), kw_only=True)

    def is_type(self, predicate_type: str) -> bool:
        """Whether this is the type that is wanted."""
        same, version = predicate_type[: len(self._type)] == self._type, predicate_type[len(self._type) :]
        return same and (not version or (self._any_version and bool(_VERSION.fullmatch(version))))

    def check(self, predicate_type: str, predicate: Mapping[str, Any]) -> None:
        """Raise `Doubt` unless an attestation of this type with this predicate is what is wanted."""
        if not self.is_type(predicate_type):
            raise Doubt(f"it is an attestation of the type {shown(predicate_type)}, not {self.name}")
        for condition in self.conditions:
            if why := condition.unmet(predicate_type, predicate):
                raise Doubt(why)


def repository_in(uri: str) -> str:
    """The repository in the address of a source, without revision: `git+https://h.example/a/b.git@refs/heads/main`.

    >>> repository_in("git+https://h.example/a/b.git@refs/heads/main"), repository_in("https://u@h.example/a#v1")
    ('https://h.example/a/b', 'https://u@h.example/a')
    """
    scheme, separator, rest = uri.removeprefix("git+").partition("://")
    if not separator:
        return uri
    host, slash, path = rest.partition("/")
    path = re.split("[@#?]", path, maxsplit=1)[0]
    return f"{scheme}://{host}{slash}{path}".removesuffix("/").removesuffix(".git")


def _at(predicate: Mapping[str, Any], path: str) -> Any:
    """What a predicate has at a path; None if there is nothing."""
    value: Any = predicate
    for step in _steps(path):
        if isinstance(step, str) and isinstance(value, Mapping):
            value = value.get(step)
        elif isinstance(step, int) and isinstance(value, list) and step < len(value):
            value = value[step]
        else:
            return None
    return value


def _steps(path: str) -> Iterator[str | int]:
    for quoted, bare, numbers in _STEP.findall(path):
        yield quoted or bare
        yield from (int(number) for number in re.findall("[0-9]+", numbers))


def _text(value: Any) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int) else None


# --- as a policy writes it


def read_predicate(value: Value) -> WantedPredicate:
    """What a policy wants of an attestation, by its keys `predicate-type` and `where`. Raises `DocumentInvalid`."""
    value.needs("predicate-type")
    named = value.get("predicate-type")
    name = named.text()
    if name == COSIGN_SIGNATURE:
        raise named.fail("this is the type of signatures", hint="list who must have signed under any-of or all-of")
    if name not in _WORDS and "://" not in name:
        raise named.fail(f"{name[:80]!r} is not a predicate type", hint=guess(name, _WORDS, what="words are"))
    if len(name) > IDENTITY_LENGTH or not name.isprintable() or " " in name:
        raise named.fail("it is not the address of a predicate type", hint="write it as the attestation has it")
    kind = _WORDS.get(name, name)
    any_version = name in _WORDS and not _VERSION.search(kind)
    return WantedPredicate(name, kind, any_version, conditions=tuple(_conditions(value.get("where"), kind)))


def _conditions(value: Value, kind: str) -> Iterator[Condition]:
    if value.content is None:
        return
    entries = list(value.entries())
    if not 1 <= len(entries) <= CONDITIONS:
        hint = "leave where out, or write a field and what it must be"
        raise value.fail(f"it has {len(entries)} conditions; expected 1 to {CONDITIONS}", hint=hint)
    for name, wanted in entries:
        if name in _PLACES and not kind.startswith(_PROVENANCE):
            hint = "predicate-type: slsa-provenance; in others, write the path of the field"
            raise wanted.fail(f"{name} is a field of provenance of SLSA only", hint=hint)
        if name not in _PLACES and not _is_path(name):
            hint = 'write names with dots between them: a.b[0]."c.d".e'
            raise wanted.fail("it is not the path of a field", hint=hint)
        yield Condition(name, _wanted(name, wanted))


def _is_path(text: str) -> bool:
    steps = "".join(match[0] for match in _STEP.finditer(text[:IDENTITY_LENGTH]))
    return steps == text != "" and text.isprintable()


def _wanted(name: str, value: Value) -> tuple[Wanted, ...]:
    """A text, `{regexp: …}`, or a list of these."""
    if isinstance(value.content, list):
        items = list(value.items())
        if not 1 <= len(items) <= CONDITIONS:
            raise value.fail(f"it lists {len(items)} values; expected 1 to {CONDITIONS}")
        return tuple(_one_wanted(name, item) for item in items)
    return (_one_wanted(name, value),)


def _one_wanted(name: str, value: Value) -> Wanted:
    if isinstance(value.content, dict):
        value.only("regexp").needs("regexp")
        return read_wanted(value.get("regexp"), is_regexp=True)
    wanted = read_wanted(value)
    return Wanted(repository_in(wanted.text)) if name == _SOURCE else wanted
