"""What one run of mirror, plan or verify should do, with all questions answered."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from transload.planning import Narrowing, Referrers
from transload.planning.ages import NO_AGES, Ages
from transload.values import frozen

if TYPE_CHECKING:
    from datetime import datetime

    from transload.app.gates import Gates
    from transload.app.location import Location
    from transload.oci import Platform
    from transload.trust.policy import Policy

BODIES = 16


@frozen
class Through:
    """Copy by the engine: it pulls, tags and pushes. With `keep`, what it pulled and tagged stays in it afterwards."""

    engine: Literal["docker", "podman"]
    keep: bool = False


@frozen(kw_only=True)
class Job:
    """What is wanted, from where, to where.

    `sets` are names of catalogs, files, and references. `origin` is a store in which names are looked up instead;
    without sets it means everything in it. `source_registry` and `source_repository` replace those of the catalogs.
    `tag` is a release of the catalogs (None: the newest at the source), `target_tag` the tag of its images at the
    target (None: the same). `images` restricts the sets to these names at the target; `flatten` keeps only the last
    part of a repository's path there. `referrers` says what happens to signatures and other referrers. `recheck` asks
    the target for everything below the names that it has. `bodies` is how many blobs move at a time at most.
    `tags_by_default` means that `tag` and `target_tag` are defaults: if they cannot be used, they are ignored.
    `values_folder` is where values are written that make the charts of a run take their images from the target.
    `through` is the engine that copies instead of us. `gates` are programs that look at each image before, `ages` the
    limits for images that would be copied. `policy` says which signatures these must have; `at` is the time that counts
    as now for it (None: this machine's clock). With `begins_early`, blobs may move before the whole plan is known.
    """

    sets: tuple[str, ...]
    target: Location
    origin: Location | None = None
    source_registry: str | None = None
    source_repository: str | None = None
    tag: str | None = None
    target_tag: str | None = None
    images: tuple[str, ...] = ()
    platforms: tuple[Platform, ...] = ()
    narrowing: Narrowing = Narrowing.REWRITTEN
    referrers: Referrers = Referrers.USUAL
    foreign_layers: bool = False
    foreign_as_held: bool = False
    allow_missing: bool = False
    discover: bool = False
    flatten: bool = False
    recheck: bool = False
    bodies: int = BODIES
    tags_by_default: bool = False
    values_folder: Path | None = None
    through: Through | None = None
    gates: Gates | None = None
    ages: Ages = NO_AGES
    policy: Policy | None = None
    at: datetime | None = None
    begins_early: bool = False

    def asked(self, names: Iterable[str]) -> Iterator[str]:
        """Those of these wishes that somebody has, by the names of their fields; defaults are no wish."""
        for name in names:
            wish = getattr(self, name)
            if wish.demanded if isinstance(wish, Referrers) else wish:
                yield name
