"""Catalogs from their file format (docs/formats/catalog.md)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

from transload.catalog.catalog import Catalog
from transload.catalog.release import BASES, Basis, CompanionImage, Release, day_in
from transload.catalog.tagorder import Order
from transload.catalog.tagpattern import check_pattern
from transload.documents.view import View
from transload.oci.reference import check_registry, check_repository, check_tag
from transload.wording import hint

KIND = "Catalog"
_ORDERS: tuple[Order, ...] = ("version", "listed")
_OPTIONAL = ("title", "repository", "anchor", "order", "tag_pattern", "lists", "companions", "note")
_T = TypeVar("_T", bound=str)
_RELEASE = ("list", "images", "name", "date", "basis", "note", "facts")


def parse_catalog(content: bytes | str, file: str) -> Catalog:
    """A catalog from the text of its file. Raises `DocumentInvalid` with file, line and path."""
    return catalog_of(View.parse(content, file))


def catalog_of(root: View) -> Catalog:
    """A catalog from a parsed document. Raises `DocumentInvalid` with file, line and path."""
    root.check_kind(KIND)
    fields = root.fields(("kind", "version", "name", "registry", "releases"), _OPTIONAL)
    texts = {key: view.text() for key, view in fields.items() if key in {"title", "anchor", "tag_pattern", "note"}}
    if "tag_pattern" in fields:
        with fields["tag_pattern"].blame():
            check_pattern(texts["tag_pattern"])
    lists = _lists(fields["lists"]) if "lists" in fields else {}
    releases = _releases(fields["releases"], lists)
    with root.blame():
        return Catalog(
            name=fields["name"].text(),
            registry=checked_registry(fields["registry"]),
            repository=checked_repository(fields["repository"]) if "repository" in fields else "",
            releases=releases,
            order=_order(fields["order"]) if "order" in fields else "version",
            companions=tuple(map(_companion, fields["companions"].list())) if "companions" in fields else (),
            **texts,
        )


def checked_registry(view: View) -> str:
    """A registry's host[:port]."""
    with view.blame():
        return check_registry(view.text())


def checked_repository(view: View) -> str:
    """A repository path."""
    with view.blame():
        return check_repository(view.text())


def image_names(view: View) -> tuple[str, ...]:
    """A list of repository paths, at least one and none twice."""
    names = view.texts()
    for item in view.list():
        checked_repository(item)
    if not names:
        raise view.fail("the list is empty")
    return names


def _lists(view: View) -> dict[str, tuple[str, ...]]:
    lists: dict[str, tuple[str, ...]] = {}
    for name, entry in view.entries().items():
        lists[name] = _derived(entry, lists) if "from" in entry.entries() else _whole(entry)
    return lists


def _whole(view: View) -> tuple[str, ...]:
    return image_names(view.fields(("images",), ("from",))["images"])


def _derived(view: View, lists: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """An earlier list with some images dropped and some added."""
    fields = view.fields(("from",), ("add", "drop"))
    images = list(_known(fields["from"], lists))
    for item in fields["drop"].list() if "drop" in fields else ():
        if item.text() not in images:
            raise item.fail(f"{item.text()!r} is not in the list to drop it from", hint=hint(item.text(), images))
        images.remove(item.text())
    for item in fields["add"].list() if "add" in fields else ():
        if item.text() in images:
            raise item.fail(f"{item.text()!r} is in the list already")
        images.append(checked_repository(item))
    if not images:
        raise view.fail("the list is empty")
    return tuple(images)


def _known(view: View, lists: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    name = view.text()
    if name not in lists:
        raise view.fail(
            f"no list {name[:80]!r} stands above",
            hint=hint(name, lists, what="lists are") or "define it under lists, above its use",
        )
    return lists[name]


def _releases(view: View, lists: Mapping[str, tuple[str, ...]]) -> tuple[Release, ...]:
    releases = tuple(_release(item, lists) for item in view.list())
    if not releases:
        raise view.fail("the list is empty")
    seen: dict[str, View] = {}
    for item, release in zip(view.list(), releases, strict=True):
        for name in {release.tag, release.name} - {""}:
            if name in seen:
                raise item.fail(f"{name!r} is listed twice, first on line {seen[name].node.line}")
            seen[name] = item
    return releases


def _release(view: View, lists: Mapping[str, tuple[str, ...]]) -> Release:
    fields = view.fields(("tag",), _RELEASE)
    if ("list" in fields) == ("images" in fields):
        raise view.fail("expected either list or images", hint="list names one of the catalog's lists")
    texts = {key: fields[key].text() for key in ("name", "note", "date") if key in fields}
    with fields["tag"].blame():
        tag = check_tag(fields["tag"].text())
    facts = {key: fact.text() for key, fact in fields["facts"].entries().items()} if "facts" in fields else {}
    with view.blame():
        return Release(
            tag=tag,
            images=_known(fields["list"], lists) if "list" in fields else image_names(fields["images"]),
            list_name=fields["list"].text() if "list" in fields else "",
            basis=_basis(fields["basis"]) if "basis" in fields else "listed",
            name=texts.get("name", ""),
            date=texts.get("date") or day_in(tag),
            note=texts.get("note", ""),
            facts=facts,
        )


def _companion(view: View) -> CompanionImage:
    fields = view.fields(("image", "tag_fact"))
    return CompanionImage(checked_repository(fields["image"]), fields["tag_fact"].text())


def _order(view: View) -> Order:
    return _one_of(view, _ORDERS)


def _basis(view: View) -> Basis:
    return _one_of(view, BASES[:-1])


def _one_of(view: View, choices: Sequence[_T]) -> _T:
    for choice in choices:
        if view.text() == choice:
            return choice
    raise view.fail(f"expected {' or '.join(choices)}, found {view.text()[:40]!r}")
