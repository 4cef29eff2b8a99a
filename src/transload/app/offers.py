"""What a source offers of a catalog, and what a target holds of each release.

The target is asked once for the tags of each image's repository, however many releases there are.
"""

from __future__ import annotations

from collections.abc import Iterable

from attrs import evolve, frozen

from transload.app.asked import Asked, Place
from transload.app.location import Location
from transload.app.releases import check_words, open_origin, source_tags
from transload.app.stores import Stores
from transload.catalog.catalog import Catalog
from transload.catalog.offer import Offer, ReleaseList, holding_of, labelled, with_news
from transload.catalog.release import Release
from transload.catalog.selected import Selected, join, merge
from transload.errors import UsageError, at_side
from transload.events import Progressed
from transload.limits import RELEASES_IMAGES
from transload.oci import Name
from transload.threads import Cancellation


@frozen(kw_only=True)
class Question:
    """Which releases of `catalog` are meant, and what is asked about them.

    `origin` is where they are published, `target` the store that may hold them. `releases` is one release or a range,
    None for all; `images` names the only images that count, and releases without them are left out. `known`: take the
    releases that the catalog knows, without asking the source. `digests`: compare what the target has with the source,
    by digests. `flatten`: at the target, images have only the last part of their paths.
    """

    catalog: Catalog
    origin: Location
    target: Location | None = None
    releases: str | None = None
    images: tuple[str, ...] = ()
    known: bool = False
    digests: bool = False
    flatten: bool = False

    def __attrs_post_init__(self) -> None:
        if self.target is None and (self.digests or self.images):
            what = "digests are compared" if self.digests else "images are looked for"
            raise UsageError(f"{what} at a target, and none is named", hint="name it: --to STORE")
        if self.digests and self.known:
            raise UsageError(
                "digests are compared with the source, and --known does not ask it", hint="leave one of them out"
            )
        if self.releases is not None:
            check_words(self.releases)


def list_releases(question: Question, stores: Stores, cancellation: Cancellation) -> ReleaseList:
    """The releases that `question` means, newest first; with a target, what it holds of each.

    Raises `ReleaseUnknown` if there is none, `ImageUnknown`, `UsageError`, what the source raises for the tags of the
    anchor, and what the target raises if it could be asked for nothing.
    """
    catalog = question.catalog
    stores.limit_source_login(catalog.registries if catalog.is_set else frozenset({question.origin.value}))
    stores.working(Progressed("selecting"))
    offers = _offered(question, stores)
    if sum(len(offer.release.images) for offer in offers) > RELEASES_IMAGES:
        raise UsageError(
            f"the {len(offers):,} releases of {catalog.name} have more than {RELEASES_IMAGES:,} images",
            hint="name fewer of them: --releases FROM..TO",
        )
    catalog.check_images(question.images, [offer.release for offer in offers])
    if question.images:
        offers = tuple(offer for offer in offers if _named(offer.release, question))
    source = ", ".join(sorted(catalog.registries)) if catalog.is_set else str(question.origin)
    listed = ReleaseList(catalog=catalog.name, source=source, releases=offers)
    if question.target is None:
        return listed
    return _with_holdings(listed, question, question.target, stores, cancellation)


def _offered(question: Question, stores: Stores) -> tuple[Offer, ...]:
    catalog, text = question.catalog, question.releases
    if question.known or catalog.is_set:
        return tuple(Offer(release=release) for release in reversed(catalog.releases_in(text or "..")))
    tags = source_tags(catalog, question.origin, open_origin(question.origin, stores))
    catalog.newest(tags)  # raises where there is none
    offers = catalog.releases_at_source(tags)
    if text is None:
        return offers
    meant = {release.tag for release in catalog.releases_in(text, tags)}
    return tuple(offer for offer in offers if offer.release.tag in meant)


# --- what the target holds


