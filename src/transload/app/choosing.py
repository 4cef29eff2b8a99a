"""Asks sources which tags they have, and when their images were made, so that the rules of an image set can choose."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from transload.app.location import Location
from transload.app.releases import open_origin
from transload.catalog.ruled import Choice, RuledImages, RuledPrefix
from transload.catalog.tagrule import judge_tags, undated
from transload.errors import (
    AccessDenied,
    LimitExceeded,
    ManifestInvalid,
    NotFound,
    Refused,
    SchemaUnsupported,
    SelectionEmpty,
    at_side,
)
from transload.events import Counting
from transload.limits import DATED_TAGS
from transload.oci import Name, Reference
from transload.planning.ageing import made_at
from transload.report.texts import count
from transload.threads import Cancellation, in_parallel

if TYPE_CHECKING:
    from transload.app.stores import Stores
    from transload.catalog.imageset import ImageSet
    from transload.ports import Source

_THREADS = 8
_NAMED = 5  # repositories in one sentence


def choose(image_set: ImageSet, stores: Stores, cancellation: Cancellation) -> tuple[Choice, ...]:
    """What the rules of a set choose. Each repository is asked once for its tags, and not at all for exact tags only.

    Raises `SelectionEmpty` for a rule that takes no tag, unless its images are optional; `LimitExceeded` where the
    dates of too many tags would have to be asked for; `Refused` for a prefix in a registry that does not list its
    repositories; and what else the source raises.
    """
    asked = _Asked(stores, cancellation)
    choices = [asked.choice(images) for images in image_set.ruled]
    return (*choices, *(choice for prefix in image_set.prefixes for choice in asked.choices_under(prefix)))


class _Asked:
    """Asks sources, and remembers the tags of each repository."""

    def __init__(self, stores: Stores, cancellation: Cancellation) -> None:
        self._stores = stores
        self._cancellation = cancellation
        self._tags: dict[Reference, tuple[str, ...]] = {}
        self._dated = 0

    def choice(self, images: RuledImages, prefix: RuledPrefix | None = None) -> Choice:
        """The choice of one rule in one repository."""
        rule = images.rule
        if not rule.asks_source and prefix is None:
            return Choice(ruled=images, verdicts=judge_tags(rule, rule.exact), prefix=prefix)
        with _about(images.where):
            source = self._source(images.source.registry)
            for denied in self._list([images], source).values():
                raise denied
            tags = self._tags[images.source]
            dates = self._dates(images, tags, source)
            named = () if prefix else rule.exact  # under a prefix, not every repository has them
            choice = Choice(ruled=images, verdicts=judge_tags(rule, (*tags, *named), dates), prefix=prefix)
            if not choice.taken and not images.optional:
                raise _nothing_taken(choice)
        return choice

    def choices_under(self, prefix: RuledPrefix) -> tuple[Choice, ...]:
        """The choices of a rule in each repository under a prefix."""
        with _about(prefix.where):
            source = self._source(prefix.registry)
            repositories = prefix.repositories(_repositories(source, prefix))
            denied = self._list(repositories, source)
            if denied:
                raise _told_together(prefix, denied)
        choices = tuple(self.choice(images, prefix) for images in repositories)
        if not any(choice.taken for choice in choices) and not prefix.optional:
            with _about(prefix.where):
                raise _nothing_under(prefix, choices)
        return choices

    def _source(self, registry: str) -> Source:
        return open_origin(Location("registry", registry), self._stores)

    def _list(self, repositories: Sequence[RuledImages], source: Source) -> dict[str, AccessDenied]:
        """Ask for the tags of those repositories that were not asked yet. Returns those that do not show their tags."""
        new = [images for images in repositories if images.source not in self._tags]
        counting = Counting(self._stores.working, "selecting", possible=True)
        listed = in_parallel(partial(_tags, source, counted=counting.add), new, _THREADS, self._cancellation)
        answers = list(zip(new, listed, strict=True))
        self._tags |= {images.source: tags for images, tags in answers if isinstance(tags, tuple)}
        return {images.source.name.repository: tags for images, tags in answers if not isinstance(tags, tuple)}

    def _dates(self, images: RuledImages, tags: Iterable[str], source: Source) -> Mapping[str, datetime]:
        """When the images of those tags were made whose date decides; a tag whose image does not say is left out."""
        asked = undated(images.rule, tags)
        self._dated += len(asked)
        repository = images.source.name.repository
        if self._dated > DATED_TAGS:
            raise LimitExceeded(
                f"the rules would ask when {self._dated} images were made, the last ones of {repository}, "
                f"and {DATED_TAGS} are allowed for one set",
                subject=repository,
                hint="narrow the rule: pattern, versions and deny are looked at first",
            )
        made = in_parallel(partial(_made_at, source, repository), asked, _THREADS, self._cancellation)
        return {tag: moment for tag, moment in zip(asked, made, strict=True) if moment is not None}


@contextmanager
def _about(where: str) -> Iterator[None]:
    """What does not exist, or is refused, is told with the place in the file that wants it."""
    try:
        with at_side("source"):
            yield
    except (AccessDenied, NotFound, Refused) as error:
        if where and not error.message.startswith(where):
            error.message = f"{where}: {error.message}"
            error.args = (error.message,)
        raise


def _repositories(source: Source, prefix: RuledPrefix) -> tuple[str, ...]:
    try:
        return tuple(source.repositories())
    except Refused as error:
        error.hint = f"name its repositories under images, each with tags; {prefix} cannot be listed"
        raise


def _tags(source: Source, images: RuledImages, *, counted: Callable[[int], object]) -> tuple[str, ...] | AccessDenied:
    try:
        tags = tuple(source.tags(images.source.name.repository))
    except NotFound:
        if not images.optional:
            raise
        return ()
    except AccessDenied as error:
        return error
    counted(len(tags))
    return tags


def _made_at(source: Source, repository: str, tag: str) -> datetime | None:
    name = Name(repository, tag)
    try:
        return made_at(source.fetch(name), source, name)
    except (NotFound, ManifestInvalid, SchemaUnsupported):  # deleted since, or of a kind of twelve years ago
        return None


def _told_together(prefix: RuledPrefix, denied: Mapping[str, AccessDenied]) -> AccessDenied:
    """One error for all repositories that do not show their tags, of the kind that the first of them has."""
    first = next(iter(denied.values()))
    if len(denied) == 1:
        first.hint = first.hint or "log in as somebody who may see it, or name it under deny"
        return first
    named = ", ".join(list(denied)[:_NAMED]) + (", …" if len(denied) > _NAMED else "")
    first.message = f"{len(denied)} repositories under {prefix} do not show their tags: {named}"
    first.args = (first.message,)
    first.hint = "log in as somebody who may see them, or name them under deny"
    return first


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


def _nothing_under(prefix: RuledPrefix, choices: Sequence[Choice]) -> SelectionEmpty:
    if not choices:
        return SelectionEmpty(
            f"{prefix.registry} lists no repository under {prefix.prefix or 'its root'}",
            subject=str(prefix),
            hint="the registry may list only what this login may see: try another one, or name the images",
        )
    tags = count(sum(len(choice.verdicts) for choice in choices), "tag")
    repositories = "1 repository" if len(choices) == 1 else f"{len(choices):,} repositories"
    return SelectionEmpty(
        f"the rule takes none of the {tags} in {repositories} under {prefix}: {prefix.rule}", subject=str(prefix)
    )
