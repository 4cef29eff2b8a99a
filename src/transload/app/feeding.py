"""What a target gets from another target of the same run that has it already, instead of from the source."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from transload.app.location import Location
from transload.app.mirror import Prepared
from transload.app.selection import Selection
from transload.errors import Interrupted, SiteLacks, TransloadError
from transload.oci import Descriptor, Digest, Manifest, Name
from transload.passing import PassedOn
from transload.planning import Item
from transload.ports import Source
from transload.transfer import Outcome
from transload.values import evolve, frozen

if TYPE_CHECKING:
    from transload.app.several import Ended
    from transload.app.stores import Stores
    from transload.app.trusting import Published

_HINT = "solve what failed at {site}, then run the same command again"
_UNFINISHED = Interrupted("its copy was not finished")


class FedSource(PassedOn):
    """A site as a source. Of images that it should have and lacks it says why, without asking it."""

    def __init__(self, site: Source, lacking: Mapping[Name, SiteLacks]) -> None:
        super().__init__(site)
        self._lacking = lacking

    def resolve(self, name: Name) -> Descriptor:
        """See `Resolves`. Raises `SiteLacks`."""
        self._check(name)
        return super().resolve(name)

    def fetch(self, name: Name) -> Manifest:
        """See `Resolves`. Raises `SiteLacks`."""
        self._check(name)
        return super().fetch(name)

    def _check(self, name: Name) -> None:
        if (why := self._lacking.get(name)) is not None:
            raise SiteLacks(why.message, subject=why.subject, hint=why.hint, side="source")


@frozen(kw_only=True)
class Site:
    """A target whose part of the run is over: its name, what was selected for it, and how that ended."""

    name: str
    selection: Selection
    prepared: Prepared
    outcome: Outcome

    def has(self) -> Mapping[Name, Digest | TransloadError | None]:
        """Each image by its name there: its digest, or why it is not there; none that nobody publishes."""
        found: dict[Name, Digest | TransloadError | None] = {}
        for image, ended in zip(self.prepared.plan.images, self.outcome.images, strict=True):
            if ended.done and ended.error is None:
                found[image.target] = ended.digest or image.digest
            elif not (ended.error is not None and image.excused):
                found[image.target] = ended.error or _UNFINISHED
        return found


def fed_selection(
    giver: Location, theirs: Selection, ended: Ended, ours: Selection, stores: Stores
) -> tuple[Selection, Callable[[str, Name], Published]]:
    """What was selected for a target, to be taken from the target `giver`; and whose images those there are.

    Raises `SiteLacks` if the giver's own part ended before anything was copied.
    """
    if ended.prepared is None or ended.outcome is None:
        raise nothing_from(str(giver), ended.error or SiteLacks("its part of the run did not begin"))
    site = Site(name=str(giver), selection=theirs, prepared=ended.prepared, outcome=ended.outcome)
    return fed_by(site, ours, stores.source(giver)), published_of(site)


def nothing_from(site: str, why: TransloadError) -> SiteLacks:
    """The error for all that a site should give, when its own part of the run ended before anything was copied."""
    return SiteLacks(f"{site} has nothing to give: {why.message}", subject=site, hint=_HINT.format(site=site))


def fed_by(site: Site, selection: Selection, source: Source) -> Selection:
    """What was selected for a target, to be taken from `site`, where `source` reads.

    An image is taken by the digest that the site got in this run, so that a tag which moves there meanwhile changes
    nothing.
    """
    has = site.has()
    items: list[Item] = []
    lacking: dict[Name, SiteLacks] = {}
    for theirs, ours in zip(site.selection.items, selection.items, strict=True):
        if theirs.target not in has:
            continue
        found = has[theirs.target]
        if isinstance(found, TransloadError):
            lacking[theirs.target] = SiteLacks(  # the same words for each image, so that they are shown once
                f"{site.name} lacks the image, because its own copy failed ({found.code})",
                subject=site.name,
                hint=_HINT.format(site=site.name),
            )
            found = None
        name = evolve(theirs.target, digest=theirs.target.digest or found)
        items.append(evolve(ours, source_store=source.locator, source=name, optional=False))
    fed = {source.locator: FedSource(source, lacking)}
    return evolve(selection, items=tuple(items), sources=fed, published=selection.items)


def published_of(site: Site) -> Callable[[str, Name], Published]:
    """Whose images the site's are: it has them from this run, so the names at their source count."""
    from transload.app.trusting import Published, whose  # only where a policy asks

    at_source = whose(site.selection.sources)
    items = {item.target.repository: item for item in site.selection.items}
    items |= {str(evolve(item.target, digest=None)): item for item in site.selection.items}

    def published(store: str, name: Name) -> Published:
        item = items.get(str(evolve(name, digest=None))) or items.get(name.repository)
        return Published.at(store, name.repository) if item is None else at_source(item.source_store, item.source)

    return published
