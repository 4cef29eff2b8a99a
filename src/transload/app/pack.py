"""Packs a release into a bundle: plans it against what the target has, lays it out, and prepares the run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from transload.app.attesting import carrying
from transload.app.baseline import far_side
from transload.app.bundling import contents_of, filling_plan
from transload.app.edition import with_edition
from transload.app.job import Job
from transload.app.location import Location
from transload.app.mirror import (
    Prepared,
    additions_of,
    check_anything_published,
    differences,
    request_of,
    with_gates,
)
from transload.app.protecting import Division, RecoveryVolumes
from transload.app.readback import check_bundle, check_recovery, counted, told
from transload.app.rules import ask_once_if_repeated, policy_notes, refuse_by_rule, trusting_for
from transload.app.selection import Selection, select
from transload.app.stores import Stores
from transload.app.tomedia import onto_media
from transload.app.trusthints import carried_hints, check_other_extras
from transload.app.whole import nameless_notes
from transload.bundle.format.blueprint import Blueprint
from transload.bundle.format.contents import Contents, ExtraFile
from transload.bundle.format.signing import Signer
from transload.bundle.format.volumes import split_file_name
from transload.bundle.writing.onmedia import Ask
from transload.bundle.writing.partial import discard, is_begun, is_finished
from transload.bundle.writing.writer import BundleWriter
from transload.errors import (
    BundleIncomplete,
    DiskFull,
    GateRefused,
    HostGivenUp,
    LocalError,
    NotFound,
    RefusedByRule,
    UsageError,
)
from transload.events import Counting, Progressed
from transload.files import expanded
from transload.files.readback import ReadBack
from transload.inventory.inventory import Inventory, InventoryTarget
from transload.planning import Plan, Request, make_plan
from transload.planning.plan import PlannedImage, Share
from transload.report.texts import count
from transload.threads import Cancellation
from transload.transfer import Outcome
from transload.transfer.limits import NO_LIMITS, Limits
from transload.values import evolve, field, frozen

if TYPE_CHECKING:
    from transload.app.bundlerecord import InBundle, PackingRecord
from transload.wording import told_of

_COMPRESSED = frozenset({".gz", ".tgz", ".zst", ".xz", ".bz2", ".zip"})
_WRITTEN = "earlier runs have written every volume to its medium; --rewrite-volume N writes one again"
_NO_RECORD = "the bundle holds no image, so it carries no transfer record"
_NAMED = 3  # images named in one sentence


@frozen(kw_only=True)
class Packing:
    """How a bundle is made.

    `out` is its path without suffix, `division` how it is cut and protected, `against` an inventory file or an earlier
    bundle, `against_key` the public key that must have signed it, `also` extra files. With
    `verify_medium`, what was written is read back from the medium and compared. `to_media` writes one volume after the
    other; `ask_medium` asks for the next medium when there is no room. `rewrite` are volumes to write once more.
    `in_bundle` is the transfer record that it carries of its own packing.
    `limits` are those of the run that fills it. Raises `UsageError` for what excludes each other.
    """

    out: Path
    division: Division = field(factory=Division)
    against: Path | None = None
    against_key: Path | None = None
    also: tuple[Path, ...] = ()
    signer: Signer | None = None
    in_bundle: InBundle | None = None
    verify_medium: bool = False
    to_media: bool = False
    ask_medium: Ask | None = None
    rewrite: tuple[int, ...] = ()
    limits: Limits = NO_LIMITS

    def __attrs_post_init__(self) -> None:
        if self.rewrite and not self.to_media:
            raise UsageError(
                "only a bundle that is written to media is written volume by volume", hint="add --to-media"
            )
        if self.to_media and self.limits != NO_LIMITS:
            raise UsageError("--to-media cannot be combined with --max-bytes or --between", hint="leave them out")
        if self.to_media and self.division.recovery:
            raise UsageError(
                "recovery volumes need the data of all volumes at once, and --to-media keeps only one",
                hint="pack to a disk with --recovery, then copy the volumes to their media",
            )


@frozen
class Packed:
    """A run that fills a bundle, the layout of that bundle, and its recovery volumes, if there are to be any."""

    prepared: Prepared
    blueprint: Blueprint
    recovery: RecoveryVolumes | None


def prepare_pack(job: Job, packing: Packing, stores: Stores, cancellation: Cancellation) -> Packed:
    """Decide what the bundle holds, and open it for writing. Moves nothing.

    Raises what `prepare` and `far_side` raise, `BundleIncomplete` if a wanted image is not available, `BundleExists`,
    `Busy`, and `DiskFull` if the disk has too little room.
    """
    _check_folder(packing.out)
    also = _extras(job, packing)
    inventory = far_side(packing.against, packing.against_key)
    ask_once_if_repeated(job, stores)
    selection = _in_order(select(job, stores, cancellation))
    far = InventoryTarget(inventory)
    request = request_of(job, selection)
    trusting = trusting_for(job, selection.sources, cancellation, stores.working)
    plan = make_plan(
        request,
        selection.sources,
        far,
        elsewhere=inventory.holders,
        refuse=refuse_by_rule(job, selection.sources, cancellation, trusting),
        cancellation=cancellation,
        working=stores.working,
    )
    check_anything_published(selection, plan)
    check_whole(plan)
    ungated = _ungated(plan, request, selection, far, packing)
    passed = with_gates(ungated, job, stores, cancellation, again=packing.to_media or is_begun(packing.out))
    check_any_passed(passed.plan)
    passed = evolve(passed, checks=trusting.checks() if trusting else ())
    if passed.attestations:
        passed = carrying(passed)
    plan = passed.plan
    record = _record(packing, passed, stores)
    extras = (*also, *((record.file,) if record else ()))
    against = packing.against.name if packing.against else ""
    contents = contents_of(plan, far.resolve, inventory.holders, extras=extras, against=against)
    contents = with_edition(contents, selection, job, packing.out, stores)
    blueprint = packing.division.laid_out(packing.out, contents, packing.signer)
    recovery = RecoveryVolumes.planned(packing.out, blueprint, packing.division.recovery)
    location = Location("bundle", str(packing.out))
    notes = (
        *policy_notes(trusting),
        *selection.notes,
        *nameless_notes(plan.images),
        *((recovery.note,) if recovery and recovery.note else ()),
    )
    notes += passed.notes
    notes += differences(job, selection, plan, stores.working, cancellation)
    notes += tuple(_far_notes(inventory, contents))
    if packing.in_bundle is not None and record is None:
        notes = (*notes, _NO_RECORD)
    prepared = Prepared(
        plan=plan,
        sources=passed.sources,
        target=far,
        location=location,
        notes=notes,
        additions=additions_of(selection, plan, job),
        plan_digest=contents.plan_digest,
        gates=passed.gates,
        checks=passed.checks,
        verdicts=trusting.verdicts if trusting else {},
    )
    if record is not None and not is_finished(packing.out, blueprint):
        record.keep()
    if packing.to_media:
        written = onto_media(
            prepared,
            blueprint,
            stores,
            cancellation,
            ask=packing.ask_medium,
            verify_medium=packing.verify_medium,
            rewrite=packing.rewrite,
        )
        if written is None:
            notes = (*notes, _WRITTEN)
            written = evolve(prepared, plan=_nothing_to_do(plan, location), notes=notes)
        return Packed(written, blueprint, None)
    if not is_finished(packing.out, blueprint):
        filling = _to_fill(prepared, blueprint, recovery, stores, cancellation, packing.verify_medium)
        return Packed(filling, blueprint, recovery)

    def complete(_outcome: Outcome) -> tuple[Path, ...]:
        if packing.verify_medium:
            check_bundle(packing.out, blueprint, stores, cancellation)
        return _protected(recovery, stores, cancellation, packing.verify_medium, fresh=False)

    return Packed(evolve(prepared, plan=_nothing_to_do(plan, location), finish=complete), blueprint, recovery)


def _extras(job: Job, packing: Packing) -> tuple[ExtraFile, ...]:
    """The files that travel along: the user's, and the trust material of the policy."""
    also = tuple(map(ExtraFile.of, packing.also))
    check_other_extras(also)
    return (*also, *carried_hints(job.policy))


