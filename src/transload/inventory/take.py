"""Takes the inventory of a store through its ports: asks for every repository, tag and manifest once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Mapping, Set
from typing import TypeVar

from transload.errors import HostGivenUp, Interrupted, LimitExceeded, NotFound, TransloadError, as_result
from transload.events import ActivityListener, Counting, ignore
from transload.graph import Allowance
from transload.inventory.inventory import Inventory, RepositoryContent
from transload.limits import INDEX_DEPTH, RUN_MANIFESTS_BYTES
from transload.oci import Descriptor, Digest, Manifest, Name
from transload.ports import Source, Target
from transload.threads import Cancellation, in_parallel

Question = TypeVar("Question")
Answer = TypeVar("Answer")


def take_inventory(
    store: Target,
    prefix: str = "",
    *,
    repositories: Iterable[str] | None = None,
    threads: int = 8,
    cancellation: Cancellation | None = None,
    working: ActivityListener = ignore,
) -> Inventory:
    """What `store` holds at and under `prefix`. A store that keeps no list needs `repositories` (full names).

    It costs one question per repository, one per tag, and one per child manifest that no tag stands for. What cannot
    be read of a repository becomes a note. Raises `Refused` for a store without a list, `Interrupted`, and the first
    error when no repository can be read at all.
    """
    taking = _Taking(store, threads, cancellation or Cancellation(), Counting(working, "listing"))
    listed = store.repositories() if repositories is None else repositories
    untagged = _untagged(store) if repositories is None else []
    listed = {*listed, *(name.repository for name in untagged)}
    names = sorted(name for name in listed if not prefix or f"{name}/".startswith(f"{prefix}/"))
    tagged = taking.tagged(taking.tags(names))
    by_digest = taking.by_digest([name for name in untagged if name.repository in names])
    taking.read_children()
    contents = {
        name[len(prefix) :].lstrip("/"): taking.content(tags, by_digest.get(name, ())) for name, tags in tagged.items()
    }
    return _inventory(store, prefix, taking, contents)


def inventory_of_names(
    store: Target,
    names: Iterable[Name],
    known: Mapping[Digest, Manifest],
    prefix: str = "",
    *,
    left_out: Collection[Digest] = (),
    threads: int = 8,
    cancellation: Cancellation | None = None,
) -> Inventory:
    """What `store` holds of the images `names`, which have digests and perhaps tags, and lie at or under `prefix`.

    Manifests that are `known` to be there are not asked for. It costs one question for each other manifest, without
    those that are `left_out` on purpose. What cannot be read becomes a note, and counts as not held. Raises
    `Interrupted`, `HostGivenUp`.
    """
    taking = _Taking(store, threads, cancellation or Cancellation(), Counting(ignore, "listing"))
    named = [(name, name.digest) for name in names if name.digest is not None]
    for name, digest in named:
        if digest in known:
            taking.keep(known[digest], name.repository)
    there = taking.by_digest(list(dict.fromkeys(Name(name.repository, None, digest) for name, digest in named)))
    taking.read_children({*left_out})
    tags: dict[str, dict[str, Digest]] = {}
    for name, digest in named:
        if name.tag and digest in there.get(name.repository, ()):
            tags.setdefault(name.repository, {})[name.tag] = digest
    contents = {
        repository[len(prefix) :].lstrip("/"): taking.content(tags.get(repository, {}), digests)
        for repository, digests in there.items()
    }
    return _inventory(store, prefix, taking, contents)


def _inventory(store: Target, prefix: str, taking: _Taking, contents: Mapping[str, RepositoryContent]) -> Inventory:
    manifests = taking.known.values()
    return Inventory(
        target=store.locator,
        prefix=prefix,
        blobs_per_repository=store.blobs_per_repository,
        manifests={manifest.digest: manifest.descriptor for manifest in manifests},
        blobs={blob.digest: blob.size for manifest in manifests for blob in manifest.blobs if not blob.is_foreign},
        repositories=contents,
        notes=tuple(taking.notes),
    )


def _untagged(store: Source) -> list[Name]:
    """Images without a tag, which only a list of the store's own names; registries keep none."""
    lists = getattr(store, "lists", None)
    return list(lists.untagged()) if lists else []


