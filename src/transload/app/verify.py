"""Checks a target against its source, or a store alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from transload.app.detect import CarriedStore, ending_notes, select_carried
from transload.app.job import Job
from transload.app.location import Location, is_image
from transload.app.mirror import all_missing, request_of
from transload.app.naming import kind_of
from transload.app.protecting import recovery_notes
from transload.app.selection import select
from transload.app.stores import Stores
from transload.app.whole import names_under, nothing_there
from transload.bundle.reading.accounts import Accounts, saved_contradiction
from transload.bundle.reading.checking import CheckedPart
from transload.errors import PolicyRefused, SelectionEmpty, TransloadError, at_side
from transload.events import ActivityListener, Counting, ignore
from transload.oci import Descriptor, Digest, Manifest, Name, Reference
from transload.planning import Referrers
from transload.planning.narrowing import named
from transload.planning.parts import LeftOut, Parts
from transload.ports import Source
from transload.report.exitcodes import code_of, of_verification
from transload.report.problem import Problem
from transload.report.texts import instant
from transload.report.trusted import Trusted
from transload.threads import Cancellation
from transload.transfer.proof import Proof, Prover, compare, is_wrong
from transload.values import evolve, field, frozen

if TYPE_CHECKING:
    from transload.app.judging import Beside, Origin, Whose
    from transload.app.trusting import Judge
    from transload.bundle.format.entries import LedgerImage
    from transload.bundle.format.ledger import Ledger
    from transload.bundle.reading.reader import BundleStore


@frozen
class Verification:
    """What was proved of a target, image by image; `problems` are those that concern no image.

    `whole` says that every byte was read, whether that was asked for or not; `left_out` counts images that a
    differential bundle does not bring, so that there is nothing to check of them. `prerequisites` are what its images
    need beside what it brings. `notes` say what else people should know. `damage` has every wrong volume and member
    of a bundle that has recovery volumes.

    `policy` is the file of the policy, and `at` the time that counted as now for it. `trust` is what it says of the
    images that are proved, by their names. `troubles` are the errors of those that it refuses, and of those whose
    signatures could not be asked for.
    """

    target: str
    proofs: tuple[Proof, ...]
    problems: tuple[TransloadError, ...] = field(default=(), kw_only=True)
    whole: bool = field(default=False, kw_only=True)
    left_out: int = field(default=0, kw_only=True)
    prerequisites: tuple[Descriptor, ...] = field(default=(), kw_only=True)
    notes: tuple[str, ...] = field(default=(), kw_only=True)
    damage: tuple[CheckedPart, ...] = field(default=(), kw_only=True)
    policy: str | None = field(default=None, kw_only=True)
    at: datetime | None = field(default=None, kw_only=True)
    trust: Mapping[str, Trusted] = field(factory=dict, kw_only=True, hash=False)
    troubles: Mapping[str, TransloadError] = field(factory=dict, kw_only=True, eq=False)

    @property
    def good(self) -> bool:
        """Whether all of it is proved."""
        return self.exit_code == 0

    @property
    def exit_code(self) -> int:
        """What the process ends with (docs/formats/json-output.md, "Exit codes")."""
        wrong = [code_of(proof.error) if proof.wrong else 0 for proof in self.proofs]
        wrong += [problem.exit_code for problem in self.problems if is_wrong(problem)]
        unchecked = [code_of(proof.error) for proof in self.proofs if not proof.good]
        unchecked += [problem.exit_code for problem in self.problems]
        refused = [isinstance(trouble, PolicyRefused) for trouble in self.troubles.values()]
        unchecked += [trouble.exit_code for trouble in self.troubles.values()]
        return of_verification(wrong, unchecked, refused=any(refused))

    @property
    def repairable(self) -> bool | None:
        """Whether a bundle can be repaired; None if nothing is wrong, or it has no recovery volumes."""
        return all(part.made_good for part in self.damage) if self.damage else None

    def to_json(self) -> dict[str, Any]:
        """The `verification` object of docs/formats/json-output.md."""
        return {
            "target": self.target,
            "good": self.good,
            "images": [self._proof_json(proof) for proof in self.proofs],
            "problems": [Problem.of(problem, target=self.target).to_json() for problem in self.problems],
            "notes": list(self.notes),
            "repairable": self.repairable,
            "damage": [_damage_json(part) for part in self.damage],
            **({"policy": self._policy_json()} if self.policy else {}),
        }

    def _policy_json(self) -> dict[str, Any]:
        assert self.at is not None  # noqa: S101 - a policy judges at a time
        refused = sum(isinstance(trouble, PolicyRefused) for trouble in self.troubles.values())
        return {
            "file": self.policy,
            "at": instant(self.at.timestamp()),
            "judged": len(self.trust),
            "refused": refused,
            "unasked": len(self.troubles) - refused,
        }

    def _proof_json(self, proof: Proof) -> dict[str, Any]:
        name = str(proof.name)
        error = proof.error or self.troubles.get(name)
        trust = self.trust.get(name)
        return {
            "name": name,
            "verdict": proof.verdict,
            "digest": proof.digest,
            "manifests": proof.manifests,
            "blobs": proof.blobs,
            "bytes": proof.bytes,
            "problem": Problem.of(error, target=self.target).to_json() if error else None,
            **({"trust": trust.to_json() if trust else None} if self.policy else {}),
        }


def check_against_source(
    job: Job, stores: Stores, deep: bool, cancellation: Cancellation, carried: CarriedStore | None = None
) -> Verification:
    """Compare everything that `job` wants with the target; from the store `carried`, if there is one.

    Raises errors of the selection, and of the target as a whole.
    """
    selection = select_carried(carried, job, stores.working) if carried else select(job, stores, cancellation)
    with at_side("target"):
        target = stores.target(job.target, create=False)
    request = evolve(
        request_of(job, selection),
        referrers=Referrers.REFRESH if job.referrers.demanded else Referrers.UNASKED,
    )
    proofs = compare(request, selection.sources, target, deep=deep, cancellation=cancellation, working=stores.working)
    excused = {str(item.target) for item in selection.items if item.optional or job.allow_missing}
    wanted = tuple(proof for proof in proofs if not _excused(proof, excused))
    if not wanted:
        raise all_missing([str(proof.name) for proof in proofs])
    verification = Verification(str(job.target), wanted)
    if job.policy is None:
        return verification
    from transload.app import judging  # few checks have a policy
    from transload.app.trusting import Judge

    bundled = _whose_bundled(carried.bundle) if carried and carried.bundle else None
    named = [(proof.name, item) for proof, item in zip(proofs, selection.items, strict=True)]
    whose = judging.whose_compared(named, job.target, bundled)
    sources = selection.sources
    origins = {name: (sources[item.source_store], item.source.repository) for name, item in named}
    judge = Judge(job.policy, job.at)
    return _judged(verification, judge, target, whose, cancellation, stores.working, origins)


def _whose_bundled(bundle: BundleStore) -> Whose:
    from transload.app.judging import whose_bundled

    sources = {entry.image.name: entry.image.source for entry in bundle.ledger.images}
    return whose_bundled(sources, proved=bundle.verified)


def _judged(
    checked: Verification,
    judge: Judge,
    store: Source,
    whose: Whose,
    cancellation: Cancellation,
    working: ActivityListener,
    origins: Mapping[Name, Origin] | None = None,
    beside: Beside = lambda _: (),
) -> Verification:
    from transload.app.judging import judge_proved

    judged = judge_proved(
        judge,
        store,
        checked.proofs,
        whose,
        origins=origins or {},
        beside=beside,
        cancellation=cancellation,
        working=working,
    )
    return evolve(
        checked,
        policy=judge.policy.file,
        at=judge.at,
        trust=judged.trust,
        troubles=judged.troubles,
        notes=(*checked.notes, *judged.notes),
    )


def check_alone(
    carried: CarriedStore,
    deep: bool,
    cancellation: Cancellation,
    working: ActivityListener = ignore,
    judge: Judge | None = None,
    only: Name | None = None,
) -> Verification:
    """Check a store alone: a bundle byte by byte; of other stores every manifest and, with `deep`, every blob's bytes.

    With `judge`, each image must be signed as its policy wants. `only` is the one image to check, unless it is a
    bundle. Raises `SelectionEmpty` for a store without images, and errors of the store as a whole.
    """
    bundle, location = carried.bundle, carried.location
    if bundle is not None:
        checked = _check_bundle(location, bundle, cancellation, working)
    else:
        checked = _check_names(location, carried.source, deep, cancellation, working, only)
    if judge is None:
        return checked
    from transload.app.judging import whose_here  # few checks have a policy

    if bundle is None:
        return _judged(checked, judge, carried.source, whose_here(location), cancellation, working)
    held = {entry.image.name: entry.blobs for entry in bundle.ledger.images}

    def beside(name: Name) -> Iterator[Descriptor]:
        pieces = (bundle.ledger.blobs[number].descriptor for number in held[name])
        return (piece for piece in pieces if piece.is_manifest)

    return _judged(checked, judge, bundle, _whose_bundled(bundle), cancellation, working, beside=beside)


def registry_place(word: str) -> tuple[Location, Name | None] | None:
    """The registry that a word names, and the one image there if it names one; None if it names something else.

    Raises `ReferenceInvalid`, `UsageError`.
    """
    if kind_of(word) != "reference":
        return None
    if not is_image(word):
        return Location.parse(word), None
    reference = Reference.parse(word)
    return Location("registry", reference.registry), reference.name


def check_registry(
    place: tuple[Location, Name | None], stores: Stores, deep: bool, cancellation: Cancellation, judge: Judge
) -> Verification:
    """Check what is at a registry, or one image there, by itself: whole, and signed as the policy of `judge` wants.

    Raises as `check_alone` does.
    """
    location, only = place
    with at_side("target"):
        store = CarriedStore(location, stores.target(location, create=False))
    return check_alone(store, deep, cancellation, stores.working, judge, only)


def _check_names(
    location: Location,
    store: Source,
    deep: bool,
    cancellation: Cancellation,
    working: ActivityListener,
    only: Name | None = None,
) -> Verification:
    """Check every name of a store: manifests read, blobs there, and hashed when `deep`.

    If an archive holds only some platforms of an image, as docker saves it, those are checked, and a note names the
    others. A folder that lacks a platform without saying so has lost it.
    """
    partial: list[str] = []

    def prove(name: Name) -> Proof:
        lacking = _Lacking(store, name)
        proof = prover.prove(
            name, LeftOut(store, name.repository, lacking.of if location.kind == "archive" else lambda _: ())
        )
        if proof.good and lacking.parts:
            partial.append(f"{location} does not hold {named(lacking.parts)} of {name}: only what is there was checked")
        return proof

    with at_side("target"):
        counted = Counting(working, "selecting").add
        names = [only] if only else list(names_under(store, location.prefix, counted=counted))
        if not names:
            raise nothing_there(store, location)
    counting = Counting(working, "proving", len(names))
    prover = Prover(store, deep=deep, cancellation=cancellation, counting=counting)
    proofs = tuple(map(counting.around(prove), sorted(names)))
    return Verification(str(location), proofs, notes=tuple(partial))


class _Lacking:
    """Collects the children of an image's indexes that its store does not hold."""

    def __init__(self, store: Source, name: Name) -> None:
        self._image = Parts.of(store, name)
        self.parts: list[Descriptor] = []

    def of(self, index: Manifest) -> list[Digest]:
        lacking = self._image.lacking(index)
        self.parts += lacking
        return [child.digest for child in lacking]


