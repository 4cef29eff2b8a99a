"""What a source offers of a catalog, and what a target holds of each release.

The target is asked once for the tags of each image's repository, however many releases there are.
"""

from __future__ import annotations

from transload.app.asked import Asked
from transload.app.holdings import Look
from transload.app.location import Location
from transload.app.releases import check_words, open_origin, source_tags
from transload.app.stores import Stores
from transload.catalog.catalog import Catalog
from transload.catalog.offer import Offer, ReleaseList, with_news
from transload.catalog.release import Release
from transload.catalog.selected import Selected, merge
from transload.errors import UsageError, at_side
from transload.events import Progressed
from transload.limits import RELEASES_IMAGES
from transload.threads import Cancellation
from transload.values import evolve, frozen


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
    look = _look(question, question.target, stores, cancellation)
    images = [_images(offer.release, question) for offer in offers]
    holdings = look.holdings(images, [_is_guess(offer.release) for offer in offers], digests=question.digests)
    offers = with_news(evolve(offer, holding=holding) for offer, holding in zip(offers, holdings, strict=True))
    return evolve(listed, releases=offers, target=str(question.target), troubles=look.troubles)


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


def _look(question: Question, target: Location, stores: Stores, cancellation: Cancellation) -> Look:
    catalog = question.catalog
    with at_side("target"):
        store = stores.target(target)
    hosts = catalog.registries if catalog.is_set else {question.origin.value}
    sources = {} if question.known else {host: open_origin(Location("registry", host), stores) for host in hosts}
    return Look(
        locator=store.locator,
        prefix=target.prefix,
        source=Asked("source", sources, stores, cancellation),
        target=Asked("target", {store.locator: store}, stores, cancellation),
    )


def _is_guess(release: Release) -> bool:
    """Whether nobody has seen the vendor's own list of its images."""
    return not release.known or release.basis == "inferred"


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
