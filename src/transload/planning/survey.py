"""Asks both sides about each wanted image: what the source publishes, what the target's name stands for today.

An unchanged image costs one request to each side: the target is asked first, and the source then only for a digest.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Mapping

from transload.errors import (
    AccessDenied,
    CredentialsRejected,
    LoginMissing,
    NotFound,
    PlatformUnavailable,
    PrerequisiteMissing,
    ServerTrouble,
    Stalled,
    TooManyRequests,
    TransloadError,
    Unreachable,
    as_result,
    at_side,
)
from transload.graph import Allowance, Node, grow, walk
from transload.limits import CONFIG_BYTES, IMAGE_MANIFESTS_BYTES, RUN_MANIFESTS_BYTES
from transload.oci import Descriptor, Digest, Manifest, Name, Platform
from transload.planning.companions import NOTHING, Companion, Companions
from transload.planning.completeness import Completeness, is_rechecked, notes_on
from transload.planning.configs import read_config
from transload.planning.narrowing import (
    is_attestation,
    named,
    narrowed,
    narrowing_note,
    note_of_one,
    wanted_children,
    without_orphans,
)
from transload.planning.parts import LeftOut, Parts
from transload.planning.request import Item, Narrowing, Referrers, Request
from transload.ports import Source, Sparse, Target
from transload.values import evolve, field, frozen

_LASTING = (Unreachable, CredentialsRejected)  # a source that fails so for one image will fail so for the next
_PASSING = (ServerTrouble, TooManyRequests, Stalled)


@frozen(kw_only=True)
class Surveyed:
    """What both sides say about one item. `root` is None if nothing of the image itself has to be copied.

    `published` is what its name stands for at the source: `root` is another manifest if only some platforms are wanted.
    """

    item: Item
    root: Node | None = None
    published: Descriptor | None = None
    at_target: Descriptor | None = None
    extras: tuple[Companion, ...] = ()
    notes: tuple[str, ...] = ()
    error: TransloadError | None = field(default=None, eq=False)

    @property
    def source_digest(self) -> Digest | None:
        """The digest that its name stands for at the source."""
        return self.published.digest if self.published is not None else None

    @property
    def digest(self) -> Digest | None:
        """The digest that the target's name stands for when the image is done."""
        if self.root is not None:
            return self.root.manifest.digest
        return self.at_target.digest if self.at_target is not None else None

    @property
    def weight(self) -> int:
        """About how many bytes of memory its manifests take."""
        roots = [companion.node for companion in self.extras] + ([self.root] if self.root else [])
        return sum({node.manifest.digest: node.manifest.weight for root in roots for node in walk(root)}.values())

    @property
    def unchanged(self) -> bool:
        """Whether the target's name already stands for the wanted content."""
        return self.error is None and self.root is None


@frozen
class _Grown:
    """The tree of an image. `absent` are wanted children that the store lacks; `parts` says which ones are there.

    `sparse` means that the store has it without some children on purpose.
    """

    root: Node
    parts: Parts | None = None
    absent: tuple[Descriptor, ...] = ()
    sparse: bool = False

    @property
    def images(self) -> tuple[Descriptor, ...]:
        """The entries of the index, without attestations."""
        return tuple(child for child in self.root.manifest.manifests if not is_attestation(child))

    @property
    def held(self) -> tuple[Descriptor, ...]:
        """Those that the store holds, wanted or not."""
        return tuple(child for child in self.images if self.parts is None or self.parts.has(child))

    @property
    def is_one_of_many(self) -> bool:
        """Whether the store has only this one of the listed images, and no attestation of it."""
        children = self.root.children
        return len(children) == 1 and not children[0].children and len(self.held) == 1 < len(self.images)


Moves = Callable[[Node], None]
"""Is told the tree of an image that has to be copied, before it is known what refers to it."""


def _tell_nobody(_: Node) -> None:
    """For callers that wait until all is known."""