def _check_bundle(
    location: Location, bundle: BundleStore, cancellation: Cancellation, working: ActivityListener
) -> Verification:
    """Read a whole bundle once: every volume and every member. Images that were left out are not checked."""
    ledger = bundle.ledger
    if not ledger.images:
        raise SelectionEmpty(f"there is no image in {location}", subject=str(location), hint="pack it again")
    broken: dict[Name, TransloadError] = {}
    problems: list[TransloadError] = []
    bundle.mended = lambda _sentence: None  # what is damaged is told below
    damage: list[CheckedPart] = []
    for part in bundle.check(Counting(working, "hashing", ledger.size).add):
        cancellation.check()
        if part.error is not None:
            damage.append(part)
            problems += [] if part.images else [part.error]
            for name in part.images:
                if name not in broken or (is_wrong(part.error) and not is_wrong(broken[name])):
                    broken[name] = part.error
    if error := saved_contradiction(bundle):
        problems.append(error)
    accounts = Accounts(bundle)
    for entry in ledger.images:
        if not entry.image.present and entry.image.name not in broken:
            error = accounts.contradiction_in(entry)
            if error is not None:
                broken[entry.image.name] = error
    volumes = _volume_errors(damage)
    broken = {name: volumes(error) for name, error in broken.items()}
    proofs = tuple(_bundled(entry, ledger, broken) for entry in ledger.images if not entry.image.present)
    problems += map(volumes, (part.error for part in damage if part.error is not None))
    problems = [error for error in dict.fromkeys(map(volumes, problems)) if error not in broken.values()]
    return Verification(
        location.locator,
        proofs,
        problems=tuple(problems),
        whole=True,
        left_out=len(ledger.images) - len(proofs),
        prerequisites=tuple(piece.descriptor for piece in ledger.prerequisites),
        notes=(*ending_notes(bundle), *recovery_notes(bundle)),
        damage=tuple(part for part in damage if bundle.mender),
    )


