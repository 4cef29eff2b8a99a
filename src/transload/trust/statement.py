"""In-toto statements: what is said, in a predicate of some type, of subjects that are known by their digests.

Rules: in-toto attestation framework, Statement v1 (https://github.com/in-toto/attestation, `spec/v1/statement.md`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from transload.documents.value import Value
from transload.errors import DigestInvalid
from transload.limits import ENVELOPE_BYTES, STATEMENT_VALUES
from transload.linedjson import lined
from transload.oci import Digest
from transload.values import field, frozen

TYPE = "https://in-toto.io/Statement/v1"
OLD_TYPE = "https://in-toto.io/Statement/v0.1"
"""What older programs write; it differs from `TYPE` in nothing that is read here."""

_HINT = "get it again from whoever made it"


@frozen
class StatementSubject:
    """What a statement is about. `name` is what its author calls it; the digest is what counts."""

    name: str
    digest: Digest


@frozen
class Statement:
    """A statement, not yet believed: nothing in it says who made it."""

    subjects: tuple[StatementSubject, ...]
    predicate_type: str
    predicate: Mapping[str, Any] = field(repr=False)

    def encode(self) -> bytes:
        """The statement as JSON, always the same for the same content."""
        return lined(
            {
                "_type": TYPE,
                "subject": [_subject_out(subject) for subject in self.subjects],
                "predicateType": self.predicate_type,
                "predicate": dict(self.predicate),
            },
            iter,
        )

    def is_about(self, digest: Digest) -> bool:
        """Whether one of the subjects has this digest."""
        return any(subject.digest == digest for subject in self.subjects)


def _subject_out(subject: StatementSubject) -> dict[str, Any]:
    return {"name": subject.name, "digest": {subject.digest.algorithm: subject.digest.encoded}}


def decode(raw: bytes, name: str = "statement", types: Collection[str] = (TYPE,)) -> Statement:
    """The statement in `raw`, called `name` in errors. Subjects without a digest that images have are left out.

    Raises `DocumentInvalid` for what is no statement of one of these types, or is larger than `ENVELOPE_BYTES`.
    """
    return statement_in(Value.from_json(raw, name, limit=ENVELOPE_BYTES, values=STATEMENT_VALUES, hint=_HINT), types)


def statement_in(root: Value, types: Collection[str] = (TYPE,)) -> Statement:
    """The statement that is this document. Raises `DocumentInvalid`, as `decode` does."""
    if root.get("_type").text() not in types:
        raise root.get("_type").wrong(TYPE)
    subjects = [subject for entry in root.get("subject").items() for subject in _subjects_in(entry)]
    predicate = root.get("predicate").maybe(lambda value: {key: item.content for key, item in value.entries()}, {})
    return Statement(tuple(subjects), root.get("predicateType").text(), predicate)


def _subjects_in(entry: Value) -> list[StatementSubject]:
    """One for each digest that we know how to compare."""
    label = entry.get("name")
    name = "" if label.content is None else label.text()
    subjects = []
    for algorithm, encoded in entry.get("digest").entries():
        try:
            subjects.append(StatementSubject(name, Digest(f"{algorithm}:{encoded.text()}")))
        except DigestInvalid:  # such as gitCommit, whose value is no digest of content
            continue
    return subjects
