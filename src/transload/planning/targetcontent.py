"""What the target already holds of the wanted content: each question is asked once, and none with a known answer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from functools import partial
from itertools import islice

from transload.errors import AccessDenied, NotFound, at_side
from transload.events import ActivityListener, Counting, ignore
from transload.gathers import exist_in
from transload.graph import Node, walk
from transload.oci import Descriptor, Digest, Name
from transload.planning.survey import Surveyed
from transload.ports import Target
from transload.threads import Cancellation, in_parallel
from transload.values import evolve, field, frozen

Known = Callable[[str, Digest], bool]
"""Whether an earlier run put this blob into this repository of the target: a hint, always checked."""

Elsewhere = Callable[[Digest], Iterable[str]]
"""Repositories of the target, besides the wanted ones, that may hold a blob: a hint, always checked."""

_MANY = 1000  # blobs that a folder is asked for at once
_CANDIDATES = 3  # repositories asked about one blob: each costs a request, and a copy costs little more than two


@frozen
class TargetContent:
    """Pairs of repository and digest that the target holds. A pool counts as one repository.

    `names` are the tags of companions (cosign's) and the digests that they stand for at the target.
    """

    blobs_per_repository: bool
    pairs: frozenset[tuple[str, Digest]] = frozenset()
    names: frozenset[tuple[Name, Digest]] = frozenset()

    def scope(self, repository: str) -> str:
        """The repository's name in `pairs`; empty in a pool."""
        return repository if self.blobs_per_repository else ""

    def has(self, repository: str, digest: Digest) -> bool:
        """Whether the target holds it there."""
        return (self.scope(repository), digest) in self.pairs


@frozen
class Told:
    """What the target has said already: which repositories are new to it, and whether it holds a pair."""

    fresh: Mapping[str, bool] = field(factory=dict)
    held: Mapping[tuple[str, Digest], bool] = field(factory=dict)


NOTHING_TOLD = Told()


def blobs_asked_for(root: Node) -> tuple[Descriptor, ...]:
    """The blobs of an image for which the target is asked whatever else it holds: all, if it is no index."""
    return () if root.children else tuple(root.manifest.blobs)


def ask_holdings(
    surveyed: Iterable[Surveyed],
    target: Target,
    known: Known,
    elsewhere: Elsewhere,
    threads: int,
    cancellation: Cancellation,
    working: ActivityListener = ignore,
    wrong: Set[tuple[str, Digest]] | None = None,
    told: Told = NOTHING_TOLD,
) -> TargetContent:
    """Ask the target about every child manifest and blob that a surveyed image needs.

    A repository that does not exist holds nothing, and is only asked for what `known` remembers. If a child manifest
    is there, everything below it is there too: registries check this when they take a manifest. If that is not
    believed, `wrong` are the manifests known to be damaged, and everything is asked for. `told` is what is not asked
    again.
    """
    moving = [image for image in surveyed if image.root is not None or image.extras]
    fresh = frozenset[str]()
    if target.blobs_per_repository:
        fresh = _fresh_repositories(moving, target, threads, cancellation, told.fresh)
    holdings = TargetContent(target.blobs_per_repository)

    def ask(wanted: Iterable[tuple[str, Descriptor]]) -> frozenset[tuple[str, Digest]]:
        pairs = {
            (holdings.scope(repository), descriptor.digest): (repository, descriptor)
            for repository, descriptor in wanted
        }
        asked = [
            (repository, descriptor)
            for key, (repository, descriptor) in pairs.items()
            if key not in told.held and (repository not in fresh or known(repository, descriptor.digest))
        ]
        counting = Counting(working, "searching", len(asked), possible=not asked)
        with at_side("target"):
            answers = _answers(target, asked, threads, cancellation, counting)
        found = {(holdings.scope(pair[0]), pair[1].digest) for pair, held in zip(asked, answers, strict=True) if held}
        return frozenset(found | {key for key in pairs if told.held.get(key)})

    manifests = TargetContent(target.blobs_per_repository, ask(_inner_manifests(moving)) - (wrong or frozenset()))
    everything = ask(_blobs(moving, holdings)) if wrong is not None else None
    if everything is not None:
        manifests = _with_all_below(manifests, moving, everything)
    names = _companion_tags(moving, manifests, target, threads, cancellation)
    pairs = manifests.pairs | (ask(_blobs(moving, manifests)) if everything is None else everything)
    if target.blobs_per_repository:
        held = {digest for _, digest in pairs}
        lacking = {blob.digest: blob for _, blob in _blobs(moving, manifests) if blob.digest not in held}
        pairs |= _held_elsewhere(lacking.values(), target, elsewhere, threads, cancellation)
    return TargetContent(target.blobs_per_repository, pairs, names)


def _answers(
    target: Target,
    asked: Sequence[tuple[str, Descriptor]],
    threads: int,
    cancellation: Cancellation,
    counting: Counting,
) -> list[bool]:
    """Whether the target has each of these blobs in its repository."""
    many = exist_in(target)
    if many is None:
        return in_parallel(counting.around(lambda pair: holds(target, *pair)), asked, threads, cancellation)
    answers: list[bool] = []
    for begin in range(0, len(asked), _MANY):
        cancellation.check()
        some = [descriptor for _, descriptor in asked[begin : begin + _MANY]]
        answers += many(some)
        counting.add(len(some))
    return answers


def needed(image: Surveyed) -> Iterator[tuple[Node, bool]]:
    """The trees of an image and its companions, each with whether its root is the image itself."""
    for companion in image.extras:
        yield companion.node, False
    if image.root is not None:
        yield image.root, True


def _fresh_repositories(
    moving: Iterable[Surveyed],
    target: Target,
    threads: int,
    cancellation: Cancellation,
    told: Mapping[str, bool],
) -> frozenset[str]:
    existing = {image.item.target.repository for image in moving if image.at_target is not None}
    unsure = {image.item.target.repository for image in moving} - existing
    asked = sorted(unsure - told.keys())
    answers = in_parallel(partial(is_fresh, target), asked, threads, cancellation)
    fresh = {**dict(zip(asked, answers, strict=True)), **told}
    return frozenset(repository for repository in unsure if fresh[repository])


def is_fresh(target: Target, repository: str) -> bool:
    """Whether the target has no such repository, and so nothing in it. Raises errors of the target."""
    with at_side("target"):
        try:
            next(iter(target.tags(repository)), None)
        except (NotFound, AccessDenied):
            return True
        return False


def _companion_tags(
    moving: Iterable[Surveyed], held: TargetContent, target: Target, threads: int, cancellation: Cancellation
) -> frozenset[tuple[Name, Digest]]:
    """Tags of companions whose manifests are there. For the others it does not matter what the tag stands for."""
    asked = {
        Name(image.item.target.repository, companion.tag)
        for image in moving
        for companion in image.extras
        if companion.tag and held.has(image.item.target.repository, companion.node.manifest.digest)
    }

    def resolve(name: Name) -> Digest | None:
        try:
            return target.resolve(name).digest
        except (NotFound, AccessDenied):
            return None

    names = sorted(asked)
    with at_side("target"):
        answers = in_parallel(resolve, names, threads, cancellation)
    return frozenset((name, digest) for name, digest in zip(names, answers, strict=True) if digest is not None)


def _held_elsewhere(
    lacking: Iterable[Descriptor], target: Target, elsewhere: Elsewhere, threads: int, cancellation: Cancellation
) -> frozenset[tuple[str, Digest]]:
    """Blobs that no wanted repository has, each with the first other repository that has it."""
    hinted = [(blob, tuple(islice(elsewhere(blob.digest), _CANDIDATES))) for blob in lacking]
    asked = [(blob, candidates) for blob, candidates in hinted if candidates]

    def find(pair: tuple[Descriptor, tuple[str, ...]]) -> str | None:
        blob, candidates = pair
        return next((repository for repository in candidates if holds(target, repository, blob)), None)

    with at_side("target"):
        origins = in_parallel(find, asked, threads, cancellation)
    return frozenset((origin, blob.digest) for origin, (blob, _) in zip(origins, asked, strict=True) if origin)


def holds(target: Target, repository: str, descriptor: Descriptor) -> bool:
    """Whether the target has it there. Raises errors of the target."""
    try:
        return target.exists(repository, descriptor)
    except AccessDenied:  # a blob that we may not see counts as missing; the upload will say more
        return False


def _with_all_below(
    manifests: TargetContent, moving: Iterable[Surveyed], blobs: Set[tuple[str, Digest]]
) -> TargetContent:
    """Only the manifests below which nothing is missing; `blobs` are those that are there."""
    complete: set[tuple[str, Digest]] = set()
    for image in moving:
        scope = manifests.scope(image.item.target.repository)
        for tree, _ in needed(image):
            for node in walk(tree):
                needs = {blob.digest for blob in node.manifest.blobs if not blob.is_foreign}
                below = all((scope, child.manifest.digest) in complete for child in node.children)
                if below and all((scope, digest) in blobs for digest in needs):
                    complete.add((scope, node.manifest.digest))
    return evolve(manifests, pairs=manifests.pairs & complete)


def _inner_manifests(moving: Iterable[Surveyed]) -> Iterator[tuple[str, Descriptor]]:
    for image in moving:
        for tree, is_image in needed(image):
            for node in walk(tree):
                if node is not tree or not is_image:
                    yield image.item.target.repository, node.manifest.descriptor


def _blobs(moving: Iterable[Surveyed], manifests: TargetContent) -> Iterator[tuple[str, Descriptor]]:
    for image in moving:
        repository = image.item.target.repository
        lacking = partial(_is_lacking, manifests, repository)
        for tree, _ in needed(image):
            for node in walk(tree, lacking):
                for blob in node.manifest.blobs:
                    yield repository, blob


def _is_lacking(manifests: TargetContent, repository: str, node: Node) -> bool:
    return not manifests.has(repository, node.manifest.digest)