def _volume_errors(damage: Iterable[CheckedPart]) -> Callable[[TransloadError], TransloadError]:
    """Gives for an error that was met in a member what is wrong with its volume, so that it is told once."""
    errors = {(part.subject, type(part.error)): part.error for part in damage if part.error is not None}
    return lambda error: errors.get((str(error.subject), type(error)), error)


def _bundled(entry: LedgerImage, ledger: Ledger, broken: Mapping[Name, TransloadError]) -> Proof:
    name, root = entry.image.name, entry.image.root
    if name in broken:
        return Proof(name, "damaged" if is_wrong(broken[name]) else "unchecked", digest=root.digest, error=broken[name])
    held = [ledger.blobs[number].descriptor for number in entry.blobs]
    manifests = sum(descriptor.is_manifest for descriptor in held)
    return Proof(
        name,
        "sound",
        digest=root.digest,
        manifests=manifests,
        blobs=len(held) - manifests,
        bytes=sum(descriptor.size for descriptor in held),
        root=root,
    )


def _damage_json(part: CheckedPart) -> dict[str, Any]:
    return {
        "file": part.subject,
        "code": part.error.code if part.error else None,
        "wrong_bytes": [list(stretch) for stretch in part.stretches],
    }


def _excused(proof: Proof, excused: Iterable[str]) -> bool:
    return proof.unpublished and str(proof.name) in excused