class Surveyor:
    """Surveys items of one request; safe to call from several threads.

    `completeness` is what it learns of names that are not believed; None if they are.
    """

    def __init__(self, request: Request, sources: Mapping[str, Source], target: Target) -> None:
        self._request = request
        self._sources = sources
        self._target = target
        self.completeness = Completeness(target) if is_rechecked(request, target) else None
        self._down: dict[str, TransloadError] = {}
        self._lock = threading.Lock()
        self._memory = Allowance("a run", RUN_MANIFESTS_BYTES)
        self._shares: dict[Item, Allowance] = {}
        self._companions = Companions(request.referrers, lambda item, manifest: self._share_of(item).take(manifest))

    def survey(self, item: Item) -> Surveyed:
        """Ask both sides about one item. The answer contains errors of the source; raises errors of the target."""
        return self.compare(item, self.ask_target(item))

    def ask_target(self, item: Item) -> Descriptor | None:
        """What the target has under the wanted name. Raises errors of the target."""
        with at_side("target"):
            return self._at_target(item)

    def compare(self, item: Item, at_target: Descriptor | None, moves: Moves = _tell_nobody) -> Surveyed:
        """The same as `survey`, when the target has been asked. `moves` is told of an image that has to be copied."""
        try:
            with at_side("source"):
                surveyed = self._compare(item, at_target, moves)
                self._share_of(item).settle(surveyed.weight)
                return surveyed
        except TransloadError as error:
            if error.side == "target":
                raise
            as_result(error)
            if isinstance(error, _LASTING) and not isinstance(error, _PASSING):
                self._down.setdefault(item.source_store, error)
            self._share_of(item).settle(0)
            return Surveyed(item=item, at_target=at_target, error=error)

    def may_be_missing(self, item: Item) -> bool:
        """Whether it is no surprise if the source lacks an item."""
        return item.optional or self._request.allow_missing

    def list_companions(self, item: Item) -> None:
        """Ask the source for the list of tags in which companions of an image are looked for, and keep it."""
        with contextlib.suppress(TransloadError):  # the survey of the image asks again, and tells
            self._companions.list_tags(self._source(item), item)

    def _at_target(self, item: Item, image_digest: Digest | None = None) -> Descriptor | None:
        """What the target has under the wanted name. Without a tag, `image_digest` is the image's future digest."""
        digest = None if item.target.tag else image_digest or item.source.digest
        name = Name(item.target.repository, item.target.tag, digest)
        if name.tag is None and name.digest is None:  # stored by a digest that only the source knows
            return None
        try:
            return self._target.resolve(name)
        except LoginMissing:  # a registry that answers nothing without a login takes no upload without one either
            raise
        except (NotFound, AccessDenied):  # some registries answer 401 or 403 for a repository that is not there yet
            return None

    def _compare(self, item: Item, at_target: Descriptor | None, moves: Moves) -> Surveyed:
        source = self._source(item)
        whole = not self._platforms(item)
        if at_target is not None and whole:
            digest = item.source.digest or _stands_for(source, item.source)
            if digest == at_target.digest and not self._leaves_out_more(item, source, at_target.digest):
                return self._unchanged(item, source, at_target)
        published = self._fetch(source, item, item.source)
        root, notes = self._narrow(item, source, self._grow(source, item, published))
        if item.target.tag is None and item.source.digest not in {None, root.manifest.digest}:
            with at_side("target"):
                at_target = self._at_target(item, root.manifest.digest)
        same = at_target is not None and root.manifest.digest == at_target.digest and self._is_whole(item, root)
        lost = self._lost(item, at_target, root) if same and at_target is not None else ()
        same, notes = same and not lost, (*notes, *notes_on(item.label, lost))
        if not same:
            moves(root)
        found = self._companions.of(source, item, root, published) if self._are_wanted(same) else NOTHING
        return Surveyed(
            item=item,
            root=None if same else root,
            published=published.descriptor,
            at_target=at_target,
            extras=found.companions,
            notes=(*notes, *found.notes),
        )

    def _is_whole(self, item: Item, root: Node) -> bool:
        """Whether the target has all wanted parts of an image: its sparse index may have other platforms."""
        with at_side("target"):
            left_out = LeftOut(self._target, item.target.repository)
            left_out.meet(root.manifest)
            if len(root.children) == len(root.manifest.manifests) and not left_out:
                return True
            return all(
                self._target.exists(item.target.repository, child.manifest.descriptor) for child in root.children
            )

    def _leaves_out_more(self, item: Item, source: Source, digest: Digest) -> bool:
        """Whether the target remembers that children are left out which the source has."""
        target_sparse: Sparse | None = getattr(self._target, "sparse", None)
        source_sparse: Sparse | None = getattr(source, "sparse", None)
        lacking = target_sparse.left_out(item.target.repository, digest) if target_sparse else frozenset()
        if source_sparse and lacking:
            lacking -= source_sparse.left_out(item.source.repository, digest)
        return bool(lacking)

    def _unchanged(self, item: Item, source: Source, at_target: Descriptor) -> Surveyed:
        surveyed = Surveyed(item=item, root=None, published=at_target, at_target=at_target)
        lost = self._lost(item, at_target)
        if lost:
            published = self._grow(source, item, self._fetch(source, item, item.source.at(at_target.digest)))
            root, notes = self._narrow(item, source, published)
            if root.manifest.digest == at_target.digest:  # else the source has no more of it than the target
                surveyed = evolve(surveyed, root=root, notes=(*notes, *notes_on(item.label, lost)))
        if not self._are_wanted(surveyed.root is None):
            return surveyed
        root = surveyed.root or self._read_unchanged(item, source, at_target)
        found = self._companions.of(source, item, root, root.manifest)
        return evolve(surveyed, extras=found.companions, notes=(*surveyed.notes, *found.notes))

    def _are_wanted(self, unchanged: bool) -> bool:
        """Whether companions are asked for. An unchanged image costs its two questions only, unless all are wanted."""
        return self._request.referrers is Referrers.REFRESH or not unchanged

    def _lost(self, item: Item, at_target: Descriptor, root: Node | None = None) -> tuple[Descriptor, ...]:
        """What the target lacks of an image that it has, if that is asked for. `root` has the wanted children only."""
        if self.completeness is None:
            return ()
        wanted = {node.manifest.digest for node in walk(root)} if root else None
        with at_side("target"):
            return self.completeness.lacking(
                item.target, at_target, lambda child: wanted is None or child.digest in wanted
            )

    def _read_unchanged(self, item: Item, source: Source, at_target: Descriptor) -> Node:
        """The tree of an image that both sides have; a differential bundle has its digest, but not its content."""
        try:
            return self._grow(source, item, self._fetch(source, item, item.source.at(at_target.digest))).root
        except PrerequisiteMissing:
            name = item.target.at(at_target.digest)
            with at_side("target"):
                return grow(self._target.fetch(name), lambda child: self._target.fetch(name.at(child.digest)))

    def _platforms(self, item: Item) -> tuple[Platform, ...]:
        return item.platforms or self._request.platforms

    def _source(self, item: Item) -> Source:
        if item.source_store in self._down:  # asking a dead host again for each image would only cost time
            raise self._down[item.source_store]
        return self._sources[item.source_store]

    def _grow(self, source: Source, item: Item, root: Manifest) -> _Grown:
        """The tree of an image: the children that are wanted and that the source has."""
        wanted = self._platforms(item)
        chosen = wanted_children(root, wanted) if root.is_index and wanted else None
        parts = self._parts(source, item) if root.is_index else None
        listed = frozenset(child.digest for child in root.manifests)
        absent: dict[Digest, Descriptor] = {}
        left_out = LeftOut(source, item.source.repository)
        left_out.meet(root)

        def keep(child: Descriptor) -> bool:
            if child in left_out:
                return False
            if chosen is not None and child.digest not in chosen and child.digest in listed:
                return False
            if parts is None or parts.has(child):
                return True
            absent[child.digest] = child
            return False

        fetch = parts.fetch if parts else lambda child: self._fetch(source, item, item.source.at(child.digest))
        grown = grow(root, lambda child: left_out.meet(fetch(child)), keep)
        sparse = bool(left_out) and not wanted
        return _Grown(without_orphans(grown) if absent else grown, parts, tuple(absent.values()), sparse)

    def _narrow(self, item: Item, source: Source, grown: _Grown) -> tuple[Node, tuple[str, ...]]:
        wanted, root = self._platforms(item), grown.root
        if not root.manifest.is_index:
            if wanted:
                self._check_platform(item, source, root.manifest, wanted)
            return root, ()
        _check_anything_left(source, item, grown, wanted)
        sparse = self._request.narrowing is Narrowing.SPARSE or grown.sparse
        narrowed_root = narrowed(root)
        if narrowed_root.manifest is root.manifest:
            return root, ()
        if grown.is_one_of_many and not sparse:  # as docker pushes it
            return root.children[0], (note_of_one(root, source.locator),)
        return (root if sparse else narrowed_root), (
            narrowing_note(root, wanted, grown.absent, source.locator, sparse=sparse),
        )

    def _check_platform(self, item: Item, source: Source, manifest: Manifest, wanted: tuple[Platform, ...]) -> None:
        """Check a single image: its config states its platform. An artifact has none and fits every platform."""
        config = manifest.config
        if config is None or "image" not in config.media_type or config.size > CONFIG_BYTES:
            return
        document = read_config(source, item.source.repository, config)
        published = Platform.from_json(document)
        if published.os and not any(published.satisfies(platform) for platform in wanted):
            raise PlatformUnavailable(
                f"{item.source} is published for {published} only", hint="leave --platform out, or add this one"
            )

    def _parts(self, source: Source, item: Item) -> Parts | None:
        """Says which parts of an image are there, if the store may hold images in parts; else None."""
        if not getattr(source, "keeps_parts", False):
            return None
        return Parts(
            lambda child: self._fetch(source, item, item.source.at(child.digest)),
            lambda blob: source.exists(item.source.repository, blob),
        )

    def _fetch(self, source: Source, item: Item, name: Name) -> Manifest:
        """A manifest that will be kept with the plan."""
        return self._share_of(item).take(source.fetch(name))

    def _share_of(self, item: Item) -> Allowance:
        with self._lock:
            if item not in self._shares:
                self._shares[item] = Allowance("an image", IMAGE_MANIFESTS_BYTES, within=self._memory)
            return self._shares[item]


def _stands_for(source: Source, name: Name) -> Digest | None:
    """What a name stands for; None if only a GET can say.

    Registries that proxy others (Nexus, Artifactory) may refuse a HEAD for what they serve to a GET.
    """
    try:
        return source.resolve(name).digest
    except (NotFound, AccessDenied) as error:
        if isinstance(error, LoginMissing):
            raise
        return None


def _check_anything_left(source: Source, item: Item, grown: _Grown, wanted: tuple[Platform, ...]) -> None:
    """Raises `PlatformUnavailable` if no image of an index is left, though it lists some."""
    listed, images = grown.root.manifest.manifests, {child.digest for child in grown.images}
    if not listed or any(child.manifest.digest in images for child in grown.root.children):
        return
    if grown.absent:
        raise PlatformUnavailable(
            f"{source.locator} lists {item.source} for {named(grown.absent)}, but does not hold that",
            hint=f"it holds: {named(grown.held)}" if grown.held else "save or copy the image again, with its content",
        )
    has = named(child for child in grown.images if child.platform) or "none stated"
    raise PlatformUnavailable(
        f"{item.source} is not published for {', '.join(map(str, wanted))}", hint=f"it has: {has}"
    )
