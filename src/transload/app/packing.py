"""Packing a release into a bundle: planned against what the far side has, laid out, then filled by the engine."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from attrs import evolve, frozen

from transload.app.job import Job
from transload.app.mirroring import Prepared, check_anything_published, differences, request_of
from transload.app.place import Place
from transload.app.selecting import select
from transload.app.stores import Stores
from transload.bundle.contents import Extra
from transload.bundle.format import Blueprint, lay_out
from transload.bundle.ledger import Ledger
from transload.bundle.reader import BundleStore
from transload.bundle.signing import Signer
from transload.bundle.unfinished import is_finished
from transload.bundle.writer import BundleWriter
from transload.errors import LocalError
from transload.files import local_errors
from transload.nursery import Cancellation
from transload.oci import Descriptor, Digest
from transload.planning import Plan, make_plan
from transload.planning.inventory import Inventory, InventoryTarget, Shelf
from transload.planning.inventoryfile import load
from transload.planning.packing import contents_of, filling_plan
from transload.planning.plan import Share
from transload.transfer import Outcome


@frozen
class Packing:
    """How a bundle is made. `out` is its path without suffix; `against` an inventory file or an earlier bundle."""

    out: Path
    volume_bytes: int | None = None
    against: Path | None = None
    also: tuple[Path, ...] = ()
    signer: Signer | None = None


def prepare_pack(job: Job, packing: Packing, stores: Stores, cancellation: Cancellation) -> Prepared:
    """Decide what the bundle holds, and open it for writing. Moves nothing.

    Raises what `prepare` raises, `DocumentInvalid` for an inventory that is none, `BundleExists`, `Busy`, `DiskFull`
    when the disk has not got the room.
    """
    if not packing.out.absolute().parent.is_dir():
        raise LocalError(f"there is no folder {packing.out.absolute().parent}", hint="make it, or mount the medium")
    selection = select(job, stores, cancellation)
    sources = {place.locator: stores.source(place) for place in selection.places}
    inventory = far_side(packing.against)
    far = InventoryTarget(inventory)
    request = request_of(job, selection)
    plan = make_plan(request, sources, far, elsewhere=inventory.holders, cancellation=cancellation)
    check_anything_published(selection, plan, stores)
    notes = differences(job, selection, plan, stores, cancellation)
    extras = tuple(map(Extra.of, packing.also))
    against = str(packing.against.name) if packing.against else ""
    contents = contents_of(plan, far.resolve, inventory.holders, extras=extras, against=against)
    blueprint = lay_out(contents, packing.volume_bytes, packing.signer)
    place = Place("bundle", str(packing.out))
    if is_finished(packing.out, blueprint):
        return Prepared(_nothing_to_do(plan, place), sources, far, place, notes)
    return _to_fill(plan, blueprint, Prepared(plan, sources, far, place, notes))


def _to_fill(plan: Plan, blueprint: Blueprint, prepared: Prepared) -> Prepared:
    writer = BundleWriter(Path(prepared.place.value), blueprint)
    writer.check_space()

    def finish(outcome: Outcome) -> None:
        with writer:  # leaving it keeps what there is for the next run, unless it is finished
            planned = zip(plan.images, outcome.images, strict=True)
            if all(ended.done and (ended.error is None or image.error is not None) for image, ended in planned):
                writer.finish()

    return evolve(prepared, plan=filling_plan(plan, writer.locator), target=writer, finish=finish)


def _nothing_to_do(plan: Plan, place: Place) -> Plan:
    """The bundle is there already, byte for byte as it would be made."""
    images = (
        image
        if image.error
        else evolve(image, status="unchanged", goals=(), copied=Share(), mounted=Share(), present=image.copied)
        for image in plan.images
    )
    return Plan(place.locator, tuple(images), (), {})


# --- what the far side has


def far_side(against: Path | None) -> Inventory:
    """What is taken to be at the far side: nothing, what an inventory says, or what an earlier bundle brought.

    Names are relative to the prefix there, as they are in a bundle.
    """
    if against is None:
        return Inventory("bundle:", "", True, {}, {}, {})
    with local_errors("reading", against):
        is_inventory = against.is_file() and against.open("rb").read(1) == b"{"
    if is_inventory:
        with local_errors("reading", against):
            return evolve(load(against.read_bytes()), prefix="")
    return inventory_of(BundleStore(against).ledger)


def inventory_of(ledger: Ledger) -> Inventory:
    """What the far side has after a push of this bundle, with what it had to have before."""
    manifests: dict[Digest, Descriptor] = {}
    blobs: dict[Digest, int] = {}
    shelves: dict[str, Shelf] = {}

    def put(repository: str, tags: dict[str, Digest], held: Iterable[Descriptor]) -> None:
        before = shelves.get(repository, Shelf({}, frozenset(), frozenset()))
        found = tuple(held)
        manifests.update({one.digest: one for one in found if one.is_manifest})
        blobs.update({one.digest: one.size for one in found if not one.is_manifest})
        shelves[repository] = Shelf(
            {**before.tags, **tags},
            before.manifests | {one.digest for one in found if one.is_manifest},
            before.blobs | {one.digest for one in found if not one.is_manifest},
        )

    for each in ledger.images:
        image = each.image
        tags = {image.name.tag: image.root.digest} if image.name.tag else {}
        put(image.name.repository, tags, (image.root, *(ledger.blobs[place].descriptor for place in each.blobs)))
    for one in ledger.prerequisites:
        for repository in one.repositories:
            put(repository, {}, (one.descriptor,))
    return Inventory("bundle:", "", True, manifests, blobs, shelves)
