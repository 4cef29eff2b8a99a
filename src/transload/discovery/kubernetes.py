"""Kubernetes objects: lists of them, and workloads by their pod templates (Kubernetes API reference, v1.36)."""

from __future__ import annotations

from collections.abc import Iterator

from transload.discovery import anykind
from transload.discovery.customresources import custom_resource
from transload.discovery.finding import Discovered, Irrelevant, Place
from transload.discovery.jsonstream import of_list
from transload.discovery.pods import pod_spec
from transload.discovery.running import node_images, pod_status
from transload.discovery.values import at, is_absent, rooted, text
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

_USUAL = (("spec", "template", "spec"), ("spec",), ("template", "spec"), ("data", "spec", "template", "spec"))
"""Where other kinds have one, such as the DeploymentConfig of OpenShift 3, and ControllerRevision."""

_OWN_GROUPS = {"", "apps", "autoscaling", "batch", "extensions", "policy"}
_NAME_LENGTH = 320  # a namespace has up to 63 letters, a name up to 253


def recognises(document: Value) -> bool:
    """Whether it is an object of a Kubernetes API."""
    content = document.content
    return isinstance(content, dict) and all(isinstance(content.get(key), str) for key in ("apiVersion", "kind"))


def read(document: Value) -> Iterator[Discovered | Value]:
    """What an object names; of a list or template, its objects as documents of their own. Raises `DocumentInvalid`."""
    kind = document.get("kind").text()
    if kind == "Template" and isinstance(document.get("objects").content, list):  # OpenShift's
        yield from map(rooted, document.get("objects").items())
    elif kind.endswith("List") and isinstance(document.get("items").content, list):
        yield from _objects(document, kind)
    else:
        yield from _object(document, kind)


def _objects(document: Value, kind: str) -> Iterator[Value]:
    """The objects of a list."""
    for item in map(rooted, document.get("items").items()):
        yield Value(of_list(item.content, kind, text(document, "apiVersion")), item.document)


def _object(document: Value, kind: str) -> Iterator[Discovered]:
    within = named(document)
    nothing = True
    for found in _images(document, kind, text(document, "apiVersion").rpartition("/")[0], within):
        nothing = False
        yield found
    if nothing:
        yield Irrelevant(place=Place.of(document, within))


def _images(document: Value, kind: str, group: str, within: str) -> Iterator[Discovered]:
    if not _is_own(group):
        yield from custom_resource(document, f"{group}/{kind}", within)
        return
    for way in [_POD_SPECS[kind]] if kind in _POD_SPECS else _USUAL:
        spec = at(document, *way)
        if not is_absent(spec) and (kind in _POD_SPECS or _is_pod(spec)):
            yield from pod_spec(spec, within, old=kind == "ControllerRevision" or _is_old(document, kind))
    if kind == "Pod":
        yield from pod_status(document, within)
    elif kind == "Node":
        yield from node_images(document, within)
    elif kind == "ConfigMap":
        yield from anykind.config_map(document, within)


def _is_own(group: str) -> bool:
    """Whether an API group is one of Kubernetes itself; projects of its community have `x-k8s.io` and `sigs.k8s.io`."""
    community = group.endswith((".x-k8s.io", ".sigs.k8s.io"))
    return group in _OWN_GROUPS or (group.endswith(".k8s.io") and not community)


def _is_pod(spec: Value) -> bool:
    return isinstance(at(spec, "containers").content, list)


def _is_old(document: Value, kind: str) -> bool:
    """Whether it is an earlier revision of a Deployment, which has no pods and is kept for going back."""
    replicas, owners = at(document, "spec", "replicas").content, at(document, "metadata", "ownerReferences").content
    return kind == "ReplicaSet" and replicas in (0, "0") and bool(owners)


def named(document: Value, kind: str = "") -> str:
    """The object in words: `Deployment shop/web`; empty for what is none."""
    metadata = at(document, "metadata")
    kind = kind or text(document, "kind")
    name = text(metadata, "name") or text(metadata, "generateName")
    parts = filter(None, (text(metadata, "namespace"), name))
    return " ".join(filter(None, (kind, "/".join(parts))))[:_NAME_LENGTH]
