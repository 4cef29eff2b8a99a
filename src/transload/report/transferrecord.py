"""The transfer record: an in-toto statement on the images that a run brought to its target. Pure.

The format is docs/formats/transfer-record.md. It says only what the run knows, and of this machine nothing: no user, no
host name, and of a path only its last part, since a record is read by strangers for years.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal

from transload.oci import Digest
from transload.planning.plan import Plan, PlannedImage
from transload.report.foundrecord import FoundRecord
from transload.report.gated import GateResult
from transload.report.result import ImageResult, Result
from transload.report.texts import instant
from transload.trust.statement import Statement, StatementSubject
from transload.values import frozen

PREDICATE_TYPE = "urn:transload:transfer-record:v1"
"""The type of the predicate. It is no address on the web, so it stays what it is wherever the project moves."""

ARTIFACT_TYPE = "application/vnd.transload.transfer-record.v1"
"""The artifact type of a record that refers to its image in a registry."""

RECEIPT_TYPE = "urn:transload:receipt:v1"
"""The type of a receipt's predicate: a transfer record, and what the target holds."""

TARGET = "io.transload.record.target"
"""The annotation of such an artifact that names its target, as the record does: lists of referrers show it."""

KEY = "io.transload.record.key"
"""The annotation that names the key which signed it: a target elsewhere can have the same name."""

CheckResult = Literal["passed", "failed", "warned", "not-made"]

_LOCAL = re.compile(r"(oci|bundle|archive|charts):(?!\d+(?:/|$)|https?://)(.*)", re.DOTALL)
_ARRIVED = frozenset({"copied", "updated", "unchanged"})


@frozen(kw_only=True)
class Check:
    """Something that a run checked, and what came of it.

    `name` says what, such as `bundle-signature`. `by` is who or what answers for it: a key's fingerprint, a signer, a
    program. `image` is the name of the image at the target that it concerns, None for the whole run.
    """

    name: str
    result: CheckResult
    by: str | None = None
    image: str | None = None
    detail: str | None = None

    def to_json(self) -> dict[str, Any]:
        """One entry of `checks`, without what is not known."""
        known = {"name": self.name, "result": self.result, "by": self.by, "image": self.image, "detail": self.detail}
        return _known(known)


@frozen(kw_only=True)
class Carrier:
    """The bundle that a run takes its images from: its name, the digest of its ledger, how many images it is of.

    `record` is the one that it carries of its own packing, if it does: what the other side says, not this one.
    """

    name: str
    digest: Digest
    images: int
    record: FoundRecord | None = None

    def to_json(self, image: str | None = None) -> dict[str, Any]:
        """The `bundle` of a record; with the name of an `image` in it, only what concerns it or the whole packing."""
        return _known(
            {
                "name": self.name,
                "digest": _digest_set(self.digest),
                "images": self.images if image is None else None,
                "record": _carried(self.record, image) if self.record is not None else None,
            }
        )


def record_of(
    plan: Plan,
    result: Result,
    plan_digest: Digest,
    checks: Iterable[Check] = (),
    *,
    recorded_by: str | None = None,
    only: int | None = None,
    carrier: Carrier | None = None,
) -> Statement:
    """The record of the run that carried out `plan` with this `result`. At least one image must have arrived.

    `recorded_by` is who answers for it, as they wrote it. With `only`, it is about image number `only` alone.
    """
    target = shown(result.target)
    pairs = tuple(zip(plan.images, result.images, strict=True))
    if only is not None:
        pairs = pairs[only : only + 1]
        checks = (check for check in checks if check.image in {None, result.images[only].name})
    checks = (*checks, *(check for _, image in pairs for check in gate_checks(image.name, image.gates)))
    subjects = tuple(
        StatementSubject(_full(target, image.name), image.digest)
        for _, image in pairs
        if has_arrived(image) and image.digest is not None
    )
    run = {
        "runId": result.run_id,
        "recordedBy": recorded_by,
        "startedOn": instant(result.began_wall_s),
        "finishedOn": instant(result.began_wall_s + result.duration_s),
        "tool": _tool(result.versions["transload"]),
        "plan": {"digest": _digest_set(plan_digest)},
        "sources": [shown(source) for source in result.sources],
        "bundle": carrier.to_json(str(plan.images[only].source) if only is not None else None) if carrier else None,
        "target": target,
        "bytes": _bytes(result) if only is None else None,
        "checks": [check.to_json() for check in checks],
        "images": [_known(dict(_image(planned, image))) for planned, image in pairs],
    }
    return Statement(subjects, PREDICATE_TYPE, _known(run))