def _ungated(plan: Plan, request: Request, selection: Selection, far: InventoryTarget, packing: Packing) -> Prepared:
    """The plan of a bundle before gates have seen its images; nothing is laid out yet."""
    location = Location("bundle", str(packing.out))
    return Prepared(plan=plan, sources=selection.sources, target=far, location=location, request=request)


def _far_notes(inventory: Inventory, contents: Contents) -> Iterator[str]:
    """What the file of the far side says about itself, and that nothing in it was of use."""
    yield from inventory.notes[:_NAMED]
    if len(inventory.notes) > _NAMED:
        yield f"{contents.against} has {len(inventory.notes) - _NAMED} more notes"
    if contents.against and not contents.prerequisites and not any(image.present for image in contents.images):
        yield f"nothing of these images is in {contents.against}, so the bundle has all of them: is it of this target?"


def _record(packing: Packing, passed: Prepared, stores: Stores) -> PackingRecord | None:
    """The transfer record that the bundle carries, if one is wanted."""
    if packing.in_bundle is None:
        return None
    from transload.app.bundlerecord import PackingRecord  # few bundles carry one

    folder: Path | None = packing.out.parent
    if packing.to_media:  # this file system is on its way
        folder = stores.state / "media" if stores.state else None
    return PackingRecord.made(packing.in_bundle, passed, packing.signer, folder)


