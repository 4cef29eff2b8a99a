"""What installs charts: Argo CD, Flux, k3s and Helmfile. A chart is named with its address, as a question.

The fields are those of Argo CD's `Application` (`argoproj.io/v1alpha1`), Flux's `HelmRelease`, `OCIRepository` and
`Kustomization` (`*.toolkit.fluxcd.io`), k3s' `HelmChart` (`helm.cattle.io/v1`), and of `helmfile.yaml`.
"""

from __future__ import annotations

from collections.abc import Iterator

from transload.discovery.charts.rules import candidates
from transload.discovery.charts.tree import Tree, mapping_of, tree_of, values_of, written
from transload.discovery.charts.tree import at as value_at
from transload.discovery.finding import Address, Discovered, Place, Question
from transload.discovery.judging import CHART, chart_question, file_question, judged, question
from transload.discovery.kubernetes import named
from transload.discovery.kustomize import images_of
from transload.discovery.values import at, items, text
from transload.documents.value import Value

_OCI = "oci://"
_OPEN = "values for a chart name it without a tag, and the chart has the rest: discover the chart with these values"
_KINDS = {
    ("argoproj.io", "Application"),
    ("argoproj.io", "ApplicationSet"),
    ("helm.toolkit.fluxcd.io", "HelmRelease"),
    ("source.toolkit.fluxcd.io", "OCIRepository"),
    ("source.toolkit.fluxcd.io", "HelmRepository"),
    ("kustomize.toolkit.fluxcd.io", "Kustomization"),
    ("helm.cattle.io", "HelmChart"),
    ("helm.cattle.io", "HelmChartConfig"),
}


def is_object(document: Value) -> bool:
    """An object of one of those groups."""
    return (text(document, "apiVersion").partition("/")[0], text(document, "kind")) in _KINDS


def read_object(document: Value) -> Iterator[Discovered]:
    """The charts and folders that an object installs, and the images that it sets itself."""
    kind = text(document, "kind")
    within, spec = named(document, kind), at(document, "spec")
    match kind:
        case "Application":
            yield from _argo(spec, within)
        case "ApplicationSet":
            yield from _argo(at(spec, "template", "spec"), within)
        case "HelmRelease":
            yield from _flux_release(spec, within)
        case "OCIRepository" | "HelmRepository":
            yield from _flux_source(document, within)
        case "Kustomization":
            source = text(spec, "sourceRef", "name")
            reason = "Flux builds this folder of a source: build it with Kustomize, and discover the result"
            yield question(f"{text(spec, 'path') or './'} of {source}", Place.of(spec, within), reason)
            yield from images_of(at(spec, "images"), within)
        case _:
            if text(spec, "chart"):
                yield chart_question(spec, text(spec, "repo"), text(spec, "chart"), text(spec, "version"), within)
            yield from _written_values(at(spec, "valuesContent"), within)


# --- Argo CD


def _argo(spec: Value, within: str) -> Iterator[Discovered]:
    for source in (at(spec, "source"), *items(at(spec, "sources"))):
        yield from _argo_source(source, within)


def _argo_source(source: Value, within: str) -> Iterator[Discovered]:
    repository, chart, revision = (text(source, key) for key in ("repoURL", "chart", "targetRevision"))
    if chart:
        # Argo CD writes the place of charts in a registry without oci://
        yield chart_question(
            source, repository if "://" in repository else f"{_OCI}{repository}", chart, revision, within
        )
    elif repository.startswith(_OCI):
        yield from _artifact(source, repository, revision, within)
    elif repository and not text(source, "ref"):
        where = f"{repository} {text(source, 'path')} {revision}".strip()
        reason = "Argo CD makes manifests of this folder: render it, and discover the result"
        yield question(where, Place.of(source, within), reason)
    for image in filter(text, items(at(source, "kustomize", "images"))):  # [OLD=]NEW
        yield judged(text(image).rpartition("=")[2], Place.of(image, within), "kustomize image", "likely")
    yield from _values(at(source, "helm", "valuesObject"), within)
    yield from _written_values(at(source, "helm", "values"), within)


# --- Flux


def _flux_release(spec: Value, within: str) -> Iterator[Discovered]:
    chart, reference = at(spec, "chart", "spec"), at(spec, "chartRef")
    if name := text(chart, "chart"):
        version = text(chart, "version")
        source = _source(at(chart, "sourceRef"), spec)
        shown = f"{name}:{version}" if version else name
        yield Question(text=shown[:200], place=Place.of(chart, within), reason=CHART, source=source)
    elif text(reference, "name"):
        yield Question(text="", place=Place.of(reference, within), reason=CHART, source=_source(reference, spec))
    for renderer in items(at(spec, "postRenderers")):
        yield from images_of(at(renderer, "kustomize", "images"), within)
    yield from _values(at(spec, "values"), within)


