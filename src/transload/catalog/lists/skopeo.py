"""What `skopeo sync --src yaml` reads: registries, and below each the repositories with their tags.

Shape: skopeo-sync(1), "YAML file content".
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from transload.catalog.lists.naming import image, ruled
from transload.catalog.lists.tagpatterns import found_anywhere
from transload.catalog.lists.taken import Format, Note, Taken, items_of, rest
from transload.catalog.selected import join
from transload.catalog.tagrule import EVERY_TAG, TagRule
from transload.catalog.versionrange import VersionRange
from transload.documents.value import Value
from transload.oci.reference import named_registry

_IMAGES, _PATTERNS, _VERSIONS = "images", "images-by-tag-regex", "images-by-semver"
_SENTENCES = {
    "credentials": "logins come from login files and options, not from a list",
    "cert-dir": "certificates come from --ca-file and from the system",
}


def _recognises(root: Value) -> bool:
    registries = list(root.entries())
    return bool(registries) and all(
        isinstance(registry.content, dict)
        and {_IMAGES, _PATTERNS, _VERSIONS} & registry.content.keys()
        and named_registry(f"{name}/")[0]
        for name, registry in registries
    )


def _read(root: Value) -> Iterator[Taken]:
    for name, registry in root.entries():
        for repository, references in _mapping(registry.get(_IMAGES)):
            yield from _named(join(name, repository), references)
        for repository, pattern in _mapping(registry.get(_PATTERNS)):
            yield ruled(pattern, partial(_matching, pattern), join(name, repository))
        for repository, versions in _mapping(registry.get(_VERSIONS)):
            yield ruled(versions, partial(_within, versions), join(name, repository))
        if registry.get("tls-verify").content in ("false", "False", "FALSE"):
            yield Note(registry.get("tls-verify").where, "--insecure-tls says whose certificate is not verified")
        yield from rest(registry, (_IMAGES, _PATTERNS, _VERSIONS, "tls-verify"), _SENTENCES)


def _matching(pattern: Value) -> TagRule:
    return TagRule(pattern=pattern.read(found_anywhere))


def _within(versions: Value) -> TagRule:
    return TagRule(versions=versions.read(partial(VersionRange.parse, semver=True)))


def _named(repository: str, references: Value) -> Iterator[Taken]:
    """The tags and digests of a repository; all tags, if none are named. Only a digest holds a colon."""
    items = items_of(references)
    for item in items:
        yield image(item, f"{repository}{'@' if ':' in item.text() else ':'}{item.text()}")
    if not items:
        yield ruled(references, EVERY_TAG, repository)


def _mapping(value: Value) -> Iterator[tuple[str, Value]]:
    return value.entries() if value.content else iter(())


FORMAT = Format("skopeo sync list", _recognises, _read)
