"""Which names a rule lets go: old releases of a catalog, tags that match, what a set does not name. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime

from transload.catalog.catalog import Catalog
from transload.catalog.imageset import ImageSet
from transload.catalog.release import Release
from transload.catalog.selected import Selected, join
from transload.catalog.tagrule import TagRule, judge_tags
from transload.errors import UsageError
from transload.oci import Name
from transload.pruning.held import is_companion
from transload.values import frozen
from transload.wording import number_of

_WAYS = (
    "--keep N with --catalog or --remove-tags, --set SET, --rules FILE, --remove-tags PATTERN, --untagged, or --unused"
)


@frozen(kw_only=True)
class PruneRule:
    """What goes from a target. Raises `UsageError` for a rule that lets nothing go, or is contradictory.

    Something goes if one of these says so: it belongs to a release of `catalog` that is not among the newest `keep`
    there; its whole tag matches one of `remove_tags`, and it is not among the newest `keep` of these in its
    repository, where no catalog is given; `wanted` is given, and does not have it; no rule of the image set `rules`
    takes it, and one speaks of its repository; with `untagged`, it has no tag.

    Whatever they say, a tag stays that matches one of `keep_tags`, or whose image was made on `keep_since` or later,
    or does not say when. With `unused`, content of a folder goes that no image needs and that is older than a day. With
    `flatten`, the catalog's repositories are looked for by the last part of their paths.
    Signatures and attestations go and stay with the image that they belong to.
    """

    keep: int | None = None
    catalog: Catalog | None = None
    wanted: frozenset[Name] | None = None
    rules: ImageSet | None = None
    remove_tags: tuple[re.Pattern[str], ...] = ()
    keep_tags: tuple[re.Pattern[str], ...] = ()
    keep_since: date | None = None
    untagged: bool = False
    unused: bool = False
    flatten: bool = False

    def __attrs_post_init__(self) -> None:
        check_rule(
            keep=self.keep,
            catalog=self.catalog is not None,
            removes=bool(self.remove_tags),
            others=any((self.wanted is not None, self.rules, self.untagged, self.unused)),
        )


def check_rule(*, keep: int | None, catalog: bool, removes: bool, others: bool) -> None:
    """Raise `UsageError` for a rule that lets nothing go, or is half a rule. The last three: whether it has these."""
    if keep is not None and keep < 1:
        raise UsageError(f"--keep {keep} would keep nothing", hint="write how many releases stay: 1 or more")
    if keep is not None and not catalog and not removes:
        raise UsageError(
            "--keep does not say what is counted",
            hint="name the releases: --catalog arcdata; or the tags: --remove-tags 'nightly-.*'",
        )
    if catalog and keep is None:
        raise UsageError("--catalog does not say how many releases stay", hint="add --keep 3")
    if not (catalog or removes or others):
        raise UsageError("no rule says what goes", hint=f"give {_WAYS}")


def reasons(rule: PruneRule, names: Iterable[Name], prefix: str = "") -> dict[Name, str]:
    """The names that `rule` lets go, each with the reason.

    Not those of the set `rules` (see `transload.pruning.filerules`), and without what `keep_since` decides (`recent`).
    """
    held = sorted(names)
    tagged = [name for name in held if name.tag and not is_companion(name.tag)]
    going: dict[Name, str] = {}
    if rule.catalog is not None and rule.keep is not None:
        going |= _of_old_releases(rule.catalog, rule.keep, tagged, prefix, flatten=rule.flatten)
    if rule.remove_tags:
        going |= dict(_matching(rule, tagged))
    if rule.wanted is not None:
        going |= {name: "the set does not name it" for name in tagged if name not in rule.wanted}
    if rule.untagged:
        going |= {name: "it has no tag" for name in held if not name.tag}
    return unprotected(rule, going)


def unprotected(rule: PruneRule, going: Mapping[Name, str]) -> dict[Name, str]:
    """`going` without the tags that `keep_tags` protects."""
    return {name: why for name, why in going.items() if not (name.tag and _matches(rule.keep_tags, name.tag))}


def recent(rule: PruneRule, going: Mapping[Name, str], made: Mapping[Name, datetime]) -> dict[Name, str]:
    """`going` without the images that were made since the rule's day (UTC), or whose day is not in `made`."""
    since = rule.keep_since
    if since is None:
        return dict(going)
    return {
        name: f"{why}; made on {made[name].astimezone(UTC).date()}"
        for name, why in going.items()
        if name in made and made[name].astimezone(UTC).date() < since
    }


def releases_held(catalog: Catalog, names: Iterable[Name], prefix: str = "", *, flatten: bool = False) -> list[Release]:
    """The releases of `catalog` of which something is under `prefix`, newest first, over all its repositories."""
    held = set(names)
    if catalog.is_set:
        ordered = catalog.oldest_first(catalog.releases)[::-1]
        return [release for release in ordered if held & _places(catalog, release, prefix, flatten)]
    repositories = _repositories(catalog, prefix, flatten)
    tags = {name.tag for name in held if name.tag and name.repository in repositories}
    return [offer.release for offer in catalog.releases_at_source(tags)]


def _of_old_releases(catalog: Catalog, keep: int, names: list[Name], prefix: str, *, flatten: bool) -> dict[Name, str]:
    releases = releases_held(catalog, names, prefix, flatten=flatten)
    repositories = set() if catalog.is_set else _repositories(catalog, prefix, flatten)

    def places(release: Release) -> set[Name]:
        """Every name that a release can have there, also in repositories that its list leaves out."""
        return _places(catalog, release, prefix, flatten) | {Name(path, release.tag) for path in repositories}

    stays = {place for release in releases[:keep] for place in places(release)}
    goes = {place: _older(keep, "release") for release in releases[keep:] for place in places(release)}
    return {name: goes[name] for name in names if name in goes and name not in stays}


def _places(catalog: Catalog, release: Release, prefix: str, flatten: bool) -> set[Name]:
    """The names that the images and companions of a release have at the target."""
    return {_place(selected, prefix, flatten) for selected in catalog.select(release)}


def _repositories(catalog: Catalog, prefix: str, flatten: bool) -> set[str]:
    """The repositories that releases of a catalog have at the target, without those of its companions."""
    images = (selected for release in catalog.releases for selected in catalog.select(release, companions=False))
    return {_place(selected, prefix, flatten).repository for selected in images}


def _place(selected: Selected, prefix: str, flatten: bool) -> Name:
    repository = selected.repository.rpartition("/")[2] if flatten else selected.repository
    digest = None if selected.tag else selected.source.name.digest
    return Name(join(prefix, repository), selected.tag, digest)


def _matching(rule: PruneRule, names: list[Name]) -> Iterator[tuple[Name, str]]:
    matching = [name for name in names if name.tag and _matches(rule.remove_tags, name.tag)]
    if rule.keep is None or rule.catalog is not None:
        yield from ((name, "its tag matches --remove-tags") for name in matching)
        return
    newest = TagRule(newest=rule.keep)
    tags_of: dict[str, list[str]] = {}
    for name in matching:
        tags_of.setdefault(name.repository, []).append(name.tag or "")
    for repository, tags in tags_of.items():
        for verdict in judge_tags(newest, tags):
            if not verdict.taken:
                yield Name(repository, verdict.tag), _older(rule.keep, "tag")


def _older(keep: int, noun: str) -> str:
    return f"older than the newest {noun if keep == 1 else number_of(keep, noun)}"


def _matches(patterns: Iterable[re.Pattern[str]], tag: str) -> bool:
    return any(pattern.fullmatch(tag) for pattern in patterns)
