"""Reads what a target holds, for pruning: repositories, tags, manifests, and who refers to what goes.

What cannot be read is a trouble of its pool, from which nothing is deleted then.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import TypeVar

from transload.errors import HostGivenUp, Interrupted, LimitExceeded, NotFound, TransloadError, as_result
from transload.events import ActivityListener, Counting, ignore
from transload.limits import INDEX_DEPTH, RUN_MANIFESTS_BYTES
from transload.oci import Digest, Name
from transload.ports import Refers, Target
from transload.pruning.held import Held, HeldManifest, Pool
from transload.threads import Cancellation, in_parallel
from transload.values import evolve
from transload.wording import in_words

Question = TypeVar("Question")
Answer = TypeVar("Answer")


class Reading:
    """Reads one target. Each manifest is read once; a second look at a repository only asks for its tags again."""

    def __init__(
        self,
        store: Target,
        *,
        threads: int = 8,
        cancellation: Cancellation | None = None,
        working: ActivityListener = ignore,
    ) -> None:
        self._store = store
        self._threads = threads
        self._cancellation = cancellation or Cancellation()
        self._working = working
        self._known: dict[Digest, HeldManifest] = {}
        self._weight = 0
        self._lock = threading.Lock()

    def held(self, prefix: str = "", repositories: Iterable[str] | None = None) -> Held:
        """What the store holds at and under `prefix`, or in these repositories (full names). All of a folder is read.

        It costs one question per repository, one per tag, and one per child manifest that no tag stands for. Raises
        `Refused` for a store without a list, `Interrupted`, and the first error if no repository can be read at all.
        """
        listed = repositories if repositories is not None and self._apart else self._store.repositories()
        names = sorted({name for name in listed if not prefix or f"{name}/".startswith(f"{prefix}/")})
        counting = Counting(self._working, "listing")
        pools = [self._pool(name, counting) for name in names] if self._apart else [self._whole(names, counting)]
        pools = [pool for pool in pools if pool.names or pool.manifests or pool.trouble]
        troubles = [pool.trouble for pool in pools if pool.trouble]
        if troubles and not any(pool.names for pool in pools):
            raise troubles[0]
        return Held(target=self._store.locator, prefix=prefix, pools=tuple(pools), unused=self._unfinished())

    def again(self, pool: Pool) -> Pool:
        """A repository as it is now: its tags are asked for again, and what is new in it is read."""
        now = self._pool(pool.repository or "", Counting(ignore, "listing"))
        return now.with_manifests(pool.manifests.values())

    @property
    def _apart(self) -> bool:
        return self._store.blobs_per_repository

    def with_referrers(self, held: Held, names: Iterable[Name]) -> Held:
        """`held`, with what refers to the manifests of `names`, to their children, and to that in turn.

        It costs one question per manifest that goes; where one of them has a referrer, one per manifest that stays too.
        """
        wanted = set(names)
        return evolve(held, pools=tuple(self._with_referrers(pool, wanted) for pool in held.pools))

    def unused(self, held: Held, older_than_s: float) -> dict[Digest, int]:
        """Content of a folder, with its sizes in bytes, that no image needs and nobody has written to for so long.

        Empty if something could not be read, and for a registry, which does not say what it stores.
        """
        prunes = getattr(self._store, "prunes", None)
        if prunes is None or any(pool.trouble for pool in held.pools):
            return {}
        manifests = [manifest for pool in held.pools for manifest in pool.manifests.values()]
        needed = {digest for manifest in manifests for digest in (manifest.digest, *manifest.blobs)}
        return {digest: size for digest, size in prunes.stored(older_than_s).items() if digest not in needed}

    # --- one pool

    def _pool(self, repository: str, counting: Counting) -> Pool:
        """One repository of a registry."""
        try:
            tags = [Name(repository, tag) for tag in self._store.tags(repository)]
        except NotFound:
            tags = []
        except (Interrupted, HostGivenUp):
            raise
        except TransloadError as error:
            return Pool(repository=repository, names={}, manifests={}, trouble=as_result(error))
        return self._read(repository, tags, counting)

    def _whole(self, repositories: list[str], counting: Counting) -> Pool:
        """A folder, in which all repositories share one pool."""
        lists, prunes = getattr(self._store, "lists", None), getattr(self._store, "prunes", None)
        tags = [Name(repository, tag) for repository in repositories for tag in self._store.tags(repository)]
        pool = self._read(None, [*tags, *(lists.untagged() if lists else ())], counting)
        return self._completed(pool, "", prunes.listed() if prunes else ())

    def _read(self, repository: str | None, names: Iterable[Name], counting: Counting) -> Pool:
        """A pool with these names, and all that they lead to."""
        listed = list(dict.fromkeys(names))
        answers = self._ask(counting.around(self._resolved), listed)
        pairs = list(zip(listed, answers, strict=True))
        held = {name: answer.digest for name, answer in pairs if isinstance(answer, HeldManifest)}
        manifests = {answer.digest: answer for answer in answers if isinstance(answer, HeldManifest)}
        pool = Pool(repository=repository, names=held, manifests=manifests, trouble=_trouble(answers))
        return self._completed(pool, repository or "", ())

    def _completed(self, pool: Pool, repository: str, more: Iterable[Digest]) -> Pool:
        """The pool with `more` manifests, and the children of all. A child that is not there is not held."""
        asked = {*more, *(child for manifest in pool.manifests.values() for child in manifest.children)}
        for _ in range(INDEX_DEPTH + 1):
            names = [Name(repository, None, digest) for digest in sorted(asked - pool.manifests.keys())]
            if not names:
                return pool
            answers = self._ask(self._fetched, names)
            read = [answer for answer in answers if isinstance(answer, HeldManifest)]
            pool = evolve(pool.with_manifests(read), trouble=pool.trouble or _trouble(answers))
            asked = {child for manifest in read for child in manifest.children}
        return evolve(pool, trouble=LimitExceeded(f"indexes are nested deeper than {INDEX_DEPTH}"))

    def _with_referrers(self, pool: Pool, wanted: set[Name]) -> Pool:
        going = {digest for name, digest in pool.names.items() if name in wanted} & pool.manifests.keys()
        if self._store.refers is None or pool.repository is None:  # a folder lists those that refer
            return pool
        completed = self._referrers_of(pool, going)
        if completed.manifests.keys() == pool.manifests.keys():
            return completed
        return self._referrers_of(completed, set(completed.manifests))  # those that stay may share blobs with them

    def _referrers_of(self, pool: Pool, digests: set[Digest]) -> Pool:
        """The pool, with what refers to these manifests and to their children, and to that in turn."""
        refers, repository = self._store.refers, pool.repository or ""
        asked: set[Digest] = set()
        for _ in range(INDEX_DEPTH + 1):
            children = {child for digest in digests for child in pool.manifests[digest].children}
            digests |= children & pool.manifests.keys()
            new = sorted(digests - asked)
            if not new or refers is None:
                return pool
            asked |= digests
            answers = self._ask(partial(_referrers, refers, repository), new)
            found = {digest for answer in answers if isinstance(answer, tuple) for digest in answer}
            pool = evolve(pool, trouble=pool.trouble or _trouble(answers))
            pool = self._completed(pool, repository, found)
            digests |= found & pool.manifests.keys()
        return evolve(pool, trouble=LimitExceeded(f"what refers to an image is nested deeper than {INDEX_DEPTH}"))

    # --- questions

    def _resolved(self, name: Name) -> HeldManifest:
        """What a tag stands for. A manifest that is known is not read again."""
        if self._known and name.digest is None:
            known = self._known.get(self._store.resolve(name).digest)
            if known is not None:
                return known
        return self._fetched(name)

    def _fetched(self, name: Name) -> HeldManifest:
        known = self._known.get(name.digest) if name.digest else None
        if known is not None:
            return known
        manifest = HeldManifest.of(self._store.fetch(name))
        with self._lock:
            self._weight += manifest.weight
            if self._weight > RUN_MANIFESTS_BYTES:
                raise LimitExceeded(
                    f"the manifests of {self._store.locator} take more than {in_words(RUN_MANIFESTS_BYTES)} of memory",
                    hint="prune one repository or prefix at a time",
                )
            return self._known.setdefault(manifest.digest, manifest)

    def _ask(self, ask: Callable[[Question], Answer], questions: Iterable[Question]) -> list[Answer | TransloadError]:
        def answer(question: Question) -> Answer | TransloadError:
            try:
                return ask(question)
            except (Interrupted, HostGivenUp):
                raise
            except TransloadError as error:
                return as_result(error)

        return in_parallel(answer, questions, self._threads, self._cancellation)

    def _unfinished(self) -> Mapping[Digest, int]:
        prunes = getattr(self._store, "prunes", None)
        return prunes.unfinished() if prunes else {}


def _referrers(refers: Refers, repository: str, digest: Digest) -> tuple[Digest, ...]:
    return tuple(descriptor.digest for descriptor in refers.referrers(repository, digest))


def _trouble(answers: Iterable[object]) -> TransloadError | None:
    """The first error that leaves something unknown; what is not there is not held."""
    errors = (answer for answer in answers if isinstance(answer, TransloadError))
    return next((error for error in errors if not isinstance(error, NotFound)), None)
