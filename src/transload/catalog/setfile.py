"""Reads the files that say what is wanted: image sets, catalogs and lists of references."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from attrs import evolve, frozen

from transload.catalog import definition
from transload.catalog.builtin import load_builtin
from transload.catalog.catalog import NEWEST, Catalog
from transload.catalog.definition import check_kind, checked_registry, checked_repository
from transload.catalog.imageset import CatalogUse, ImageSet
from transload.catalog.references import LIST_BYTES, parse_references
from transload.catalog.selected import Selected, join, merge
from transload.documents.value import Value
from transload.errors import DocumentInvalid
from transload.files import local_errors, read_file
from transload.limits import YAML_BYTES
from transload.oci import Digest, Name, Platform, Reference
from transload.oci.reference import DEFAULT_REGISTRY, check_tag

KIND = "ImageSet"
_CATALOG = ("name", "file", "releases", "images", "registry", "repository", "target", "companions")
_IMAGE = ("source", "target", "tag", "digest", "platforms", "optional", "found")
_YAML = {".yaml", ".yml"}


def load_set(path: Path) -> Catalog | ImageSet:
    """Read a file: `.yaml` and `.yml` hold a catalog or an image set, anything else a list of references.

    Raises `DocumentInvalid`, `TargetConflict`; `LocalError` if the file cannot be read.
    """
    if path.suffix.lower() in _YAML:
        return parse_set(_read(path, YAML_BYTES), str(path))
    return ImageSet(path.stem, parse_references(_read(path, LIST_BYTES), str(path)))


def parse_set(content: bytes | str, file: str) -> Catalog | ImageSet:
    """A catalog or an image set from its text. Paths in an image set start from the folder of `file`.

    Raises `DocumentInvalid` with file, line and path.
    """
    root = Value.from_yaml(content, file)
    if not root.has("kind"):
        raise root.missing("kind", hint="write kind: ImageSet or kind: Catalog")
    if root.get("kind").one_of((KIND, definition.KIND)) == KIND:
        return _image_set(root)
    return definition.catalog_of(root)


def _read(path: Path, limit: int) -> bytes:
    with local_errors("reading", path):
        return read_file(path, limit + 1)


@frozen
class _Defaults:
    """Defaults for the images of a set. `registry` None means Docker's default registry."""

    registry: str | None = None
    repository: str = ""
    tag: str | None = None
    platforms: tuple[Platform, ...] = ()


def _image_set(root: Value) -> ImageSet:
    check_kind(root, KIND)
    root.only("kind", "version", "name", "defaults", "images", "catalogs", "questions")
    if not (root.has("images") or root.has("catalogs")):
        raise root.fail("the image set names no images", hint="write images, catalogs, or both")
    defaults = root.get("defaults").maybe(_defaults, _Defaults())
    images = [_image(item, defaults) for item in root.get("images").maybe(Value.items, ())]
    catalogs = [_catalog(item) for item in root.get("catalogs").maybe(Value.items, ())]
    with root.explained():
        name = root.get("name").maybe(Value.text) or Path(root.document.name).stem
        return ImageSet(name, merge(images), tuple(catalogs), _open_questions(root))


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


def _defaults(value: Value) -> _Defaults:
    value.only("registry", "repository", "tag", "platforms")
    return _Defaults(
        value.get("registry").maybe(checked_registry),
        value.get("repository").maybe(checked_repository, ""),
        value.get("tag").maybe(_tag),
        value.get("platforms").maybe(_platforms, ()),
    )


def _image(value: Value, defaults: _Defaults) -> Selected:
    if isinstance(value.content, str) and value.content:
        return evolve(value.read(lambda text: _wanted(text, defaults)), platforms=defaults.platforms)
    value.only(*_IMAGE).needs("source")
    value.get("found").maybe(Value.texts)
    tag, digest = value.get("tag").maybe(_tag), value.get("digest").maybe(_digest)
    target = value.get("target").maybe(Value.text)
    wanted = value.get("source").read(lambda text: _wanted(text, defaults, tag, digest))
    if target is not None:
        wanted = value.get("target").read(partial(Selected.of, wanted.source))
    return evolve(
        wanted,
        optional=value.get("optional").maybe(Value.truth, False),
        platforms=value.get("platforms").maybe(_platforms, defaults.platforms),
    )


def _wanted(text: str, defaults: _Defaults, tag: str | None = None, digest: Digest | None = None) -> Selected:
    """The image `text`. Without a registry in it, it is at the default registry, under the default repository.

    As with a catalog, the default repository is not part of the name at the target.
    """
    text = text.strip()
    reference = Reference.parse(text)
    named = text.partition("/")[0] in {reference.registry, f"index.{DEFAULT_REGISTRY}"} and "/" in text
    if not named and (defaults.registry or defaults.repository):
        reference = Reference.parse(join(defaults.registry or DEFAULT_REGISTRY, defaults.repository, text))
    name = _completed(reference.name, text, tag, digest, defaults.tag)
    prefix = f"{defaults.repository}/" if defaults.repository and not named else ""
    return Selected(Reference(reference.registry, name), name.repository.removeprefix(prefix), name.tag)


def _completed(name: Name, text: str, tag: str | None, digest: Digest | None, default_tag: str | None) -> Name:
    """`name` with the tag and digest of the keys. Its tag `latest` may only be a default."""
    filled = name.digest is None and not text.endswith(f":{name.tag}")
    written = None if filled else name.tag
    for what, inside, beside in (("tag", written, tag), ("digest", name.digest, digest)):
        if inside and beside:
            raise DocumentInvalid(f"the {what} is given twice: in the source and as a key", hint="write it once")
    tag, digest = written or tag, name.digest or digest
    if tag is None and digest is None:
        tag = default_tag or name.tag
    return Name(name.repository, tag, digest)


def _catalog(value: Value) -> CatalogUse:
    value.only(*_CATALOG)
    if value.has("name") == value.has("file"):
        raise value.fail("expected either name or file", hint="name is a built-in catalog, file a catalog of your own")
    releases = value.get("releases")
    return CatalogUse(
        catalog=value.get("name").read(load_builtin) if value.has("name") else _from_file(value.get("file")),
        releases=releases.maybe(_releases, (NEWEST,)),
        images=value.get("images").maybe(definition.image_names, ()),
        registry=value.get("registry").maybe(checked_registry),
        repository=value.get("repository").maybe(checked_repository),
        target=value.get("target").maybe(checked_repository, ""),
        companions=value.get("companions").maybe(Value.truth, True),
        where=(releases if value.has("releases") else value).where,
    )


def _from_file(value: Value) -> Catalog:
    path = Path(value.document.name).parent / value.text()
    with value.explained():
        return definition.parse_catalog(_read(path, YAML_BYTES), str(path))


def _releases(value: Value) -> tuple[str, ...]:
    releases = (value.text(),) if isinstance(value.content, str) else value.texts()
    if not releases:
        raise value.fail("the list is empty")
    return releases


def _tag(value: Value) -> str:
    return value.read(check_tag)


def _digest(value: Value) -> Digest:
    return value.read(Digest)


def _platforms(value: Value) -> tuple[Platform, ...]:
    platforms = tuple(item.read(Platform.parse) for item in value.items())
    if not platforms:
        raise value.fail("the list is empty", hint="leave platforms out to mean those of the run")
    return platforms
