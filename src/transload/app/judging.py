"""Judges by a policy images that are in a store already, each by the signatures that are there with it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType

from transload.app.belonging import all_below, listed
from transload.app.location import Location
from transload.app.trusting import Judge, Published, refusal, without_use
from transload.errors import Interrupted, PartMissing, Side, TransloadError, as_result
from transload.events import ActivityListener, Counting, ignore
from transload.oci import Descriptor, Digest, Name
from transload.planning import Item
from transload.ports import Source
from transload.pruning.held import companion_of
from transload.report.trusted import Trusted
from transload.threads import Cancellation, in_parallel
from transload.transfer.proof import Proof, is_wrong
from transload.trust.policy import Mode, Verdict
from transload.values import evolve, field, frozen

_THREADS = 8

Whose = Callable[[Name], Published]
"""Says whose image it is, by its name in the store."""

Origin = tuple[Source, str]
"""The store, and the repository there, where an image was published."""

Beside = Callable[[Name], Iterable[Descriptor]]
"""Gives the manifests that come with an image, by its name in the store; its own may be among them."""

NO_ORIGINS: Mapping[Name, Origin] = MappingProxyType({})


@frozen(kw_only=True)
class Judged:
    """What a policy says of images, by their names in the store.

    `troubles` are the errors of those that are refused, and of those whose signatures could not be asked for. `notes`
    name rules that fit none.
    """

    trust: Mapping[str, Trusted] = field(factory=dict)
    troubles: Mapping[str, TransloadError] = field(factory=dict)
    notes: tuple[str, ...] = ()


def whose_here(location: Location) -> Whose:
    """For a store of whose images nobody says who published them: their names there choose the rules.

    A signature may name any repository then, since the one that it should name is not known.
    """

    def whose(name: Name) -> Published:
        return evolve(Published.at(location.locator, name.repository), proved=True, names=())

    return whose


def whose_bundled(sources: Mapping[Name, str], *, proved: bool) -> Whose:
    """For a bundle, whose ledger states the `sources`; `proved` says that its signature was checked."""
    return lambda name: Published.claimed(sources.get(name, ""), name.repository, proved=proved)


def whose_compared(items: Iterable[tuple[Name, Item]], location: Location, bundled: Whose | None) -> Whose:
    """For a target that is compared with a source, of which `bundled` knows more if it is a bundle.

    A signature may name the publisher's repository, or that of the target.
    """
    known: dict[Name, Published] = {}
    for name, item in items:
        there = Published.at(item.source_store, item.source.repository)
        published = bundled(item.source) if bundled else there
        names = (*published.names, *Published.at(location.locator, name.repository).names) if published.names else ()
        known[name] = evolve(published, names=names)
    return known.__getitem__


def judge_proved(
    judge: Judge,
    store: Source,
    proofs: Iterable[Proof],
    whose: Whose,
    *,
    origins: Mapping[Name, Origin] = NO_ORIGINS,
    beside: Beside = lambda _: (),
    cancellation: Cancellation | None = None,
    working: ActivityListener = ignore,
) -> Judged:
    """Judge all images of `store` that are proved to be whole there.

    An image that is proved to be a part of a published one, as `--platform` makes it, is judged by that one, with the
    signatures at its source: `origins` says where that is. Nobody else can have signed the part.

    Tags that only hold the signatures of an image among them are no images, unless an engine could run what is there.
    A list of signatures that is too long or broken proves nothing, whoever made it so. Raises `PartMissing` without a
    library that is needed, and `Interrupted`.
    """
    proofs = tuple(proofs)
    alone = {proof.name for proof in _images(proofs)}
    images = [proof for proof in proofs if proof.root]
    trust: dict[str, Trusted] = {}
    troubles: dict[str, TransloadError] = {}

    def judged(proof: Proof) -> None:
        name, published = proof.name, whose(proof.name)
        place, side = _Place.of(proof, store, origins)
        try:
            if name not in alone and not _is_image(place.store, place.repository, place.signed):
                return
            said = _verdict(judge, place, published)
            if not said.refuses:
                said = _with_images_beside(said, judge, place, published, beside(name))
        except (Interrupted, PartMissing):
            raise
        except TransloadError as error:
            error.side = side
            troubles[str(name)] = as_result(error)
            return
        trust[str(name)] = Trusted.of(said)
        if said.refuses:
            troubles[str(name)] = refused = refusal(str(name), published, said, judge.policy)
            refused.side = "target"

    in_parallel(Counting(working, "proving", len(images)).around(judged), images, _THREADS, cancellation)
    notes = without_use(
        judge.policy, [whose(proof.name).name for proof in images if proof.name in alone], "that was judged"
    )
    return Judged(trust=trust, troubles=troubles, notes=tuple(notes))


@frozen
class _Place:
    """Where an image's signatures are looked for, and which manifest they must sign."""

    store: Source
    repository: str
    signed: Descriptor

    @classmethod
    def of(cls, proof: Proof, store: Source, origins: Mapping[Name, Origin]) -> tuple[_Place, Side]:
        """For a proof that has a root; and on which side that is."""
        root, published = proof.root, proof.published
        assert root is not None  # noqa: S101 - only what is whole is judged
        if published is not None and published.digest != root.digest and proof.name in origins:
            return cls(*origins[proof.name], published), "source"
        return cls(store, proof.name.repository, root), "target"


