"""Asks sources which tags they have, and when their images were made, so that the rules of an image set can choose."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from functools import partial

from attrs import frozen

from transload.app.location import Location
from transload.app.releases import open_origin
from transload.app.stores import Stores
from transload.catalog.selected import Selected
from transload.catalog.tagrule import RuledImages, Verdict, judge, undated
from transload.documents.text import located
from transload.errors import LimitExceeded, NotFound, SelectionEmpty, at_side
from transload.events import Counting
from transload.limits import DATED_TAGS
from transload.oci import Name
from transload.planning.ageing import made_at
from transload.ports import Source
from transload.report.texts import count
from transload.threads import Cancellation, in_parallel

_THREADS = 8


@frozen(kw_only=True)
class Choice:
    """The verdicts of a rule on every tag that the source has, newest first, and on the tags that the rule names."""

    ruled: RuledImages
    verdicts: tuple[Verdict, ...]

    @property
    def taken(self) -> tuple[str, ...]:
        """The tags that the rule takes."""
        return tuple(verdict.tag for verdict in self.verdicts if verdict.taken)

    @property
    def repository(self) -> str:
        """The repository with its registry, as people write it."""
        return f"{self.ruled.source.registry}/{self.ruled.source.name.repository}"

    def select(self) -> tuple[Selected, ...]:
        """The images that the rule takes."""
        return self.ruled.select(self.taken)

    def __str__(self) -> str:
        """`12 of 140 tags of quay.io/jetstack/cert-manager-webhook: >=1.40 <2, newest 3`."""
        return f"{len(self.taken)} of {count(len(self.verdicts), 'tag')} of {self.repository}: {self.ruled.rule}"


def choose(ruled: Iterable[RuledImages], stores: Stores, cancellation: Cancellation) -> tuple[Choice, ...]:
    """The choices of these rules. Each repository is asked once for its tags, and not at all for tags named exactly.

    Raises `SelectionEmpty` for a rule that takes no tag, unless its images are optional; `LimitExceeded` where the
    dates of too many tags would have to be asked for; and what the source raises.
    """
    listed: dict[tuple[str, str], tuple[str, ...]] = {}
    return tuple(_choice(images, listed, stores, cancellation) for images in ruled)


def _choice(
    images: RuledImages,
    listed: dict[tuple[str, str], tuple[str, ...]],
    stores: Stores,
    cancellation: Cancellation,
) -> Choice:
    rule, registry, repository = images.rule, images.source.registry, images.source.name.repository
    if not rule.asks_source:
        return Choice(ruled=images, verdicts=judge(rule, rule.exact))
    source = open_origin(Location("registry", registry), stores)
    with at_side("source"), located(images.where or registry, images.where.partition(":")[0]):
        if (registry, repository) not in listed:
            listed[registry, repository] = _tags(source, repository, images, Counting(stores.working, "selecting").add)
        tags = listed[registry, repository]
        dates = _dates(images, tags, source, cancellation)
        choice = Choice(ruled=images, verdicts=judge(rule, (*tags, *rule.exact), dates))
        if not choice.taken and not images.optional:
            raise _nothing_taken(choice)
    return choice


def _tags(source: Source, repository: str, images: RuledImages, counted: Callable[[int], object]) -> tuple[str, ...]:
    try:
        tags = tuple(source.tags(repository))
    except NotFound:
        if not images.optional:
            raise
        return ()
    counted(len(tags))
    return tags


def _dates(
    images: RuledImages, tags: Iterable[str], source: Source, cancellation: Cancellation
) -> Mapping[str, datetime]:
    """When the images of those tags were made whose date decides; a tag whose image does not say is left out."""
    asked = undated(images.rule, tags)
    repository = images.source.name.repository
    if len(asked) > DATED_TAGS:
        raise LimitExceeded(
            f"the rule would ask when {len(asked)} images were made, and {DATED_TAGS} are allowed",
            subject=repository,
            hint="narrow the rule: pattern, versions and deny are looked at first",
        )
    made = in_parallel(partial(_made_at, source, repository), asked, _THREADS, cancellation)
    return {tag: moment for tag, moment in zip(asked, made, strict=True) if moment is not None}


def _made_at(source: Source, repository: str, tag: str) -> datetime | None:
    name = Name(repository, tag)
    try:
        return made_at(source.fetch(name), source, name)
    except NotFound:  # deleted since the tags were listed
        return None


def _nothing_taken(choice: Choice) -> SelectionEmpty:
    what = choice.repository
    if not choice.verdicts:
        return SelectionEmpty(f"{what} has no tags", subject=what, hint="optional: true allows that")
    first = choice.verdicts[0]
    return SelectionEmpty(
        f"the rule takes none of the {count(len(choice.verdicts), 'tag')} of {what}: {choice.ruled.rule}",
        subject=what,
        hint=f"{first.tag} is left, since {first.why}",
    )