def record_of_packing(
    plan: Plan,
    target: str,
    *,
    run_id: str,
    began_wall_s: float,
    version: str,
    plan_digest: Digest,
    checks: Iterable[Check],
    recorded_by: str | None = None,
) -> Statement | None:
    """The record that a bundle carries of its own packing: made before its content is copied. None without an image.

    A bundle has its name only when all of this is true of it. `target` is its locator; the subjects are the images in
    it, without those that it leaves out.
    """
    packed = [image for image in plan.images if image.error is None and image.digest in plan.manifests]
    if not packed:
        return None
    run = {
        "runId": run_id,
        "recordedBy": recorded_by,
        "startedOn": instant(began_wall_s),
        "tool": _tool(version),
        "plan": {"digest": _digest_set(plan_digest)},
        "sources": [shown(source) for source in plan.sources],
        "target": shown(target),
        "checks": [check.to_json() for check in checks],
        "images": [_known(dict(_packed(image))) for image in plan.images],
    }
    subjects = tuple(StatementSubject(str(image.called), image.digest) for image in packed if image.digest is not None)
    return Statement(subjects, PREDICATE_TYPE, _known(run))


def receipt_of(record: Statement, inventory: Mapping[str, Any], *, complete: bool) -> Statement:
    """The receipt of a push: its record, and what the target holds now as far as the push knows it."""
    return Statement(
        record.subjects, RECEIPT_TYPE, {**record.predicate, "complete": complete, "inventory": dict(inventory)}
    )


def has_arrived(image: ImageResult) -> bool:
    """Whether it is known by its digest and at the target: copied, updated, or there already."""
    return image.status in _ARRIVED and image.digest is not None


def gate_checks(name: str, gates: Iterable[GateResult]) -> Iterator[Check]:
    """What the site's gates said of an image. Only the program is named: its words may hold paths and secrets."""
    for gate in gates:
        program = re.split(r"[/\\]", (gate.command.split() or [""])[0])[-1]
        ended = "it did not end by itself" if gate.exit_code is None else f"exit code {gate.exit_code}"
        output = f"; output sha256:{gate.output_sha256}" if gate.output_sha256 else ""
        yield Check(
            name="gate",
            result="passed" if gate.passed else "failed",
            by=program,
            image=name,
            detail=ended + output,
        )


def _tool(version: str) -> dict[str, str]:
    return {"name": "transload", "version": version}


def _digest_set(digest: Digest) -> dict[str, str]:
    return {digest.algorithm: digest.encoded}


def _carried(found: FoundRecord, image: str | None) -> dict[str, Any]:
    """What the record in a bundle says, and whether that was proved: evidence of the side that packed it."""
    result: CheckResult = "failed" if found.problem is not None else "passed" if found.verified else "not-made"
    checks = found.record.get("checks")
    said = {key: found.record.get(key) for key in ("runId", "recordedBy", "startedOn", "tool", "plan")}
    said["checks"] = [
        check
        for check in (checks if isinstance(checks, list) else ())
        if isinstance(check, dict) and (image is None or check.get("image") in {None, image})
    ]
    return _known(
        {
            "digest": _digest_set(found.digest),
            "signature": result,
            "signedBy": list(found.signed_by) or None,
            "problem": found.problem,
            **(said if found.record else {}),
        }
    )


def _packed(planned: PlannedImage) -> Iterator[tuple[str, Any]]:
    yield "name", str(planned.called)
    yield "source", f"{shown(planned.source_store)}/{planned.source}"
    yield "status", planned.status if planned.error or planned.status == "unchanged" else "copied"
    yield "digest", planned.digest
    yield "sourceDigest", planned.source_digest
    yield "bytesCopied", planned.copied.bytes
    yield "problem", planned.error.code if planned.error else None


def _bytes(result: Result) -> dict[str, int]:
    return {
        "copied": result.share("copied").bytes,
        "mounted": result.share("mounted").bytes,
        "present": result.share("present").bytes,
        "moved": result.moved_bytes,
    }


def _image(planned: PlannedImage, image: ImageResult) -> Iterator[tuple[str, Any]]:
    yield "name", image.name
    yield "source", f"{shown(planned.source_store)}/{planned.source}"
    yield "published", None if image.published is None or _LOCAL.match(image.published) else image.published
    yield "status", image.status
    yield "digest", image.digest
    yield "sourceDigest", image.source_digest
    yield "bytesCopied", image.copied.bytes
    yield "problem", image.problem.code if image.problem else None


def _full(target: str, name: str) -> str:
    """The name of an image with its registry; without the store where that is a file or a folder."""
    return name if _LOCAL.match(target) else f"{target}/{name}"


def _known(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in fields.items() if value is not None}


def shown(locator: str) -> str:
    """A store as a record names it: of a folder or file only the last part of its path.

    >>> shown("registry.example:5000"), shown("bundle:/media/usb/arcdata-2026-11")
    ('registry.example:5000', 'bundle:arcdata-2026-11')
    """
    local = _LOCAL.fullmatch(locator)
    if local is None:
        return locator
    parts = [part for part in re.split(r"[/\\]", local[2]) if part not in {"", ".", "..", "~"}]
    return f"{local[1]}:{parts[-1] if parts else '.'}"
