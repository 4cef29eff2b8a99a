"""Copying images: one, the images of a store, or what catalogs and lists say."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Unpack, overload

from transload.app.job import BODIES, Job, Through
from transload.app.location import Location, is_image, is_short
from transload.app.mirror import prepare
from transload.app.outcome import StartTime
from transload.app.readback import check_on_medium, with_read_back
from transload.app.recording import Recording
from transload.clock import SYSTEM_CLOCK
from transload.errors import UsageError
from transload.oci import Platform, Reference
from transload.oci.reference import shown, without_transport
from transload.planning import Narrowing
from transload.report.result import Result
from transload.report.several import Results
from transload.transfer.limits import NO_LIMITS, Limits
from transload.values import evolve
from transload.verbs import arguments
from transload.verbs.gating import gates_of
from transload.verbs.means import Means, Options, at_work
from transload.verbs.recording import recording_of, signer_if_wanted
from transload.verbs.run import carried_out
from transload.verbs.trusting import judged

if TYPE_CHECKING:
    from datetime import datetime

    from transload.verbs.trusting import PolicyGiven


def copy(
    source: str,
    target: str,
    images: Iterable[str] | None = None,
    *,
    platforms: str | Platform | Iterable[str | Platform] = (),
    narrowing: Narrowing = Narrowing.REWRITTEN,
    referrers: arguments.ReferrersArgument = None,
    foreign_layers: bool = False,
    policy: PolicyGiven = None,
    at: str | datetime | None = None,
    jobs: int = BODIES,
    limits: Limits = NO_LIMITS,
    check: bool = True,
    **options: Unpack[Options],
) -> Result:
    """Copy one image, or the images of a store, complete and unchanged; what the target has already is not sent.

    A text with a tag or a digest is one image: `copy("quay.io/acme/app:1", "registry.local/tools/app:1")`. A text
    without is a store as on the command line (`registry.local/prefix`, `oci:DIR`, `bundle:NAME`, `archive:FILE`):

    * image to image: the target gets the name that it says;
    * image to store: the image keeps its repository path, under the store's prefix;
    * store to store: everything in it, or only the `images` named as `repository:tag`, `repository@digest`, or
      `name -> new name`. A list that is empty is an error, never everything.

    `platforms` (`linux/amd64`) copies only these of a multi-platform image, as `narrowing` says. `foreign_layers` also
    copies layers that publishers keep elsewhere. `jobs` is how many blobs move at a time at most, `limits` how
    many bytes may move, and at which times of the day. `policy`, `at`: see `mirror`.

    Signatures, SBOMs and attestations come with images that are new or changed, and a note says where they could not be
    looked for. With `referrers` True (or "new") that fails the image; "refresh" also brings those of unchanged images;
    False (or "leave") leaves them, and notes say how many stay.

    Logins come from docker's and podman's files, proxies from the usual variables; `Options` (`source_login`,
    `target_login`, `network`, `environment`, `progress`, `cancellation`) says it otherwise.

    Returns what was done: each image with its status, digest and bytes. With `check` (the default), an image that could
    not be copied is an error: its own when one image was wanted, else `ImagesFailed`, whose `result` tells of each
    image; `HostGivenUp` where a host answers no more; `OutOfBytes` where `limits` left
    something; `Interrupted` after a cancellation. Without, the result tells it.
    What concerns the whole is raised always: `UsageError`, `ReferenceInvalid`, `CredentialsRejected` and `Unreachable`
    of the target, `TargetConflict`, `DiskFull`, `SelectionEmpty`.
    """
    source, target = (_place(name, value) for name, value in (("source", source), ("target", target)))
    began = StartTime.now(f"transload.copy({source!r}, {target!r})", options.get("run_id"))
    sets, place, origin = _where(source, target, arguments.images(images))
    job = Job(
        sets=sets,
        target=place,
        origin=origin,
        platforms=arguments.platforms(platforms),
        narrowing=arguments.narrowing(narrowing),
        referrers=arguments.referrers(referrers),
        foreign_layers=foreign_layers,
        bodies=arguments.jobs(jobs),
    )
    return _run(judged(job, policy, at), began, limits, Means.of(options), check=check)


class MirrorOptions(Options, total=False):
    """What `mirror` takes by name, besides `to`; see there."""

    origin: str | None
    tag: str | None
    target_tag: str | None
    images: Iterable[str] | None
    platforms: str | Platform | Iterable[str | Platform]
    narrowing: Narrowing
    referrers: arguments.ReferrersArgument
    foreign_layers: bool
    allow_missing: bool
    discover: bool
    flatten: bool
    recheck: bool
    verify_medium: bool
    values_folder: str | Path | None
    via: Mapping[str, str] | None
    through: Literal["docker", "podman"] | None
    keep: bool
    min_age: str | None
    max_age: str | None
    policy: PolicyGiven
    at: str | datetime | None
    record: str | Path | None
    record_at_target: bool
    recorded_by: str | None
    sign_key: str | Path | None
    sign_command: str | None
    public_key: str | Path | None
    passphrase: Callable[[], str] | None
    gates: str | Iterable[str]
    gate_timeout_s: float | None
    gate_output: str | Path | None
    gate_attestations: bool
    jobs: int
    limits: Limits
    check: bool


@overload
def mirror(sets: str | Path | Iterable[str | Path] = (), *, to: str, **options: Unpack[MirrorOptions]) -> Result: ...


@overload
def mirror(
    sets: str | Path | Iterable[str | Path] = (), *, to: list[str] | tuple[str, ...], **options: Unpack[MirrorOptions]
) -> Results: ...


def mirror(
    sets: str | Path | Iterable[str | Path] = (),
    *,
    to: str | list[str] | tuple[str, ...],
    origin: str | None = None,
    tag: str | None = None,
    target_tag: str | None = None,
    images: Iterable[str] | None = None,
    platforms: str | Platform | Iterable[str | Platform] = (),
    narrowing: Narrowing = Narrowing.REWRITTEN,
    referrers: arguments.ReferrersArgument = None,
    foreign_layers: bool = False,
    allow_missing: bool = False,
    discover: bool = False,
    flatten: bool = False,
    recheck: bool = False,
    verify_medium: bool = False,
    values_folder: str | Path | None = None,
    via: Mapping[str, str] | None = None,
    through: Literal["docker", "podman"] | None = None,
    keep: bool = False,
    min_age: str | None = None,
    max_age: str | None = None,
    policy: PolicyGiven = None,
    at: str | datetime | None = None,
    record: str | Path | None = None,
    record_at_target: bool = False,
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
) -> Result | Results:
    """Copy what sets of images name to the store `to`: `transload mirror` of the command line.

    With a list of stores, each blob is read once and written to each of them; one that fails or is slow does not spoil
    the others. Then the call returns `Results`, with a `Result` for each, and raises `TargetsFailed` where `check` says
    so. `limits` count for each target; `target_login` is for a single one. With `via`, a target is fed by another one
    instead of the source: `{"site-b": "site-a"}` copies to site-a first, and from there to site-b.

    `sets` are names of built-in catalogs (`arcdata`), files (image sets, catalogs, lists of references), references,
    and Helm charts (`oci://…`, `https://…`), each with the images that it needs. `origin` is a store to look names up
    in instead of where they are published (`--from`); without sets it means everything in it. `tag` is the release of
    the catalogs, or a range `FROM..TO` (None: the newest at the source), `target_tag` what their images are called at
    the target. `images` restricts the sets to these names at the target. `allow_missing`: what the source lacks is no
    failure. `discover`: take what the source publishes under the release's tag instead of the catalog's list.
    `flatten`: keep only the last part of each repository path. `recheck`: ask a registry also for all content of the
    images that it has, and send again what it has lost; of folders this is always asked. `verify_medium`: what was
    written to a folder is read back from the medium and compared.
    `values_folder`: where values for each Helm chart are written, by which helm takes its images from the target; with
    several targets, each has a folder of its own there. `through`: an engine, `docker` or `podman`, pulls, tags
    and pushes in our place, to one target: one platform, new digests. With `keep`, what it pulled stays in it.
    `min_age`, `max_age`: images that would be copied and are younger or older (`7d`, `12h`, `30m`; by their created
    field) fail with `AgeRefused`; so do those that do not say it.
    `policy` is a file (docs/formats/policy.md) or a `Policy`: images that would be copied and are not signed as it
    wants fail with `PolicyRefused`. Without it, the policy in the image set counts, or `transload.yaml` beside it;
    False is for none. `at` is the time that counts as now for certificates and ages, where the clock here is wrong.
    `record`: the file for the transfer record of a run to one target (docs/formats/transfer-record.md), which
    `recorded_by` answers for, and which the private key `sign_key` signs; `passphrase` gives its passphrase. Or the
    program `sign_command` signs it, and `public_key` checks that. With `record_at_target`, each image at the target
    gets such a record as a referrer.
    `gates` are commands of programs that look at each new or changed image before it is copied: `{image}` in them
    stands for its folder, an OCI layout. Only exit code 0 within `gate_timeout_s` seconds (None: 1800) lets it pass,
    else it fails with `GateRefused`. What they write is kept in files of the folder `gate_output`, and
    attached to the images that pass, signed as the record is, unless `gate_attestations` is false.

    The rest, what is returned and what is raised: see `copy`; and `CatalogUnknown`, `ReleaseUnknown`, `ImageUnknown`,
    `DocumentInvalid`, `MediumDamaged`.
    """
    words, targets = arguments.texts("sets", sets), arguments.stores("to", to)
    began = StartTime.now(f"transload.mirror({', '.join(map(repr, words))}, to={to!r})", options.get("run_id"))
    job = Job(
        sets=words,
        target=targets[0],
        origin=arguments.store_if_any("origin", origin),
        tag=arguments.text_if_any("tag", tag),
        target_tag=arguments.text_if_any("target_tag", target_tag),
        images=arguments.images(images),
        platforms=arguments.platforms(platforms),
        narrowing=arguments.narrowing(narrowing),
        referrers=arguments.referrers(referrers),
        foreign_layers=foreign_layers,
        allow_missing=allow_missing,
        discover=discover,
        flatten=flatten,
        recheck=recheck,
        bodies=arguments.jobs(jobs),
        values_folder=arguments.path_if_any("values_folder", values_folder),
        through=_through(through, keep=keep),
        ages=arguments.ages(min_age, max_age),
    )
    means = Means.of(options)
    if (record is not None or record_at_target) and not isinstance(to, str):
        raise UsageError("record is for one target, and several are named")
    signs = record is not None or record_at_target or (bool(gates) and gate_attestations)
    signer = signer_if_wanted(signs, sign_key, passphrase, sign_command, public_key)
    recording = recording_of(record, recorded_by, signer, at_target=record_at_target)
    arguments.of_kind("limits", limits, Limits)
    job = evolve(
        judged(job, policy, at),
        gates=gates_of(gates, gate_timeout_s, gate_output, means, limits, attest=gate_attestations, signer=signer),
    )
    if through is not None and not isinstance(to, str):
        raise UsageError("through copies to one target, and several are named")
    if through is not None and limits.max_bytes is not None:
        raise UsageError("max_bytes does not go with through: the engine alone knows what it moves")
    fed = arguments.texts_by_key("via", via)
    if isinstance(to, str):
        if fed:
            raise UsageError("via is for several targets, and one is named", hint="name the other one in to as well")
        return _run(job, began, limits, means, check=check, verify_medium=verify_medium, recording=recording)
    from transload.verbs.several import mirrored_to_all  # most calls have one target

    return mirrored_to_all(job, targets, began, limits, means, check=check, verify_medium=verify_medium, via=fed)


def _run(
    job: Job,
    began: StartTime,
    limits: Limits,
    means: Means,
    *,
    check: bool,
    verify_medium: bool = False,
    recording: Recording | None = None,
) -> Result:
    arguments.of_kind("limits", limits, Limits)
    if job.target.is_engine and limits.max_bytes is not None:
        raise UsageError("max_bytes does not go with an engine as the target")
    if verify_medium:
        check_on_medium(job.target)
    with at_work(means) as work:
        limits.wait(SYSTEM_CLOCK, work.cancellation, work.listen)
        prepared = prepare(job, work.stores, work.cancellation)
        if verify_medium:
            prepared = with_read_back(prepared, work.stores, work.cancellation)
        return carried_out(prepared, work, began, job.bodies, limits, check=check, recording=recording)


def _through(engine: str | None, *, keep: bool) -> Through | None:
    """Raises `UsageError`."""
    if engine is None and not keep:
        return None
    if engine not in {"docker", "podman"}:
        raise UsageError("through is docker or podman" + (", and keep is for it" if keep else ""))
    return Through("docker" if engine == "docker" else "podman", keep)


def _place(name: str, value: str) -> str:
    """An image or a store, without the `docker://` that skopeo wants. Raises `TypeError`, `UsageError`."""
    return without_transport(arguments.text(name, value).strip())


def _where(source: str, target: str, images: tuple[str, ...]) -> tuple[tuple[str, ...], Location, Location | None]:
    """Sets, target and origin of a job."""
    to_image = is_image(target)
    if not is_image(source) and not (to_image and is_short(source, also_numbers=True)):
        if to_image:
            raise _store_to_image(source, target)
        return images, Location.parse(target), Location.parse(source)
    if images:
        raise UsageError(f"{shown(source)} is one image already", hint="leave images out, or name a store")
    wanted = Reference.parse(source)
    if not to_image:
        return (str(wanted),), Location.parse(target), None
    name = Reference.parse(target)
    if name.name.digest is not None:
        raise UsageError(f"{target} names a digest, and what an image is called is a tag", hint="write a tag")
    return (f"{wanted} -> {name.name}",), Location("registry", name.registry), None


def _store_to_image(source: str, target: str) -> UsageError:
    """A whole store cannot be copied to one image; perhaps only the tag was forgotten."""
    name = Reference.parse(target).name
    with contextlib.suppress(UsageError):
        place = Location.parse(source)
        if place.kind != "registry" or not place.prefix:
            return UsageError(
                f"{target} is one image, and {place} is a store",
                hint=f"name the store alone, and the image in images: 'NAME -> {name}'",
            )
    return UsageError(
        f"{target} is one image, and {shown(source)} has neither a tag nor a digest",
        hint="write the tag too, or the digest: @sha256:…",
    )
