"""The Operator Lifecycle Manager (OLM): operator bundles, catalogs as files, and the objects that name a catalog.

The fields are those of the ClusterServiceVersion (`operators.coreos.com/v1alpha1`) and of file-based catalogs
(olm.operatorframework.io, "File-Based Catalogs"): `olm.bundle`, and the templates that `opm` makes catalogs of.
"""

from __future__ import annotations

from collections.abc import Iterator

from transload.discovery.finding import Discovered, Place, Unread
from transload.discovery.judging import judged
from transload.discovery.kubernetes import named
from transload.discovery.pods import pod_spec
from transload.discovery.values import at, entries, items, text
from transload.documents.value import Value

# --- objects of a cluster


def is_object(document: Value) -> bool:
    """A ClusterServiceVersion, or an object that names the image of a catalog."""
    group = text(document, "apiVersion").partition("/")[0]
    return (group, text(document, "kind")) in {
        ("operators.coreos.com", "ClusterServiceVersion"),
        ("operators.coreos.com", "CatalogSource"),
        ("olm.operatorframework.io", "ClusterCatalog"),
    }


def read_object(document: Value) -> Iterator[Discovered]:
    """The images that an operator runs, those that it starts, and those of catalogs."""
    kind = text(document, "kind")
    within = named(document, kind)
    match kind:
        case "CatalogSource":
            yield from _named(at(document, "spec", "image"), within, "olm catalog")
        case "ClusterCatalog":
            yield from _named(at(document, "spec", "source", "image", "ref"), within, "olm catalog")
        case _:
            yield from _of_version(document, within)


def _of_version(version: Value, within: str) -> Iterator[Discovered]:
    for related in items(at(version, "spec", "relatedImages")):
        yield from _named(at(related, "image"), within, "olm relatedImages")
    yield from _named(at(version, "metadata", "annotations", "containerImage"), within, "olm containerImage")
    for deployment in items(at(version, "spec", "install", "spec", "deployments")):
        pod = at(deployment, "spec", "template", "spec")
        if pod.content:
            yield from pod_spec(pod, within)


# --- catalogs as files


def is_catalog(document: Value) -> bool:
    """A part of a catalog: its `schema` begins with `olm.`, its own or that of a template."""
    return text(document, "schema").startswith("olm.")


def read_catalog(document: Value) -> Iterator[Discovered]:
    """The images of a bundle, or of the bundles that a template lists."""
    schema = text(document, "schema")
    within = f"{schema} {text(document, 'name')}".strip()[:200]
    if schema == "olm.bundle":
        yield from _of_bundle(document, within)
    elif schema == "olm.template.basic":
        for entry in items(at(document, "entries")):
            if text(entry, "schema") == "olm.bundle":
                yield from _of_bundle(entry, within)
    elif schema == "olm.semver":
        for _, channel in entries(document):
            for bundle in items(at(channel, "bundles")):
                yield from _of_bundle(bundle, within)


def _of_bundle(bundle: Value, within: str) -> Iterator[Discovered]:
    yield from _named(at(bundle, "image"), within, "olm bundle")
    for related in items(at(bundle, "relatedImages")):
        yield from _named(at(related, "image"), within, "olm relatedImages")


# --- both


def _named(value: Value, within: str, rule: str) -> Iterator[Discovered]:
    """The image that a value names. A missing or empty one is none: a related image may be left open."""
    content = value.content
    if isinstance(content, str) and content.strip():
        yield judged(content, Place.of(value, within), rule)
    elif content not in (None, ""):
        yield Unread(place=Place.of(value, within), reason=value.wrong("the name of an image").message)
