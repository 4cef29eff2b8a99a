"""What belongs to an image without being part of it: its referrers, and what cosign keeps under tags made of digests.

Each question is asked once in a run, however many names the image has: one list of tags for a repository, one list of
referrers for a manifest.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from itertools import islice

from transload.errors import (
    AccessDenied,
    Interrupted,
    LimitExceeded,
    NotFound,
    ProtocolTrouble,
    Refused,
    TransloadError,
    Unreachable,
    as_result,
)
from transload.graph import Node, grow, walk
from transload.limits import COMPANION_TAGS, COMPANIONS
from transload.oci import Digest, Manifest, Name
from transload.oci.cosign import companion_tags, subject_of
from transload.planning.answers import Answers, Value
from transload.planning.request import Item, Referrers
from transload.ports import Source
from transload.values import frozen

_DEPTH = 4  # a signature of an attestation of an SBOM of an image; deeper chains are not known in the wild
_UNLISTED = (AccessDenied, Refused, ProtocolTrouble)  # some registries give out no list of tags, but each tag
_FOR_ALL = (AccessDenied, Unreachable)  # who answers one question so would answer the next one so
_AGAIN = "--referrers refresh looks for them again"


@frozen
class Companion:
    """A manifest that belongs to an image without being part of it: a referrer, or the manifest of a cosign tag."""

    node: Node
    tag: str | None = None


@frozen
class Found:
    """The companions that come along with an image, and what people should know of the others."""

    companions: tuple[Companion, ...] = ()
    notes: tuple[str, ...] = ()


NOTHING = Found()


@frozen(kw_only=True)
class _Looked:
    """What there is for one manifest: its companions, errors of questions, and errors with single companions."""

    companions: tuple[Companion, ...] = ()
    unasked: tuple[TransloadError, ...] = ()
    unread: tuple[TransloadError, ...] = ()


class Companions:
    """Looks for companions at the sources, in one mode. Safe for threads. `take` counts manifests that are kept."""

    def __init__(self, mode: Referrers, take: Callable[[Item, Manifest], Manifest]) -> None:
        self._mode = mode
        self._take = take
        self._once = Answers().once
        self._refused: dict[tuple[str, ...], TransloadError] = {}
        self._answered: set[tuple[str, ...]] = set()
        self._first: dict[tuple[str, ...], threading.Lock] = {}
        self._lock = threading.Lock()

    def of(self, source: Source, item: Item, root: Node, published: Manifest) -> Found:
        """What comes with an image of which `root` is copied; `published` is what its name stands for at the source.

        A rewritten index is not at the source: what belongs to the published one would refer to nothing at the target,
        and stays. Raises errors of the source if the companions are demanded; else notes say what could not be asked.
        """
        if self._mode is Referrers.UNASKED or source.refers is None:
            return NOTHING
        digests = [node.manifest.digest for node in walk(root)]
        at_source = {published.digest, *(child.digest for child in published.manifests)}
        kept = [digest for digest in digests if digest != root.manifest.digest or digest in at_source]
        replaced = [] if published.digest in digests else [published.digest]
        if self._mode is Referrers.LEFT:
            return Found((), self._staying(source, item, [*kept, *replaced], "at the source"))
        looked = [self._of_one(source, item, digest) for digest in kept]
        companions = {(one.node.manifest.digest, one.tag): one for each in looked for one in each.companions}
        unasked = [error for each in looked for error in each.unasked]
        unread = [error for each in looked for error in each.unread]
        if len(companions) > COMPANIONS:
            companions, unread = {}, [_too_many(root.manifest.digest)]
        if self._mode.demanded and (unasked or unread):
            raise [*unasked, *unread][0]
        staying = self._staying(source, item, replaced, "with the published index, which is not copied as it is")
        return Found(tuple(companions.values()), (*_troubles(unasked, unread), *staying))

    def _of_one(self, source: Source, item: Item, digest: Digest) -> _Looked:
        key = ("companions", item.source_store, item.source.repository, digest)
        return self._once(key, lambda: self._look(source, item, digest))

    def _look(self, source: Source, item: Item, digest: Digest) -> _Looked:
        """Ask for companions of `digest`, and for theirs, level by level; then read them.

        Tags first: where a registry has no list of referrers, their tags tell which manifests have any.
        """
        names: dict[Name, None] = {}
        unasked, unread = list[TransloadError](), list[TransloadError]()
        level = [digest]
        for _ in range(_DEPTH):
            below: list[Digest] = []
            for subject in level:
                known = len(names)
                for question in (self._tags, self._referrers):
                    try:
                        names |= dict.fromkeys(question(source, item, subject))
                    except TransloadError as error:
                        unasked.append(_to_tell(error))
                if len(names) > COMPANIONS:
                    return _Looked(unread=(_too_many(digest),))
                below += [name.digest for name in islice(names, known, None) if name.digest]
            level = below
        companions: list[Companion] = []
        for name in names:
            try:
                companions.append(Companion(self._read(source, item, name), name.tag))
            except TransloadError as error:
                unread.append(_to_tell(error))
        return _Looked(companions=tuple(companions), unasked=tuple(unasked), unread=tuple(unread))

    def _staying(self, source: Source, item: Item, digests: Iterable[Digest], where: str) -> tuple[str, ...]:
        """How many companions stay, in words, as far as lists say it: what refers to them in turn is not asked."""
        number, unasked = 0, list[TransloadError]()
        for digest in digests:
            for question in (self._tags, self._referrers):
                try:
                    number += len(question(source, item, digest))
                except TransloadError as error:
                    unasked.append(_to_tell(error))
        # Notes that are alike are told once for all their images, so this must not read as a sum.
        some = "1 signature or other referrer" if number == 1 else f"{number} signatures or other referrers"
        notes = (f"{some} of an image {'stays' if number == 1 else 'stay'} {where}",) if number else ()
        unknown = (f"how many signatures stay {where} could not be asked: {error}" for error in unasked[:1])
        return (*notes, *unknown)

    # --- questions

    def _referrers(self, source: Source, item: Item, digest: Digest) -> tuple[Name, ...]:
        refers, repository = source.refers, item.source.repository
        if refers is None:
            return ()
        key = ("referrers", item.source_store, repository, digest)
        ask = partial(self._unless_refused, source, key[:3], lambda: refers.referrers(repository, digest))
        return tuple(Name(repository, None, referrer.digest) for referrer in self._once(key, ask))

    def _tags(self, source: Source, item: Item, digest: Digest) -> tuple[Name, ...]:
        """The tags of cosign that there are for this digest."""
        repository = item.source.repository
        key = ("tags", item.source_store, repository)
        listed = self._listed(source, item)
        wanted = [Name(repository, tag) for tag in sorted(companion_tags(digest))]
        if listed is not None:
            return tuple(name for name in wanted if name.tag in listed)
        ask = partial(
            self._unless_refused, source, ("tag", *key[1:]), lambda: [name for name in wanted if _is(source, name)]
        )
        return tuple(self._once((*key, digest), ask))

    def list_tags(self, source: Source, item: Item) -> None:
        """Ask for the list of tags that `of` needs, before the image is known. Raises what asking raises."""
        if self._mode is not Referrers.UNASKED and source.refers is not None:
            self._listed(source, item)

    def _listed(self, source: Source, item: Item) -> frozenset[str] | None:
        repository = item.source.repository
        key = ("tags", item.source_store, repository)
        return self._once(key, partial(self._unless_refused, source, key, lambda: _cosign_tags(source, repository)))

    def _unless_refused(self, source: Source, about: tuple[str, ...], ask: Callable[[], Value]) -> Value:
        """The answer. Where nobody demands companions, trouble is not waited for, nor provoked by the next image.

        A refusal is one of the repository; a failing server is one for all. The first answer is awaited by the others.
        """
        if self._mode.demanded:
            return ask()
        kind = about[:2]
        with self._lock:
            first = self._first.setdefault(kind, threading.Lock())
        with first:
            if kind not in self._answered:  # else those that waited for the first answer ask at the same time now
                return self._noted(source, kind, about, ask)
        return self._noted(source, kind, about, ask)

    def _noted(self, source: Source, kind: tuple[str, ...], about: tuple[str, ...], ask: Callable[[], Value]) -> Value:
        """The answer, unless there is none for this, or for all. Notes which it is."""
        for refused in (kind, about):
            if refused in self._refused:
                raise self._refused[refused]
        try:
            answer = _hastily(source, ask)
        except _FOR_ALL as error:
            self._refused.setdefault(kind if isinstance(error, Unreachable) else about, as_result(error))
            raise
        self._answered.add(kind)
        return answer

    def _read(self, source: Source, item: Item, name: Name) -> Node:
        def fetch(wanted: Name) -> Manifest:
            return self._take(item, source.fetch(wanted))

        return grow(fetch(name), lambda child: fetch(name.at(child.digest)))


@contextlib.contextmanager
def told_how_to_leave(name: Name, manifest: Manifest) -> Iterator[None]:
    """A target that refuses a companion in the block keeps the image's tag back: the error says how to go without."""
    try:
        yield
    except Refused as error:
        if manifest.subject is not None or subject_of(name.tag) is not None:
            way = "--no-referrers brings images without signatures and what else refers to them"
            error.hint = f"{error.hint}; {way}" if error.hint else way
        raise