def _source(reference: Value, spec: Value) -> str:
    """A source of Flux in words, as `named` has it; without a namespace, it is in that of the object that names it."""
    own = text(spec.parent, "metadata", "namespace") if spec.parent else ""
    name = "/".join(filter(None, (text(reference, "namespace") or own, text(reference, "name"))))
    return f"{text(reference, 'kind')} {name}".strip()


def _flux_source(document: Value, within: str) -> Iterator[Discovered]:
    """A repository of charts, or an artifact."""
    spec = at(document, "spec")
    if address := text(spec, "url"):
        yield Address(name=within, address=address, place=Place.of(document))
    if text(document, "kind") == "OCIRepository":
        yield from _flux_artifact(spec, within)


def _flux_artifact(spec: Value, within: str) -> Iterator[Discovered]:
    reference = at(spec, "ref")
    if text(reference, "semver"):
        where = f"{text(spec, 'url')} {text(reference, 'semver')}"
        yield question(where, Place.of(spec, within), "a range chooses its tag: write the tag that is meant")
    else:
        yield from _artifact(spec, text(spec, "url"), text(reference, "digest") or text(reference, "tag"), within)


def _artifact(value: Value, address: str, version: str, within: str) -> Iterator[Discovered]:
    """An artifact of manifests, or a chart: it is needed itself, and it may name images."""
    mark = "" if not version else "@" if ":" in version else ":"
    place = Place.of(value, within)
    yield judged(f"{address.removeprefix(_OCI)}{mark}{version}", place, "OCI artifact")
    reason = "this artifact has manifests or a chart in it: discover what is in it, too"
    yield question(f"{address}{mark}{version}", place, reason)


# --- Helmfile


def is_helmfile(document: Value) -> bool:
    """`releases` with charts, and no object of Kubernetes."""
    return not text(document, "apiVersion") and any(text(item, "chart") for item in items(at(document, "releases")))


def read_helmfile(document: Value) -> Iterator[Discovered]:
    """The charts of the releases, with the addresses of the repositories that the file knows."""
    places = {text(item, "name"): _helmfile_place(item) for item in items(at(document, "repositories"))}
    for release in items(at(document, "releases")):
        repository, slash, name = text(release, "chart").partition("/")
        known = places.get(repository) if slash else None
        if repository in {".", ".."}:
            yield file_question(text(release, "chart"), Place.of(release), CHART, text(release, "chart"))
        else:
            chart = name if known else text(release, "chart")
            yield chart_question(release, known or "", chart, text(release, "version"))
        for values in items(at(release, "values")):
            yield from _values(values, text(release, "name"))
    for other in items(at(document, "helmfiles")):
        file = text(other) or text(other, "path")
        yield file_question(file, Place.of(other), "this file is included: discover it, too", file)


def _helmfile_place(repository: Value) -> str:
    url = text(repository, "url")
    is_oci = at(repository, "oci").content in (True, "true")
    return f"{_OCI}{url}" if is_oci and "://" not in url else url


# --- what they set themselves


def _values(values: Value, within: str) -> Iterator[Discovered]:
    """The images in values for a chart, by the rules for values of charts."""
    if isinstance(values.content, dict):
        yield from _named_in(mapping_of(tree_of(values)), values, within)


def _written_values(values: Value, within: str) -> Iterator[Discovered]:
    """The same, of values that are written as a text. Raises `DocumentInvalid` if that is no YAML."""
    if written_values := text(values):
        yield from _named_in(values_of(written_values.encode(), values.document.name), values, within)


def _named_in(tree: dict[str, Tree], values: Value, within: str) -> Iterator[Discovered]:
    written_in = values.line if isinstance(values.content, str) else 0
    for candidate in candidates(tree, set(), lambda path: value_at(tree, path) is not None):
        path = ".".join(filter(None, (values.path, written(candidate.path))))
        line = candidate.leaf.line and candidate.leaf.line + (written_in or 0)
        keys = (*values.keys, *candidate.path) if isinstance(values.content, dict) else ()
        place = Place(file=values.document.name, line=line, path=f"{within}: {path}" if within else path, keys=keys)
        if candidate.open:
            yield question(candidate.text, place, _OPEN)
        else:
            yield judged(candidate.text, place, candidate.rule, "likely")
