"""Reads the files that say what is wanted: image sets, catalogs and lists of references."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from transload.catalog import definition
from transload.catalog.builtin import load_builtin
from transload.catalog.catalog import Catalog
from transload.catalog.chartuse import chart_use
from transload.catalog.definition import check_kind, checked_registry, checked_repository
from transload.catalog.imageset import CatalogUse, ImageSet
from transload.catalog.including import Reading, included, real_path
from transload.catalog.listfile import is_document, load_references, read_bounded
from transload.catalog.lists import OtherList, read_list
from transload.catalog.ruled import RuledImages
from transload.catalog.rulefile import ruled_prefix
from transload.catalog.selected import Selected, merge
from transload.catalog.setentries import Defaults, defaults_in, image_in
from transload.catalog.setreleases import released
from transload.catalog.setvariables import filled
from transload.catalog.words import NEWEST
from transload.documents.text import located
from transload.documents.value import Value
from transload.limits import YAML_BYTES

KIND = "ImageSet"
_CATALOG = ("name", "file", "releases", "images", "registry", "repository", "target", "companions")
_WANTED = ("images", "repositories", "catalogs", "charts", "releases", "include")
_OTHER_KIND = "transload discover finds the images that manifests and charts name"
_SET = ("kind", "version", "name", "defaults", *_WANTED, "questions", "policy")


def load_set(path: Path, variables: Mapping[str, str] | None = None) -> Catalog | ImageSet:
    """Read a file: a catalog, an image set or another tool's list (`.yaml`, `.yml`, `.json`, `.lock`), else lines.

    `variables` are the values for `${NAME}` in an image set; without them there are none. Raises `DocumentInvalid`,
    `TargetConflict`; `LocalError` if the file, or one that it includes, cannot be read.
    """
    return _load(path, Reading(variables or {}).below(real_path(path)))


def _load(path: Path, reading: Reading) -> Catalog | ImageSet:
    if is_document(path):
        return _parse(read_bounded(path, YAML_BYTES), str(path), reading)
    return load_references(path)


def parse_set(content: bytes | str, file: str, variables: Mapping[str, str] | None = None) -> Catalog | ImageSet:
    """A catalog, an image set or another tool's list from its text. docs/formats/other-lists.md names these tools.

    Paths in an image set start from the folder of `file`; `variables` as for `load_set`. Raises `DocumentInvalid` with
    file, line and path; `LocalError` if a file that it names cannot be read.
    """
    return _parse(content, file, Reading(variables or {}).below(real_path(Path(file))))


def _parse(content: bytes | str, file: str, reading: Reading) -> Catalog | ImageSet:
    documents = _documents(content, file)
    if listed := read_list(documents):
        with located(file, file):
            return listed.as_set(Path(file).stem)
    root = documents[0] if len(documents) == 1 else Value.from_yaml(content, file)  # which says what is wrong
    if not root.has("kind"):
        raise root.missing("kind", hint=f"write kind: {KIND} or kind: {definition.KIND}; {_OTHER_KIND}")
    if root.get("kind").content not in (KIND, definition.KIND):
        error = root.get("kind").wrong(f"{KIND} or {definition.KIND}")
        error.hint = error.hint or _OTHER_KIND
        raise error
    if root.get("kind").content == KIND:
        if len(reading.trail) > 1:
            _check_no_policy(root)
        return _image_set(filled(root, reading.variables), reading)
    return definition.catalog_of(root)


def _check_no_policy(root: Value) -> None:
    """Raises `DocumentInvalid` for a policy that would silently not be in force."""
    if root.has("policy"):
        raise root.get("policy").fail(
            "only the file that a command names has a policy, and this one is included",
            hint="write the policy into that file, or name a file with --policy",
        )


def policy_in(path: Path) -> Value | None:
    """What an image set has under `policy`, not read yet; None for other files. Raises `DocumentInvalid`."""
    if not is_document(path):
        return None
    documents = _documents(read_bounded(path, YAML_BYTES), str(path))
    root = documents[0] if len(documents) == 1 else None
    is_set = root is not None and isinstance(root.content, dict) and root.get("kind").content == KIND
    return root.get("policy") if root is not None and is_set and root.has("policy") else None


def parse_list(content: bytes | str, file: str) -> OtherList | None:
    """What a file of another tool lists, None if it is of no tool that is known. Raises `DocumentInvalid`."""
    return read_list(_documents(content, file))


def _documents(content: bytes | str, file: str) -> tuple[Value, ...]:
    """The documents of a file. JSON is YAML but for tabs, which may stand between its values and in none of them."""
    if file.lower().endswith(".json"):
        content = content.replace("\t", " ") if isinstance(content, str) else content.replace(b"\t", b" ")
    return Value.all_from_yaml(content, file)


def _image_set(root: Value, reading: Reading) -> Catalog | ImageSet:
    check_kind(root, KIND)
    root.only(*_SET)
    if not any(root.has(key) for key in _WANTED):
        raise root.fail(
            "the image set names no images", hint="write images, repositories, catalogs, charts, releases or include"
        )
    if root.has("releases"):
        return _released(root)
    defaults = root.get("defaults").maybe(defaults_in, Defaults())
    images = [image_in(item, defaults) for item in root.get("images").maybe(Value.items, ())]
    prefixes = [
        ruled_prefix(item, defaults.registry, defaults.repository, defaults.platforms)
        for item in root.get("repositories").maybe(Value.items, ())
    ]
    catalogs = [_catalog(item, reading) for item in root.get("catalogs").maybe(Value.items, ())]
    charts = tuple(chart_use(item, defaults.platforms) for item in root.get("charts").maybe(Value.items, ()))
    others = list(included(root.get("include"), reading, _load)) if root.has("include") else []
    with root.explained():
        own = ImageSet(
            _name(root),
            merge(image for image in images if isinstance(image, Selected)),
            catalogs=tuple(catalogs),
            notes=_open_questions(root),
            ruled=tuple(image for image in images if isinstance(image, RuledImages)),
            prefixes=tuple(prefixes),
            charts=charts,
        )
        return own.with_others(others)


def _released(root: Value) -> Catalog:
    check_kind(root, KIND)
    root.only(*_SET)
    defaults = root.get("defaults").maybe(defaults_in, Defaults())
    return released(root, _name(root), defaults, _open_questions(root))


def _name(root: Value) -> str:
    return root.get("name").maybe(Value.text) or Path(root.document.name).stem


def _open_questions(root: Value) -> tuple[str, ...]:
    """A note on what discovery could not decide: each question has the text, where it was found, and the reason."""
    questions = list(root.get("questions").maybe(Value.items, ()))
    for question in questions:
        question.only("text", "found", "reason").needs("reason")
    if not questions:
        return ()
    if len(questions) == 1:
        many, it = "1 question is", "it"
    else:
        many, it = f"{len(questions)} questions are", "them"
    file = root.document.name
    return (f"{many} open in {file}, so images may be missing: add what is meant to images, and delete {it}",)


def _catalog(value: Value, reading: Reading) -> CatalogUse:
    value.only(*_CATALOG)
    if value.has("name") == value.has("file"):
        raise value.fail("expected either name or file", hint="name is a built-in catalog, file a catalog of your own")
    releases = value.get("releases")
    catalog = value.get("name").read(load_builtin) if value.has("name") else _from_file(value.get("file"), reading)
    for key in ("registry", "repository"):
        if catalog.is_set and value.has(key):
            raise value.get(key).fail(f"the images of {catalog.name} name their registries themselves")
    return CatalogUse(
        catalog=catalog,
        releases=releases.maybe(_releases, (NEWEST,)),
        images=value.get("images").maybe(definition.image_names, ()),
        registry=value.get("registry").maybe(checked_registry),
        repository=value.get("repository").maybe(checked_repository),
        target=value.get("target").maybe(checked_repository, ""),
        companions=value.get("companions").maybe(Value.truth, True),
        where=(releases if value.has("releases") else value).where,
    )


def _from_file(value: Value, reading: Reading) -> Catalog:
    """A catalog's file, or that of an image set with releases."""
    path = Path(value.document.name).parent / value.text()
    with value.explained():
        root = Value.from_yaml(read_bounded(path, YAML_BYTES), str(path))
        if root.has("releases") and root.get("kind").content == KIND:
            _check_no_policy(root)
            return _released(filled(root, reading.variables))
        return definition.catalog_of(root)


def _releases(value: Value) -> tuple[str, ...]:
    releases = (value.text(),) if isinstance(value.content, str) else value.texts()
    if not releases:
        raise value.fail("the list is empty")
    return releases
