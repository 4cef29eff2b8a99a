"""Decides what goes from a target: reads what it holds, and applies a rule; then has it deleted."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from transload.app.cleaning import DAY_S
from transload.app.deleting import PruneResult, Pruning, delete
from transload.app.job import Job
from transload.app.location import Location
from transload.app.naming import load_catalog
from transload.app.selection import select
from transload.app.stores import Stores
from transload.app.whole import nothing_there
from transload.catalog.catalog import Catalog
from transload.catalog.imageset import ImageSet
from transload.catalog.selected import join
from transload.catalog.setfile import load_set
from transload.errors import HostGivenUp, Interrupted, ReleaseUnknown, TransloadError, UsageError
from transload.events import Counting
from transload.oci import Name
from transload.oci.reference import check_repository
from transload.planning.ageing import made_at
from transload.ports import Target
from transload.pruning.filerules import check_speaks, dated, not_taken, rules_of
from transload.pruning.plan import PrunePlan, decide
from transload.pruning.reading import Reading
from transload.pruning.rules import PruneRule, check_rule, reasons, recent, releases_held, unprotected
from transload.threads import Cancellation, in_parallel
from transload.values import evolve, frozen
from transload.wording import first_of

if TYPE_CHECKING:
    from transload.registry.product import Product

_THREADS = 8
_NAMED = 5  # repositories in one sentence


@frozen(kw_only=True)
class Wish:
    """What a prune should let go, as people say it; see `PruneRule`.

    `catalog` is a name or a file, `sets` are the words that mirror takes, `rules` is a file of an image set.
    `repositories` are paths under the prefix of the target, the only ones that are looked at. With `allow_empty`, a
    repository may lose every image.
    """

    keep: int | None = None
    catalog: str | None = None
    sets: tuple[str, ...] = ()
    rules: Path | None = None
    remove_tags: tuple[re.Pattern[str], ...] = ()
    keep_tags: tuple[re.Pattern[str], ...] = ()
    keep_since: date | None = None
    untagged: bool = False
    unused: bool = False
    flatten: bool = False
    repositories: tuple[str, ...] = ()
    allow_empty: bool = False

    def __attrs_post_init__(self) -> None:
        for path in self.repositories:
            if path:
                check_repository(path)
        check_rule(
            keep=self.keep,
            catalog=self.catalog is not None,
            removes=bool(self.remove_tags),
            others=bool(self.sets or self.rules or self.untagged or self.unused),
        )

    def rule(self, location: Location, stores: Stores, cancellation: Cancellation) -> PruneRule:
        """The rule for a target. The sources of `sets` are asked, as mirror asks them."""
        wanted: frozenset[Name] | None = None
        if self.sets:
            job = Job(sets=self.sets, target=location, flatten=self.flatten)
            wanted = frozenset(item.target for item in select(job, stores, cancellation).items)
        return PruneRule(
            keep=self.keep,
            catalog=load_catalog(self.catalog, stores.variables) if self.catalog else None,
            wanted=wanted,
            rules=_image_set(self.rules, stores) if self.rules else None,
            remove_tags=self.remove_tags,
            keep_tags=self.keep_tags,
            keep_since=self.keep_since,
            untagged=self.untagged,
            unused=self.unused,
            flatten=self.flatten,
        )


def _image_set(path: Path, stores: Stores) -> ImageSet:
    found = load_set(path, stores.variables)
    if isinstance(found, Catalog):
        raise UsageError(
            f"{path} is a catalog, or a set with releases",
            subject=str(path),
            hint=f"--catalog {path} --keep N counts them",
        )
    return found


def prune_store(
    location: Location,
    wish: Wish,
    stores: Stores,
    cancellation: Cancellation,
    *,
    apply: bool,
    shown: Callable[[PrunePlan], object] = lambda _plan: None,
) -> PruneResult:
    """Decide what goes; `shown` gets the plan; then, with `apply`, delete it. See `read_and_decide` and `delete`."""
    check_target(location)
    rule = wish.rule(location, stores, cancellation)
    named = tuple(join(location.prefix, path) for path in wish.repositories) or None
    pruning = read_and_decide(location, rule, stores, cancellation, repositories=named, allow_empty=wish.allow_empty)
    shown(pruning.plan)
    if not apply:
        return PruneResult(plan=pruning.plan, left=pruning.plan.left, notes=_notes(pruning, location))
    return evolve(delete(pruning, cancellation, stores.working), notes=_notes(pruning, location))


def _notes(pruning: Pruning, location: Location) -> tuple[str, ...]:
    """Where the bytes are freed, in sentences."""
    if pruning.plan.is_empty or location.kind != "registry":
        return ()
    from transload.registry.product import how_bytes_are_freed

    freed = (
        f"{location.locator} frees the bytes when it collects its garbage, and at most so many, since it does not list "
        f"what has no tag: {how_bytes_are_freed(_product(pruning.store))} (docs/guides/keep-tidy.md)"
    )
    outside = f"repositories outside {location} were not looked at: what they share is not freed"
    return (freed, outside) if location.prefix else (freed,)


def _product(store: Any) -> Product | None:
    """What the registry is, by one more request; None if nothing tells."""
    try:
        product: Product | None = store.probes.greet().product
    except (TransloadError, AttributeError):  # it is only a note
        return None
    return product


def check_target(location: Location) -> None:
    """Raise `UsageError` for what cannot be pruned: a bundle, an archive, charts, an engine."""
    if location.kind in {"registry", "oci"}:
        return
    written = location.kind in {"bundle", "archive"}
    raise UsageError(
        f"{location} cannot be pruned" + (": it is written whole" if written else ""),
        subject=str(location),
        hint="pack it again without what should go" if written else "name a registry, or a folder: oci:DIR",
    )


def read_and_decide(
    location: Location,
    rule: PruneRule,
    stores: Stores,
    cancellation: Cancellation,
    *,
    repositories: tuple[str, ...] | None = None,
    allow_empty: bool = False,
) -> Pruning:
    """Read the target and decide. Asks only. `repositories` are full names, for registries that keep no list.

    Raises `SelectionEmpty` if nothing is there, `UsageError` if a repository would lose all images and that was not
    allowed, and what reading raises.
    """
    check_target(location)
    store = stores.target(location, create=False)
    reading = Reading(store, threads=_THREADS, cancellation=cancellation, working=stores.working)
    held = reading.held(location.prefix, repositories)
    if rule.unused:
        held = evolve(held, unused={**held.unused, **reading.unused(held, DAY_S)})
    names = [name for name in held.names if repositories is None or name.repository in repositories]
    if not names and not held.unused:
        raise nothing_there(store, location)
    if rule.catalog is not None and not releases_held(rule.catalog, names, location.prefix, flatten=rule.flatten):
        raise _no_release(rule.catalog, location)
    going = reasons(rule, names, location.prefix)
    if rule.rules is not None:
        going |= unprotected(rule, _by_file(rule.rules, rule, names, location, store, stores, cancellation))
    if rule.keep_since is not None:
        going = recent(rule, going, _made(store, going, stores, cancellation))
    held = reading.with_referrers(held, going)
    plan = decide(held, going)
    if plan.emptied and not allow_empty:
        raise _would_empty(plan, location)
    return Pruning(store, reading, held, plan)


def _no_release(catalog: Catalog, location: Location) -> ReleaseUnknown:
    return ReleaseUnknown(
        f"{location} holds no release of {catalog.name}",
        subject=str(location),
        hint="check its prefix: repositories of the catalog are looked for right below it; "
        "--flatten, if the target has only the last part of each path",
    )


def _by_file(
    image_set: ImageSet,
    rule: PruneRule,
    names: Iterable[Name],
    location: Location,
    store: Target,
    stores: Stores,
    cancellation: Cancellation,
) -> dict[Name, str]:
    """What the rules of a file do not take. Images are asked for their dates only where these decide."""
    rules = rules_of(image_set, names, location.prefix, flatten=rule.flatten)
    check_speaks(rules, image_set.name)
    asked = dated(rules, names)
    return not_taken(rules, names, _made(store, asked, stores, cancellation) if asked else {})


def _made(store: Target, going: Iterable[Name], stores: Stores, cancellation: Cancellation) -> dict[Name, datetime]:
    """When the images were made that a rule lets go; one that does not say, or cannot be read, is left out."""
    counting = Counting(stores.working, "selecting", possible=True)

    def made(name: Name) -> datetime | None:
        try:
            return made_at(store.fetch(name), store, name)
        except (Interrupted, HostGivenUp):
            raise
        except TransloadError:  # it stays then
            return None

    names = sorted(going)
    answers = in_parallel(counting.around(made), names, _THREADS, cancellation)
    return {name: answer for name, answer in zip(names, answers, strict=True) if answer is not None}


def _would_empty(plan: PrunePlan, location: Location) -> UsageError:
    named = first_of((path or "the images without a repository" for path in plan.emptied), _NAMED)
    what = f"every image of {location}" if not plan.stays else f"every image of {named}"
    return UsageError(
        f"this rule would delete {what}",
        subject=str(location),
        hint="check the rule; if that is meant, add --allow-empty",
    )
