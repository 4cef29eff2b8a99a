"""Pods: what their containers run, what they mount, and what nodes really run for them.

Kubernetes API reference, "PodSpec" and "PodStatus". Arguments and environment variables that look like images are
found by rules of ours; `RELATED_IMAGE_` is the convention of operators (Operator SDK, "Related images").
"""

from __future__ import annotations

from collections.abc import Iterator

from transload.discovery.finding import Discovered, Finding, Place, Question
from transload.discovery.judging import judged, names_registry, open_reason
from transload.discovery.texts import named_in, names_image
from transload.discovery.tree import inside, is_absent, items_at, text_at
from transload.documents.value import Value
from transload.errors import TransloadError
from transload.oci import Digest, Reference

_CONTAINERS = {
    "initContainers": "init container",
    "containers": "pod",
    "ephemeralContainers": "ephemeral container",
}
_STATUSES = {
    "initContainers": "initContainerStatuses",
    "containers": "containerStatuses",
    "ephemeralContainers": "ephemeralContainerStatuses",
}
RELATED = "RELATED_IMAGE_"
_ARGUMENT_LENGTH = 64 << 10  # a script; beyond it, nobody names images in one


def pod_spec(spec: Value, within: str) -> Iterator[Discovered]:
    """The images of a pod's specification. Raises `DocumentInvalid`."""
    for key, rule in _CONTAINERS.items():
        for container in items_at(spec, key):
            yield from container_images(container, within, rule)
    for volume in items_at(spec, "volumes"):
        reference = inside(volume, "image", "reference")
        if reference is not None and not is_absent(reference):
            yield judged(reference.text(), Place.of(reference, within), "image volume")


def container_images(container: Value, within: str, rule: str) -> Iterator[Discovered]:
    """The image of a container, and what its arguments and variables name. Raises `DocumentInvalid`."""
    image = container.get("image")
    if is_absent(image):
        yield Question(text="", place=Place.of(container, within), reason="the container names no image")
    else:
        yield judged(image.text(), Place.of(image, within), rule)
    for variable in items_at(container, "env"):
        yield from _variable(variable, within)
    for key in ("command", "args"):
        yield from arguments(list(items_at(container, key)), within)


def _variable(variable: Value, within: str) -> Iterator[Discovered]:
    name, text = text_at(variable, "name") or "", text_at(variable, "value")
    if text is None:
        return
    place = Place.of(variable.get("value"), f"{within}: {name[:80]}" if within else name[:80])
    if name.startswith(RELATED):
        yield judged(text, place, "RELATED_IMAGE")
    elif names_registry(text.strip()):
        yield Finding(text=text.strip(), place=place, rule="environment variable", sureness="likely")
    elif names_image(name):
        yield judged(text, place, "environment variable", "likely")
    else:
        yield from named_in(text, place, "environment variable")


def arguments(values: list[Value], within: str) -> Iterator[Discovered]:
    """What the arguments of a container name: `--solver-image=…`, `--image …`, or a word of a script."""
    flag = ""
    for value in values:
        text = value.content
        if not isinstance(text, str) or len(text) > _ARGUMENT_LENGTH:
            continue
        name, equals, given = text.partition("=") if text.startswith("-") else (flag, "", text)
        flag = text if text.startswith("-") and not equals else ""
        if flag:
            continue
        yield from _argument(name, given, Place.of(value, within))


def _argument(flag: str, text: str, place: Place) -> Iterator[Discovered]:
    if flag.endswith("image") and text:
        yield judged(text, place, f"argument {flag[:60]}", "likely")
        return
    yield from named_in(text, place, "argument")


# --- what nodes run


def pod_status(pod: Value, within: str) -> Iterator[Discovered]:
    """What nodes run for each container: the specification's image with the digest that was pulled for it.

    Kubernetes API reference, "ContainerStatus": `imageID` is the runtime's; docker's begins with `docker-pullable://`.
    """
    for key, statuses in _STATUSES.items():
        wanted = {text_at(item, "name"): text_at(item, "image") for item in items_at(pod, "spec", key)}
        for status in items_at(pod, "status", statuses):
            yield from _running(status, wanted.get(text_at(status, "name")), within)


def _running(status: Value, wanted: str | None, within: str) -> Iterator[Discovered]:
    identity = text_at(status, "imageID")
    if identity is None:
        return  # it has not run yet
    place = Place.of(status.get("imageID"), within)
    pulled = pulled_reference(identity)
    text = wanted or text_at(status, "image") or ""
    if pulled is None:
        yield Question(
            text=identity[:120],
            place=place,
            reason="the node does not say under which digest of a registry it pulled the image",
        )
    elif open_reason(text) is None:
        yield Finding(text=text, place=place, rule="node", digest=pulled.name.digest)
    else:
        yield Finding(text=str(pulled), place=place, rule="node", digest=pulled.name.digest)


def pulled_reference(identity: str) -> Reference | None:
    """The reference with a digest in a node's identifier of an image; None if it has none."""
    try:
        reference = Reference.parse(identity.rpartition("://")[2])
    except TransloadError:
        return None
    return reference if isinstance(reference.name.digest, Digest) else None
