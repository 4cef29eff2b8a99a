"""Proving that a target holds what its source publishes, or that a store is sound."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Unpack

from transload.app.detect import only_store, open_carried
from transload.app.job import Job
from transload.app.stores import Carried
from transload.app.verify import Verification, check_against_source, check_alone
from transload.errors import UsageError
from transload.oci import Platform
from transload.verbs import arguments
from transload.verbs.means import Means, Options, at_work


def verify(
    sets: str | Path | Iterable[str | Path] = (),
    *,
    to: str | None = None,
    origin: str | None = None,
    deep: bool = False,
    tag: str | None = None,
    target_tag: str | None = None,
    images: Iterable[str] | None = None,
    platforms: str | Platform | Iterable[str | Platform] = (),
    referrers: bool = False,
    foreign_layers: bool = False,
    allow_missing: bool = False,
    flatten: bool = False,
    key: str | Path | None = None,
    volumes: str | Path | Iterable[str | Path] = (),
    **options: Unpack[Options],
) -> Verification:
    """Compare the store `to` with what `sets` publish, or check one store by itself: `transload verify`.

    Without `to`, `sets` is one store (`bundle:NAME`, `oci:DIR`, `archive:FILE`, or the path of one): its own content is
    proved; of a bundle every byte is read, of others with `deep`. With `to`, each image's digest is compared with the
    source's, every manifest is read at the target and every blob asked for; with `deep` read and hashed.

    The result has a proof for each image with its verdict (`identical`, `sound`, `differs`, `absent`, `damaged`,
    `unproved`, `unchecked`); `result.good` is whether all of it is proved. What is wrong with images is never raised.
    Raises what concerns the whole: `UsageError`, `SelectionEmpty`, `Unreachable`, `BundleUnsigned`, …; the parameters
    are those of `mirror` and `push`.
    """
    words = arguments.texts("sets", sets)
    carried = Carried(arguments.paths("volumes", volumes), arguments.path_if_any("key", key))
    place = only_store(words, carried, alone=to is None)
    means = Means.of(options, key=carried.key, volumes=carried.folders)
    if to is None:
        if place is None:
            raise UsageError("verify has nothing to compare", hint="give to=, or one store: oci:DIR, bundle:NAME")
        with at_work(means) as work:
            return check_alone(open_carried(place, work.stores), deep, work.cancellation, work.stores.working)
    source = place or arguments.store_if_any("origin", origin)
    if place is None:
        carried.demand_signature(source)
    job = Job(
        sets=() if place else words,
        target=arguments.store("to", to),
        origin=source,
        tag=arguments.text_if_any("tag", tag),
        target_tag=target_tag,
        images=arguments.images(images),
        platforms=arguments.platforms(platforms),
        referrers=referrers,
        foreign_layers=foreign_layers,
        allow_missing=allow_missing,
        flatten=flatten,
    )
    with at_work(means) as work:
        store = open_carried(place, work.stores) if place else None
        return check_against_source(job, work.stores, deep, work.cancellation, store)
