"""Reads catalogs from their file format (docs/formats/catalog.md)."""

from __future__ import annotations

from collections.abc import Mapping

from transload.catalog.catalog import Catalog
from transload.catalog.release import BASES, Basis, CompanionImage, Release, day_in
from transload.catalog.tagorder import Order
from transload.catalog.tagpattern import check_pattern
from transload.documents.value import Value
from transload.oci.reference import check_registry, check_repository, check_tag
from transload.wording import hint

KIND = "Catalog"
FORMAT = "1"
_ORDERS: tuple[Order, ...] = ("version", "listed")
_REQUIRED = ("kind", "version", "name", "registry", "releases")
_OPTIONAL = ("title", "repository", "anchor", "order", "tag_pattern", "lists", "companions", "note")
_RELEASE = ("tag", "list", "images", "name", "date", "basis", "note", "facts")


def parse_catalog(content: bytes | str, file: str) -> Catalog:
    """A catalog from the text of its file. Raises `DocumentInvalid` with file, line and path."""
    return catalog_of(Value.from_yaml(content, file))


def catalog_of(root: Value) -> Catalog:
    """A catalog from a parsed document. Raises `DocumentInvalid` with file, line and path."""
    check_kind(root, KIND)
    root.only(*_REQUIRED, *_OPTIONAL).needs(*_REQUIRED)
    lists = root.get("lists").maybe(_lists, {})
    releases = _releases(root.get("releases"), lists)
    with root.explained():
        return Catalog(
            name=root.get("name").text(),
            registry=checked_registry(root.get("registry")),
            repository=root.get("repository").maybe(checked_repository, ""),
            releases=releases,
            title=root.get("title").maybe(Value.text, ""),
            anchor=root.get("anchor").maybe(Value.text, ""),
            order=root.get("order").maybe(_order, "version"),
            tag_pattern=root.get("tag_pattern").maybe(_pattern),
            companions=tuple(map(_companion, root.get("companions").maybe(Value.items, ()))),
            note=root.get("note").maybe(Value.text, ""),
        )


def check_kind(root: Value, kind: str) -> None:
    """Check that a document has this kind, and the format version that we read. Raises `DocumentInvalid`."""
    for key, expected in (("kind", kind), ("version", FORMAT)):
        if not root.has(key):
            raise root.missing(key, hint=f"write {key}: {expected}")
        root.get(key).one_of((expected,))


def checked_registry(value: Value) -> str:
    """A registry's host[:port]."""
    return value.read(check_registry)


def checked_repository(value: Value) -> str:
    """A repository path."""
    return value.read(check_repository)


def image_names(value: Value) -> tuple[str, ...]:
    """A list of repository paths, at least one and none twice."""
    names = value.texts()
    for item in value.items():
        checked_repository(item)
    if not names:
        raise value.fail("the list is empty")
    return names


def _pattern(value: Value) -> str:
    value.read(check_pattern)
    return value.text()


def _lists(value: Value) -> dict[str, tuple[str, ...]]:
    lists: dict[str, tuple[str, ...]] = {}
    for name, entry in value.entries():
        lists[name] = _derived(entry, lists) if entry.has("from") else _whole(entry)
    return lists


def _whole(value: Value) -> tuple[str, ...]:
    return image_names(value.only("images", "from").get("images"))


def _derived(value: Value, lists: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """An earlier list with some images dropped and some added."""
    value.only("from", "add", "drop")
    images = list(_known(value.get("from"), lists))
    for item in value.get("drop").maybe(Value.items, ()):
        image = item.text()
        if image not in images:
            raise item.fail(f"{image!r} is not in the list to drop it from", hint=hint(image, images))
        images.remove(image)
    for item in value.get("add").maybe(Value.items, ()):
        if item.text() in images:
            raise item.fail(f"{item.text()!r} is in the list already")
        images.append(checked_repository(item))
    if not images:
        raise value.fail("the list is empty")
    return tuple(images)


def _known(value: Value, lists: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    name = value.text()
    if name not in lists:
        raise value.fail(
            f"no list {name[:80]!r} stands above",
            hint=hint(name, lists, what="lists are") or "define it under lists, above its use",
        )
    return lists[name]


def _releases(value: Value, lists: Mapping[str, tuple[str, ...]]) -> tuple[Release, ...]:
    releases: list[Release] = []
    first: dict[str, Value] = {}
    for item in value.items():
        release = _release(item, lists)
        for name in {release.tag, release.name} - {""}:
            if name in first:
                raise item.listed_twice(name, first[name])
            first[name] = item
        releases.append(release)
    if not releases:
        raise value.fail("the list is empty")
    return tuple(releases)


def _release(value: Value, lists: Mapping[str, tuple[str, ...]]) -> Release:
    value.only(*_RELEASE).needs("tag")
    if value.has("list") == value.has("images"):
        raise value.fail("expected either list or images", hint="list names one of the catalog's lists")
    tag = value.get("tag").read(check_tag)
    images = value.get("list").maybe(lambda name: _known(name, lists))
    with value.explained():
        return Release(
            tag=tag,
            images=image_names(value.get("images")) if images is None else images,
            list_name=value.get("list").maybe(Value.text, ""),
            basis=value.get("basis").maybe(_basis, "listed"),
            name=value.get("name").maybe(Value.text, ""),
            date=value.get("date").maybe(Value.text) or day_in(tag),
            note=value.get("note").maybe(Value.text, ""),
            facts={key: fact.text() for key, fact in value.get("facts").maybe(Value.entries, ())},
        )


def _companion(value: Value) -> CompanionImage:
    value.only("image", "tag_fact").needs("image", "tag_fact")
    return CompanionImage(checked_repository(value.get("image")), value.get("tag_fact").text())


def _order(value: Value) -> Order:
    return value.one_of(_ORDERS)


def _basis(value: Value) -> Basis:
    return value.one_of(BASES[:-1])
