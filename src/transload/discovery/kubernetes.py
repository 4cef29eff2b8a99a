"""Kubernetes objects: lists of them, and workloads by their pod templates (Kubernetes API reference, v1.36)."""

from __future__ import annotations

from collections.abc import Iterator

from transload.discovery import anykind
from transload.discovery.finding import Discovered, Irrelevant, Place
from transload.discovery.pods import pod_spec, pod_status
from transload.discovery.tree import inside, is_absent, rooted, text_at
from transload.documents.value import Value

_POD_SPECS = {
    "Pod": ("spec",),
    "PodTemplate": ("template", "spec"),
    **dict.fromkeys(
        ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "ReplicationController", "Job"),
        ("spec", "template", "spec"),
    ),
    "CronJob": ("spec", "jobTemplate", "spec", "template", "spec"),
}
"""Where the kinds of Kubernetes itself have their pod's specification."""

_NAME_LENGTH = 320  # a namespace has up to 63 letters, a name up to 253


def recognises(document: Value) -> bool:
    """Whether it is an object of a Kubernetes API."""
    content = document.content
    return isinstance(content, dict) and all(isinstance(content.get(key), str) for key in ("apiVersion", "kind"))


def read(document: Value) -> Iterator[Discovered | Value]:
    """What an object names; of a list, its objects as documents of their own. Raises `DocumentInvalid`."""
    kind = document.get("kind").text()
    if kind.endswith("List") and isinstance(document.get("items").content, list):
        yield from _objects(document, kind)
    else:
        yield from _object(document, kind)


def _objects(document: Value, kind: str) -> Iterator[Discovered | Value]:
    """The objects of a list. In a list of one kind, which the API itself writes, they do not repeat it."""
    for item in document.get("items").items():
        value = rooted(item)
        if recognises(value) or kind == "List":
            yield value
        else:
            yield from _object(value, kind.removesuffix("List"))


def _object(document: Value, kind: str) -> Iterator[Discovered]:
    within = named(document, kind)
    way = _POD_SPECS.get(kind)
    spec = inside(document, *way) if way else None
    if spec is None or is_absent(spec):
        yield from _without_pod(document, kind, within) or [Irrelevant(place=Place.of(document, within))]
        return
    yield from pod_spec(spec, within)
    if kind == "Pod":
        yield from pod_status(document, within)


def _without_pod(document: Value, kind: str, within: str) -> list[Discovered]:
    """What an object names that has no pod: a ConfigMap by its texts, a kind that is not Kubernetes' own by its fields.

    A CustomResourceDefinition only describes such fields.
    """
    if kind == "ConfigMap":
        return list(anykind.config_map(document, within))
    group, version, _ = (document.get("apiVersion").text() + "//").split("/", 2)
    own = not version or "." not in group or group.endswith(".k8s.io")
    return [] if own else list(anykind.fields(document, within))


def named(document: Value, kind: str) -> str:
    """The object in words: `Deployment shop/web`."""
    name = text_at(document, "metadata", "name") or text_at(document, "metadata", "generateName")
    parts = filter(None, (text_at(document, "metadata", "namespace"), name))
    return " ".join(filter(None, (kind, "/".join(parts))))[:_NAME_LENGTH]
