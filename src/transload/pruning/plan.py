"""Decides what a prune deletes: names by the rule, and what nothing that stays needs then. Pure.

Invariants of a plan:
1. whatever a remaining name leads to stays: its manifest, the children of an index, what a manifest refers to
   (`subject`), and whatever refers to one of these: signatures, attestations, lists of referrers;
2. only what hangs from a name that goes is deleted; anything else stays, even if nothing needs it;
3. bytes count once, however many names and repositories lead to them, and only if nothing that stays needs them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from transload.errors import TransloadError
from transload.oci import Digest, Name
from transload.pruning.held import Held, Pool, by_beginning, companion_of
from transload.values import evolve, field, frozen

Reasons = Mapping[Name, str]
"""Names that a rule lets go, each with the reason in a few words."""

_WITH_IT = "it belongs to what goes"


@frozen(kw_only=True)
class GoingName:
    """A tag that goes, or an image without one. `why`: the rule's reason.

    `only_name`: other names, or images that stay, need its manifest, so that one stays. `frees` is the content below
    it that nothing needs any more; other names that go may lead to the same.
    """

    name: Name
    digest: Digest
    why: str
    only_name: bool = False
    frees: frozenset[Digest] = field(default=frozenset(), repr=False)


@frozen(kw_only=True)
class LeftName:
    """A name that the rule lets go, and that stays. `why` says what stands in the way.

    `for_good`: the target would answer the next prune in the same way, since it deletes no tag alone. Such a name keeps
    no byte, for what it stands for is needed anyway.
    """

    name: Name
    why: str
    for_good: bool = False


@frozen(kw_only=True)
class PoolPlan:
    """What goes from one repository, or from a whole folder, whose `repository` is None.

    `manifests` are in the order in which they are deleted: what refers to a manifest before it, an index before its
    children. So a stop in the middle leaves nothing behind that cannot be found again. `bytes` are those that only
    this pool's share frees; what two repositories free together counts in both.
    """

    repository: str | None
    names: tuple[GoingName, ...]
    manifests: tuple[Digest, ...]
    bytes: int = 0


@frozen(kw_only=True)
class PrunePlan:
    """What a prune deletes at `target` (a locator) at and under `prefix`.

    `sizes` has the size in bytes of every manifest and blob that nothing needs any more. `left` are names that would
    go, but something stands in the way. `stays` is how many names stay, `emptied` are the repositories that lose
    every image. `unread` are the repositories of which nothing goes, because a part could not be read; of a folder all
    of it, under an empty name.
    """

    target: str
    prefix: str
    pools: tuple[PoolPlan, ...]
    sizes: Mapping[Digest, int] = field(repr=False)
    left: tuple[LeftName, ...] = ()
    stays: int = 0
    emptied: tuple[str, ...] = ()
    unread: Mapping[str, TransloadError] = field(factory=dict, eq=False)

    @property
    def names(self) -> tuple[GoingName, ...]:
        """Every name that goes."""
        return tuple(going for pool in self.pools for going in pool.names)

    @property
    def bytes(self) -> int:
        """How many bytes nothing needs any more; each manifest and blob counts once."""
        return sum(self.sizes.values())

    def bytes_of(self, names: Iterable[GoingName]) -> int:
        """How many bytes some names free together; each manifest and blob counts once."""
        return sum(self.sizes.get(digest, 0) for digest in frozenset().union(*(name.frees for name in names)))

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to delete."""
        return not self.sizes and not any(pool.names or pool.manifests for pool in self.pools)


def decide(held: Held, reasons: Reasons) -> PrunePlan:
    """What goes when the names in `reasons` go. See the invariants of this module."""
    decided = [decide_pool(pool, reasons) for pool in held.pools]
    sizes = _freed(held, decided)
    pools = tuple(
        PoolPlan(
            repository=pool.repository,
            names=_with_frees(pool, plan, sizes),
            manifests=plan.manifests,
            bytes=sum(sizes.get(digest, 0) for digest in _content(pool, plan.manifests)),
        )
        for pool, plan in zip(held.pools, decided, strict=True)
        if plan.names or plan.manifests
    )
    left = tuple(
        LeftName(name=name, why=f"{pool.trouble}, so nobody knows what is needed there")
        for pool in held.pools
        if pool.trouble is not None
        for name in sorted(reasons.keys() & pool.names.keys())
    )
    going = {name.name for plan in decided for name in plan.names}
    return PrunePlan(
        target=held.target,
        prefix=held.prefix,
        pools=pools,
        sizes={**held.unused, **sizes},
        left=left,
        stays=len(held.names) - len(going),
        emptied=_emptied(held.names, going),
        unread={pool.repository or "": pool.trouble for pool in held.pools if pool.trouble is not None},
    )


