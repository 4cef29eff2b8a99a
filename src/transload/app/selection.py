"""From what was asked for (catalogs, files, references, a whole store) to the items of a request."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from attrs import evolve, frozen

from transload.app.job import Job
from transload.app.location import SCHEMES, Location
from transload.app.published import ask_published
from transload.app.restricting import restricted, to_item
from transload.app.stores import Stores
from transload.app.whole import everything
from transload.catalog.builtin import builtin, load_builtin
from transload.catalog.catalog import NEWEST, Catalog
from transload.catalog.difference import Published, discovered
from transload.catalog.imageset import CatalogUse, ImageSet
from transload.catalog.references import ARROW, select_references
from transload.catalog.release import Offer, Release
from transload.catalog.selected import Selected, join, merge
from transload.errors import (
    AccessError,
    CatalogUnknown,
    LocalError,
    NotFound,
    Refused,
    ReleaseUnknown,
    SelectionEmpty,
    UsageError,
    at_side,
)
from transload.events import Counting, Progressed
from transload.files import expanded
from transload.oci import Name, Reference
from transload.oci.reference import shown
from transload.planning import Item
from transload.threads import Cancellation
from transload.wording import hint

FILE_SUFFIXES = (".yaml", ".yml", ".txt", ".list")
_ARCHIVE_SUFFIXES = (".tar", ".tgz", ".gz", ".zst", ".xz", ".bz2")


@frozen
class ChosenRelease:
    """A release of a catalog that this run takes, from a registry and prefix."""

    catalog: Catalog
    release: Release
    origin: Location


@frozen
class Selection:
    """The items of a run, which catalogs' releases they come from, and what was passed over, in words."""

    items: tuple[Item, ...]
    releases: tuple[ChosenRelease, ...] = ()
    places: tuple[Location, ...] = ()
    notes: tuple[str, ...] = ()


def select(job: Job, stores: Stores, cancellation: Cancellation) -> Selection:
    """Everything that `job` wants, each target name once.

    Asks the source for tags where the newest release, or one that the catalog does not know, is wanted. Raises
    `CatalogUnknown`, `ReleaseUnknown`, `ImageUnknown`, `DocumentInvalid`, `TargetConflict`, and what the source says.
    """
    stores.working(Progressed("selecting"))
    if job.origin is not None:
        stores.limit_source_login(_registry_of(job.origin))
        return _from_store(job, job.origin, stores, cancellation) if job.sets else _everything(job, job.origin, stores)
    if not job.sets:
        raise UsageError("no images were named", hint="name a catalog (arcdata), a file, or references")
    named = _named(job)
    stores.limit_source_login(frozenset().union(*(_registries(one, job) for one in named)))
    chosen: list[ChosenRelease] = []
    wanted = [one for found in named for one in _wanted(found, job, stores, cancellation, chosen)]
    _check_tags_have_a_use(job, chosen)
    selected = restricted(merge(wanted), job)
    places = {one.source.registry: Location("registry", one.source.registry) for one in selected}
    items = tuple(to_item(one, one.source.registry, one.source.name, job) for one in selected)
    return Selection(items, tuple(chosen), tuple(places.values()))


# --- one set after the other


def _named(job: Job) -> list[Catalog | ImageSet]:
    """What the job's words stand for, read before anybody is asked; references come last, as a set of their own."""
    kinds = [(text, kind_of(text)) for text in job.sets]
    sets = [_load(text, kind) for text, kind in kinds if kind != "reference"]
    references = select_references(text for text, kind in kinds if kind == "reference")
    return [*sets, ImageSet("references", references)] if references else sets


def _load(text: str, kind: str) -> Catalog | ImageSet:
    if kind == "store":
        raise _store_as_set(text, Location.parse(text))
    if kind == "file":
        return _load_file(text)
    try:
        return load_builtin(text)
    except CatalogUnknown as error:
        path = Path(text)
        if path.exists():
            raise _path_as_set(text, path) from error
        error.hint = f"{error.hint}; an image is written with its tag, {text}:latest"
        raise


def _registries(found: Catalog | ImageSet, job: Job) -> frozenset[str]:
    """Every registry that may be asked for it."""
    if isinstance(found, Catalog):
        return _registry_of(_home(found, job))
    return frozenset([*(one.source.registry for one in found.images), *(_origin(use).value for use in found.catalogs)])


def _registry_of(place: Location) -> frozenset[str]:
    return frozenset({place.value} if place.kind == "registry" else ())


def _wanted(
    found: Catalog | ImageSet, job: Job, stores: Stores, cancellation: Cancellation, chosen: list[ChosenRelease]
) -> Iterable[Selected]:
    if isinstance(found, Catalog):
        return _catalog(found, _home(found, job), job, stores, cancellation, chosen)
    return _image_set(found, stores, chosen)


