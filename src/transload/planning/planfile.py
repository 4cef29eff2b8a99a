"""The plan as a file: canonical JSON (docs/formats/plan.md), used only after every part of it was checked.

Invariants, checked by `load_plan`:
1. every digest, name and repository is valid; every manifest hashes to its digest (`Manifest.parse`);
2. step ids are 0, 1, 2, …; `needs` and `after` name earlier steps only, so that a plan always comes to an end;
3. goals are steps, every manifest step finds its manifest, and an image has an error exactly when its status says so;
4. an unknown key is refused: a plan must not be carried out if a part of it was not understood.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, get_args

from transload import errors
from transload.documents.value import Value, readable
from transload.errors import Side, TransloadError
from transload.limits import PLAN_BYTES, PLAN_VALUES
from transload.linedjson import lined, pieces
from transload.oci import Descriptor, Digest, Manifest, Name
from transload.oci.reference import check_repository
from transload.planning.plan import BlobStep, ManifestStep, Plan, PlannedImage, Requests, Share, Status, Step

FORMAT = 1

_KINDS = (kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, TransloadError))
_ERRORS: dict[str, type[TransloadError]] = {kind.code: kind for kind in _KINDS}
_FAILED = ("missing", "failed")
_IMAGE_KEYS = (
    *("source_store", "source", "target", "status", "digest", "source_digest", "goals"),
    *("copied", "mounted", "present", "notes", "excused", "replaces", "error"),
)
_HINT = "make the plan again with transload plan"


def _contents(plan: Plan) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "target": plan.target,
        "images": map(_image_out, plan.images),
        "steps": (_blob_out(step) if isinstance(step, BlobStep) else _manifest_out(step) for step in plan.steps),
        "manifests": (_content_out(plan.manifests[digest]) for digest in sorted(plan.manifests)),
        "requests": {"source": plan.requests.source, "target": plan.requests.target}
        | _given(at_least=sorted(plan.requests.at_least)),
    }


def dump_plan(plan: Plan) -> bytes:
    """The plan as canonical JSON: equal plans give equal bytes. Holds no secret, since locators and errors hold none.

    The format is docs/formats/plan.md. Raises `LimitExceeded` if `load_plan` would refuse its size.
    """
    hint = "plan fewer images at a time, or mirror without a plan"
    return readable(lined(_contents(plan)), "plan", limit=PLAN_BYTES, values=PLAN_VALUES, hint=hint)


def digest(plan: Plan) -> Digest:
    """The plan digest: the digest of its canonical bytes, which are never in memory at once."""
    return Digest.of_all(piece.encode("ascii") for piece in pieces(_contents(plan)))


def load_plan(raw: bytes) -> Plan:
    """The plan in the content of a file (docs/formats/plan.md).

    Raises `DocumentInvalid`; its subject is the path of the wrong value in the document.
    """
    root = Value.from_json(raw, "plan", limit=PLAN_BYTES, values=PLAN_VALUES, hint=_HINT)
    root.only("format", "target", "images", "steps", "manifests", "requests")
    if root.get("format").number() != FORMAT:
        raise root.get("format").wrong(f"{FORMAT}, the format that this version of transload reads")
    manifests = {manifest.digest: manifest for manifest in map(_content_in, root.get("manifests").items())}
    steps: list[Step] = []
    for step in root.get("steps").items():
        steps.append(_step_in(step, steps, manifests))
    images = tuple(_image_in(image, len(steps)) for image in root.get("images").items())
    requests = root.get("requests").only("source", "target", "at_least")
    counts = Requests(
        requests.get("source").number(),
        requests.get("target").number(),
        at_least=frozenset(side.one_of(get_args(Side)) for side in requests.get("at_least").maybe(Value.items, ())),
    )
    return Plan(
        target=root.get("target").text(), images=images, steps=tuple(steps), manifests=manifests, requests=counts
    )


# --- out


def _given(**values: object) -> dict[str, Any]:
    """The values that are not empty."""
    return {key: value for key, value in values.items() if value not in (None, "", (), [])}


def _blob_out(step: BlobStep) -> dict[str, Any]:
    return {
        "id": step.id,
        "blob": step.descriptor.to_json(),
        "source_store": step.source_store,
        "source_repository": step.source_repository,
        "repository": step.repository,
    } | _given(origin=step.origin, after=step.after)


def _manifest_out(step: ManifestStep) -> dict[str, Any]:
    return {
        "id": step.id,
        "manifest": step.digest,
        "name": str(step.name),
        "needs": list(step.needs),
        "source_store": step.source_store,
        "source_repository": step.source_repository,
    } | _given(left_out=list(step.left_out))


def _image_out(image: PlannedImage) -> dict[str, Any]:
    return {
        "source_store": image.source_store,
        "source": str(image.source),
        "target": str(image.target),
        "status": image.status,
        "goals": list(image.goals),
        "copied": _share_out(image.copied),
        "mounted": _share_out(image.mounted),
        "present": _share_out(image.present),
        "excused": image.excused,
    } | _given(
        digest=image.digest,
        source_digest=image.source_digest,
        replaces=image.replaces,
        notes=list(image.notes),
        error=None if image.error is None else _error_out(image.error),
    )


def _content_out(manifest: Manifest) -> dict[str, Any]:
    return {"digest": manifest.digest, "media_type": manifest.media_type, "raw": manifest.raw.decode()}


def _share_out(share: Share) -> dict[str, int]:
    return {"blobs": share.blobs, "bytes": share.bytes}


def _error_out(error: TransloadError) -> dict[str, Any]:
    stated = {"code": error.code, "exit_code": error.exit_code, "message": error.message}
    return stated | _given(side=error.side, subject=error.subject, hint=error.hint)


# --- in


def _content_in(content: Value) -> Manifest:
    content.only("digest", "media_type", "raw")
    digest, media_type = content.get("digest").read(Digest), content.get("media_type").text()
    return content.get("raw").read(lambda text: Manifest.parse(text.encode(), media_type, digest))


def _step_in(value: Value, earlier: Sequence[Step], manifests: Mapping[Digest, Manifest]) -> Step:
    step = _blob_in(value, earlier) if value.has("blob") else _manifest_in(value, len(earlier), manifests)
    if step.id != len(earlier):
        raise value.get("id").wrong(f"{len(earlier)}, its place in the list")
    return step


def _blob_in(value: Value, earlier: Sequence[Step]) -> BlobStep:
    value.only("id", "blob", "source_store", "source_repository", "repository", "origin", "after")
    descriptor = value.get("blob").made(lambda content: Descriptor.from_json(content, "the descriptor"))
    step = BlobStep(
        id=value.get("id").number(),
        descriptor=descriptor,
        source_store=value.get("source_store").text(),
        source_repository=value.get("source_repository").read(_repository),
        repository=value.get("repository").read(_repository),
        origin=value.get("origin").maybe(_repository_in),
        after=value.get("after").maybe(lambda after: after.number(len(earlier))),
    )
    before = None if step.after is None else earlier[step.after]
    if before is not None and not (
        isinstance(before, BlobStep) and (before.descriptor, before.repository) == (descriptor, step.origin)
    ):
        raise value.get("after").wrong("the step that brings this blob to its origin")
    return step


def _manifest_in(value: Value, earlier: int, manifests: Mapping[Digest, Manifest]) -> ManifestStep:
    value.only("id", "manifest", "name", "needs", "source_store", "source_repository", "left_out")
    digest, name = value.get("manifest").read(Digest), value.get("name").read(Name.parse)
    if digest not in manifests:
        raise value.get("manifest").wrong("the digest of a manifest of this plan")
    if name.digest not in ({None, digest} if name.tag else {digest}):
        raise value.get("name").wrong("a name for this manifest")
    return ManifestStep(
        id=value.get("id").number(),
        digest=digest,
        name=name,
        needs=value.get("needs").numbers(earlier),
        source_store=value.get("source_store").text(),
        source_repository=value.get("source_repository").read(_repository),
        left_out=tuple(child.read(Digest) for child in value.get("left_out").maybe(Value.items, ())),
    )


def _image_in(value: Value, steps: int) -> PlannedImage:
    value.only(*_IMAGE_KEYS)
    image = PlannedImage(
        source_store=value.get("source_store").text(),
        source=value.get("source").read(Name.parse),
        target=value.get("target").read(Name.parse),
        status=value.get("status").one_of(get_args(Status)),
        digest=value.get("digest").maybe(_digest_in),
        source_digest=value.get("source_digest").maybe(_digest_in),
        goals=value.get("goals").numbers(steps),
        copied=_share_in(value.get("copied")),
        mounted=_share_in(value.get("mounted")),
        present=_share_in(value.get("present")),
        notes=tuple(note.text() for note in value.get("notes").maybe(Value.items, ())),
        excused=value.get("excused").truth(),
        replaces=value.get("replaces").maybe(_digest_in),
        error=value.get("error").maybe(_error_in),
    )
    if (image.error is not None) != (image.status in _FAILED) or (image.error is not None and image.goals):
        raise value.fail(f"contradicts itself: status {image.status}")
    return image


def _share_in(share: Value) -> Share:
    share.only("blobs", "bytes")
    return Share(share.get("blobs").number(), share.get("bytes").number())


def _error_in(error: Value) -> TransloadError:
    error.only("code", "exit_code", "message", "side", "subject", "hint")
    error.get("exit_code").number()  # for other readers: the code decides
    kind = _ERRORS.get(error.get("code").text(), TransloadError)  # a later version may know more kinds
    return kind(
        error.get("message").text(),
        subject=error.get("subject").maybe(Value.text),
        hint=error.get("hint").maybe(Value.text),
        side=error.get("side").maybe(lambda side: side.one_of(get_args(Side))),
    )


def _digest_in(value: Value) -> Digest:
    return value.read(Digest)


def _repository_in(value: Value) -> str:
    return value.read(_repository)


def _repository(text: str) -> str:
    return check_repository(text) if text else text  # empty in stores that have no repositories