def _hastily(source: Source, ask: Callable[[], Value]) -> Value:
    """The answer to a question that is asked twice at most.

    With the usual retries, a registry whose lists always fail would be given up for the images too.
    """
    hasty: Callable[[], AbstractContextManager[None]] = getattr(source, "hasty", contextlib.nullcontext)
    with hasty():
        try:
            return ask()
        except Unreachable:
            return ask()


def _cosign_tags(source: Source, repository: str) -> frozenset[str] | None:
    """Those of cosign among the tags of a repository; None if the list is not to be had, or very long."""
    try:
        tags = list(islice(source.tags(repository), COMPANION_TAGS + 1))
    except NotFound:  # a differential bundle has no name in a repository whose images were all left out
        return frozenset() if source.request_costs is None else None
    except _UNLISTED:
        return None
    listed = frozenset(tag for tag in tags if subject_of(tag) is not None)
    return listed if len(tags) <= COMPANION_TAGS or source.request_costs is None else None


def _is(source: Source, name: Name) -> bool:
    """Whether the source has this name."""
    try:
        source.resolve(name)
    except NotFound:
        return False
    return True


def _to_tell(error: TransloadError) -> TransloadError:
    """An error that is kept to be told later. Raises it if it is none of the source: the run ends."""
    if isinstance(error, Interrupted):
        raise error
    return as_result(error)


def _too_many(digest: Digest) -> LimitExceeded:
    return LimitExceeded(f"more than {COMPANIONS} referrers belong to {digest.short}", subject=digest)


def _troubles(unasked: list[TransloadError], unread: list[TransloadError]) -> Iterable[str]:
    """What people should know of companions that nobody has demanded, and that do not come along."""
    if unasked:
        yield f"whether all signatures come along could not be asked: {unasked[0]}; {_AGAIN}"
    if unread:
        some = "1 signature or other referrer" if len(unread) == 1 else f"{len(unread)} signatures or other referrers"
        yield f"{some} of an image could not be read: {unread[0]}; {_AGAIN}"
