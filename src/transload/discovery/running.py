"""What nodes really run, and what they hold: the status of pods and of nodes.

Kubernetes API reference, "ContainerStatus" and "ContainerImage". `imageID` is the identifier of the container runtime:
a repository with a digest, which docker's old shim wrote after `docker-pullable://`.
"""

from __future__ import annotations

from collections.abc import Iterator

from transload.discovery.finding import Discovered, Finding, Place, Question
from transload.discovery.judging import open_reason
from transload.discovery.pods import CONTAINERS
from transload.discovery.values import listed, text
from transload.documents.value import Value
from transload.errors import TransloadError
from transload.oci import Reference

_STATUSES = {
    "initContainers": "initContainerStatuses",
    "containers": "containerStatuses",
    "ephemeralContainers": "ephemeralContainerStatuses",
}
_NO_DIGEST = "the node does not say under which digest of a registry it pulled the image"
_SHOWN = 120


def pod_status(pod: Value, within: str) -> Iterator[Discovered]:
    """For each container, the specification's image with the digest that the node pulled. Raises `DocumentInvalid`."""
    for key in CONTAINERS:
        wanted = {text(item, "name"): text(item, "image") for item in listed(pod, "spec", key)}
        for status in listed(pod, "status", _STATUSES[key]):
            yield from _running(status, wanted.get(text(status, "name"), ""), within)


def _running(status: Value, wanted: str, within: str) -> Iterator[Discovered]:
    identity = text(status, "imageID")
    if not identity:
        return  # it has not run yet
    place = Place.of(status.get("imageID"), within)
    pulled = _pulled(identity)
    if pulled is None:
        yield Question(text=identity[:_SHOWN], place=place, reason=_NO_DIGEST)
        return
    named = next((name for name in (wanted, text(status, "image")) if open_reason(name) is None), str(pulled))
    yield Finding(text=named, place=place, rule="node", digest=pulled.name.digest)


def _pulled(identity: str) -> Reference | None:
    """The reference with a digest in a node's identifier of an image; None if it has none."""
    try:
        reference = Reference.parse(identity.rpartition("://")[2])
    except TransloadError:
        return None
    return reference if reference.name.digest else None


def node_images(node: Value, within: str) -> Iterator[Discovered]:
    """The images that a node holds, which something ran at some time. Raises `DocumentInvalid`."""
    for image in listed(node, "status", "images"):
        names = [name.text() for name in listed(image, "names")]
        pulled = [reference for reference in map(_pulled, names) if reference]
        tagged = [name for name in names if open_reason(name) is None and not _pulled(name)]
        place = Place.of(image, within)
        for name in tagged or map(str, pulled):
            repository = Reference.parse(name).name.repository
            digests = [reference.name.digest for reference in pulled if reference.name.repository == repository]
            yield Finding(text=name, place=place, rule="held by a node", sureness="likely", digest=(*digests, None)[0])
        if not (tagged or pulled):
            yield Question(text=", ".join(names)[:_SHOWN], place=place, reason=_NO_DIGEST)
