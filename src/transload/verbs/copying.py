"""Copying images: one, the images of a store, or what catalogs and lists say."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Unpack

from transload.app.job import BODIES, Job
from transload.app.location import Location, is_image
from transload.app.mirror import prepare
from transload.app.outcome import StartTime
from transload.errors import UsageError
from transload.oci import Platform, Reference
from transload.planning import Narrowing
from transload.report.result import Result
from transload.verbs.means import Means, Options, at_work
from transload.verbs.run import carried_out


def copy(
    source: str,
    target: str,
    images: Iterable[str] = (),
    *,
    platforms: Iterable[str | Platform] = (),
    narrowing: Narrowing = Narrowing.REWRITTEN,
    referrers: bool = False,
    foreign_layers: bool = False,
    jobs: int = BODIES,
    check: bool = True,
    **options: Unpack[Options],
) -> Result:
    """Copy one image, or the images of a store, complete and unchanged; what the target has already is not sent.

    A text with a tag or a digest is one image: `copy("quay.io/acme/app:1", "registry.local/tools/app:1")`. A text
    without is a store as on the command line (`registry.local/prefix`, `oci:DIR`, `bundle:NAME`, `archive:FILE`):

    * image to image: the target gets the name that it says;
    * image to store: the image keeps its repository path, under the store's prefix;
    * store to store: everything in it, or the `images` named as `repository:tag`, `repository@digest`, or
      `name -> new name`.

    `platforms` (`linux/amd64`) copies only these of a multi-platform image, as `narrowing` says. `referrers` takes
    signatures, SBOMs and attestations along, `foreign_layers` layers that publishers keep elsewhere. `jobs` is how many
    blobs move at a time.

    Logins come from docker's and podman's files, proxies from the usual variables; `Options` (`source_login`,
    `target_login`, `network`, `environment`, `progress`, `cancellation`) says it otherwise.

    With `check` (the default), an image that could not be copied is an error: its own when one image was wanted, else
    `ImagesFailed`, whose `result` tells of each image; `Interrupted` after a cancellation. Without, the result tells
    it. What concerns the whole is raised always: `UsageError`, `ReferenceInvalid`, `CredentialsRejected` and
    `Unreachable` of the target, `TargetConflict`, `DiskFull`, `SelectionEmpty`.
    """
    began = StartTime.now(f"transload.copy({source!r}, {target!r})")
    sets, place, origin = _where(source, target, tuple(images))
    job = Job(
        sets=sets,
        target=place,
        origin=origin,
        platforms=platforms_of(platforms),
        narrowing=narrowing,
        referrers=referrers,
        foreign_layers=foreign_layers,
        bodies=jobs,
    )
    return _run(job, began, Means(**options), check=check)


def mirror(
    sets: str | Path | Iterable[str] = (),
    *,
    to: str,
    origin: str | None = None,
    tag: str | None = None,
    target_tag: str | None = None,
    images: Iterable[str] = (),
    platforms: Iterable[str | Platform] = (),
    narrowing: Narrowing = Narrowing.REWRITTEN,
    referrers: bool = False,
    foreign_layers: bool = False,
    allow_missing: bool = False,
    discover: bool = False,
    flatten: bool = False,
    jobs: int = BODIES,
    check: bool = True,
    **options: Unpack[Options],
) -> Result:
    """Copy what sets of images name to the store `to`: `transload mirror` of the command line.

    `sets` are names of built-in catalogs (`arcdata`), files (image sets, catalogs, lists of references), and
    references. `origin` is a store to look them up in instead of where they are published (`--from`); without sets it
    means everything in it. `tag` is the release of the catalogs, or a range `FROM..TO` (None: the newest at the
    source), `target_tag` what their images are called at the target. `images` restricts the sets to these names.
    `allow_missing`: what the source lacks is no failure. `discover`: take what the source publishes under the release's
    tag instead of the catalog's list. `flatten`: keep only the last part of each repository path.

    The rest, what is returned and what is raised: see `copy`; and `CatalogUnknown`, `ReleaseUnknown`, `ImageUnknown`,
    `DocumentInvalid`.
    """
    words = words_of(sets)
    began = StartTime.now(f"transload.mirror({', '.join(map(repr, words))}, to={to!r})")
    job = Job(
        sets=words,
        target=Location.parse(to),
        origin=Location.parse(origin) if origin is not None else None,
        tag=tag,
        target_tag=target_tag,
        images=tuple(images),
        platforms=platforms_of(platforms),
        narrowing=narrowing,
        referrers=referrers,
        foreign_layers=foreign_layers,
        allow_missing=allow_missing,
        discover=discover,
        flatten=flatten,
        bodies=jobs,
    )
    return _run(job, began, Means(**options), check=check)


def _run(job: Job, began: StartTime, means: Means, *, check: bool) -> Result:
    with at_work(means) as work:
        prepared = prepare(job, work.stores, work.cancellation)
        return carried_out(prepared, work, began, job.bodies, check=check)


def _where(source: str, target: str, images: tuple[str, ...]) -> tuple[tuple[str, ...], Location, Location | None]:
    """Sets, target and origin of a job."""
    if not is_image(source):
        if is_image(target):
            raise UsageError(
                f"{target} is one image, and {source} is a store",
                hint=f"name the store alone, and the image in images: 'NAME -> {target.partition('/')[2]}'",
            )
        return images, Location.parse(target), Location.parse(source)
    if images:
        raise UsageError(f"{source} is one image already", hint="leave images out, or name a store")
    if not is_image(target):
        return (source,), Location.parse(target), None
    name = Reference.parse(target)
    if name.name.digest is not None:
        raise UsageError(f"{target} names a digest, and what an image is called is a tag", hint="write a tag")
    return (f"{source} -> {name.name}",), Location("registry", name.registry), None


def words_of(sets: str | Path | Iterable[str]) -> tuple[str, ...]:
    """Sets as the words of a command line."""
    return (str(sets),) if isinstance(sets, (str, Path)) else tuple(sets)


def platforms_of(platforms: Iterable[str | Platform]) -> tuple[Platform, ...]:
    """Platforms, read where they are texts. Raises `PlatformInvalid`."""
    return tuple(Platform.parse(platform) if isinstance(platform, str) else platform for platform in platforms)
