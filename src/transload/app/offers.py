"""What a source offers of a catalog, and what a target holds of each release.

The target is asked once for the tags of each image's repository, however many releases there are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from attrs import evolve, field, frozen

from transload.app.location import Location
from transload.app.releases import check_words, open_origin, source_tags
from transload.app.stores import Stores
from transload.catalog.catalog import Catalog
from transload.catalog.offer import Offer, ReleaseList, with_news
from transload.catalog.release import Release
from transload.catalog.selected import join
from transload.errors import Interrupted, NotFound, Side, TransloadError, UsageError, as_result, at_side
from transload.events import ActivityListener, Counting, Progressed
from transload.oci import Digest, Name
from transload.ports import Source
from transload.threads import Cancellation, in_parallel

_THREADS = 8
Key = TypeVar("Key")
Answer = TypeVar("Answer")


@frozen(kw_only=True)
class Question:
    """Which releases of `catalog` are meant, and what is asked about them.

    `origin` is where they are published, `target` the store that may hold them. `releases` is one release or a range,
    None for all; `images` names the only images that count. `known`: take the releases that the catalog knows, without
    asking the source. `digests`: compare what the target has with the source, by digests.
    """

    catalog: Catalog
    origin: Location
    target: Location | None = None
    releases: str | None = None
    images: tuple[str, ...] = ()
    known: bool = False
    digests: bool = False

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
    stores.working(Progressed("selecting"))
    offers = _offered(question, stores)
    question.catalog.check_images(question.images, [offer.release for offer in offers])
    listed = ReleaseList(catalog=question.catalog.name, source=str(question.origin), releases=offers)
    return (
        listed if question.target is None else _with_holdings(listed, question, question.target, stores, cancellation)
    )


def _offered(question: Question, stores: Stores) -> tuple[Offer, ...]:
    catalog, text = question.catalog, question.releases
    if question.known:
        return tuple(Offer(release=release) for release in reversed(catalog.releases_in(text or "..")))
    tags = source_tags(catalog, question.origin, open_origin(question.origin, stores))
    catalog.newest(tags)  # raises where there is none
    offers = catalog.releases_at_source(tags)
    if text is None:
        return offers
    meant = {release.tag for release in catalog.releases_in(text, tags)}
    return tuple(offer for offer in offers if offer.release.tag in meant)


# --- what the target holds


@frozen
class _Asked:
    """A store that is asked for many repositories, below `prefix`. `troubles` has the errors, by repository."""

    side: Side
    store: Source
    prefix: str
    working: ActivityListener
    cancellation: Cancellation
    troubles: dict[str, TransloadError] = field(factory=dict)

    def tags(self, images: Iterable[str]) -> dict[str, frozenset[str] | None]:
        """The tags of each image's repository, none if there is no such repository; None where it did not say."""
        named = {image: join(self.prefix, image) for image in images}
        none: frozenset[str] = frozenset()
        answers = self._answers(named, lambda path: frozenset(self.store.tags(path)), none)
        return {image: answers.get(image) for image in named}

    def digests(self, names: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Digest | None]:
        """The digests of images with tags, None for what is not there. What it did not say is left out."""
        named = {(image, tag): join(self.prefix, image) for image, tag in names}
        paths = {key: f"{path}:{key[1]}" for key, path in named.items()}

        def digest(path: str) -> Digest | None:
            return self.store.resolve(Name.parse(path)).digest

        return self._answers(paths, digest, None)

    def _answers(self, paths: Mapping[Key, str], ask: Callable[[str], Answer], not_there: Answer) -> dict[Key, Answer]:
        """What `ask` says of each path, in parallel, without those where it raised."""
        counting = Counting(self.working, "selecting", len(paths), possible=True)
        answers: dict[Key, Answer] = {}

        def work(key: Key) -> None:
            path = paths[key]
            try:
                with at_side(self.side):
                    answers[key] = ask(path)
            except NotFound:
                answers[key] = not_there
            except Interrupted:
                raise
            except TransloadError as error:
                self.troubles[f"{self.store.locator}/{path}"] = as_result(error)
            counting.add()

        in_parallel(work, paths, _THREADS, self.cancellation)
        return answers


def _with_holdings(
    listed: ReleaseList, question: Question, location: Location, stores: Stores, cancellation: Cancellation
) -> ReleaseList:
    catalog, images = question.catalog, question.images
    with at_side("target"):
        store = stores.target(location)
    target = _Asked("target", store, location.prefix, stores.working, cancellation)
    source = _Asked(
        "source", open_origin(question.origin, stores), question.origin.prefix, stores.working, cancellation
    )
    releases = [offer.release for offer in listed.releases]
    published = {} if question.known else source.tags(_companions(catalog, releases))
    held = target.tags(_images(catalog, releases, images))
    if held and all(tags is None for tags in held.values()):
        raise next(iter(target.troubles.values()))
    offers = [
        evolve(offer, holding=catalog.held(offer.release, held, published, images=images)) for offer in listed.releases
    ]
    if question.digests:
        offers = _compared(offers, catalog, source, target)
    troubles = {**source.troubles, **target.troubles}
    return evolve(listed, releases=with_news(offers), target=str(location), troubles=troubles)


def _companions(catalog: Catalog, releases: Iterable[Release]) -> list[str]:
    return list(dict.fromkeys(image for release in releases for image in catalog.companions_of(release)))


def _images(catalog: Catalog, releases: Iterable[Release], wanted: tuple[str, ...]) -> list[str]:
    """The images of all releases, each once, with their companions; only the `wanted` ones, if there are any."""
    images = dict.fromkeys(image for release in releases for image in catalog.tags_of(release))
    return [image for image in images if not wanted or image in wanted]


def _compared(offers: list[Offer], catalog: Catalog, source: _Asked, target: _Asked) -> list[Offer]:
    """The offers after a comparison of digests, which takes two requests for each image that is there."""
    names = [
        (image, catalog.tags_of(offer.release)[image])
        for offer in offers
        for image in (offer.holding.there if offer.holding else ())
    ]
    published, held = source.digests(names), target.digests(names)

    def same(name: tuple[str, str]) -> bool | None:
        if name not in published or name not in held:
            return None
        return published[name] is None or published[name] == held[name]

    def compared(offer: Offer) -> Offer:
        tags = catalog.tags_of(offer.release)
        known = {image: same((image, tags[image])) for image in (offer.holding.there if offer.holding else ())}
        return evolve(offer, holding=offer.holding and offer.holding.compared(known))

    return [compared(offer) for offer in offers]
