"""Checking a target against the source, or a store by itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from attrs import field, frozen

from transload.app.detect import select_carried
from transload.app.job import Job
from transload.app.location import Location
from transload.app.mirror import all_missing, request_of
from transload.app.selection import select
from transload.app.stores import Stores
from transload.app.whole import names_under, nothing_there
from transload.bundle.reading.accounts import Accounts
from transload.errors import SelectionEmpty, TransloadError, at_side
from transload.events import Counting
from transload.oci import Descriptor, Digest, Manifest, Name
from transload.planning.narrowing import named
from transload.planning.parts import LeftOut, Parts
from transload.ports import Source
from transload.report.exitcodes import code_of, of_verification
from transload.report.problem import Problem
from transload.threads import Cancellation
from transload.transfer.proof import Proof, Prover, compare, is_wrong

if TYPE_CHECKING:
    from transload.bundle.format.ledger import Ledger, LedgerImage


@frozen
class Verification:
    """What was proved of a target, image by image; `problems` are those that concern no image.

    `whole` says that every byte was read, whether that was asked for or not; `left_out` counts images that a
    differential bundle does not bring, so that there is nothing to check of them. `prerequisites` are what its images
    need beside what it brings. `notes` say what else people should know.
    """

    target: str
    proofs: tuple[Proof, ...]
    problems: tuple[TransloadError, ...] = field(default=(), kw_only=True)
    whole: bool = field(default=False, kw_only=True)
    left_out: int = field(default=0, kw_only=True)
    prerequisites: tuple[Descriptor, ...] = field(default=(), kw_only=True)
    notes: tuple[str, ...] = field(default=(), kw_only=True)

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
        return of_verification(wrong, unchecked)

    def to_json(self) -> dict[str, Any]:
        """The `verification` object of docs/formats/json-output.md."""
        return {
            "target": self.target,
            "good": self.good,
            "images": [_proof_json(proof, self.target) for proof in self.proofs],
            "problems": [Problem.of(problem, target=self.target).to_json() for problem in self.problems],
            "notes": list(self.notes),
        }


def check_against_source(
    job: Job, stores: Stores, deep: bool, cancellation: Cancellation, carried: Location | None = None
) -> Verification:
    """Compare everything that `job` wants, of the store `carried` if there is one.

    Raises what goes wrong with the selection or the target as a whole.
    """
    selection = select_carried(carried, job, stores, cancellation) if carried else select(job, stores, cancellation)
    sources = {place.locator: stores.source(place) for place in selection.places}
    with at_side("target"):
        target = stores.target(job.target, create=False)
    proofs = compare(
        request_of(job, selection), sources, target, deep=deep, cancellation=cancellation, working=stores.working
    )
    excused = {str(item.target) for item in selection.items if item.optional or job.allow_missing}
    kept = tuple(proof for proof in proofs if not _excused(proof, excused))
    if not kept:
        raise all_missing([str(proof.name) for proof in proofs])
    return Verification(str(job.target), kept)


def check_alone(place: Location, stores: Stores, deep: bool, cancellation: Cancellation) -> Verification:
    """Check every name of a store: manifests read, blobs there, and hashed when `deep`.

    Of an image of which an archive holds some platforms only, as docker saves it, those are checked; the others are
    told. A folder that lacks a platform and does not say so has lost it.
    """
    store = stores.source(place)
    partial: list[str] = []

    def prove(name: Name) -> Proof:
        lacking = _Lacking(store, name)
        proof = prover.prove(
            name, LeftOut(store, name.repository, lacking.of if place.kind == "archive" else lambda _: ())
        )
        if proof.good and lacking.found:
            partial.append(f"{place} does not hold {named(lacking.found)} of {name}: only what is there was checked")
        return proof

    with at_side("target"):
        names = list(names_under(store, "", found=Counting(stores.working, "selecting").add))
        if not names:
            raise nothing_there(store, place)
    counting = Counting(stores.working, "proving", len(names))
    prover = Prover(store, deep=deep, cancellation=cancellation, counting=counting)
    proofs = tuple(map(counting.around(prove), sorted(names)))
    return Verification(str(place), proofs, notes=tuple(partial))


class _Lacking:
    """The parts of an image that its store does not hold, remembered as they are met."""

    def __init__(self, store: Source, name: Name) -> None:
        self._parts = Parts.of(store, name)
        self.found: list[Descriptor] = []

    def of(self, index: Manifest) -> list[Digest]:
        lacking = self._parts.lacking(index)
        self.found += lacking
        return [child.digest for child in lacking]


def check_bundle(place: Location, stores: Stores, cancellation: Cancellation) -> Verification:
    """Read a bundle once, whole: every volume and every member. Images that were left out have nothing to check."""
    store = stores.bundle(place)
    ledger = store.ledger
    if not ledger.images:
        raise SelectionEmpty(f"there is no image in {place}", subject=str(place), hint="pack it again")
    broken: dict[Name, TransloadError] = {}
    problems: list[TransloadError] = []
    for checked in store.check(Counting(stores.working, "hashing", ledger.size).add):
        cancellation.check()
        if checked.error is not None:
            problems += [] if checked.images else [checked.error]
            for name in checked.images:
                if name not in broken or (is_wrong(checked.error) and not is_wrong(broken[name])):
                    broken[name] = checked.error
    accounts = Accounts(store)
    for each in ledger.images:
        if not each.image.present and each.image.name not in broken:
            error = accounts.contradiction_in(each)
            if error is not None:
                broken[each.image.name] = error
    proofs = tuple(_bundled(each, ledger, broken) for each in ledger.images if not each.image.present)
    return Verification(
        place.locator,
        proofs,
        problems=tuple(problems),
        whole=True,
        left_out=len(ledger.images) - len(proofs),
        prerequisites=tuple(each.descriptor for each in ledger.prerequisites),
    )


def _bundled(each: LedgerImage, ledger: Ledger, broken: Mapping[Name, TransloadError]) -> Proof:
    name, root = each.image.name, each.image.root
    if name in broken:
        return Proof(name, "damaged" if is_wrong(broken[name]) else "unchecked", digest=root.digest, error=broken[name])
    held = [ledger.blobs[place].descriptor for place in each.blobs]
    manifests = sum(one.is_manifest for one in held)
    return Proof(
        name,
        "sound",
        digest=root.digest,
        manifests=manifests,
        blobs=len(held) - manifests,
        bytes=sum(one.size for one in held),
    )


def _excused(proof: Proof, excused: Iterable[str]) -> bool:
    return proof.unpublished and str(proof.name) in excused


def _proof_json(proof: Proof, target: str) -> dict[str, Any]:
    return {
        "name": str(proof.name),
        "verdict": proof.verdict,
        "digest": proof.digest,
        "manifests": proof.manifests,
        "blobs": proof.blobs,
        "bytes": proof.bytes,
        "problem": Problem.of(proof.error, target=target).to_json() if proof.error else None,
    }
