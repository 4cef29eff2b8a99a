"""Kustomize: the images that a `kustomization.yaml` sets. What it builds is plain manifests, once it has been built.

The fields are those of Kustomize (kubectl.docs.kubernetes.io, "The Kustomization File"); tag and digest together since
its pull request 4406.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

from transload.discovery.finding import Discovered, Place
from transload.discovery.judging import chart_question, judged, question
from transload.discovery.values import at, items, text
from transload.documents.value import Value

FILES = {"kustomization.yaml", "kustomization.yml", "kustomization"}
_GROUP = "kustomize.config.k8s.io"


def recognises(document: Value) -> bool:
    """By its file's name, which Kustomize requires, or by its kind, which may be left out."""
    return text(document, "apiVersion").partition("/")[0] == _GROUP or (
        PurePosixPath(document.document.name.rpartition("!")[2]).name.lower() in FILES
        and not text(document, "apiVersion")
        and isinstance(document.content, dict)
    )


def read(document: Value) -> Iterator[Discovered]:
    """The images that it sets, the charts that it renders, and the question what it builds."""
    if text(document, "kind") != "Component":  # a component is built by the folder that takes it in
        name = document.document.name
        folder = PurePosixPath(name).parent if name != "-" else "."
        reason = "Kustomize makes manifests of this folder: discover what this command writes, too"
        yield question(f"kustomize build {folder}", Place.of(document), reason)
    yield from images_of(at(document, "images"), "")
    for chart in items(at(document, "helmCharts")):
        yield chart_question(chart, text(chart, "repo"), text(chart, "name"), text(chart, "version"))


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
