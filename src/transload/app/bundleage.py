"""Whether a bundle is older than another one of its set: by the releases that they hold, else by their times. Pure.

Times of packing are compared only with each other, never with a clock of the far side, which may be years off.
"""

from __future__ import annotations

from collections.abc import Iterable

from transload.app.takenbundles import TakenBundle
from transload.bundle.format.edition import BundledRelease, Edition
from transload.catalog.builtin import builtin, load_builtin
from transload.report.bundleorder import Standing
from transload.values import frozen

_PACKING = "the times at which they were packed"


@frozen
class Judged:
    """Where a bundle stands, and by what that was judged; the text is empty if there was nothing to judge."""

    standing: Standing
    by: str = ""


def judged(bundle: TakenBundle, newest: TakenBundle | None) -> Judged:
    """Where `bundle` stands beside the newest one that was taken."""
    if newest is None:
        return Judged("first")
    if bundle.images == newest.images:
        return Judged("same")
    if bundle.edition is None or newest.edition is None:
        return Judged("unknown")
    by_release = by_releases(bundle.edition, newest.edition)
    if by_release is not None:
        return by_release
    if bundle.edition.packed == newest.edition.packed:
        return Judged("unknown", _PACKING)
    return Judged("older" if bundle.edition.packed < newest.edition.packed else "newer", _PACKING)


def by_releases(edition: Edition, other: Edition) -> Judged | None:
    """Whether the newest releases of `edition` are older or newer than those of `other`; None if they do not tell."""
    found: dict[Standing, str] = {}
    for catalog in sorted({release.catalog for release in edition.releases}):
        ours = [release for release in edition.releases if release.catalog == catalog]
        theirs = [release for release in other.releases if release.catalog == catalog]
        for judgement in _of_catalog(catalog, ours, theirs):
            found.setdefault(judgement.standing, judgement.by)
    if len(found) != 1:  # some are older and some are newer, or they are the same
        return None
    return next(Judged(standing, by) for standing, by in found.items())


def _of_catalog(catalog: str, ours: list[BundledRelease], theirs: list[BundledRelease]) -> Iterable[Judged]:
    """Nothing, or which side has the newer release: by the catalog that this program knows, else by their dates."""
    if not theirs:
        return
    tags, other_tags = {release.tag for release in ours}, {release.tag for release in theirs}
    if catalog in builtin():
        ordered = load_builtin(catalog).newest_first(tags | other_tags)
        if ordered and (ordered[0] in tags) != (ordered[0] in other_tags):
            yield Judged("newer" if ordered[0] in tags else "older", f"the order of the releases of {catalog}")
        return
    day, other_day = (_newest_day(releases) for releases in (ours, theirs))
    length = min(len(day), len(other_day))  # a date may be a year, a month or a day
    if day[:length] != other_day[:length]:
        yield Judged("newer" if day > other_day else "older", f"the dates of the releases of {catalog}")


def _newest_day(releases: Iterable[BundledRelease]) -> str:
    return max((release.date or "" for release in releases), default="")