class _Taking:
    def __init__(self, store: Source, threads: int, cancellation: Cancellation, counting: Counting) -> None:
        self.known: dict[Digest, Manifest] = {}
        self.notes: list[str] = []
        self._store = store
        self._threads = threads
        self._cancellation = cancellation
        self._counting = counting
        self._repositories: dict[Digest, str] = {}
        self._kept: set[tuple[str, Digest]] = set()
        self._lock = threading.Lock()
        self._memory = Allowance("an inventory", RUN_MANIFESTS_BYTES)

    def tags(self, repositories: list[str]) -> list[tuple[str, tuple[str, ...]]]:
        """Every repository that exists, with its tags. Raises if none of them can be read."""
        answers = self._ask(lambda repository: tuple(self._store.tags(repository)), repositories)
        tags_of = [
            (repository, tags)
            for repository, tags in zip(repositories, answers, strict=True)
            if isinstance(tags, tuple)
        ]
        errors = [answer for answer in answers if isinstance(answer, TransloadError)]
        unread = [error for error in errors if not isinstance(error, NotFound)]
        if unread and not tags_of:
            raise unread[0]
        for repository, answer in zip(repositories, answers, strict=True):
            self._note(repository, answer)
        return tags_of

    def tagged(self, tags_of: list[tuple[str, tuple[str, ...]]]) -> Mapping[str, Mapping[str, Digest]]:
        """What each tag of each repository stands for."""
        names = [Name(repository, tag) for repository, tags in tags_of for tag in tags]
        digests: dict[str, dict[str, Digest]] = {repository: {} for repository, _ in tags_of}
        for name, answer in zip(names, self._ask(self._fetch, names), strict=True):
            if isinstance(answer, Manifest) and name.tag:
                digests[name.repository][name.tag] = answer.digest
                self._keep(answer, name.repository)
            self._note(str(name), answer)
        return digests

    def by_digest(self, names: list[Name]) -> Mapping[str, list[Digest]]:
        """The digests of the images without a tag that exist, by repository."""
        digests: dict[str, list[Digest]] = {}
        for name, answer in zip(names, self._ask(self._fetch, names), strict=True):
            if isinstance(answer, Manifest):
                digests.setdefault(name.repository, []).append(answer.digest)
                self._keep(answer, name.repository)
            self._note(str(name), answer)
        return digests

    def read_children(self, left_out: Set[Digest] = frozenset()) -> None:
        """Read what the known manifests lead to, level by level, without what was `left_out`.

        A missing child is no error: it is not held.
        """
        asked = set(self.known)
        for _ in range(INDEX_DEPTH + 1):
            below = {child.digest: digest for digest in asked for child in self.known[digest].manifests}
            names = [
                Name(self._repositories[parent], None, child)
                for child, parent in sorted(below.items())
                if child not in self.known and child not in left_out
            ]
            if not names:
                return
            asked = set()
            for name, answer in zip(names, self._ask(self._fetch, names), strict=True):
                if isinstance(answer, Manifest):
                    self._keep(answer, name.repository)
                    asked.add(answer.digest)
                self._note(str(name), answer)
        raise LimitExceeded(f"{self._store.locator} has indexes nested deeper than {INDEX_DEPTH}")

    def content(self, tags: Mapping[str, Digest], untagged: Iterable[Digest]) -> RepositoryContent:
        """What a repository with these tags and untagged images holds, as far as it was read."""
        manifests: set[Digest] = set()
        open_ends = {*tags.values(), *untagged}
        while open_ends:
            manifests |= open_ends
            below = {child.digest for digest in open_ends for child in self.known[digest].manifests}
            open_ends = (below & self.known.keys()) - manifests
        blobs = {blob.digest for digest in manifests for blob in self._blobs(digest)}
        return RepositoryContent(tags, frozenset(manifests), frozenset(blobs))

    def _blobs(self, digest: Digest) -> Iterable[Descriptor]:
        return (blob for blob in self.known[digest].blobs if not blob.is_foreign)

    def _fetch(self, name: Name) -> Manifest:
        """A manifest that will be kept. One that has several names is kept once."""
        if name.digest is not None and (name.repository, name.digest) in self._kept:
            return self.known[name.digest]
        manifest = self._store.fetch(name)
        with self._lock:
            if manifest.digest not in self.known:
                self.known[manifest.digest] = self._memory.take(manifest)
            return self.known[manifest.digest]

    def keep(self, manifest: Manifest, repository: str) -> None:
        """Take a manifest that is known to be in the repository."""
        self.known.setdefault(manifest.digest, manifest)
        self._kept.add((repository, manifest.digest))
        self._keep(manifest, repository)

    def _keep(self, manifest: Manifest, repository: str) -> None:
        self._repositories.setdefault(manifest.digest, repository)

    def _ask(self, ask: Callable[[Question], Answer], questions: Iterable[Question]) -> list[Answer | TransloadError]:
        def answer(question: Question) -> Answer | TransloadError:
            try:
                return ask(question)
            except (Interrupted, HostGivenUp):
                raise
            except TransloadError as error:
                return as_result(error)

        return in_parallel(self._counting.around(answer), questions, self._threads, self._cancellation)

    def _note(self, subject: str, answer: object) -> None:
        if isinstance(answer, TransloadError) and not isinstance(answer, NotFound):
            self.notes.append(f"{subject}: {answer}")