def _with_holdings(
    listed: ReleaseList, question: Question, location: Location, stores: Stores, cancellation: Cancellation
) -> ReleaseList:
    images = [_images(offer.release, question) for offer in listed.releases]
    hosts = {image.source.registry for release in images for image in release}
    with at_side("target"):
        store = stores.target(location)
    target = Asked("target", {store.locator: store}, stores, cancellation)
    sources = {host: open_origin(Location("registry", host), stores) for host in hosts}
    source = Asked("source", sources, stores, cancellation)
    look = _Look(store.locator, location.prefix, source, target)
    optional = () if question.known else (image for release in images for image in release if image.optional)
    published = look.published(optional)
    wanted = [labelled(image for image in release if not image.optional or image in published) for release in images]
    held = look.held(image for release in wanted for image in release.values())
    holdings = [holding_of({label: held[image] for label, image in release.items()}) for release in wanted]
    if question.digests:
        there = [[release[label] for label in holding.there] for release, holding in zip(wanted, holdings, strict=True)]
        same = look.same(image for release in there for image in release)
        holdings = [
            holding.compared({label: same[release[label]] for label in holding.there})
            for release, holding in zip(wanted, holdings, strict=True)
        ]
    offers = [evolve(offer, holding=holding) for offer, holding in zip(listed.releases, holdings, strict=True)]
    troubles = {**source.troubles, **target.troubles}
    return evolve(listed, releases=with_news(offers), target=str(location), troubles=troubles)


def _images(release: Release, question: Question) -> tuple[Selected, ...]:
    """The images of a release that count, and its companions, which are optional."""
    origin, images = question.origin, _named(release, question)
    selected = question.catalog.select(release, registry=origin.value, repository=origin.prefix, images=images)
    if not question.flatten:
        return selected
    return merge(evolve(image, repository=image.repository.rpartition("/")[2]) for image in selected)


def _named(release: Release, question: Question) -> list[str]:
    """The images that the question names and this release has."""
    known = (*release.images, *question.catalog.companions_of(release))
    return [image for image in dict.fromkeys(question.images) if image in known]


@frozen
class _Look:
    """What source and target say about selected images, which are below `prefix` in the store `locator`."""

    locator: str
    prefix: str
    source: Asked
    target: Asked

    def published(self, images: Iterable[Selected]) -> frozenset[Selected]:
        """Those of the images whose tags the source has; digests are taken for there."""
        images = list(images)
        tagged = self.source.tagged(_at_source(image) for image in images if not image.source.name.digest)
        return frozenset(image for image in images if tagged.get(_at_source(image), image.source.name.digest))

    def held(self, images: Iterable[Selected]) -> dict[Selected, bool | None]:
        """For each image whether the target has its name, None where it did not say.

        Raises the first error if it said nothing at all.
        """
        images = list(images)
        tagged = self.target.tagged(self._at_target(image) for image in images if image.tag)
        digests = self.target.digests(self._at_target(image) for image in images if not image.tag)
        places = {image: self._at_target(image) for image in images}
        held = {
            image: tagged[place] if image.tag else digests[place] is not None if place in digests else None
            for image, place in places.items()
        }
        if held and all(answer is None for answer in held.values()):
            raise next(iter(self.target.troubles.values()))
        return held

    def same(self, images: Iterable[Selected]) -> dict[Selected, bool | None]:
        """For each image whether the target has what the source has; None if one of them did not say.

        An image that the source lacks has nothing to differ from. A digest in the reference is not asked for.
        """
        images = list(images)
        published = self.source.digests(_at_source(image) for image in images if not image.source.name.digest)
        held = self.target.digests(self._at_target(image) for image in images if image.tag)
        same: dict[Selected, bool | None] = {}
        for image in images:
            source, target = _at_source(image), self._at_target(image)
            wanted = image.source.name.digest or published.get(source)
            known = (image.source.name.digest or source in published) and (not image.tag or target in held)
            same[image] = (wanted is None or not image.tag or held[target] == wanted) if known else None
        return same

    def _at_target(self, image: Selected) -> Place:
        digest = None if image.tag else image.source.name.digest
        return self.locator, Name(join(self.prefix, image.repository), image.tag, digest)


def _at_source(image: Selected) -> Place:
    return image.source.registry, image.source.name
