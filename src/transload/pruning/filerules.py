"""The rules of an image set, judged on what a target holds: what they do not take goes. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from transload.catalog.imageset import ImageSet
from transload.catalog.ruled import RuledPrefix
from transload.catalog.selected import Selected, join
from transload.catalog.tagrule import TagRule, judge_tags, undated
from transload.errors import DocumentInvalid, UsageError
from transload.oci import Name
from transload.pruning.held import is_companion

Rules = Mapping[str, list[TagRule]]
"""The rules that speak of each repository. A tag stays if one of them takes it."""


def rules_of(image_set: ImageSet, names: Iterable[Name], prefix: str = "", *, flatten: bool = False) -> Rules:
    """What a set says of the repositories that hold `names`; none for a repository of which it does not speak.

    Raises `UsageError` for a set with charts, whose versions only their source knows.
    """
    if image_set.charts:
        raise UsageError("a chart's versions are chosen where it is published", hint="use --set instead of --rules")
    held = list(names)
    rules: dict[str, list[TagRule]] = {}
    for repository, rule in _spoken(image_set, held, prefix, flatten=flatten):
        rules.setdefault(repository, []).append(rule)
    there = {name.repository for name in held}
    return {repository: spoken for repository, spoken in rules.items() if repository in there}


def dated(rules: Rules, names: Iterable[Name]) -> list[Name]:
    """The names whose date decides."""
    return [
        Name(repository, tag)
        for repository, tags in _tags(rules, names).items()
        for tag in {tag for rule in rules[repository] for tag in undated(rule, tags)}
    ]


def not_taken(rules: Rules, names: Iterable[Name], made: Mapping[Name, datetime]) -> dict[Name, str]:
    """The names that no rule takes of the repositories that have rules, each with the reason.

    A tag whose image does not say when it was made stays where that decides.
    """
    return {
        Name(repository, tag): why
        for repository, tags in _tags(rules, names).items()
        for tag, why in _left(rules[repository], repository, tags, made)
    }


def _left(
    rules: list[TagRule], repository: str, tags: list[str], made: Mapping[Name, datetime]
) -> Iterator[tuple[str, str]]:
    dates = {tag: made[Name(repository, tag)] for tag in tags if Name(repository, tag) in made}
    silent = {tag for rule in rules for tag in undated(rule, tags) if tag not in dates}
    verdicts = [{verdict.tag: verdict for verdict in judge_tags(rule, tags, dates)} for rule in rules]
    for tag in tags:
        if tag not in silent and not any(of_rule[tag].taken for of_rule in verdicts):
            yield tag, verdicts[0][tag].why if len(verdicts) == 1 else "no rule of the file takes it"


def _tags(rules: Rules, names: Iterable[Name]) -> dict[str, list[str]]:
    tags: dict[str, list[str]] = {}
    for name in sorted(names):
        if name.tag and name.repository in rules and not is_companion(name.tag):
            tags.setdefault(name.repository, []).append(name.tag)
    return tags


def _spoken(image_set: ImageSet, held: list[Name], prefix: str, *, flatten: bool) -> Iterator[tuple[str, TagRule]]:
    def place(path: str) -> str:
        return join(prefix, path.rpartition("/")[2] if flatten else path)

    for images in image_set.ruled:
        yield place(images.target or images.source.name.repository), images.rule
    for image in image_set.images:
        yield from ((place(image.repository), rule) for rule in _exactly(image))
    for use in image_set.catalogs:
        anchor = place(join(use.target, use.catalog.anchor_image))
        tags = [name.tag for name in held if name.repository == anchor and name.tag]
        for image in use.select(tags):
            yield from ((place(image.repository), rule) for rule in _exactly(image))
    for ruled in image_set.prefixes:
        for repository in dict.fromkeys(name.repository for name in held):
            path = repository.removeprefix(prefix).removeprefix("/")
            if any(place(found) == repository for found in _found_under(ruled, path)):
                yield repository, ruled.rule


def _exactly(image: Selected) -> list[TagRule]:
    return [TagRule(exact=(image.tag,))] if image.tag else []


def _found_under(ruled: RuledPrefix, path: str) -> list[str]:
    """Where a prefix puts the repository that is at `path` of the target; nothing if it is not under the prefix."""
    below = path.removeprefix(ruled.target).removeprefix("/") if ruled.target else path
    source = join(ruled.prefix, below) if ruled.target else path
    return [images.target or images.source.name.repository for images in ruled.repositories([source])]


def check_speaks(rules: Rules, file: str) -> None:
    """Raise `DocumentInvalid` for a file that speaks of nothing that the target holds."""
    if not rules:
        raise DocumentInvalid(
            f"{file} speaks of no repository that the target holds",
            subject=file,
            hint="check the prefix of the target; --flatten, if it has only the last part of each path",
        )
