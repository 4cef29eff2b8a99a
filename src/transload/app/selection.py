"""Turns what was asked for (catalogs, files, references, a whole store) into the items of a request."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from transload.app.location import Location
from transload.app.naming import UNNAMED, kind_of, named_sets, store_as_set
from transload.app.restricting import restricted, to_item
from transload.app.whole import everything
from transload.catalog.builtin import builtin, load_builtin
from transload.catalog.imageset import CatalogUse, ImageSet
from transload.catalog.references import ARROW
from transload.catalog.selected import Selected, join, merge
from transload.errors import ReferenceInvalid, UsageError
from transload.events import ActivityListener, Counting, Progressed
from transload.oci import Name, Reference
from transload.oci.reference import shown
from transload.values import evolve, frozen

if TYPE_CHECKING:
    from transload.app.catalogued import ChosenRelease
    from transload.app.charts.choosing import ChosenChart
    from transload.app.job import Job
    from transload.app.stores import Stores
    from transload.catalog.catalog import Catalog
    from transload.catalog.release import Release
    from transload.catalog.ruled import Choice
    from transload.planning import Item
    from transload.planning.additions import ReleaseNames
    from transload.ports import Source
    from transload.threads import Cancellation


@frozen
class Selection:
    """The items of a run, and the open stores that they name, by locator.

    `releases` are the releases of catalogs that items come from, `choices` the verdicts of rules for tags, `charts` the
    Helm charts; `notes` say what was left out, and what is open. `sets` are the names of the catalogs and image sets
    that were named. `published` are the items as their publishers have them, where another target gives them instead.
    """

    items: tuple[Item, ...]
    sources: Mapping[str, Source]
    releases: tuple[ChosenRelease, ...] = ()
    notes: tuple[str, ...] = ()
    choices: tuple[Choice, ...] = ()
    charts: tuple[ChosenChart, ...] = ()
    sets: tuple[str, ...] = ()
    published: tuple[Item, ...] = ()


@frozen
class _Part:
    """The images and releases of one set, what its rules chose, and its charts."""

    images: tuple[Selected, ...]
    releases: tuple[ChosenRelease, ...] = ()
    choices: tuple[Choice, ...] = ()
    charts: tuple[ChosenChart, ...] = ()


def select(job: Job, stores: Stores, cancellation: Cancellation) -> Selection:
    """What `job` wants. Engines hear of all of it, since they save images together. Raises as `_selected` does."""
    stores.lists_tags_once = True
    selection = _selected(job, stores, cancellation)
    for locator, source in selection.sources.items():
        expect = getattr(source, "expect", None)
        if expect is not None:
            expect(item.source for item in selection.items if item.source_store == locator)
    return selection


def _selected(job: Job, stores: Stores, cancellation: Cancellation) -> Selection:
    """Everything that `job` wants, each target name once.

    Asks the source for tags if the newest release, or one that the catalog does not know, is wanted. Raises
    `CatalogUnknown`, `ReleaseUnknown`, `ImageUnknown`, `DocumentInvalid`, `TargetConflict`, and the source's errors.
    """
    stores.working(Progressed("selecting"))
    if job.origin is not None:
        stores.limit_source_login(_registry_of(job.origin))
        if job.sets and job.origin.is_engine:
            return _from_engine(job, job.origin, stores)
        if job.sets:
            return _from_store(job, job.origin, stores, cancellation)
        return select_everything(job, job.origin, stores.source(job.origin), stores.working)
    if not job.sets:
        raise UsageError("no images were named", hint="name a catalog (arcdata), a file, or references")
    named = named_sets(job, stores.variables)
    _check_tags_are_used(named, job)
    stores.limit_source_login(frozenset().union(*(_registries(choice, job) for choice in named)))
    parts = [_part(choice, job, stores, cancellation) for choice in named]
    images, releases = _joined(parts, job)
    charts = tuple(chart for part in parts for chart in part.charts)
    notes = tuple(note for choice in named for note in choice.notes)
    return Selection(
        items=tuple(to_item(image, image.locator, image.source.name, job) for image in images),
        sources={image.locator: stores.source(_location_of(image)) for image in images},
        releases=releases,
        notes=(*notes, *(note for chart in charts for note in chart.notes)),
        choices=tuple(choice for part in parts for choice in part.choices),
        charts=charts,
        sets=tuple(choice.name for choice in named if choice.name not in UNNAMED),
    )


def _location_of(image: Selected) -> Location:
    return Location.parse(image.store) if image.store else Location("registry", image.source.registry)


def release_names(selection: Selection, job: Job) -> tuple[ReleaseNames, ...]:
    """The releases of `selection`, each once, with the names of their images; those of a catalog oldest first."""
    from transload.planning.additions import ReleaseNames  # for catalogs only

    chosen: dict[str, list[ChosenRelease]] = {}
    for release in selection.releases:
        chosen.setdefault(release.catalog.name, []).append(release)
    return tuple(
        ReleaseNames(catalog=catalog, tag=release.tag, names=_names(release, alike, job))
        for catalog, alike in chosen.items()
        for release in alike[0].catalog.oldest_first(part.release for part in alike)
    )


def _names(release: Release, chosen: Iterable[ChosenRelease], job: Job) -> frozenset[Name]:
    images = (image for part in chosen if part.release.tag == release.tag for image in part.images)
    return frozenset(to_item(image, image.source.registry, image.source.name, job).target for image in images)


def _joined(parts: Sequence[_Part], job: Job) -> tuple[tuple[Selected, ...], tuple[ChosenRelease, ...]]:
    """The images of all parts that --image means, each target name once, and their releases."""
    releases = tuple(release for part in parts for release in part.releases)
    if (job.tag or job.target_tag) and not releases and not job.tags_by_default:
        raise _tag_without_use()
    return restricted(merge(image for part in parts for image in part.images), job), releases


# --- one set after the other


def _registries(choice: Catalog | ImageSet, job: Job) -> frozenset[str]:
    """Every registry that these images may come from."""
    if not isinstance(choice, ImageSet):
        from transload.app.catalogued import home_of  # for catalogs only

        return choice.registries if choice.is_set else _registry_of(home_of(choice, job))
    homes = (host for use in choice.catalogs for host in _homes(use))
    single = (image.source.registry for image in choice.images)
    ruled = (images.source.registry for images in choice.ruled)
    prefixes = (prefix.registry for prefix in choice.prefixes)
    return frozenset([*single, *ruled, *prefixes, *homes, *_hosts_of_charts(choice)])


def _hosts_of_charts(image_set: ImageSet) -> Iterable[str]:
    if not image_set.charts:
        return ()
    from transload.app.charts.finding import hosts_of  # few runs have charts

    return hosts_of(image_set.charts)


def _homes(use: CatalogUse) -> frozenset[str]:
    from transload.app.catalogued import origin_of  # for catalogs only

    return use.catalog.registries if use.catalog.is_set else frozenset({origin_of(use).value})


def _registry_of(location: Location) -> frozenset[str]:
    return frozenset({location.host} if location.host else ())


def _part(choice: Catalog | ImageSet, job: Job, stores: Stores, cancellation: Cancellation) -> _Part:
    if isinstance(choice, ImageSet):
        return _image_set(choice, stores, cancellation)
    from transload.app.catalogued import home_of, images_of_catalog  # for catalogs only

    return _Part(*images_of_catalog(choice, home_of(choice, job), job, stores, cancellation))


def _check_tags_are_used(named: Sequence[Catalog | ImageSet], job: Job) -> None:
    """Raises `UsageError` for a release that is given to image sets, which say themselves which they want."""
    if (
        not (job.tag or job.target_tag)
        or job.tags_by_default
        or not all(isinstance(choice, ImageSet) for choice in named)
    ):
        return
    if any(isinstance(choice, ImageSet) and choice.catalogs for choice in named):
        raise UsageError(
            "a release tag was given, and the image set says itself which releases of its catalogs are wanted",
            hint="write releases: FROM..TO there, under catalogs, and leave --tag and --target-tag out",
        )


def _tag_without_use() -> UsageError:
    return UsageError(
        "a release tag was given, but no catalog is wanted",
        hint="write the tag into the references, and leave --tag and --target-tag out",
    )


def _image_set(image_set: ImageSet, stores: Stores, cancellation: Cancellation) -> _Part:
    named, releases = _named(image_set, stores)
    choices = _choices(image_set, stores, cancellation)
    charts = _charts(image_set, stores, cancellation)
    images = merge(
        [
            *named,
            *(image for choice in choices for image in choice.select()),
            *(image for chart in charts for image in chart.selected),
        ]
    )
    return _Part(images, releases, choices, charts)


def _named(image_set: ImageSet, stores: Stores) -> tuple[tuple[Selected, ...], tuple[ChosenRelease, ...]]:
    if not image_set.catalogs:
        return image_set.select(), ()
    from transload.app.catalogued import images_of_set  # for catalogs only

    return images_of_set(image_set, stores)


def _choices(image_set: ImageSet, stores: Stores, cancellation: Cancellation) -> tuple[Choice, ...]:
    if not image_set.ruled and not image_set.prefixes:
        return ()
    from transload.app.choosing import choose  # few runs have rules

    return choose(image_set, stores, cancellation)


def _charts(image_set: ImageSet, stores: Stores, cancellation: Cancellation) -> tuple[ChosenChart, ...]:
    if not image_set.charts:
        return ()
    from transload.app.charts.choosing import choose_charts  # few runs have charts

    return choose_charts(image_set.charts, stores, cancellation)


# --- names in one store


def _from_store(job: Job, origin: Location, stores: Stores, cancellation: Cancellation) -> Selection:
    """Images by name in one store, under its prefix: those of a catalog, and other names as they are."""
    parts: list[_Part] = []
    for text in job.sets:
        if ARROW in text:
            parts.append(_named_in_store(text, origin))
        elif origin.kind == "charts":
            parts.append(_named_chart(text, origin, stores))
        elif kind_of(text) == "catalog":
            from transload.app.catalogued import images_of_catalog  # for catalogs only

            parts.append(_Part(*images_of_catalog(load_builtin(text), origin, job, stores, cancellation)))
        elif kind_of(text) == "store":
            raise store_as_set(text, Location.parse(text))
        elif kind_of(text) == "chart":
            raise UsageError(
                "the address itself says where the chart is",
                subject=shown(text),
                hint="leave --from, or the scheme, out",
            )
        elif kind_of(text) == "file":
            raise UsageError("the file itself says where its images come from", subject=text, hint="leave --from out")
        else:
            parts.append(_named_in_store(text, origin))
    images, releases = _joined(parts, job)
    items = tuple(to_item(image, origin.locator, image.source.name, job) for image in images)
    source = releases[0].source if releases else stores.source(origin)
    sets = tuple(dict.fromkeys(chosen.catalog.name for chosen in releases))
    return Selection(items, {origin.locator: source}, releases, sets=sets)


def _from_engine(job: Job, origin: Location, stores: Stores) -> Selection:
    """Images by the full names that they have in an engine, short ones as docker means them."""
    images = restricted(merge(_in_engine(text, origin) for text in job.sets), job)
    items = tuple(to_item(image, image.locator, image.source.name, job) for image in images)
    return Selection(items, {image.locator: stores.source(_location_of(image)) for image in images})


def _in_engine(text: str, origin: Location) -> Selected:
    """One image, `REFERENCE [-> NAME[:TAG] at the target]`. Below a registry, the reference begins there."""
    before, _, after = text.partition(ARROW)
    if text in builtin():
        catalog = load_builtin(text)
        raise UsageError(
            f"{text} is a catalog, and images in {origin.kind} are named one by one, or by where they come from",
            hint=f"all of them: --from {origin.kind}:{catalog.registry}/{catalog.repository}; an image: {text}:TAG",
        )
    named = join(origin.locator.partition(":")[2], origin.prefix, before.strip())
    try:
        reference = Reference.parse(named)
    except ReferenceInvalid as error:
        if "identifier" in error.message:
            error.hint = f"give the image a name first: {origin.kind} tag {named[:12]} NAME:TAG"
        raise
    store = Location(origin.kind, reference.registry).locator
    return evolve(Selected.of(reference, after.strip() or None), store=store)


def _named_in_store(text: str, origin: Location) -> _Part:
    """`repository[:tag]` below the prefix of `origin`, or `repository[:tag] -> repository[:tag] at the target`."""
    before, arrow, after = text.partition(ARROW)
    name = Name.parse(before.strip())
    name = name if name.tag or name.digest else Name(name.repository, "latest")
    reference = Reference("localhost", evolve(name, repository=join(origin.prefix, name.repository)))
    if arrow:
        return _Part((Selected.of(reference, after.strip()),))
    return _Part((Selected(reference, name.repository, name.tag),))


def _named_chart(text: str, origin: Location, stores: Stores) -> _Part:
    """`NAME`, or `NAME:VERSION` with a version or a range, in a chart repository or among archives."""
    from transload.app.charts.finding import find_named  # few runs have charts

    name = find_named(text, origin, stores).name
    return _Part((Selected(Reference("localhost", name), name.repository, name.tag),))


def select_everything(job: Job, origin: Location, source: Source, working: ActivityListener) -> Selection:
    """Everything in the open store `source` that `job` wants. Raises `SelectionEmpty`, `ImageUnknown`, `UsageError`."""
    if job.tag and not job.tags_by_default:
        raise _tag_without_use()
    items, notes = everything(source, origin, job, Counting(working, "selecting").add)
    return Selection(items, {origin.locator: source}, notes=notes)
