"""Locks of Carvel's tools: imgpkg's ImagesLock and BundleLock, and what kbld writes with --lock-output.

Shapes: https://carvel.dev/imgpkg/docs, "Resources", and https://carvel.dev/kbld/docs, "Configuration".
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from transload.catalog.lists.naming import image, ruled, template_in
from transload.catalog.lists.taken import (
    Format,
    ListedImage,
    ListQuestion,
    Note,
    Taken,
    is_of,
    items_of,
    left_open,
    rest,
    text_of,
)
from transload.catalog.tagrule import TagRule
from transload.catalog.versionrange import VersionRange
from transload.documents.value import Value
from transload.errors import DocumentInvalid, ReferenceInvalid
from transload.oci import Reference
from transload.oci.reference import check_tag
from transload.values import evolve

_IMGPKG, _KBLD = "imgpkg.carvel.dev", "kbld.k14s.io"
_ID = "kbld.carvel.dev/id"
# `origins`, and `metas` of older versions, say where an image comes from, for people.
_OVERRIDE = ("image", "imageRepo", "newImage", "preresolved", "tagSelection", "origins", "metas")
_BUNDLE = "the images that the bundle refers to are not in this lock; read .imgpkg/images.yml of the bundle too"
_NO_LOCK = "is not a lock, and names no image"


def _is_imgpkg(root: Value) -> bool:
    return is_of(root, _IMGPKG, "ImagesLock", "BundleLock")


def _read_imgpkg(root: Value) -> Iterator[Taken]:
    if root.get("kind").content == "BundleLock":
        bundle = root.get("bundle")
        taken, tag = image(bundle.get("image")), bundle.get("tag")
        yield evolve(taken, tag=tag.read(check_tag)) if isinstance(taken, ListedImage) and text_of(tag) else taken
        yield Note(bundle.where, _BUNDLE)
        return
    yield from rest(root, ("apiVersion", "kind", "metadata", "images"), {})
    for item in items_of(root.get("images")):
        annotations = item.get("annotations")
        original = text_of(annotations.get(_ID)) if annotations.content else ""
        yield _tagged(image(item.get("image")), original)
        yield from rest(item, ("image", "annotations"), {})


def _is_kbld(root: Value) -> bool:
    return is_of(root, _KBLD)


def _read_kbld(root: Value) -> Iterator[Taken]:
    kind = root.get("kind").text()
    if kind not in ("Config", "ImageOverrides"):
        yield Note(root.where, f"kbld's kind {kind[:40]!r} {_NO_LOCK}")
        return
    sentence = f"{_NO_LOCK}; kbld writes one with --lock-output"
    yield from rest(
        root,
        ("apiVersion", "kind", "metadata", "minimumRequiredVersion", "overrides"),
        {"searchRules": sentence, "sources": sentence, "destinations": sentence},
    )
    for item in items_of(root.get("overrides")):
        yield _overriding(item)
        yield from rest(item, _OVERRIDE, {})


def _overriding(item: Value) -> Taken:
    original, new, selection = (item.get(key) for key in ("image", "newImage", "tagSelection"))
    name = text_of(original) or text_of(item.get("imageRepo"))
    if not text_of(new):
        return left_open(item, name, "kbld finds the image when it runs")
    return ruled(new, partial(_newest, selection)) if selection.content else _tagged(image(new), name)


def _newest(selection: Value) -> TagRule:
    """The newest version in the range of a `tagSelection`, whose shape is that of vendir's `versionSelection`."""
    semver = selection.only("semver").get("semver").only("constraints", "prereleases")
    if semver.get("prereleases").content:
        raise DocumentInvalid("only kbld knows which pre-releases these are")
    text, early = text_of(semver.get("constraints")) or "*", semver.has("prereleases")
    parse = partial(VersionRange.parse, text, prerelease=early, semver=True)
    return TagRule(versions=semver.get("constraints").made(lambda _: parse()), newest=1)


def _tagged(taken: ListedImage | ListQuestion, original: str) -> ListedImage | ListQuestion:
    """The same; an image without a tag gets that of the `original`, if it is of the same repository."""
    if not isinstance(taken, ListedImage) or taken.tag or not original or template_in(original):
        return taken
    try:
        before = Reference.parse(original)
    except ReferenceInvalid:  # it may be any name that the build knows
        return taken
    same = (before.registry, before.name.repository) == (taken.source.registry, taken.source.name.repository)
    tagged = same and ":" in original.rpartition("/")[2].partition("@")[0]
    return evolve(taken, tag=before.name.tag) if tagged else taken


IMGPKG = Format("imgpkg lock", _is_imgpkg, _read_imgpkg)
KBLD = Format("kbld lock", _is_kbld, _read_kbld)
