"""Deletes at a target what the plan of a prune shows, and nothing else.

Before a repository of a registry is changed, its tags are looked up again. What has moved since it was shown stays,
and so does what something new needs. A folder is changed in one pass, under its lock.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

from transload.errors import (
    HostGivenUp,
    Interrupted,
    NotFound,
    OutOfBytes,
    ReadOnly,
    Refused,
    TransloadError,
    as_result,
)
from transload.events import ActivityListener, Counting, ignore
from transload.oci import Digest, Name
from transload.ports import Deletes, Prunes, Target
from transload.pruning.held import Held, Pool
from transload.pruning.plan import GoingName, LeftName, PoolPlan, PrunePlan, decide_pool
from transload.pruning.reading import Reading
from transload.report import exitcodes
from transload.report.pruned import errors_json, left_json, plan_json
from transload.threads import Cancellation, in_parallel
from transload.values import field, frozen

_THREADS = 8


@frozen(kw_only=True)
class PruneResult:
    """What a prune has done. `plan` is what was shown.

    `deleted` are the names that are gone, `manifests` the number of manifests. `left` are names that were to go and
    stayed, each with the reason. `errors` are those of names that could not be deleted. Nothing was deleted if
    `applied` is False. `ended_by` ended it early: the same command goes on. `notes` say where the bytes are freed.
    """

    plan: PrunePlan
    applied: bool = False
    deleted: tuple[Name, ...] = ()
    manifests: int = 0
    left: tuple[LeftName, ...] = ()
    errors: Mapping[Name, TransloadError] = field(factory=dict, eq=False)
    ended_by: TransloadError | None = field(default=None, eq=False)
    notes: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        """0 if all went that can go, or was only shown; 10 if something else stayed; else the code of what failed."""
        codes = [error.exit_code for error in (*self.plan.unread.values(), *self.errors.values())]
        code = exitcodes.of_run(codes, self.ended_by.exit_code if self.ended_by else None)
        may_go_later = any(not name.for_good for name in self.left)
        return code or (OutOfBytes.exit_code if may_go_later and self.applied else 0)

    @property
    def stayed(self) -> tuple[LeftName, ...]:
        """Names that were shown, and that stayed: because something has changed, or because of an error."""
        failed = (LeftName(name=name, why=str(error)) for name, error in self.errors.items())
        return (*(name for name in self.left if name not in self.plan.left), *failed)

    def to_json(self) -> dict[str, Any]:
        """As in docs/formats/json-output.md."""
        return {
            **plan_json(self.plan),
            "applied": self.applied,
            "deleted": [str(name) for name in self.deleted],
            "deleted_manifests": self.manifests,
            "left": left_json(self.left if self.applied else self.plan.left),
            "errors": errors_json(self.errors),
            "notes": list(self.notes),
        }


@frozen
class Pruning:
    """A target that was read, what it holds, and what goes by the rule."""

    store: Target
    reading: Reading
    held: Held
    plan: PrunePlan


def delete(pruning: Pruning, cancellation: Cancellation, working: ActivityListener = ignore) -> PruneResult:
    """Delete what the plan of `pruning` shows. What fails or has changed is told in the result.

    Raises `ReadOnly` if the target deletes nothing, and for a folder what `transload.ports.Prunes.prune` raises.
    """
    if pruning.plan.is_empty:
        return PruneResult(plan=pruning.plan, applied=True, left=pruning.plan.left)
    prunes: Prunes | None = getattr(pruning.store, "prunes", None)
    if prunes is not None:
        return _in_one_pass(pruning.plan, prunes)
    deletes: Deletes | None = getattr(pruning.store, "deletes", None)
    if deletes is None:
        raise ReadOnly(f"{pruning.store.locator} deletes nothing", subject=pruning.store.locator)
    doing = _Doing(pruning, deletes, cancellation, Counting(working, "deleting"))
    try:
        in_parallel(doing.clear, pruning.plan.pools, _THREADS, cancellation)
    except (Interrupted, HostGivenUp) as error:
        return doing.result(as_result(error))
    return doing.result(None)


def _in_one_pass(plan: PrunePlan, prunes: Prunes) -> PruneResult:
    pruned = prunes.prune({going.name: going.digest for going in plan.names}, plan.sizes)
    deleted = [
        going
        for going in plan.names
        if going.name in pruned.names or (not going.name.tag and going.digest in pruned.content)
    ]
    stays = "it has changed since it was shown"
    return PruneResult(
        plan=plan,
        applied=True,
        deleted=tuple(going.name for going in deleted),
        manifests=len({digest for pool in plan.pools for digest in pool.manifests} & pruned.content.keys()),
        left=(*plan.left, *(LeftName(name=going.name, why=stays) for going in plan.names if going not in deleted)),
    )


class _Doing:
    """Deletes at a registry, repository by repository. Safe for threads."""

    def __init__(self, pruning: Pruning, deletes: Deletes, cancellation: Cancellation, counting: Counting) -> None:
        self._pruning = pruning
        self._deletes = deletes
        self._cancellation = cancellation
        self._counting = counting
        self._pools = {pool.repository: pool for pool in pruning.held.pools}
        self._lock = threading.Lock()
        self._deleted: list[Name] = []
        self._manifests = 0
        self._left: list[LeftName] = []
        self._errors: dict[Name, TransloadError] = {}

    def result(self, ended_by: TransloadError | None) -> PruneResult:
        """What was done so far."""
        return PruneResult(
            plan=self._pruning.plan,
            applied=True,
            deleted=tuple(sorted(self._deleted)),
            manifests=self._manifests,
            left=(*self._pruning.plan.left, *sorted(self._left, key=lambda left: left.name)),
            errors=dict(sorted(self._errors.items())),
            ended_by=ended_by,
        )

    def clear(self, shown: PoolPlan) -> None:
        """Delete what was shown of one repository, as far as it may still go."""
        now = self._pruning.reading.again(self._pools[shown.repository])
        if now.trouble is not None:
            self._fail(shown.names, now.trouble)
            return
        still = [going for going in shown.names if self._stands(going, now)]
        again = decide_pool(now, {going.name: going.why for going in still})
        with_manifest = {going.name for going in again.names if not going.only_name}
        for going in still:
            if going.only_name:
                self._guarded([going], partial(self._delete_name, going, now))
            elif going.name not in with_manifest:
                self._leave(going, "something that is new there needs its manifest")
        by_digest: dict[Digest, list[GoingName]] = {}
        for going in still:
            by_digest.setdefault(going.digest, []).append(going)
        allowed = set(again.manifests)
        for digest in shown.manifests:
            if digest in allowed:
                self._delete(digest, by_digest.get(digest, []), shown.repository or "")

    def _stands(self, going: GoingName, now: Pool) -> bool:
        """Whether a name still stands for what was shown. One that is gone counts as deleted."""
        if going.name not in now.names:
            self._done([going])
        elif now.names[going.name] != going.digest:
            self._leave(going, _moved(now.names[going.name]))
        else:
            return True
        return False

    # --- one tag, one manifest

    def _delete_name(self, going: GoingName, now: Pool) -> None:
        """Delete a tag and nothing else. A registry that deletes the manifest with it gets it back, with other tags."""
        store = self._pruning.store
        manifest = store.fetch(going.name.at(going.digest))
        try:
            self._deletes.delete_manifest(going.name)
        except Refused as error:
            others = [name for name, digest in now.names.items() if digest == going.digest and name != going.name]
            lost = [name for name in (going.name.at(going.digest), *others) if not self._is_there(name)]
            for name in lost:
                store.put_manifest(name, manifest)
            if not lost:
                self._leave(going, f"{error}; its manifest is still needed", for_good=True)
                return
        self._done([going])

    def _delete(self, digest: Digest, names: list[GoingName], repository: str) -> None:
        """Delete a manifest, which takes its tags away. They are looked up once more before."""
        if self._cancellation.cancelled:
            raise Interrupted("interrupted")
        moved = {going.name: now for going in names if (now := self._digest_of(going.name)) not in {None, digest}}
        for going in names:
            if going.name in moved:
                self._leave(going, _moved(moved[going.name]))
        rest = [going for going in names if going.name not in moved]
        self._guarded(rest, partial(self._delete_manifest, Name(repository, None, digest), rest))

    def _delete_manifest(self, name: Name, names: list[GoingName]) -> None:
        with contextlib.suppress(NotFound):  # somebody else has deleted it
            self._deletes.delete_manifest(name)
        with self._lock:
            self._manifests += 1
        self._counting.add()
        self._done(names)

    def _guarded(self, names: list[GoingName], delete: Callable[[], None]) -> None:
        """Call `delete`; what fails is kept as the error of these names."""
        try:
            delete()
        except (Interrupted, HostGivenUp, ReadOnly):
            raise
        except TransloadError as error:
            self._fail(names, error)

    def _digest_of(self, name: Name) -> Digest | None:
        try:
            return self._pruning.store.resolve(name).digest
        except NotFound:
            return None

    def _is_there(self, name: Name) -> bool:
        return self._digest_of(name) is not None

    # --- what became of it

    def _done(self, names: Iterable[GoingName]) -> None:
        with self._lock:
            self._deleted += [going.name for going in names]

    def _leave(self, going: GoingName, why: str, *, for_good: bool = False) -> None:
        with self._lock:
            self._left.append(LeftName(name=going.name, why=why, for_good=for_good))

    def _fail(self, names: Iterable[GoingName], error: TransloadError) -> None:
        with self._lock:
            self._errors |= {going.name: as_result(error) for going in names}


def _moved(now: Digest) -> str:
    return f"it stands for another image now: {now.short}"
