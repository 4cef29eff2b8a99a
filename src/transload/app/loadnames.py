"""The full names under which an engine gets carried images: those that pods ask for. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from transload.app.detect import CarriedStore
from transload.app.location import Location, is_local
from transload.errors import ReferenceInvalid, TargetConflict, UsageError
from transload.oci import Name, Reference
from transload.oci.reference import named_registry
from transload.planning import Item


def full_names(
    items: Sequence[Item], carried: CarriedStore, under: Location | None
) -> tuple[list[Reference], tuple[str, ...]]:
    """A full name for each item, and notes on names that were completed.

    A bundle says where each image was published. Other stores have names only; those without a registry are
    Docker Hub's, as for every engine. With `under` (a registry and a prefix), it is the name in the store below that.
    Raises `TargetConflict` if two images would have one name, `UsageError` if an image has none.
    """
    published = _published(carried) if under is None else {}
    names = [_below(item, under) if under else _own(item, published) for item in items]
    taken: dict[Reference, Name] = {}
    for name, item in zip(names, items, strict=True):
        if taken.setdefault(name, item.source) != item.source:
            raise TargetConflict(
                f"{taken[name]} and {item.source} would both be called {name}",
                subject=str(name),
                hint="load one of them with --image; or --as HOST/PREFIX keeps them apart",
            )
    completed = [] if under else [item for item in items if _is_short(item, published)]
    return names, tuple(_notes(completed, published))


def check_under(location: Location) -> Location:
    """`location` if it is a registry. Raises `UsageError`."""
    if location.kind != "registry":
        raise UsageError(
            f"--as {location} is no registry", hint="write HOST[:PORT][/PREFIX], as in the names of images"
        )
    return location


def check_carried(location: Location) -> Location:
    """`location` if it was carried here. Raises `UsageError` for others, such as another engine."""
    if location.kind in {"bundle", "oci", "archive"}:
        return location
    raise UsageError(
        f"{location} was not carried here, and only a bundle, a folder or an archive is loaded",
        subject=str(location),
        hint="pack it first: transload pack --from STORE -o BUNDLE",
    )


def _published(carried: CarriedStore) -> Mapping[Name, str]:
    bundle = carried.bundle
    return {entry.image.name: entry.image.source for entry in bundle.ledger.images} if bundle else {}


def _own(item: Item, published: Mapping[Name, str]) -> Reference:
    source = published.get(item.source, "")
    if source and not is_local(source):
        try:
            reference = Reference.parse(source)
        except ReferenceInvalid:
            pass
        else:
            return _with_tag(reference, source, item)
    if not item.source.repository:
        raise UsageError(
            f"{item.source} has no name that pods could ask for",
            subject=str(item.source),
            hint="load the others with --image; or push it to a registry under a name",
        )
    return Reference.parse(str(_tag_or_digest(item.source)))


def _with_tag(reference: Reference, source: str, item: Item) -> Reference:
    """The reference as it was published; one pinned by its digest has the tag of the store, if it has one."""
    name = reference.name
    tag = name.tag if name.tag and (name.digest or source.endswith(f":{name.tag}")) else item.source.tag
    if tag:
        return Reference(reference.registry, Name(name.repository, tag))
    return Reference(reference.registry, Name(name.repository, None, name.digest or item.source.digest))


def _tag_or_digest(name: Name) -> Name:
    return Name(name.repository, name.tag) if name.tag else name


def _below(item: Item, under: Location) -> Reference:
    return Reference(under.value, _tag_or_digest(item.target))


def _is_short(item: Item, published: Mapping[Name, str]) -> bool:
    source = published.get(item.source, "")
    return (not source or is_local(source)) and not named_registry(item.source.repository)[0]


def _notes(completed: Sequence[Item], published: Mapping[Name, str]) -> list[str]:
    if not completed:
        return []
    what = "the bundle does not say" if published else "this store does not say"
    return [
        f"{what} from which registry {completed[0].source} comes, so it counts as docker.io's; --as HOST/PREFIX says it"
    ]
