"""The transfer record: an in-toto statement on the images that a run brought to its target. Pure.

The format is docs/formats/transfer-record.md. It says only what the run knows, and of this machine nothing: no user, no
host name, and of a path only its last part, since a record is read by strangers for years.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal

from attrs import frozen

from transload.oci import Digest
from transload.planning.plan import Plan, PlannedImage
from transload.report.result import ImageResult, Result
from transload.report.texts import instant
from transload.trust.statement import Statement, StatementSubject

PREDICATE_TYPE = "urn:transload:transfer-record:v1"
"""The type of the predicate. It is no address on the web, so it stays what it is wherever the project moves."""

ARTIFACT_TYPE = "application/vnd.transload.transfer-record.v1"
"""The artifact type of a record that refers to its image in a registry."""

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


def record_of(
    plan: Plan,
    result: Result,
    plan_digest: Digest,
    checks: Iterable[Check] = (),
    recorded_by: str | None = None,
    only: int | None = None,
) -> Statement:
    """The record of the run that carried out `plan` with this `result`. At least one image must have arrived.

    `recorded_by` is who answers for it, as they wrote it. With `only`, it is about image number `only` alone.
    """
    target = shown(result.target)
    pairs = tuple(zip(plan.images, result.images, strict=True))
    checks = (*checks, *(check for image in result.images for check in _gate_checks(image)))
    if only is not None:
        pairs = pairs[only : only + 1]
        checks = tuple(check for check in checks if check.image in {None, result.images[only].name})
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
        "tool": {"name": "transload", "version": result.versions["transload"]},
        "plan": {"digest": {plan_digest.algorithm: plan_digest.encoded}},
        "sources": [shown(source) for source in result.sources],
        "target": target,
        "bytes": _bytes(result) if only is None else None,
        "checks": [check.to_json() for check in checks],
        "images": [_known(dict(_image(planned, image))) for planned, image in pairs],
    }
    return Statement(subjects, PREDICATE_TYPE, _known(run))


def has_arrived(image: ImageResult) -> bool:
    """Whether it is known by its digest and at the target: copied, updated, or there already."""
    return image.status in _ARRIVED and image.digest is not None


def _gate_checks(image: ImageResult) -> Iterator[Check]:
    """What the site's gates said of an image. Only the program is named: its words may hold paths and secrets."""
    for gate in image.gates:
        program = re.split(r"[/\\]", (gate.command.split() or [""])[0])[-1]
        ended = "it did not end by itself" if gate.exit_code is None else f"exit code {gate.exit_code}"
        output = f"; output sha256:{gate.output_sha256}" if gate.output_sha256 else ""
        yield Check(
            name="gate",
            result="passed" if gate.passed else "failed",
            by=program,
            image=image.name,
            detail=ended + output,
        )


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