def check_any_passed(plan: Plan) -> None:
    """Raise the error of the first image if gates refused every image, so that nothing is left to pack."""
    refused = [image.error for image in plan.images if isinstance(image.error, GateRefused)]
    if refused and not any(image.error is None for image in plan.images):
        raise refused[0]


def _in_order(selection: Selection) -> Selection:
    """The selection, sorted, so that the same set gives the same bytes in any order."""
    return evolve(selection, items=tuple(sorted(selection.items, key=lambda item: (item.target, item.source_store))))


def bundle_path(out: Path) -> Path:
    """The path of the bundle called `out`, which may have the suffix. Raises `UsageError`."""
    path = expanded(out)
    path = path.with_name(path.name.removesuffix(".tar")) if path.name.removesuffix(".tar") else path
    if path.suffix in _COMPRESSED:
        raise UsageError(
            f"{path.name}: a bundle is not compressed, since layers already are",
            subject=str(out),
            hint=f"write {path.name.removesuffix(path.suffix).removesuffix('.tar')}",
        )
    name, number = split_file_name(f"{path.name}.tar")
    if number is not None:
        raise UsageError(
            f"volume {number} of the bundle {name} would have the name {path.name}",
            subject=str(out),
            hint=f"write {name}",
        )
    return path


def _check_folder(out: Path) -> None:
    """Check that the folder exists. It is not created: it may be a medium that is not mounted yet."""
    if out.name in {"", ".."} or out.is_dir():
        raise LocalError(f"{out} is a folder, not a bundle", subject=str(out), hint=f"write {out / 'NAME'}")
    folder = out.absolute().parent
    if not folder.is_dir():
        raise LocalError(f"there is no folder {folder}", subject=str(out), hint="make it, or mount the medium")