def kind_of(text: str) -> str:
    """`catalog`, `file`, `store` or `reference`: a bare word is a catalog, what looks like a file is one."""
    if text.partition(":")[0] in SCHEMES and "//" not in text:
        return "store"
    if text.lower().endswith(FILE_SUFFIXES) or text.startswith((".", "/", "~")) or "\\" in text:
        return "file"
    if text in builtin() or not set("/:@") & set(text):
        return "catalog"
    return "reference"


def load_catalog(text: str) -> Catalog:
    """The built-in catalog of this name, or the one in this file. Raises `CatalogUnknown`, `UsageError`."""
    if kind_of(text) != "file":
        return load_builtin(text)
    found = _load_file(text)
    if not isinstance(found, Catalog):
        raise UsageError(f"{shown(text)} is an image set, and only a catalog has releases", subject=shown(text))
    return found


def _load_file(text: str) -> Catalog | ImageSet:
    path = expanded(text)
    if not path.exists():
        raise LocalError(
            f"there is no file {shown(text)}",
            subject=shown(text),
            hint="a catalog is a bare name, a reference has a tag",
        )
    if path.is_dir() or path.suffix.lower() in _ARCHIVE_SUFFIXES:
        raise _path_as_set(text, path)
    from transload.catalog.setfile import load_set  # few runs read one

    found = load_set(path)
    if isinstance(found, ImageSet) and not (found.images or found.catalogs):
        raise SelectionEmpty(f"{text} lists no image", subject=text, hint="write at least one reference into it")
    return found


def _path_as_set(text: str, path: Path) -> LocalError:
    what, kind = ("a folder", "oci") if path.is_dir() else ("a file", "archive")
    return LocalError(
        f"{text} is {what}, and a catalog, an image set or a reference was expected",
        subject=text,
        hint=f"images in it are taken with --from {kind}:{text}; an image set ends in .yaml or .txt",
    )


def _store_as_set(text: str, place: Location) -> UsageError:
    return UsageError(f"{text} is a store, not a list of images", subject=text, hint=f"take them with --from {place}")


def _home(catalog: Catalog, job: Job) -> Location:
    """Where the catalog's vendor publishes, or where the job says to look instead."""
    prefix = catalog.repository if job.source_repository is None else job.source_repository
    return Location("registry", job.source_registry or catalog.registry, prefix)


def _catalog(
    catalog: Catalog,
    origin: Location,
    job: Job,
    stores: Stores,
    cancellation: Cancellation,
    chosen: list[ChosenRelease],
) -> Iterator[Selected]:
    """The releases that `job` wants of a catalog whose images lie at `origin`."""
    registry = origin.value if origin.kind == "registry" else None
    for release in find_releases(catalog, job.tag, origin, stores):
        if job.discover:
            with at_side("source"):
                published = ask_published(stores.source(origin), origin.prefix, cancellation)
            release = discovered(release, origin.prefix, published)
            if not release.images:
                raise SelectionEmpty(
                    f"{origin} publishes no image of {catalog.name} {release.tag}",
                    subject=release.tag,
                    side="source",
                    hint=hint(release.tag, _tags_in(published), what="tags there are"),
                )
        chosen.append(ChosenRelease(catalog, release, origin))
        images = tuple(image for image in job.images if image in (*release.images, *catalog.companions_of(release)))
        if job.images and not images:
            catalog.check_images(job.images, [release])
        yield from catalog.select(
            release, registry=registry, repository=origin.prefix, images=images, target_tag=job.target_tag
        )


def _tags_in(published: Published) -> list[str]:
    return sorted({tag for tags in published.values() for tag in tags or ()}, reverse=True)


def _check_tags_have_a_use(job: Job, chosen: list[ChosenRelease]) -> None:
    if (job.tag or job.target_tag) and not chosen and not job.tags_by_default:
        raise _tag_without_use()


def _tag_without_use() -> UsageError:
    return UsageError(
        "a release tag was given, but no catalog is wanted",
        hint="write the tag into the references, and leave --tag and --target-tag out",
    )


def find_releases(catalog: Catalog, tag: str | None, origin: Location, stores: Stores) -> tuple[Release, ...]:
    """The releases that `tag` means (None: the newest that the source has); asks the source only where it has to."""
    wanted = tag or NEWEST
    if wanted.split() != [wanted] and ".." not in wanted:
        raise UsageError(
            f"release {wanted!r} has a blank in it", hint=f"leave the blank out: {''.join(wanted.split())}"
        )
    if not _depends_on_source(wanted):
        with contextlib.suppress(ReleaseUnknown):  # newer than this catalog, perhaps
            return catalog.releases_in(wanted)
    try:
        tags = source_tags(catalog, origin, stores)
    except (AccessError, Refused):
        if _depends_on_source(wanted) or ".." in wanted:
            raise
        return (catalog.assume(wanted),)  # tags that may not be listed can still be named
    return catalog.releases_in(wanted, tags)


