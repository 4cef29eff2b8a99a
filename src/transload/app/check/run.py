"""Runs a check: the way to the target, the set and its sources, and what the target takes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from transload.app.baseline import far_side
from transload.app.check import images as trials
from transload.app.check import uploads
from transload.app.check.local import local_points
from transload.app.check.login import login_points
from transload.app.check.sources import download_speed, image_points, ranges, sample
from transload.app.check.uploads import Wish, push_points, upload_points, upload_speed
from transload.app.check.watch import Watch
from transload.app.check.way import Way, after_asking, before_asking, not_reached
from transload.app.job import Job
from transload.app.location import Location
from transload.app.mirror import Prepared, check_anything_published, prepare, request_of
from transload.app.network import Network
from transload.app.remembered import in_a_sentence
from transload.app.selection import select
from transload.app.settings import Environment
from transload.app.stores import Stores
from transload.clock import SYSTEM_CLOCK
from transload.errors import AccessError, Interrupted, ReadOnly, Side, TransloadError, Unreachable, UsageError
from transload.events import Progressed
from transload.inventory.inventory import InventoryTarget
from transload.planning import Narrowing, make_plan
from transload.registry.known import Finding, KnownRegistries, registry_key
from transload.registry.store import RegistryStore
from transload.report.checkup import CheckPoint, Checkup
from transload.report.texts import instant
from transload.values import evolve, frozen

PROBED = "transload-check"
"""The repository below the prefix in which things are tried, if no set names one."""
_AFTER_PUSH = ("paths", *uploads.ASPECTS, *trials.ASPECTS, "upload speed")
_STALL_S, _GIVE_UP_S = 10.0, 15.0
_SHORTEST_S = 1.0
_DAY = len("2026-11-26")
_NO_TIME = "there was no time left to find out (--timeout)"


@frozen(kw_only=True)
class CheckOptions:
    """How far a check goes.

    `deep` stores tiny images for a moment. `probe_bytes` is how much of a large body is really sent (None: it is only
    announced).
    """

    deep: bool = False
    probe_bytes: int | None = None


def less_patient(network: Network) -> Network:
    """The settings of connections for a check: a host that does not answer is a finding, not something to wait for."""
    return evolve(
        network,
        stall_timeout_s=min(network.stall_timeout_s, _STALL_S),
        give_up_after_s=min(network.give_up_after_s, _GIVE_UP_S),
    )


class Check:
    """One check of `target`. `stores` must use the cancellation of `watch`. `job` is the set, None without one."""

    def __init__(
        self,
        target: Location,
        job: Job | None,
        *,
        stores: Stores,
        environment: Environment,
        watch: Watch,
        options: CheckOptions,
    ) -> None:
        self._target = target
        self._job = job
        self._stores = stores
        self._environment = environment
        self._watch = watch
        self._options = options
        self._points: list[CheckPoint] = []
        self._prepared: Prepared | None = None

    def run(self) -> Checkup:
        """Find out everything. What is wrong is a point, not an error.

        Raises `UsageError` for a set that is written wrongly, `Interrupted` if the user ends it.
        """
        if self._target.kind == "registry":
            self._registry()
        else:
            self._points += local_points(self._target, self._needed, SYSTEM_CLOCK)
        self._sources()
        return self._checkup()

    def _needed(self) -> int | None:
        """How many bytes the set would bring, once it is planned."""
        self._plan()
        return self._prepared.plan.copied.bytes if self._prepared else None

    # --- a registry as the target

    def _registry(self) -> None:
        store = self._stores.target(self._target)
        if not isinstance(store, RegistryStore):
            raise TypeError(f"{self._target} is not a registry")
        way = self._reached(store, "target", self._probed())
        self._plan()
        if way is None:
            reason = "the login failed" if self._failed_at("login", store) else "the registry was not reached"
            self._unknown(store.locator, ("push", *_AFTER_PUSH), reason)
            return
        wish = self._wish()
        with self._watch.asking():
            before = len(self._points)
            self._add(way, "push", lambda: push_points(way, wish))
            if any(point.verdict != "ok" for point in self._points[before:]):
                self._unknown(store.locator, _AFTER_PUSH, "nothing can be uploaded")
            else:
                self._uploads(way, wish)
        self._remembered(way)

    def _failed_at(self, aspect: str, store: RegistryStore) -> bool:
        points = (point for point in self._points if point.store == store.locator)
        return any(point.aspect == aspect and point.verdict == "problem" for point in points)

    def _uploads(self, way: Way, wish: Wish) -> None:
        for aspect, call in zip(uploads.ASPECTS, upload_points(way, wish), strict=True):
            self._add(way, aspect, partial(_only, call))
        repository = wish.repositories[0]
        taken = [int(point.facts["taken_bytes"]) for point in self._points if point.facts.get("taken_bytes")]
        if taken:
            self._add(way, "upload speed", partial(_only, partial(upload_speed, way, repository, taken[-1])))
        else:
            self._unknown(way.store.locator, ("upload speed",), "it is not known how large a body may be")
        if not self._options.deep:
            self._not_deep(way)
            return
        second = wish.repositories[1] if len(wish.repositories) > 1 else None
        trial = trials.Trial(way, repository, second, self._demands())
        for aspect, call in zip(("manifests", "sparse", "ranges", "mounts"), trial.points(), strict=True):
            self._add(way, aspect, partial(_only, call))
        self._points.append(trial.clear())

    def _demands(self) -> trials.Demands:
        """What the set needs of the registry."""
        plan, sparse = self._prepared.plan if self._prepared else None, False
        if self._job is not None and self._job.platforms:
            sparse = self._job.narrowing is Narrowing.SPARSE
        types = {manifest.media_type for manifest in plan.manifests.values()} if plan else set()
        return trials.Demands(frozenset(types), sparse)

    def _not_deep(self, way: Way) -> None:
        """What an earlier run found out; the rest is not known."""
        findings = self._findings(way)
        for aspect in trials.ASPECTS:
            finding = findings.get(aspect)
            if finding is None:
                self._unknown(
                    way.store.locator, (aspect,), "only --deep tries it, with tiny images that it deletes again"
                )
            else:
                found = f"the registry {in_a_sentence(aspect, finding)}, as found on {instant(finding.learnt_s)[:_DAY]}"
                self._points.append(way.point(aspect, "ok", found, value=finding.value))

    def _findings(self, way: Way) -> dict[str, Finding]:
        plain = way.origin.scheme == "http" and way.settings.permits_plain(way.origin)
        return KnownRegistries(self._environment.state).of(registry_key(way.store.locator, plain=plain))

    def _remembered(self, way: Way) -> None:
        findings = self._findings(way)
        if findings:
            oldest = instant(min(finding.learnt_s for finding in findings.values()))[:_DAY]
            told = "; ".join(in_a_sentence(name, finding) for name, finding in findings.items())
            found = f"the registry {told} (learnt by earlier runs, since {oldest})"
            advice = f"to learn them again: transload forget {way.store.locator}"
            values = {name: finding.value for name, finding in findings.items()}
            self._points.append(way.point("remembered", "ok", found, advice, findings=values))

    def _probed(self) -> str:
        return f"{self._target.prefix}/{PROBED}" if self._target.prefix else PROBED

    def _wish(self) -> Wish:
        plan = self._prepared.plan if self._prepared else None
        steps = list(plan.blob_steps()) if plan else []
        names = [step.repository for step in plan.steps if hasattr(step, "repository")] if plan else []
        names += [image.target.repository for image in plan.images if image.error is None] if plan else []
        repositories = tuple(dict.fromkeys(filter(None, names))) or (self._probed(),)
        sizes = [step.descriptor.size for step in steps if step.origin is None]
        return Wish(repositories, max(sizes, default=None), self._options.probe_bytes)

    # --- the set and its sources

    def _plan(self) -> None:
        """Plan the set as `transload plan` does. What prevents it is a point, but not a set that is written wrongly."""
        if self._job is None:
            return
        try:
            self._prepared = self._planned(self._job)
        except Interrupted as error:
            self._watch.check_user(error)
            self._unknown("the set", ("images",), _NO_TIME)
        except UsageError:
            raise
        except TransloadError as error:
            store = self._target.locator if error.side == "target" else "the set"
            self._points.append(CheckPoint.failed("images", store, error))

    def _planned(self, job: Job) -> Prepared:
        cancellation = self._watch.cancellation
        if job.target.kind != "bundle":
            return prepare(job, self._stores, cancellation)
        selection = select(job, self._stores, cancellation)
        far = InventoryTarget(far_side(None, None))
        plan = make_plan(
            request_of(job, selection), selection.sources, far, cancellation=cancellation, working=self._stores.working
        )
        check_anything_published(selection, plan)
        return Prepared(plan=plan, sources=selection.sources, target=far, location=job.target)

    def _sources(self) -> None:
        if self._prepared is None:
            return
        for locator, source in self._prepared.sources.items():
            step = sample(self._prepared, locator)
            if isinstance(source, RegistryStore):
                self._reached(source, "source", step.source_repository if step else "")
            self._points += image_points(self._prepared, locator)
            if step is not None:
                with self._watch.asking():
                    measured = partial(download_speed, source, step, SYSTEM_CLOCK)
                    self._add_to(locator, "download speed", partial(_only, measured))
                point = ranges(source)
                self._points += [point] if point else []

    # --- what both sides have

    def _reached(self, store: RegistryStore, side: Side, repository: str) -> Way | None:
        """The way to a registry, with its points; None if it cannot be used."""
        with self._watch.asking():
            try:
                way = Way(
                    store=store,
                    origin=store.origin,
                    settings=self._stores.http.settings,
                    environment=self._environment,
                    clock=SYSTEM_CLOCK,
                )
            except TransloadError as error:
                self._points.append(CheckPoint.failed("connection", store.locator, error))
                return None
            self._add(way, "name", lambda: before_asking(way))
            began_s = SYSTEM_CLOCK.wall_s()
            try:
                greeting = store.probes.greet()
            except Interrupted as error:
                self._watch.check_user(error)
                late = Unreachable(f"{store.locator} gave no whole answer in time", hint="allow more with --timeout")
                self._points.append(not_reached(way, late))
                return None
            except TransloadError as error:
                self._points.append(not_reached(way, error))
                return None
            asked_s = (began_s + SYSTEM_CLOCK.wall_s()) / 2
            self._add(way, "connection", lambda: after_asking(way, greeting, asked_s))
            self._add(way, "login", lambda: login_points(way, greeting, self._stores, side, repository))
            return None if self._is_stuck() else way

    def _is_stuck(self) -> bool:
        return self._points[-1].verdict == "problem"

    def _add(self, way: Way, aspect: str, points: Callable[[], Iterator[CheckPoint]]) -> None:
        self._add_to(way.store.locator, aspect, points)

    def _add_to(self, store: str, aspect: str, points: Callable[[], Iterator[CheckPoint]]) -> None:
        """Add points; what could not be asked is not known."""
        self._stores.working(Progressed("checking", len(self._points)))
        try:
            self._points += points()
        except Interrupted as error:
            self._watch.check_user(error)
            self._unknown(store, (aspect,), _NO_TIME)
        except (AccessError, ReadOnly) as error:  # also a full disk there: a run would end with it
            self._points.append(CheckPoint.failed(aspect, store, error))
        except TransloadError as error:
            self._unknown(store, (aspect,), f"it could not be tried: {error}")

    def _unknown(self, store: str, aspects: tuple[str, ...], reason: str) -> None:
        self._points += [CheckPoint(aspect=aspect, verdict="unknown", store=store, found=reason) for aspect in aspects]

    def _checkup(self) -> Checkup:
        plan = self._prepared.plan if self._prepared else None
        rates = [
            point.facts["bytes_per_s"]
            for point in self._points
            if point.aspect in {"upload speed", "download speed", "writing"} and point.facts.get("bytes_per_s")
        ]
        copied = plan.copied.bytes if plan else None
        slowest = min(rates) if rates else None
        estimate_s = max(copied / slowest, _SHORTEST_S) if copied and slowest else None
        return Checkup(
            target=str(self._target),
            points=tuple(self._points),
            images=sum(bool(image.goals) for image in plan.images) if plan else None,
            bytes=copied,
            estimate_s=estimate_s,
        )


def _only(call: Callable[[], CheckPoint]) -> Iterator[CheckPoint]:
    yield call()