def check_whole(plan: Plan) -> None:
    """Refuse to pack a part: behind the air gap, nobody could fetch what is missing.

    Images that a rule of the user refuses are not wanted, so the others are packed, if there are any.

    Raises `BundleIncomplete`; `NotFound` if the source has none of the images; if all fail with the same error (the
    source is down, the login is wrong), that error.
    """
    failed = [image for image in plan.images if image.error is not None]
    errors = [image.error for image in failed if image.error is not None]
    if errors and len(errors) == len(plan.images):
        if all(image.status == "missing" for image in failed):
            message = "the image is" if len(failed) == 1 else f"none of the {count(len(failed), 'image')} is"
            raise NotFound(f"{message} published: {_named(failed)}", side="source", hint="check the names")
        if len({(error.code, str(error)) for error in errors}) == 1:
            raise errors[0]
    failures = [image for image in plan.failures if not isinstance(image.error, RefusedByRule)]
    if len(errors) == len(plan.images):
        failures = list(plan.failures)
    for error in errors:
        if isinstance(error, HostGivenUp):  # the source is down, which says nothing about the images
            raise error
    if failures:
        message = f"{len(failures)} of {count(len(plan.images), 'image')} cannot be packed, so nothing was written"
        raise BundleIncomplete(f"{message}: {_named(failures)}", hint=_way_on(failures))


def _named(failed: Sequence[PlannedImage]) -> str:
    message = "; ".join(str(image.error) if image.status == "missing" else _told(image) for image in failed[:_NAMED])
    return message + (f"; and {len(failed) - _NAMED} more" if len(failed) > _NAMED else "")


def _told(image: PlannedImage) -> str:
    return told_of(image.label, str(image.error))


def _way_on(failed: Sequence[PlannedImage]) -> str:
    if all(image.status == "missing" for image in failed):
        return "check the names; --allow-missing packs the others"
    return "correct these errors or leave these images out, then run the same command again"


def _to_fill(
    prepared: Prepared,
    blueprint: Blueprint,
    recovery: RecoveryVolumes | None,
    stores: Stores,
    cancellation: Cancellation,
    verify_medium: bool,
) -> Prepared:
    beside = recovery.writer().missing_bytes if recovery else 0
    writer, working = _opened(Path(prepared.location.value), blueprint, beside), stores.working
    failed = [image.error is not None for image in prepared.plan.images]
    stores.at_end(writer.park)  # a run that breaks off never calls `finish`

    def finish(outcome: Outcome) -> tuple[Path, ...]:
        with writer:  # leaving it keeps what there is for the next run, unless it is finished
            ends = zip(failed, outcome.images, strict=True)  # not the plan: with many images it takes megabytes
            if not all(ended.done and (ended.error is None or unplanned) for unplanned, ended in ends):
                return ()
            working(Progressed("finishing"))
            back = ReadBack() if verify_medium else None
            writer.finish(back, counted(stores, cancellation, blueprint.cut.size))
        if back is not None:
            stores.notice(told(back, writer.path.parent))
        return _protected(recovery, stores, cancellation, verify_medium, fresh=True)

    writer.read = Counting(working, "rechecking", possible=True).add
    filling = filling_plan(prepared.plan, writer.locator, lambda blob: writer.exists("", blob))
    writer.read = lambda _length: None  # from here on, the run reports its own progress
    return evolve(prepared, plan=filling, target=writer, finish=finish, by_size=True)


def _protected(
    recovery: RecoveryVolumes | None, stores: Stores, cancellation: Cancellation, verify_medium: bool, *, fresh: bool
) -> tuple[Path, ...]:
    """Write the recovery volumes of a bundle that is finished, and read them back if that is wanted; see `complete`."""
    if recovery is None:
        return ()
    written = recovery.complete(stores.working, cancellation, fresh=fresh)
    if verify_medium:
        check_recovery(recovery, stores, cancellation)
    return written


def _opened(path: Path, blueprint: Blueprint, beside: int) -> BundleWriter:
    writer = BundleWriter(path, blueprint)
    try:
        writer.check_space(beside)
    except DiskFull:
        writer.park()
        if writer.missing_bytes == blueprint.cut.size:  # nothing was written yet, so the name stays free
            discard(path)
        raise
    return writer


def _nothing_to_do(plan: Plan, location: Location) -> Plan:
    """The plan if the same bundle is there already, byte for byte."""
    images = (
        image
        if image.error
        else evolve(image, status="unchanged", goals=(), copied=Share(), mounted=Share(), present=image.copied)
        for image in plan.images
    )
    return Plan(target=location.locator, images=tuple(images), steps=(), manifests={})
