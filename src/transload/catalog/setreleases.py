"""Reads the releases of an image set: each is a group of images with registries and tags of their own."""

from __future__ import annotations

from collections.abc import Sequence

from transload.catalog.catalog import Catalog
from transload.catalog.release import Release, day_in
from transload.catalog.selected import Selected, merge
from transload.catalog.setentries import Defaults, image_in
from transload.catalog.words import NEWEST
from transload.documents.value import Value
from transload.errors import DocumentInvalid, ReferenceInvalid
from transload.limits import RELEASES_IMAGES
from transload.oci.reference import check_tag

RELEASE = ("name", "date", "note", "images")
_NOT_BESIDE = ("repositories", "catalogs", "charts", "include")


def released(root: Value, name: str, defaults: Defaults, notes: tuple[str, ...]) -> Catalog:
    """The catalog of an image set with `releases`, oldest first; its `images` are in each of them.

    Raises `DocumentInvalid`, `TargetConflict`.
    """
    for key in _NOT_BESIDE:
        if root.has(key):
            raise root.get(key).fail(
                f"{key} stands beside releases, whose images are all listed", hint="write a set of its own for them"
            )
    listed = root.get("releases")
    if isinstance(listed.content, str) or any(isinstance(item.content, str) for item in listed.maybe(Value.items, ())):
        raise listed.fail(
            "the releases of a set are groups of images, each with a name",
            hint="those of a catalog are chosen under catalogs: - {name: arcdata, releases: 1.40..1.46}",
        )
    common = [_image(item, defaults) for item in root.get("images").maybe(Value.items, ())]
    first: dict[str, Value] = {}
    releases: list[Release] = []
    images = 0
    for item in listed.items():
        release = _release(item, common, defaults)
        images += len(release.selected)
        if images > RELEASES_IMAGES:
            raise item.fail(f"the releases have more than {RELEASES_IMAGES:,} images together")
        if release.tag in first:
            raise item.listed_twice(release.tag, first[release.tag])
        first[release.tag] = item
        releases.append(release)
    if not releases:
        raise listed.fail("the list is empty")
    return Catalog(
        name=name,
        registry=releases[-1].selected[0].source.registry,
        repository="",
        releases=tuple(releases),
        order="listed",
        notes=notes,
    )


def _release(value: Value, common: Sequence[Selected], defaults: Defaults) -> Release:
    value.only(*RELEASE).needs("name")
    name = value.get("name").read(_checked_name)
    own = [_image(item, defaults) for item in value.get("images").maybe(Value.items, ())]
    if not (own or common):
        raise value.fail("the release has no images", hint="write images into it")
    with value.explained():
        selected = merge([*common, *own])
        return Release(
            tag=name,
            images=tuple(dict.fromkeys(image.repository for image in selected)),
            date=value.get("date").maybe(Value.text) or day_in(name),
            note=value.get("note").maybe(Value.text, ""),
            selected=selected,
        )


def _checked_name(text: str) -> str:
    """The name of a release, which can be asked for. Raises `DocumentInvalid`."""
    try:
        check_tag(text)
    except ReferenceInvalid as error:
        raise DocumentInvalid(
            f"{text[:140]!r} is not a name of a release",
            hint="a name has up to 128 letters, digits, _ . -, and does not start with . or -",
        ) from error
    if text == NEWEST or ".." in text:
        raise DocumentInvalid(
            f"{text!r} means something else where a release is asked for", hint="choose another name, such as 2026.05"
        )
    return text


def _image(value: Value, defaults: Defaults) -> Selected:
    image = image_in(value, defaults)
    if not isinstance(image, Selected):
        raise value.get("tags").fail("rules choose tags, and a release has the same tags always", hint="write tag")
    return image
