"""What a source offers, how much of it a target holds, and which releases are new there. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Literal

from transload.catalog.release import Release
from transload.catalog.selected import Selected
from transload.errors import TransloadError
from transload.values import evolve, field, frozen

HoldingState = Literal["whole", "part", "absent", "unknown"]
"""`unknown`: nothing is known to be absent, but the target was not able to say it of every image."""


@frozen(kw_only=True)
class Holding:
    """What a target holds of a release: names of images, each in one of four lists.

    `there`: the target has the name. `differing`: it has the name, with other content than the source. `absent`: it
    does not have the name. `unclear`: it could not be asked. Without a comparison of digests, nothing is `differing`.
    """

    there: tuple[str, ...] = ()
    differing: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    unclear: tuple[str, ...] = ()

    @property
    def images(self) -> int:
        """How many images the release has, with those companions that the source has."""
        return len(self.there) + len(self.differing) + len(self.absent) + len(self.unclear)

    @property
    def state(self) -> HoldingState:
        """How much of the release is there.

        >>> Holding(there=("web",), unclear=("db",)).state, Holding(absent=("web",), unclear=("db",)).state
        ('unknown', 'absent')
        """
        if self.unclear and not self.absent and not self.differing:
            return "unknown"
        if not self.absent and not self.differing:
            return "whole"
        return "part" if self.there or self.differing else "absent"

    def compared(self, same: Mapping[str, bool | None]) -> Holding:
        """After a comparison of digests: for each image of `there` whether it is the source's, None if unknown.

        What the source lacks counts as the same: there is nothing to compare with.
        """
        return evolve(
            self,
            there=tuple(image for image in self.there if same[image]),
            differing=tuple(image for image in self.there if same[image] is False),
            unclear=(*self.unclear, *(image for image in self.there if same[image] is None)),
        )


def holding_of(wanted: Mapping[str, bool | None]) -> Holding:
    """What is there of the `wanted` images: for each whether the target has it, None where it did not say.

    >>> holding_of({"web": True, "db": None})
    Holding(there=('web',), differing=(), absent=(), unclear=('db',))
    """
    return Holding(
        there=tuple(image for image, held in wanted.items() if held),
        absent=tuple(image for image, held in wanted.items() if held is False),
        unclear=tuple(image for image, held in wanted.items() if held is None),
    )


def labelled(images: Iterable[Selected]) -> dict[str, Selected]:
    """The images by their paths at the target, with their tags where two have the same path."""
    images = list(images)
    several = {path for path, number in Counter(image.repository for image in images).items() if number > 1}
    return {image.place if image.repository in several else image.repository: image for image in images}


@frozen(kw_only=True)
class Offer:
    """A release at the source. `holding` is what the target has of it, None if no target was asked.

    `is_new`: see `with_news`. None if no target was asked, or if its answers do not say.
    """

    release: Release
    holding: Holding | None = None
    is_new: bool | None = None

    @property
    def at_target(self) -> bool | None:
        """Whether the target has all of it; None if it was not asked, or could not say."""
        if self.holding is None or self.holding.state == "unknown":
            return None
        return self.holding.state == "whole"


def with_news(offers: Iterable[Offer]) -> tuple[Offer, ...]:
    """The same offers, newest first, each with `is_new`.

    A release is new if the target has neither it nor a newer one as a whole. It is new, too, if the target has it with
    other content than the source: then the vendor has published it again.
    """
    marked: list[Offer] = []
    newer_is_whole: bool | None = False
    for offer in offers:
        marked.append(evolve(offer, is_new=_is_new(offer, newer_is_whole)))
        newer_is_whole = newer_is_whole or offer.at_target or _unknown(newer_is_whole, offer.at_target)
    return tuple(marked)


def _unknown(*answers: bool | None) -> bool | None:
    """None if one of the answers is, else False."""
    return None if None in answers else False


def _is_new(offer: Offer, newer_is_whole: bool | None) -> bool | None:
    if offer.holding is None:
        return None
    if offer.holding.differing:
        return True
    if offer.at_target or newer_is_whole:
        return False
    return None if offer.at_target is None or newer_is_whole is None else True


@frozen(kw_only=True)
class ReleaseList:
    """The releases of a catalog, newest first, where they come from, and what could not be asked.

    `source` and `target` are locators with their prefixes; `target` None: no target was asked. `troubles` has, by
    repository, the errors of those that could not be asked.
    """

    catalog: str
    source: str
    releases: tuple[Offer, ...]
    target: str | None = None
    troubles: Mapping[str, TransloadError] = field(factory=dict, eq=False)

    @property
    def new(self) -> tuple[Release, ...]:
        """The releases that are surely new to the target, newest first."""
        return tuple(offer.release for offer in self.releases if offer.is_new)
