"""Pods: what their containers run and mount, and what their arguments and variables name.

Kubernetes API reference, "PodSpec". Arguments and environment variables that look like images are found by rules of
ours; `RELATED_IMAGE_` is the convention of operators (Operator Framework, "Building a disconnected operator").
"""

from __future__ import annotations

from collections.abc import Iterator

from transload.discovery.finding import Discovered, Finding, Place, Question, Sureness
from transload.discovery.judging import judged, names_registry
from transload.discovery.texts import named_in, names_image
from transload.discovery.values import at, is_absent, items, listed, text
from transload.documents.value import Value

CONTAINERS = {
    "initContainers": "init container",
    "containers": "pod",
    "ephemeralContainers": "ephemeral container",
}
"""The lists of containers in a pod's specification, and the rule by which their images are found."""

_RELATED = "RELATED_IMAGE_"
_SURE_FLAGS = {"--acme-http01-solver-image", "--prometheus-config-reloader", "--thanos-default-base-image"}
"""Arguments of controllers (cert-manager's, Prometheus Operator's) whose meaning is documented as an image."""


def pod_spec(spec: Value, within: str, *, old: bool = False) -> Iterator[Discovered]:
    """The images of a pod's specification; `old` says that it only serves going back. Raises `DocumentInvalid`."""
    sureness: Sureness = "likely" if old else "certain"
    for key, rule in CONTAINERS.items():
        for container in listed(spec, key):
            image = container.get("image")
            if is_absent(image):
                reason = "the container names no image"
                yield Question(text="", place=Place.of(container, within), reason=reason)
            else:
                named = "kept for a rollback" if old else rule
                yield judged(image.text(), Place.of(image, within), named, sureness)
            yield from container_names(container, within)
    for volume in listed(spec, "volumes"):
        reference = at(volume, "image", "reference")
        if not is_absent(reference):
            yield judged(reference.text(), Place.of(reference, within), "image volume", sureness)


def container_names(container: Value, within: str) -> Iterator[Discovered]:
    """What the variables and arguments of a container name."""
    for variable in items(at(container, "env")):
        yield from _variable(variable, within)
    for key in ("command", "args"):
        yield from _arguments(items(at(container, key)), within)


def _variable(variable: Value, within: str) -> Iterator[Discovered]:
    name, value = text(variable, "name"), text(variable, "value")
    if not value:
        return
    place = Place.of(variable.get("value"), f"{within}: {name[:80]}" if within else name[:80])
    if name.startswith(_RELATED):
        yield judged(value, place, "RELATED_IMAGE")
    elif names_registry(value):
        yield Finding(text=value, place=place, rule="environment variable", sureness="likely")
    elif names_image(name):
        yield judged(value, place, "environment variable", "likely")
    else:
        yield from named_in(value, place, "environment variable")


def _arguments(values: Iterator[Value], within: str) -> Iterator[Discovered]:
    """What arguments name: `--solver-image=…`, `--image …`, or a word of a script."""
    before = ""
    for value in values:
        argument = value.content
        if not isinstance(argument, str):
            continue
        flag, equals, given = argument.partition("=") if argument.startswith("-") else (before, "", argument)
        before = argument if argument.startswith("-") and not equals else ""
        if not before:
            yield from _argument(flag, given, Place.of(value, within))


def _argument(flag: str, given: str, place: Place) -> Iterator[Discovered]:
    if given and (flag in _SURE_FLAGS or names_image(flag)):
        yield judged(given, place, f"argument {flag[:60]}", "certain" if flag in _SURE_FLAGS else "likely")
    else:
        yield from named_in(given, place, "argument")
