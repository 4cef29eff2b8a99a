"""Kustomize: the images that a `kustomization.yaml` sets. What it builds is plain manifests, once it has been built.

The fields are those of Kustomize (kubectl.docs.kubernetes.io, "The Kustomization File"); tag and digest together since
its pull request 4406.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

from transload.discovery.finding import Discovered, Place
from transload.discovery.judging import chart_question, file_question, judged, question
from transload.discovery.values import at, entries, items, text
from transload.documents.value import Value

FILES = {"kustomization.yaml", "kustomization.yml", "kustomization"}
_MANIFESTS = {".yaml", ".yml", ".json"}
_HARMLESS = {
    "apiVersion", "kind", "metadata", "resources", "namespace", "namePrefix", "nameSuffix", "commonLabels", "labels",
    "commonAnnotations", "buildMetadata", "sortOptions", "generatorOptions", "secretGenerator",
}  # fmt: skip
"""What changes no image and adds none."""

_GROUP = "kustomize.config.k8s.io"


def recognises(document: Value) -> bool:
    """By its file's name, which Kustomize requires, or by its kind, which may be left out."""
    return text(document, "apiVersion").partition("/")[0] == _GROUP or (
        PurePosixPath(document.document.name.rpartition("!")[2]).name.lower() in FILES
        and not text(document, "apiVersion")
        and isinstance(document.content, dict)
    )


def read(document: Value) -> Iterator[Discovered]:
    """The images that it sets, the charts that it renders, and the question what it builds.

    One that changes no images is the files that it names: each is a question, unless it is read, too.
    """
    if text(document, "kind") != "Component":  # a component is built by the folder that takes it in
        yield from _built(document)
    yield from images_of(at(document, "images"), "")
    for chart in items(at(document, "helmCharts")):
        yield chart_question(chart, text(chart, "repo"), text(chart, "name"), text(chart, "version"))


def _built(document: Value) -> Iterator[Discovered]:
    resources = list(items(at(document, "resources")))
    if {key for key, _ in entries(document)} <= _HARMLESS and all(map(_is_here, resources)):
        for resource in resources:
            name = text(resource)
            yield file_question(name, Place.of(resource), "Kustomize takes this in: discover it, too", name)
        return
    name = document.document.name
    folder = PurePosixPath(name).parent if name != "-" else "."
    reason = "Kustomize makes manifests of this folder: discover what this command writes, too"
    yield question(f"kustomize build {folder}", Place.of(document), reason)


def _is_here(resource: Value) -> bool:
    """Whether a resource is a file or folder: the address of a repository has a host, and often what follows."""
    name = text(resource)
    if "://" in name or PurePosixPath(name).suffix in _MANIFESTS:
        return "://" not in name
    host = name.partition("/")[0].strip(".")
    return bool(name) and not {":", "?", "@"} & set(name) and "//" not in name and "." not in host


def images_of(images: Value, within: str) -> Iterator[Discovered]:
    """The images of `images:`, each a mapping of `name`, `newName`, `newTag` and `digest`.

    They are only likely: an image counts where a manifest names it.
    """
    for image in items(images):
        name = text(image, "newName") or text(image, "name")
        tag, digest = text(image, "newTag"), text(image, "digest")
        place = Place.of(image, within)
        if tag or digest:
            yield judged(f"{name}{tag and f':{tag}'}{digest and f'@{digest}'}", place, "kustomize image", "likely")
        elif text(image, "newName"):
            yield question(name, place, "it has the tag that the manifests give it: discover what Kustomize builds")
