"""Decides what a text is that stands where an image is named: a finding, or a question."""

from __future__ import annotations

from transload.discovery.finding import Finding, Place, Question, Sureness
from transload.errors import TransloadError
from transload.oci import Digest, Reference

_QUESTION_LENGTH = 200
_TEMPLATES = (("{{", "}}"), ("$(", ")"), ("${", "}"), ("###", "###"), ("<%", "%>"), ("@@", "@@"))


def judged(
    text: str, place: Place, rule: str, sureness: Sureness = "certain", digest: Digest | None = None
) -> Finding | Question:
    """A finding if `text` is a reference. A template, or what is no reference, is a question."""
    if is_template(text):
        return question(text, place, "it is a template: fill it in, and discover the result")
    try:
        Reference.parse(text)
    except TransloadError as error:
        return question(text, place, error.message)
    return Finding(text=text.strip(), place=place, rule=rule, sureness=sureness, digest=digest)


def question(text: str, place: Place, reason: str) -> Question:
    """A question about a text, of which as much is kept as a person needs to recognise it."""
    return Question(text=text.strip()[:_QUESTION_LENGTH], place=place, reason=reason)


def is_template(text: str) -> bool:
    """Whether a program fills something in here: Helm, Kubernetes, a shell, Zarf, and others.

    >>> is_template("nginx:{{ .Values.tag }}"), is_template("$(IMAGE)"), is_template("nginx:1.27")
    (True, True, False)
    """
    return any(begin in text and end in text.partition(begin)[2] for begin, end in _TEMPLATES)
