"""Bundles: what a medium carries over an air gap, packed on one side and pushed on the other."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from transload.app.detect import carried_place, open_carried
from transload.app.job import BODIES, Job
from transload.app.location import Location, is_local
from transload.app.outcome import StartTime
from transload.app.pack import Packing, bundle_path, prepare_pack
from transload.app.protecting import Division
from transload.app.push import prepare_push
from transload.app.stores import Carried
from transload.app.tool import put_tool, tool_for
from transload.bundle.format.ledger import Ledger
from transload.bundle.format.volumes import parse_volume_size
from transload.bundle.writing.onmedia import Ask as AskMedium
from transload.clock import SYSTEM_CLOCK
from transload.errors import UsageError
from transload.oci import Platform
from transload.planning import Narrowing, Referrers
from transload.report.result import Result
from transload.transfer.limits import NO_LIMITS, Limits
from transload.values import evolve, frozen
from transload.verbs import arguments
from transload.verbs.gating import gates_of
from transload.verbs.means import Means, Options, at_work
from transload.verbs.recording import in_bundle_of, recording_of, signer_if_wanted, signer_of
from transload.verbs.run import carried_out
from transload.verbs.trusting import judged

if TYPE_CHECKING:
    from datetime import datetime

    from transload.verbs.trusting import PolicyGiven


@frozen
class PackResult:
    """A bundle that was written: its `files`, its `ledger`, and how the run went.

    The files are in the order of the volumes, recovery volumes last. `tool` is the program beside them, if `with_tool`
    asked for one.
    """

    result: Result
    ledger: Ledger
    files: tuple[Path, ...]
    tool: Path | None = None


def pack(
    sets: str | Path | Iterable[str | Path],
    out: str | Path,
    *,
    volume_size: int | str | None = None,
    volume_count: int | None = None,
    recovery: int = 0,
    against: str | Path | None = None,
    against_key: str | Path | None = None,
    verify_medium: bool = False,
    to_media: bool = False,
    ask_medium: AskMedium | None = None,
    rewrite_volumes: Iterable[int] = (),
    also: str | Path | Iterable[str | Path] = (),
    sign_key: str | Path | None = None,
    sign_command: str | None = None,
    public_key: str | Path | None = None,
    passphrase: Callable[[], str] | None = None,
    record: str | Path | None = None,
    record_in_bundle: bool = False,
    recorded_by: str | None = None,
    with_tool: str | Path | None = None,
    origin: str | None = None,
    tag: str | None = None,
    images: Iterable[str] | None = None,
    platforms: str | Platform | Iterable[str | Platform] = (),
    narrowing: Narrowing = Narrowing.REWRITTEN,
    referrers: arguments.ReferrersArgument = None,
    foreign_layers: bool = False,
    allow_missing: bool = False,
    min_age: str | None = None,
    max_age: str | None = None,
    policy: PolicyGiven = None,
    at: str | datetime | None = None,
    discover: bool = False,
    gates: str | Iterable[str] = (),
    gate_timeout_s: float | None = None,
    gate_output: str | Path | None = None,
    gate_attestations: bool = True,
    jobs: int = BODIES,
    limits: Limits = NO_LIMITS,
    **options: Unpack[Options],
) -> PackResult:
    """Write the images that `sets` name into the bundle `out` (a path without suffix): `transload pack`.

    `volume_size` cuts the bundle into files of so many bytes, or as `--volume-size` says it (`4GiB`, `fat32`);
    `volume_count` into so many files of one size. `recovery` is the number of recovery volumes: files from which as
    many lost or damaged volumes are made again. With them, volumes are cut to one size, at most `volume_size`.
    `against` is an inventory file or an earlier bundle: what it has is left out; `against_key` must have signed it.
    With `verify_medium`, what was written is read back from the medium and compared before it counts as finished.
    With `to_media`, one volume is written after the other; `ask_medium` is called with a `WantedMedium` when there is
    no room for the next one, and returns whether another medium may be in place. `rewrite_volumes` are volumes whose
    media were lost: they are written again.
    `also` are files that travel along. `sign_key` is a private key (Ed25519 or ECDSA P-256, PEM or OpenSSH), whose
    passphrase `passphrase` gives if it has one. Or `sign_command` is a program that gets the bytes on its standard
    input and writes the signature, which `public_key` checks at once. `with_tool` puts a program for the far side
    beside the bundle: `"pyz"` (the one file, made from what is installed here), `"binary"`, `"auto"`, or the path of a
    file. The other parameters: see `mirror`; who signs the bundle signs the `record` too. With
    `record_in_bundle`, the bundle carries the record of its own packing.

    Every image arrives or none: a bundle that lacks something is found out where nobody can fetch it. Only images that
    `gates` refuse are left out, and the others packed; then it raises `GateRefused` or `ImagesFailed` at the end. What
    was fetched is kept, and the same call goes on. Raises what `mirror` raises, and `BundleIncomplete`, `BundleExists`,
    `KeyInvalid`, `MediumDamaged`, `MediumWanted`, `Busy`.
    """
    words = arguments.texts("sets", sets)
    name = _bundle_name(out)
    began = StartTime.now(f"transload.pack({', '.join(map(repr, words))}, {name!r})", options.get("run_id"))
    packing = Packing(
        out=bundle_path(Path(name)),
        division=Division(
            volume_bytes=None if volume_size is None else parse_volume_size(str(volume_size)),
            volumes=arguments.of_kind_if_any("volume_count", volume_count, int),
            recovery=arguments.of_kind("recovery", recovery, int),
        ),
        against=arguments.path_if_any("against", against),
        against_key=arguments.path_if_any("against_key", against_key),
        also=arguments.paths("also", also),
        verify_medium=verify_medium,
        to_media=to_media,
        ask_medium=ask_medium,
        rewrite=tuple(arguments.of_kind("rewrite_volumes", volume, int) for volume in rewrite_volumes),
        signer=signer_of(
            arguments.path_if_any("sign_key", sign_key),
            passphrase,
            arguments.text_if_any("sign_command", sign_command),
            arguments.path_if_any("public_key", public_key),
            options.get("environment"),
        ),
        in_bundle=in_bundle_of(record_in_bundle, recorded_by, began),
        limits=arguments.of_kind("limits", limits, Limits),
    )
    recording = recording_of(record, recorded_by, packing.signer, in_bundle=record_in_bundle)
    tool = None if with_tool is None else tool_for(str(arguments.path("with_tool", with_tool)))
    job = Job(
        sets=words,
        target=Location("bundle", name),
        origin=arguments.store_if_any("origin", origin),
        tag=arguments.text_if_any("tag", tag),
        images=arguments.images(images),
        platforms=arguments.platforms(platforms),
        narrowing=arguments.narrowing(narrowing),
        referrers=arguments.referrers(referrers),
        foreign_layers=foreign_layers,
        allow_missing=allow_missing,
        discover=discover,
        bodies=arguments.jobs(jobs),
        ages=arguments.ages(min_age, max_age),
    )
    means = Means.of(options)
    job = evolve(
        judged(job, policy, at),
        gates=gates_of(
            gates, gate_timeout_s, gate_output, means, packing.limits, attest=gate_attestations, signer=packing.signer
        ),
    )
    with at_work(means) as work:
        limits.wait(SYSTEM_CLOCK, work.cancellation, work.listen)
        packed = prepare_pack(job, packing, work.stores, work.cancellation)
        result = carried_out(packed.prepared, work, began, job.bodies, limits, check=True, recording=recording)
    cut, recovery_volumes = packed.blueprint.cut, packed.recovery
    volumes = (packing.out.with_name(cut.file_name(packing.out.name, number)) for number in cut.numbers)
    return PackResult(
        result,
        packed.blueprint.ledger,
        (*volumes, *(recovery_volumes.files if recovery_volumes else ())),
        put_tool(tool, packing.out, signed=packing.signer is not None)[0] if tool else None,
    )


def push(
    bundle: str | Path,
    *,
    to: str,
    images: Iterable[str] | None = None,
    target_tag: str | None = None,
    platforms: str | Platform | Iterable[str | Platform] = (),
    narrowing: Narrowing = Narrowing.REWRITTEN,
    referrers: arguments.ReferrersArgument = None,
    compress: bool = False,
    allow_older: bool = False,
    min_age: str | None = None,
    max_age: str | None = None,
    policy: PolicyGiven = None,
    at: str | datetime | None = None,
    flatten: bool = False,
    recheck: bool = False,
    values_folder: str | Path | None = None,
    key: str | Path | None = None,
    volumes: str | Path | Iterable[str | Path] = (),
    record: str | Path | None = None,
    record_at_target: bool = False,
    receipt: str | Path | None = None,
    recorded_by: str | None = None,
    sign_key: str | Path | None = None,
    sign_command: str | None = None,
    public_key: str | Path | None = None,
    passphrase: Callable[[], str] | None = None,
    gates: str | Iterable[str] = (),
    gate_timeout_s: float | None = None,
    gate_output: str | Path | None = None,
    gate_attestations: bool = True,
    jobs: int = BODIES,
    limits: Limits = NO_LIMITS,
    check: bool = True,
    **options: Unpack[Options],
) -> Result:
    """Copy what a bundle, an OCI layout folder or an archive carries to the store `to`: `transload push`.

    `key` is the public key that must have signed the bundle: without a good signature nothing is read. `volumes` are
    further folders where its volumes lie. `target_tag` names the one image that has no tag, `compress` sends layers
    that are not compressed with gzip (their images get new digests), `values_folder` is as in `mirror`, for charts that
    are carried. Signatures and other referrers go along, also those of images that are unchanged (`referrers`: True or
    "new" only those of new and changed images, False none). An image whose tag would move to content that is older than
    what it stands for (by the times that the images state) fails with `WouldGoBack`, unless `allow_older`; so do the
    new images of a bundle that is older than the newest of its set and signer that was taken here, as the state folder
    remembers it (`Result.bundle`). What a bundle says of where an image comes from chooses the rule of the `policy`
    only if `key` proves it. The other parameters, what is returned and what is raised: see `mirror`; and
    `BundleUnsigned`, `SignatureInvalid`, `PrerequisiteMissing`, `VolumeMissing`.
    """
    carried = Carried(arguments.paths("volumes", volumes), arguments.path_if_any("key", key))
    place = carried_place(str(arguments.path("bundle", bundle)), carried)
    began = StartTime.now(f"transload.push({str(bundle)!r}, to={to!r})", options.get("run_id"))
    job = Job(
        sets=(),
        target=arguments.store("to", to),
        origin=place,
        target_tag=arguments.text_if_any("target_tag", target_tag),
        images=arguments.images(images),
        platforms=arguments.platforms(platforms),
        narrowing=arguments.narrowing(narrowing),
        referrers=arguments.referrers(referrers, usual=Referrers.REFRESH),
        foreign_layers=True,
        foreign_as_held=True,
        flatten=flatten,
        recheck=recheck,
        bodies=arguments.jobs(jobs),
        ages=arguments.ages(min_age, max_age),
        values_folder=arguments.path_if_any("values_folder", values_folder),
    )
    signs = record is not None or receipt is not None or record_at_target or (bool(gates) and gate_attestations)
    signer = signer_if_wanted(signs, sign_key, passphrase, sign_command, public_key)
    recording = recording_of(record, recorded_by, signer, at_target=record_at_target, receipt=receipt)
    means = Means.of(options, key=carried.key, volumes=carried.folders)
    arguments.of_kind("limits", limits, Limits)
    job = evolve(
        judged(job, policy, at),
        gates=gates_of(gates, gate_timeout_s, gate_output, means, limits, attest=gate_attestations, signer=signer),
    )
    with at_work(means) as work:
        limits.wait(SYSTEM_CLOCK, work.cancellation, work.listen)
        store = open_carried(place, work.stores)
        prepared = prepare_push(
            store,
            job,
            work.stores,
            work.cancellation,
            compress=compress,
            allow_older=allow_older,
            run_id=began.run_id,
        )
        return carried_out(prepared, work, began, job.bodies, limits, check=check, recording=recording)


def _bundle_name(out: str | Path) -> str:
    """The path that a bundle is called by, also where it is written as a store. Raises `TypeError`, `UsageError`."""
    name = str(arguments.path("out", out))
    scheme, _, rest = name.partition(":")
    if isinstance(out, str) and is_local(name):
        if scheme != "bundle" or not rest:
            raise UsageError(
                f"{scheme}: is not followed by a bundle", hint="write the bundle's path: bundle:NAME, or NAME"
            )
        return rest
    return name
