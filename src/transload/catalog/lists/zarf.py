"""Zarf's packages: `zarf.yaml`, kinds ZarfPackageConfig and ZarfInitConfig.

Shape: https://docs.zarf.dev/schema/v1alpha1-package and v1beta1-package.
"""

from __future__ import annotations

from collections.abc import Iterator

from transload.catalog.lists.naming import chart, image
from transload.catalog.lists.taken import Format, Note, Taken, items_of, platform, rest, text_of
from transload.catalog.selected import join
from transload.documents.value import Value
from transload.oci import Platform

_KINDS = ("ZarfPackageConfig", "ZarfInitConfig")
_TOP = ("apiVersion", "kind", "metadata", "build", "components", "constants", "variables", "values", "documentation")
_COMPONENT = (
    *("name", "description", "default", "required", "optional", "group", "only", "target", "service", "actions"),
    *("scripts", "healthChecks", "extensions", "images", "charts"),
)
_FILES = "files and manifests are no images, pack carries files with --also"
_GIT = "git repositories are not copied"
_SENTENCES = {
    "files": _FILES,
    "manifests": _FILES,
    "dataInjections": _FILES,
    "repos": _GIT,
    "repositories": _GIT,
    "imageArchives": "images in archives are taken with --from archive:FILE",
    "imageTars": "images in archives are taken with --from archive:FILE",
    "import": "what another package adds is not looked for; read its zarf.yaml in the same run",
}
_FLAVOUR = "components of every flavor are taken; delete the images of those that are not wanted"


def _recognises(root: Value) -> bool:
    return root.get("kind").content in _KINDS


def _read(root: Value) -> Iterator[Taken]:
    yield from rest(root, _TOP, {"attachments": _FILES})
    metadata = root.get("metadata")
    # `multi` is Zarf's word for a package without images, which fits every architecture.
    architecture = text_of(metadata.get("architecture")) if metadata.content else ""
    platforms = platform(metadata.get("architecture")) if architecture not in ("", "multi") else ()
    for component in root.get("components").items():
        yield from _component(component, platforms)


def _component(component: Value, platforms: tuple[Platform, ...]) -> Iterator[Taken]:
    flavour, architecture = _limits(component)
    if text_of(flavour):
        yield Note(flavour.where, _FLAVOUR)
    platforms = platform(architecture) or platforms
    for item in items_of(component.get("images")):
        yield image(item if isinstance(item.content, str) else item.get("name"), platforms=platforms)
        if isinstance(item.content, dict):
            yield from rest(item, ("name",), {"source": "the image is looked for in its registry, and nowhere else"})
    for item in items_of(component.get("charts")):
        yield from _chart(item)
    yield from rest(component, _COMPONENT, _SENTENCES)


def _limits(component: Value) -> tuple[Value, Value]:
    """The flavor and the architecture that a component is for: below `only`, since v1beta1 below `target`."""
    nothing = Value("", component.document)
    only, target = component.get("only"), component.get("target")
    if target.content:
        return target.get("flavor"), target.get("architecture")
    if only.content:
        cluster = only.get("cluster")
        return only.get("flavor"), cluster.get("architecture") if cluster.content else nothing
    return nothing, nothing


def _chart(item: Value) -> Iterator[Taken]:
    """A chart; the images that it needs are among those of the component. In v1beta1 each kind of origin has a key."""
    oci, repository = item.get("oci"), item.get("helmRepository")
    origin = oci if oci.content else repository if repository.content else item
    address, version = text_of(origin.get("url")), text_of(origin.get("version"))
    if origin is oci or address.startswith("oci://"):
        yield chart(item, address, version, images=False)
    elif text_of(item.get("gitPath")) or address.endswith(".git") or ".git@" in address:
        yield Note(item.where, "a chart in a git repository is not copied")
    else:
        name = text_of(origin.get("repoName")) or text_of(origin.get("name")) or item.get("name").text()
        yield chart(item, join(address.rstrip("/"), name) if address else "", version, images=False)


FORMAT = Format("Zarf package", _recognises, _read)
