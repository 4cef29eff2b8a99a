"""Old releases and tags deleted from a target, for programs."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from datetime import date
from pathlib import Path
from typing import Unpack

from transload.app.deleting import PruneResult
from transload.app.pruning import Wish, prune_store
from transload.catalog.tagpattern import check_pattern
from transload.pruning.plan import PrunePlan
from transload.verbs import arguments
from transload.verbs.means import Means, Options, at_work


def prune(
    target: str,
    *,
    keep: int | None = None,
    catalog: str | os.PathLike[str] | None = None,
    sets: str | Path | Iterable[str | Path] = (),
    rules: str | Path | None = None,
    remove_tags: str | Iterable[str] = (),
    keep_tags: str | Iterable[str] = (),
    keep_since: date | None = None,
    untagged: bool = False,
    unused: bool = False,
    repositories: str | Iterable[str] = (),
    flatten: bool = False,
    allow_empty: bool = False,
    apply: bool = False,
    shown: Callable[[PrunePlan], object] = lambda _plan: None,
    **options: Unpack[Options],
) -> PruneResult:
    """What a rule lets go from `target` (`HOST/PREFIX` or `oci:DIR`): `transload prune`. Deleted only with `apply`.

    `keep` counts the newest releases of `catalog`, over all its repositories together; without a catalog, the newest
    tags that `remove_tags` matches, in each repository. `sets` are what `mirror` takes: every tag goes that a mirror of
    them would not have. `rules` is the file of an image set: of the repositories that it speaks of, every tag goes that
    its rules do not take of what is there. `remove_tags` and `keep_tags` are regular expressions for whole tags; what
    `keep_tags` matches, and images made on `keep_since` or later, stay whatever the rest says. `untagged` lets images
    without a tag go, where the target lists them; `unused` content of a folder that no image needs and that is a day
    old. `repositories` are the only ones looked at, relative to the target.

    `result.plan` says what goes and how many bytes nothing needs then; `shown` gets it before anything is deleted.
    Exactly that is deleted; what has changed in between is in `result.left`, what failed in `result.errors`.

    Raises `UsageError` for a rule that lets nothing or everything of a repository go (`allow_empty` allows the latter),
    `SelectionEmpty` if nothing is there, `ReadOnly` if the target deletes nothing, and what reading it raises.
    """
    wish = Wish(
        keep=keep,
        catalog=None if catalog is None else str(arguments.path("catalog", catalog)),
        sets=arguments.texts("sets", sets),
        rules=arguments.path_if_any("rules", rules),
        remove_tags=_patterns("remove_tags", remove_tags),
        keep_tags=_patterns("keep_tags", keep_tags),
        keep_since=keep_since,
        untagged=untagged,
        unused=unused,
        flatten=flatten,
        repositories=arguments.texts("repositories", repositories),
        allow_empty=allow_empty,
    )
    place = arguments.store("target", target)
    with at_work(Means.of(options)) as work:
        return prune_store(place, wish, work.stores, work.cancellation, apply=apply, shown=shown)


def _patterns(name: str, texts: str | Iterable[str]) -> tuple[re.Pattern[str], ...]:
    return tuple(check_pattern(text) for text in arguments.texts(name, texts))
