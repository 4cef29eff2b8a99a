"""Finding out before a long run whether it will work."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Unpack

from transload.app.check.run import Check, CheckOptions, less_patient
from transload.app.check.watch import Watch
from transload.app.job import Job
from transload.app.network import Network
from transload.app.settings import read_environment
from transload.oci import Platform
from transload.planning import Narrowing
from transload.report.checkup import Checkup
from transload.threads import Cancellation
from transload.values import evolve
from transload.verbs import arguments
from transload.verbs.means import Means, Options, at_work


def check(
    target: str,
    sets: str | Path | Iterable[str | Path] = (),
    *,
    origin: str | None = None,
    deep: bool = False,
    probe_bytes: int | None = None,
    budget_s: float = 60,
    tag: str | None = None,
    target_tag: str | None = None,
    images: Iterable[str] | None = None,
    platforms: str | Platform | Iterable[str | Platform] = (),
    narrowing: str | Narrowing = Narrowing.REWRITTEN,
    referrers: arguments.ReferrersArgument = None,
    foreign_layers: bool = False,
    allow_missing: bool = False,
    discover: bool = False,
    flatten: bool = False,
    **options: Unpack[Options],
) -> Checkup:
    """Find out whether a run to the store `target` would work: `transload check` of the command line.

    With `sets` (or `origin`), its sources are asked too, uploads are tried in its very repositories, and the time that
    it takes is estimated. Nothing is left behind. `deep` also stores tiny images for a moment; `probe_bytes` is how
    much of a large body is really sent, instead of only announced; `budget_s` is the time for all questions, in
    seconds, without that for planning the set. The other parameters are those of `mirror`.

    What is wrong is never raised, but a point of the result with the verdict `problem`; `result.works` is whether there
    is none. What could not be found out has the verdict `unknown`. What is remembered about the registry is corrected.

    Raises `UsageError`, `ReferenceInvalid` for a text that is no store or no set, `TypeError`, `Interrupted`.
    """
    place, words = arguments.store("target", target), arguments.texts("sets", sets)
    source = arguments.store_if_any("origin", origin)
    job = Job(
        sets=words,
        target=place,
        origin=source,
        tag=arguments.text_if_any("tag", tag),
        target_tag=arguments.text_if_any("target_tag", target_tag),
        images=arguments.images(images),
        platforms=arguments.platforms(platforms),
        narrowing=arguments.narrowing(narrowing),
        referrers=arguments.referrers(referrers),
        foreign_layers=foreign_layers,
        allow_missing=allow_missing,
        discover=discover,
        flatten=flatten,
    )
    means = Means.of(options)
    watch = Watch(Cancellation.within(means.cancellation or Cancellation()), budget_s)
    environment = means.environment or read_environment()
    hurried = evolve(
        means,
        cancellation=watch.cancellation,
        environment=environment,
        network=less_patient(means.network or Network()),
    )
    wishes = CheckOptions(deep=deep, probe_bytes=probe_bytes)
    with at_work(hurried) as work:
        wanted = job if words or source else None
        asked = Check(place, wanted, stores=work.stores, environment=environment, watch=watch, options=wishes)
        return asked.run()