def _verdict(judge: Judge, place: _Place, published: Published) -> Verdict:
    """The verdict, that a list of signatures which is wrong in itself does not hold. Raises what asking raises."""
    try:
        return judge.verdict_on(place.store, place.repository, place.signed, published)
    except (Interrupted, PartMissing):
        raise
    except TransloadError as error:
        rule = published.rule(judge.policy)
        if is_wrong(error):
            return Verdict(rule=rule, problem=f"its signatures cannot be read: {error.message}")
        if rule is None or rule.mode is not Mode.WARN:
            raise
        return Verdict(rule=rule, problem=f"its signatures could not be asked for: {error.message}")


def _is_image(store: Source, repository: str, root: Descriptor) -> bool:
    """Whether an engine could run what lies there: a registry can have anything under the tag of a signature."""
    manifest = store.fetch(Name(repository, None, root.digest))
    return manifest.is_runnable or any(child.platform for child in manifest.manifests)


def _with_images_beside(
    said: Verdict, judge: Judge, place: _Place, published: Published, beside: Iterable[Descriptor]
) -> Verdict:
    """The verdict, which does not hold if something that comes with the image is another one that is not signed."""
    store, repository = place.store, place.repository
    fetched = {each.digest: store.fetch(Name(repository, None, each.digest)) for each in beside}
    parts = all_below({place.signed.digest: None}, lambda digest: listed(fetched, digest))
    for digest, manifest in fetched.items():
        if digest not in parts and manifest.is_runnable:
            other = _verdict(judge, _Place(store, repository, manifest.descriptor), published)
            if other.refuses:
                why = f"{digest.short}, which comes with it, is an image too, and it is not signed: {other.problem}"
                return evolve(said, problem=why)
    return said


def _images(proofs: Iterable[Proof]) -> list[Proof]:
    """Those that are no manifest of one of cosign's tags, nor a list of referrers, for an image that is there.

    These can belong to a child of an index, or to a signature in turn.
    """
    images = [proof for proof in proofs if companion_of(proof.name.tag, {}) is None]
    left = {proof.name: proof for proof in proofs if companion_of(proof.name.tag, {}) is not None}
    new = images
    held: set[tuple[str, Digest | None]] = set()
    while new:
        held |= {(proof.name.repository, digest) for proof in new for digest in (proof.digest, *proof.parts)}
        new = [proof for name, proof in left.items() if (name.repository, companion_of(name.tag, {})) in held]
        for proof in new:
            del left[proof.name]
    return [*images, *left.values()]