def _depends_on_source(wanted: str) -> bool:
    """Whether a release or range means something else with each release that appears."""
    return NEWEST in wanted.split("..") or wanted.endswith("..")


def source_tags(catalog: Catalog, origin: Location, stores: Stores) -> list[str]:
    """Tags of the catalog's anchor image at the source. Raises `ReleaseUnknown` where the source has no such image."""
    repository = catalog.anchor_repository(origin.prefix)
    try:
        with at_side("source"):
            return list(stores.source(origin).tags(repository))
    except NotFound as error:
        raise ReleaseUnknown(
            f"{origin.locator} has no {repository}, whose tags say which releases of {catalog.name} there are",
            subject=repository,
            side="source",
            hint="check the source registry and repository",
        ) from error


def _image_set(found: ImageSet, stores: Stores, chosen: list[ChosenRelease]) -> Iterator[Selected]:
    tags = {str(use.anchor): told for use in found.catalogs if (told := _tags_for(use, stores)) is not None}
    selected = found.select(tags)
    for use in found.catalogs:
        releases = (one for text in use.releases for one in use.catalog.releases_in(text, tags.get(str(use.anchor))))
        chosen.extend(ChosenRelease(use.catalog, release, _origin(use)) for release in releases)
    yield from selected


def _tags_for(use: CatalogUse, stores: Stores) -> list[str] | None:
    """The anchor's tags if a release cannot be found without them."""
    if not any(_depends_on_source(text) for text in use.releases):
        with contextlib.suppress(ReleaseUnknown):
            use.select()
            return None
    return source_tags(use.catalog, _origin(use), stores)


def _origin(use: CatalogUse) -> Location:
    prefix = use.catalog.repository if use.repository is None else use.repository
    return Location("registry", use.registry or use.catalog.registry, prefix)


# --- names in one store


def _from_store(job: Job, origin: Location, stores: Stores, cancellation: Cancellation) -> Selection:
    """Names in one store, under its prefix: a catalog's images, other names as they are written."""
    chosen: list[ChosenRelease] = []
    wanted: list[Selected] = []
    for text in job.sets:
        if ARROW in text:
            wanted.append(_named_in_store(text, origin))
        elif kind_of(text) == "catalog":
            wanted += _catalog(load_builtin(text), origin, job, stores, cancellation, chosen)
        elif kind_of(text) == "store":
            raise _store_as_set(text, Location.parse(text))
        elif kind_of(text) == "file":
            raise UsageError("the file itself says where its images come from", subject=text, hint="leave --from out")
        else:
            wanted.append(_named_in_store(text, origin))
    _check_tags_have_a_use(job, chosen)
    items = tuple(to_item(one, origin.locator, one.source.name, job) for one in restricted(merge(wanted), job))
    return Selection(items, tuple(chosen), (origin,))


def _named_in_store(text: str, origin: Location) -> Selected:
    """`repository[:tag]` below the prefix of `origin`, or `repository[:tag] -> repository[:tag] at the target`."""
    before, arrow, after = text.partition(ARROW)
    name = Name.parse(before.strip())
    name = name if name.tag or name.digest else Name(name.repository, "latest")
    there = Reference("localhost", evolve(name, repository=join(origin.prefix, name.repository)))
    return Selected.of(there, after.strip()) if arrow else Selected(there, name.repository, name.tag)


def _everything(job: Job, origin: Location, stores: Stores) -> Selection:
    if job.tag and not job.tags_by_default:
        raise _tag_without_use()
    counting = Counting(stores.working, "selecting")
    items, notes = everything(stores.source(origin), origin, job, counting.add)
    return Selection(items, (), (origin,), notes)


def list_releases(catalog: Catalog, origin: Location, target: Location | None, stores: Stores) -> tuple[Offer, ...]:
    """The releases at `origin`, newest first; with `target`, each with whether its anchor image is there.

    Raises `ReleaseUnknown` if there is none.
    """
    stores.working(Progressed("selecting"))
    tags = source_tags(catalog, origin, stores)
    catalog.newest(tags)  # which says that there is none
    if target is None:
        return catalog.releases_at_source(tags)
    try:
        with at_side("target"):
            held = frozenset(stores.target(target).tags(join(target.prefix, catalog.anchor_image)))
    except NotFound:
        held = frozenset()
    return catalog.releases_at_source(tags, held)