def decide_pool(pool: Pool, reasons: Reasons) -> PoolPlan:
    """What goes from one pool: nothing from one of which a part could not be read."""
    graph = _Graph(pool)
    companions = graph.companions
    wanted = {name: digest for name, digest in pool.names.items() if name in reasons and name not in companions}
    if pool.trouble is not None or not wanted:
        return PoolPlan(repository=pool.repository, names=(), manifests=())
    spoken_of = wanted.keys() | companions.keys()
    needed = graph.needed(digest for name, digest in pool.names.items() if name not in spoken_of)
    below = graph.below(wanted.values())
    reached = needed | below
    apart = [name for name, subject in companions.items() if subject not in reached]
    gone = below - needed - graph.needed(pool.names[name] for name in apart)
    with_it = {name: pool.names[name] for name, subject in companions.items() if subject in gone}
    names = tuple(
        GoingName(name=name, digest=digest, why=reasons.get(name, _WITH_IT), only_name=digest not in gone)
        for name, digest in sorted({**wanted, **with_it}.items())
    )
    return PoolPlan(repository=pool.repository, names=names, manifests=graph.ordered(gone))


class _Graph:
    """Which manifests of a pool need which."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self.companions: dict[Name, Digest] = {}
        """The names that only accompany a manifest, and that manifest."""
        self._accompanying: dict[Digest, list[Digest]] = {}
        self._accompanied: dict[Digest, set[Digest]] = {}
        self._referrers: dict[Digest, list[Digest]] = {}
        longer = by_beginning(pool.manifests)
        for name, digest in sorted(pool.names.items()):
            subject = companion_of(name.tag, longer)
            if subject is not None and subject in pool.manifests:
                self.companions[name] = subject
                self._accompanying.setdefault(subject, []).append(digest)
                self._accompanied.setdefault(digest, set()).add(subject)
        for manifest in pool.manifests.values():
            if manifest.subject is not None:
                self._referrers.setdefault(manifest.subject, []).append(manifest.digest)

    def needed(self, roots: Iterable[Digest]) -> set[Digest]:
        """What stays when `roots` stay: they, what they need, and what refers to any of it."""
        return self._reached(roots, with_subjects=True)

    def below(self, roots: Iterable[Digest]) -> set[Digest]:
        """What hangs from `roots`: they, their children, and what refers to any of it; not what they refer to."""
        return self._reached(roots, with_subjects=False) & self._pool.manifests.keys()

    def _reached(self, roots: Iterable[Digest], *, with_subjects: bool) -> set[Digest]:
        reached: set[Digest] = set()
        waiting = list(roots)
        while waiting:
            digest = waiting.pop()
            if digest in reached:
                continue
            reached.add(digest)
            waiting += self._attached(digest)
            manifest = self._pool.manifests.get(digest)
            if manifest is not None:
                waiting += manifest.children
                waiting += [manifest.subject] if with_subjects and manifest.subject else []
        return reached

    def _attached(self, digest: Digest) -> list[Digest]:
        """What refers to a manifest: by a tag made from its digest, or as its subject."""
        return [*self._accompanying.get(digest, ()), *self._referrers.get(digest, ())]

    def ordered(self, gone: set[Digest]) -> tuple[Digest, ...]:
        """`gone` in the order of deleting: what is attached to a manifest before it, an index before its children.

        An image and all that hangs from it stay together, so that a stop in the middle leaves few of them half gone.
        """
        after = {digest: self._after(digest, gone) for digest in gone}
        waits = Counter(later for digests in after.values() for later in digests)
        ready = sorted((digest for digest in gone if not waits[digest]), reverse=True)
        ordered: dict[Digest, None] = {}
        while ready:
            digest = ready.pop()
            ordered[digest] = None
            for later in sorted(after[digest], reverse=True):
                waits[later] -= 1
                if not waits[later]:
                    ready.append(later)
        rest = sorted(gone - ordered.keys())  # tags made from digests can lead in a circle
        return (*ordered, *rest)

    def _after(self, digest: Digest, gone: set[Digest]) -> set[Digest]:
        """What is deleted only after this manifest."""
        manifest = self._pool.manifests[digest]
        subjects = {manifest.subject} if manifest.subject else set()
        later = {*manifest.children, *subjects, *self._accompanied.get(digest, ())}
        return (later & gone) - {digest}


def _with_frees(pool: Pool, plan: PoolPlan, sizes: Mapping[Digest, int]) -> tuple[GoingName, ...]:
    graph, gone = _Graph(pool) if plan.names else None, set(plan.manifests)
    return tuple(
        evolve(name, frees=frozenset(_content(pool, graph.below([name.digest]) & gone) & sizes.keys()))
        for name in plan.names
        if graph is not None
    )


def _content(pool: Pool, manifests: Iterable[Digest]) -> set[Digest]:
    """These manifests, and the blobs that they need."""
    held = [pool.manifests[digest] for digest in manifests if digest in pool.manifests]
    return {manifest.digest for manifest in held} | {blob for manifest in held for blob in manifest.blobs}


def _freed(held: Held, decided: Iterable[PoolPlan]) -> dict[Digest, int]:
    """The sizes of what nothing needs any more, in any pool."""
    going: dict[Digest, int] = {}
    needed: set[Digest] = set()
    for pool, plan in zip(held.pools, decided, strict=True):
        gone = set(plan.manifests)
        needed |= _content(pool, pool.manifests.keys() - gone)
        for digest in plan.manifests:
            going[digest] = pool.manifests[digest].size
            going.update(pool.manifests[digest].blobs)
    return {digest: size for digest, size in going.items() if digest not in needed}


def _emptied(names: Iterable[Name], going: set[Name]) -> tuple[str, ...]:
    """The repositories of which every image goes."""
    stays = {name.repository for name in names if name not in going}
    return tuple(sorted({name.repository for name in going} - stays))
