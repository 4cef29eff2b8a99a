"""The images that a chart says it needs, in annotations of `Chart.yaml`.

Each annotation is a text that holds a YAML list of `{name, image}`: `images` (Bitnami), `artifacthub.io/images`
(Artifact Hub, "Annotations in Helm Chart.yaml file"), `helm.sh/images` (Helm's HIP-15, with `dependency` for the
subchart that an image belongs to). Other vendors' annotations that end in `/images` have the same form.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from transload.discovery.finding import Finding, Irrelevant, Place, Question, Unread
from transload.discovery.judging import judged
from transload.documents.value import Value
from transload.errors import DocumentInvalid

RULE = "chart annotation"

Stated = Finding | Question | Unread | Irrelevant


def stated(annotations: Value, off: Collection[str]) -> Iterator[Stated]:
    """The images in the annotations of a chart; those of the subcharts in `off` are not needed."""
    for key, value in annotations.entries():
        if key == "images" or key.endswith("/images"):
            yield from _listed(key, value, off)


def _listed(key: str, value: Value, off: Collection[str]) -> Iterator[Stated]:
    place = Place(file=value.document.name, line=value.line, path=f"annotations.{key}")
    try:
        listed = Value.from_yaml(value.text(), value.document.name) if isinstance(value.content, str) else value
        for item in listed.items():
            yield _one(item, place, off)
    except DocumentInvalid as error:
        yield Unread(place=place, reason=f"the annotation is no list of images: {error.message}")


def _one(item: Value, place: Place, off: Collection[str]) -> Stated:
    named = item.get("image") if isinstance(item.content, dict) else item
    if not isinstance(named.content, str) or not named.content.strip():
        return Unread(place=place, reason="an entry has no image")
    text = named.content.strip()
    if isinstance(item.content, dict) and item.get("dependency").content in off:
        return Irrelevant(place=place)
    return judged(text, place, RULE)
