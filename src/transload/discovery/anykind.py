"""Objects of kinds that no rule here knows, such as an operator's own resources, and ConfigMaps.

A field that is called image usually is one. That is only likely, so nothing found here is certain.
"""

from __future__ import annotations

from collections.abc import Iterator

from transload.discovery.finding import Discovered, Finding, Place, Question, Sureness
from transload.discovery.judging import judged, names_registry, question
from transload.discovery.pods import CONTAINERS, container_names
from transload.discovery.texts import named_in, names_image
from transload.discovery.values import at
from transload.documents.value import Value

_RULE = "field image"
_IN_PARTS = "its parts stand in several fields, and only the operator knows how it joins them: add it if this is right"
_NAMES = ("repository", "name")
_VERSIONS = ("tag", "version")


def config_map(document: Value, within: str) -> Iterator[Discovered]:
    """What the values of a ConfigMap name. Raises `DocumentInvalid`."""
    data = document.get("data")
    for key, value in data.entries() if isinstance(data.content, dict) else ():
        text = value.content
        if not isinstance(text, str) or not text.strip():
            continue
        place = Place.of(value, within)
        if names_image(key) and "\n" not in text.strip():
            yield judged(text, place, "ConfigMap", "likely")
        else:
            yield from named_in(text, place, "ConfigMap")


def fields(document: Value, within: str, seen: set[str]) -> Iterator[Discovered]:
    """What the fields of an object name that are called image, and its containers. `seen` are paths of known fields."""
    for key, value in document.entries():
        if key not in {"apiVersion", "kind", "metadata", "status"}:
            yield from _field(key, value, within, seen)


def _field(key: str, value: Value, within: str, seen: set[str]) -> Iterator[Discovered]:
    content = value.content
    if isinstance(content, dict):
        parts = _parts(value, within, called_image=names_image(key))
        yield from parts
        for name, inner in value.entries():
            if not (parts and name == "image"):
                yield from _field(name, inner, within, seen)
    elif isinstance(content, list):
        if key in CONTAINERS:
            yield from _containers(value, CONTAINERS[key], within, seen)
        for inner in value.items():
            yield from _field(key, inner, within, seen)
    elif isinstance(content, str) and content.strip() and (names_image(key) or names_registry(content.strip())):
        if value.path in seen:
            return
        if names_image(key):
            yield judged(content, Place.of(value, within), _RULE, "likely")
        else:
            yield Finding(text=content.strip(), place=Place.of(value, within), rule="value", sureness="likely")


def _containers(containers: Value, rule: str, within: str, seen: set[str]) -> Iterator[Discovered]:
    """A pod's containers. In an overlay, as of Prometheus Operator, one may have no image of its own."""
    above = containers.parent.path if containers.parent else ""
    sureness: Sureness = "certain" if above == "spec" or above.endswith("template.spec") else "likely"
    for container in containers.items():
        image = at(container, "image")
        if isinstance(image.content, str) and image.content and image.path not in seen:
            yield judged(image.content, Place.of(image, within), rule, sureness)
            seen.add(image.path)
        for found in container_names(container, within):
            seen.add(found.place.path.rpartition(": ")[2])
            yield found


def _parts(value: Value, within: str, *, called_image: bool) -> list[Finding | Question]:
    """An image in parts: `{registry, repository, tag, digest}` as in charts, or `{repository, image, version}`.

    How the last three become one name is known to the operator alone, so they are a question.
    """
    texts = {key: text for key, text in value.content.items() if isinstance(text, str) and text}
    repository = next((texts[key] for key in _NAMES if key in texts), None)
    if repository is None:
        return []
    registry = f"{texts['registry']}/" if "registry" in texts else ""
    tag = next((f":{texts[key]}" for key in _VERSIONS if key in texts), "")
    digest = f"@{texts['digest']}" if "digest" in texts else ""
    tagged = "repository" in texts and "image" not in texts and ("tag" in texts or digest)
    if called_image or (tagged and "://" not in repository):
        return [judged(f"{registry}{repository}{tag}{digest}", Place.of(value, within), _RULE, "likely")]
    if "image" in texts and "repository" in texts and (tag or digest):
        return [question(f"{registry}{repository}/{texts['image']}{tag}{digest}", Place.of(value, within), _IN_PARTS)]
    return []
