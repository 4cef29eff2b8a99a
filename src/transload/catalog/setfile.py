"""Files that say what is wanted: image sets, catalogs and lists of references, told apart by what they say they are."""

from __future__ import annotations

from pathlib import Path

from attrs import evolve, frozen

from transload.catalog import definition
from transload.catalog.builtin import load_builtin
from transload.catalog.catalog import NEWEST, Catalog
from transload.catalog.definition import checked_registry, checked_repository
from transload.catalog.imageset import CatalogUse, ImageSet
from transload.catalog.references import LIST_BYTES, parse_references
from transload.catalog.selected import Selected, join, merge
from transload.documents.view import View
from transload.errors import DocumentInvalid
from transload.files import local_errors, read_file
from transload.limits import YAML_BYTES
from transload.oci import Digest, Name, Platform, Reference
from transload.oci.reference import DEFAULT_REGISTRY, check_tag

KIND = "ImageSet"
_CATALOG = ("name", "file", "releases", "images", "registry", "repository", "target", "companions")
_IMAGE = ("target", "tag", "digest", "platforms", "optional")
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
    root = View.parse(content, file)
    entries = root.entries()
    if "kind" not in entries:
        raise root.fail("key 'kind' is missing", hint="write kind: ImageSet or kind: Catalog")
    kind = entries["kind"].text()
    if kind == definition.KIND:
        return definition.catalog_of(root)
    if kind == KIND:
        return _image_set(root)
    raise entries["kind"].fail(f"expected {KIND} or {definition.KIND}, found {kind[:40]!r}")


def _read(path: Path, limit: int) -> bytes:
    with local_errors("reading", path):
        return read_file(path, limit + 1)


@frozen
class _Defaults:
    """What the images of a set have in common. `registry` None means Docker's default registry."""

    registry: str | None = None
    repository: str = ""
    tag: str | None = None
    platforms: tuple[Platform, ...] = ()


def _image_set(root: View) -> ImageSet:
    root.check_kind(KIND)
    fields = root.fields(("kind", "version"), ("name", "defaults", "images", "catalogs"))
    if not {"images", "catalogs"} & set(fields):
        raise root.fail("the image set names no images", hint="write images, catalogs, or both")
    defaults = _defaults(fields["defaults"]) if "defaults" in fields else _Defaults()
    images = [_image(item, defaults) for item in fields["images"].list()] if "images" in fields else []
    catalogs = [_catalog(item) for item in fields["catalogs"].list()] if "catalogs" in fields else []
    with root.blame():
        name = fields["name"].text() if "name" in fields else Path(root.file).stem
        return ImageSet(name, merge(images), tuple(catalogs))


def _defaults(view: View) -> _Defaults:
    fields = view.fields((), ("registry", "repository", "tag", "platforms"))
    return _Defaults(
        checked_registry(fields["registry"]) if "registry" in fields else None,
        checked_repository(fields["repository"]) if "repository" in fields else "",
        _tag(fields["tag"]) if "tag" in fields else None,
        _platforms(fields["platforms"]) if "platforms" in fields else (),
    )


def _image(view: View, defaults: _Defaults) -> Selected:
    if isinstance(view.node.value, str):
        with view.blame():
            return evolve(_wanted(view.text(), defaults), platforms=defaults.platforms)
    fields = view.fields(("source",), _IMAGE)
    tag = _tag(fields["tag"]) if "tag" in fields else None
    digest = _digest(fields["digest"]) if "digest" in fields else None
    target = fields["target"].text() if "target" in fields else None
    with fields["source"].blame():
        wanted = _wanted(fields["source"].text(), defaults, tag, digest)
    if target is not None:
        with fields["target"].blame():
            wanted = Selected.of(wanted.source, target)
    return evolve(
        wanted,
        optional="optional" in fields and fields["optional"].flag(),
        platforms=_platforms(fields["platforms"]) if "platforms" in fields else defaults.platforms,
    )


def _wanted(text: str, defaults: _Defaults, tag: str | None = None, digest: Digest | None = None) -> Selected:
    """The image `text`; without a registry in it, at the default registry and under the default repository.

    The default repository is not part of the name at the target, just as a catalog's is not.
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
    """`name`, whose `latest` may only be a filler, with the tag and digest written beside it."""
    filled = name.digest is None and not text.endswith(f":{name.tag}")
    written = None if filled else name.tag
    for what, inside, beside in (("tag", written, tag), ("digest", name.digest, digest)):
        if inside and beside:
            raise DocumentInvalid(f"the {what} is given twice: in the source and as a key", hint="write it once")
    tag, digest = written or tag, name.digest or digest
    if tag is None and digest is None:
        tag = default_tag or name.tag
    return Name(name.repository, tag, digest)


def _catalog(view: View) -> CatalogUse:
    fields = view.fields((), _CATALOG)
    if ("name" in fields) == ("file" in fields):
        raise view.fail("expected either name or file", hint="name is a built-in catalog, file a catalog of your own")
    return CatalogUse(
        _built_in(fields["name"]) if "name" in fields else _from_file(fields["file"]),
        _releases(fields["releases"]) if "releases" in fields else (NEWEST,),
        definition.image_names(fields["images"]) if "images" in fields else (),
        checked_registry(fields["registry"]) if "registry" in fields else None,
        checked_repository(fields["repository"]) if "repository" in fields else None,
        checked_repository(fields["target"]) if "target" in fields else "",
        fields["companions"].flag() if "companions" in fields else True,
        fields.get("releases", view).where,
    )


def _built_in(view: View) -> Catalog:
    with view.blame():
        return load_builtin(view.text())


def _from_file(view: View) -> Catalog:
    path = Path(view.file).parent / view.text()
    with view.blame():
        return definition.parse_catalog(_read(path, YAML_BYTES), str(path))


def _releases(view: View) -> tuple[str, ...]:
    releases = (view.text(),) if isinstance(view.node.value, str) else view.texts()
    if not releases:
        raise view.fail("the list is empty")
    return releases


def _tag(view: View) -> str:
    with view.blame():
        return check_tag(view.text())


def _digest(view: View) -> Digest:
    with view.blame():
        return Digest(view.text())


def _platforms(view: View) -> tuple[Platform, ...]:
    found = []
    for item in view.list():
        with item.blame():
            found.append(Platform.parse(item.text()))
    if not found:
        raise view.fail("the list is empty", hint="leave platforms out to mean those of the run")
    return tuple(found)
