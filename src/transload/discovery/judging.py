"""Decides what a text is that stands where an image is named: a finding, or a question."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import PurePath

from transload.discovery.finding import Finding, Place, Question, Sureness
from transload.documents.value import Value
from transload.errors import TransloadError
from transload.oci import Digest, Reference
from transload.oci.reference import DEFAULT_TAG, shown

_QUESTION_LENGTH = 200
_TEMPLATES = (("{{", "}}"), ("$(", ")"), ("${", "}"), ("###", "###"), ("<%", "%>"), ("@@", "@@"))
_BARE_DIGEST = re.compile(r"(?:[a-z0-9-]+://)?(?:sha256:|sha512:)?[a-f0-9]{64,128}")

NO_TAG = "it has no tag, so it means whatever has the tag latest today: write the tag that is meant"

CHART = "this installs a chart: discover the chart, too"


def judged(
    text: str, place: Place, rule: str, sureness: Sureness = "certain", digest: Digest | None = None
) -> Finding | Question:
    """A finding if `text` is a reference with a tag or a digest.

    A template is a question, and so is what is no reference, or means another image from day to day.
    """
    reason = _known_reason(text) if len(text) <= _QUESTION_LENGTH else open_reason(text)
    if reason is not None:
        return question(text, place, reason)
    return Finding(text=text.strip(), place=place, rule=rule, sureness=sureness, digest=digest)


def open_reason(text: str) -> str | None:
    """Why this text does not say which image is meant; None if it does."""
    text = text.strip()
    if is_template(text):
        return "it is a template: fill it in, and discover the result"
    if _BARE_DIGEST.fullmatch(text):
        return "it is a digest without a repository"
    try:
        reference = Reference.parse(text)
    except TransloadError as error:
        return error.message
    return None if has_version(text, reference) else NO_TAG


_known_reason = lru_cache(maxsize=4096)(open_reason)  # a cluster names the same images thousands of times


def has_version(text: str, reference: Reference) -> bool:
    """Whether a tag or a digest is written in the text of this reference, rather than added by the default."""
    name = reference.name
    return name.digest is not None or name.tag != DEFAULT_TAG or text.endswith(f":{DEFAULT_TAG}")


def names_registry(text: str) -> bool:
    """Whether the text is a reference with its registry and with a tag or a digest: hardly anything else looks so."""
    first, slash, _ = text.partition("/")
    if not slash or not ({".", ":"} & set(first) or first == "localhost"):
        return False
    return open_reason(text) is None


def question(text: str, place: Place, reason: str, answered_by: str | None = None) -> Question:
    """A question about a text, of which as much is kept as a person needs to recognise it."""
    return Question(text=shown(text.strip())[:_QUESTION_LENGTH], place=place, reason=reason, answered_by=answered_by)


def file_question(text: str, place: Place, reason: str, *path: str) -> Question:
    """A question that another file answers; `path` leads to it from the folder of this one."""
    if "://" in "".join(path) or place.file == "-":
        return question(text, place, reason)
    return question(text, place, reason, str(PurePath(place.file).parent.joinpath(*path)))


def chart_question(value: Value, place: str, name: str, version: str, within: str = "") -> Question:
    """A question that has the address of a chart, `PLACE/NAME:VERSION`; whoever discovers that has answered it."""
    address = f"{place.rstrip('/')}/{name}" if place and name else place or name
    address = f"{address}:{version}" if version else address
    return question(address, Place.of(value, within), CHART, address if "://" in address else None)


def is_template(text: str) -> bool:
    """Whether a program fills something in here: Helm, Kubernetes, a shell, Zarf, and others.

    >>> is_template("nginx:{{ .Values.tag }}"), is_template("$(IMAGE)"), is_template("nginx:1.27")
    (True, True, False)
    """
    return any(begin in text and end in text.partition(begin)[2] for begin, end in _TEMPLATES)
