"""The plan as a file: canonical JSON (docs/formats/plan.md), believed only after every part of it was checked.

Invariants, held by `load`:
1. every digest, name and repository is valid; every manifest hashes to its digest (`Manifest.parse`);
2. step ids are 0, 1, 2, …; `needs` and `after` name earlier steps only, so that a plan always comes to an end;
3. goals are steps, every manifest step finds its manifest, and an image has an error exactly when its status says so;
4. a key that is not known is refused, since what was not understood must not be carried out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, get_args

from transload import errors
from transload.documents.value import Value, document, readable
from transload.errors import Side, TransloadError
from transload.limits import PLAN_BYTES, PLAN_VALUES
from transload.linedjson import lined
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


def _written(plan: Plan) -> bytes:
    contents = {
        "format": FORMAT,
        "target": plan.target,
        "images": map(_image_out, plan.images),
        "steps": (_blob_out(step) if isinstance(step, BlobStep) else _manifest_out(step) for step in plan.steps),
        "manifests": (_content_out(plan.manifests[digest]) for digest in sorted(plan.manifests)),
        "requests": {"source": plan.requests.source, "target": plan.requests.target},
    }
    return lined(contents)


def dump_plan(plan: Plan) -> bytes:
    """The plan as canonical JSON: equal plans give equal bytes. Holds no secret, as locators and errors hold none.

    The format is docs/formats/plan.md. Raises `LimitExceeded` where `load_plan` would not read it.
    """
    hint = "plan fewer images at a time, or mirror without a plan"
    return readable(_written(plan), "plan", PLAN_BYTES, PLAN_VALUES, hint)


def digest(plan: Plan) -> Digest:
    """What a plan is called: the digest of its canonical bytes."""
    return Digest.of(_written(plan))


def load_plan(raw: bytes) -> Plan:
    """The plan in the content of a file (docs/formats/plan.md).

    Raises `DocumentInvalid`, its subject the path of what is wrong in the document.
    """
    root = document(raw, "plan", PLAN_BYTES, PLAN_VALUES, _HINT).only(
        "format", "target", "images", "steps", "manifests", "requests"
    )
    if root.get("format").number() != FORMAT:
        raise root.get("format").wrong(f"{FORMAT}, the format that this version of transload reads")
    manifests = {each.digest: each for each in map(_content_in, root.get("manifests").items())}
    steps: list[Step] = []
    for place in root.get("steps").items():
        steps.append(_step_in(place, steps, manifests))
    images = tuple(_image_in(place, len(steps)) for place in root.get("images").items())
    requests = root.get("requests").only("source", "target")
    counts = Requests(requests.get("source").number(), requests.get("target").number())
    return Plan(root.get("target").text(), images, tuple(steps), manifests, counts)


# --- out


def _given(**values: object) -> dict[str, Any]:
    """The values that say something."""
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


def _content_in(place: Value) -> Manifest:
    place.only("digest", "media_type", "raw")
    digest, said = place.get("digest").read(Digest), place.get("media_type").text()
    return place.get("raw").read(lambda text: Manifest.parse(text.encode(), said, digest))


def _step_in(place: Value, earlier: Sequence[Step], manifests: Mapping[Digest, Manifest]) -> Step:
    step = _blob_in(place, earlier) if place.has("blob") else _manifest_in(place, len(earlier), manifests)
    if step.id != len(earlier):
        raise place.get("id").wrong(f"{len(earlier)}, its place in the list")
    return step


def _blob_in(place: Value, earlier: Sequence[Step]) -> BlobStep:
    place.only("id", "blob", "source_store", "source_repository", "repository", "origin", "after")
    with place.get("blob").explained():
        descriptor = Descriptor.from_json(place.get("blob").value, "it")
    step = BlobStep(
        place.get("id").number(),
        descriptor,
        place.get("source_store").text(),
        place.get("source_repository").read(_repository),
        place.get("repository").read(_repository),
        place.get("origin").maybe(lambda origin: origin.read(_repository)),
        place.get("after").maybe(lambda after: after.number(len(earlier))),
    )
    before = None if step.after is None else earlier[step.after]
    if before is not None and not (
        isinstance(before, BlobStep) and (before.descriptor, before.repository) == (descriptor, step.origin)
    ):
        raise place.get("after").wrong("the step that brings this blob to its origin")
    return step


def _manifest_in(place: Value, earlier: int, manifests: Mapping[Digest, Manifest]) -> ManifestStep:
    place.only("id", "manifest", "name", "needs", "source_store", "source_repository", "left_out")
    digest, name = place.get("manifest").read(Digest), place.get("name").read(Name.parse)
    if digest not in manifests:
        raise place.get("manifest").wrong("the digest of a manifest of this plan")
    if name.digest not in ({None, digest} if name.tag else {digest}):
        raise place.get("name").wrong("a name for this manifest")
    return ManifestStep(
        place.get("id").number(),
        digest,
        name,
        tuple(need.number(earlier) for need in place.get("needs").items()),
        place.get("source_store").text(),
        place.get("source_repository").read(_repository),
        tuple(child.read(Digest) for child in place.get("left_out").maybe(Value.items) or ()),
    )


def _image_in(place: Value, steps: int) -> PlannedImage:
    place.only(*_IMAGE_KEYS)
    image = PlannedImage(
        place.get("source_store").text(),
        place.get("source").read(Name.parse),
        place.get("target").read(Name.parse),
        place.get("status").one_of(get_args(Status)),
        place.get("digest").maybe(lambda digest: digest.read(Digest)),
        place.get("source_digest").maybe(lambda digest: digest.read(Digest)),
        tuple(goal.number(steps) for goal in place.get("goals").items()),
        _share_in(place.get("copied")),
        _share_in(place.get("mounted")),
        _share_in(place.get("present")),
        tuple(note.text() for note in place.get("notes").maybe(Value.items) or ()),
        place.get("excused").truth(),
        place.get("replaces").maybe(lambda digest: digest.read(Digest)),
        place.get("error").maybe(_error_in),
    )
    if (image.error is not None) != (image.status in _FAILED) or (image.error is not None and image.goals):
        raise place.refused(f"contradicts itself: status {image.status}")
    return image


def _share_in(place: Value) -> Share:
    place.only("blobs", "bytes")
    return Share(place.get("blobs").number(), place.get("bytes").number())


def _error_in(place: Value) -> TransloadError:
    place.only("code", "exit_code", "message", "side", "subject", "hint")
    place.get("exit_code").number()  # for other readers: the code decides
    kind = _ERRORS.get(place.get("code").text(), TransloadError)  # a later version may know more kinds
    return kind(
        place.get("message").text(),
        subject=place.get("subject").maybe(Value.text),
        hint=place.get("hint").maybe(Value.text),
        side=place.get("side").maybe(lambda side: side.one_of(get_args(Side))),
    )


def _repository(text: str) -> str:
    return check_repository(text) if text else text  # empty in stores that have no repositories
