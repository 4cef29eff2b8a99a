"""The plan as a file: canonical JSON (docs/formats/plan.md), used only after every part of it was checked.

Invariants, checked by `load_plan`:
1. every digest, name and repository is valid; every manifest hashes to its digest (`Manifest.parse`);
2. step ids are 0, 1, 2, …; `needs` and `after` name earlier steps only, so that a plan always comes to an end;
3. goals are steps, every manifest step finds its manifest, and an image has an error exactly when its status says so;
4. an unknown key is refused: a plan must not be carried out if a part of it was not understood.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from io import SEEK_END, BytesIO
from typing import IO, Any, get_args

from transload import errors
from transload.documents.value import Document, Value
from transload.errors import DocumentInvalid, LimitExceeded, Side, TransloadError
from transload.files import read_up_to
from transload.limits import OTHER_PLAN_BYTES, OTHER_PLAN_VALUES, PLAN_BYTES, PLAN_VALUES
from transload.linedjson import Written, chunks, quoted
from transload.oci import Descriptor, Digest, Manifest, Name
from transload.oci.reference import check_repository
from transload.planning.plan import BlobStep, ManifestStep, Plan, PlannedImage, Requests, Share, Status, Step
from transload.planning.planlines import OtherForm, Parts
from transload.strictjson import NotJson, OverLimit, check_counts, values_in

FORMAT = 1

_KINDS = (kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, TransloadError))
_ERRORS: dict[str, type[TransloadError]] = {kind.code: kind for kind in _KINDS}
_FAILED = ("missing", "failed")
_IMAGE_KEYS = (
    *("source_store", "source", "target", "status", "digest", "source_digest", "goals"),
    *("copied", "mounted", "present", "notes", "excused", "replaces", "error"),
)
_HINT = "make the plan again with transload plan"
_FEWER = "plan fewer images at a time, or mirror without a plan"


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
    return b"".join(written(plan))


def written(plan: Plan, told: Callable[[Digest], None] = lambda _: None) -> Iterator[bytes]:
    """The same in chunks, so that it is never in memory as a whole; in the end `told` gets the plan digest."""
    size = found = 0
    hasher = hashlib.sha256()
    for chunk in chunks(_contents(plan)):
        size, found = size + len(chunk), found + values_in(chunk)
        try:
            check_counts(size, found, PLAN_BYTES, PLAN_VALUES)
        except NotJson as error:
            raise LimitExceeded(f"the plan is too large for a file: {error}", hint=_FEWER) from error
        hasher.update(chunk)
        yield chunk
    told(Digest(f"sha256:{hasher.hexdigest()}"))


def digest(plan: Plan) -> Digest:
    """The plan digest: the digest of its canonical bytes, which are never in memory at once."""
    return Digest.of_all(chunks(_contents(plan)))


def load_plan(raw: bytes) -> Plan:
    """The plan in the content of a file (docs/formats/plan.md).

    Raises `DocumentInvalid`; its subject is the path of the wrong value in the document.
    """
    return read_plan(BytesIO(raw))[0]


def read_plan(file: IO[bytes]) -> tuple[Plan, Digest]:
    """The plan in an open file, and the file's digest. Raises as `load_plan` does, and `OSError`."""
    if not file.seekable():  # what the user's shell passes
        file = BytesIO(read_up_to(file, PLAN_BYTES + 1))
    size = file.seek(0, SEEK_END)
    parts, document = Parts(file, PLAN_BYTES, PLAN_VALUES), Document("plan", _HINT)
    file.seek(0)
    try:
        check_counts(size, 0, PLAN_BYTES, PLAN_VALUES)
        return _plan_in(parts.sections(), Value(None, document)), Digest(f"sha256:{parts.sha256}")
    except OverLimit as error:
        raise DocumentInvalid(f"the plan {error.verdict}", subject="plan", hint=_FEWER) from error
    except OtherForm as error:
        if size > OTHER_PLAN_BYTES:
            raise DocumentInvalid(
                f"the plan is damaged, or was changed: {error}", subject="plan", hint=_HINT
            ) from error
    file.seek(0)
    raw = read_up_to(file, OTHER_PLAN_BYTES + 1)
    root = Value.from_json(raw, "plan", limit=OTHER_PLAN_BYTES, values=OTHER_PLAN_VALUES, hint=_HINT)
    return _plan_in(iter(root.content.items()), root), Digest.of(raw)


def _plan_in(sections: Iterator[tuple[str, Any]], root: Value) -> Plan:
    """The plan that these sections make, in any order; a list may be an iterator."""
    found: dict[str, Any] = {}
    for key, content in sections:
        if key in found:
            raise OtherForm(f"{key} is there twice")
        if key not in _SECTIONS:
            Value({key: content}, root.document).only(*_SECTIONS)
        if isinstance(content, Iterator) and key not in _LISTS:
            content = []
        found[key] = _SECTIONS[key](Value(content, root.document, root, key))
    for key in _SECTIONS.keys() - found.keys():
        raise Value({}, root.document).missing(key)
    del found["format"]
    plan = Plan(**found)
    _check_references(plan, root)
    return plan


def _check_references(plan: Plan, root: Value) -> None:
    """Check what one section says of another: goals are steps, and the manifests of steps are there."""
    for number, image in enumerate(plan.images):
        if image.goals and max(image.goals) >= len(plan.steps):
            _at(root, list(image.goals), "images", number, "goals").numbers(len(plan.steps))
    for step in plan.steps:
        if isinstance(step, ManifestStep) and step.digest not in plan.manifests:
            place = _at(root, step.digest, "steps", step.id, "manifest")
            raise place.wrong("the digest of a manifest of this plan")


def _at(root: Value, content: object, *keys: str | int) -> Value:
    """What was found at this place."""
    place = root
    for key in keys:
        place = Value(content, root.document, place, key)
    return place


def _items(value: Value) -> Iterator[Value]:
    """The items of a list, or of an iterator that stands for one."""
    if not isinstance(value.content, Iterator):
        return value.items()
    listing = Value([], value.document, value.parent, value.key)
    return (Value(item, value.document, listing, number) for number, item in enumerate(value.content))


def _images_in(value: Value) -> tuple[PlannedImage, ...]:
    return tuple(map(_image_in, _items(value)))


def _manifests_in(value: Value) -> dict[Digest, Manifest]:
    return {manifest.digest: manifest for manifest in map(_content_in, _items(value))}


def _requests_in(value: Value) -> Requests:
    value.only("source", "target", "at_least")
    return Requests(
        value.get("source").number(),
        value.get("target").number(),
        at_least=frozenset(side.one_of(get_args(Side)) for side in value.get("at_least").maybe(Value.items, ())),
    )


def _steps_in(value: Value) -> tuple[Step, ...]:
    steps: list[Step] = []
    for step in _items(value):
        steps.append(_step_in(step, steps))
    return tuple(steps)


def _format_in(value: Value) -> int:
    if value.number() != FORMAT:
        raise value.wrong(f"{FORMAT}, the format that this version of transload reads")
    return FORMAT


_SECTIONS: dict[str, Callable[[Value], Any]] = {
    "format": _format_in,
    "target": Value.text,
    "images": _images_in,
    "steps": _steps_in,
    "manifests": _manifests_in,
    "requests": _requests_in,
}


_LISTS = {"images", "manifests", "steps"}


# --- out


def _given(**values: object) -> dict[str, Any]:
    """The values that are not empty."""
    return {key: value for key, value in values.items() if value not in (None, "", (), [])}


def _blob_out(step: BlobStep) -> dict[str, Any] | Written:
    blob = step.descriptor
    if (
        step.after is None
        and step.origin is None
        and not (blob.platform or blob.artifact_type or blob.annotations or blob.urls)
    ):  # most steps are so, and a template takes a third of the time
        return Written(
            f'{{\n   "blob": {{\n    "digest": "{blob.digest}",\n    "mediaType": {quoted(blob.media_type)},\n'
            f'    "size": {blob.size}\n   }},\n   "id": {step.id},\n   "repository": {quoted(step.repository)},\n'
            f'   "source_repository": {quoted(step.source_repository)},\n'
            f'   "source_store": {quoted(step.source_store)}\n  }}'
        )
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


def _step_in(value: Value, earlier: Sequence[Step]) -> Step:
    step = _blob_in(value, earlier) if value.has("blob") else _manifest_in(value, len(earlier))
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


def _manifest_in(value: Value, earlier: int) -> ManifestStep:
    value.only("id", "manifest", "name", "needs", "source_store", "source_repository", "left_out")
    digest, name = value.get("manifest").read(Digest), value.get("name").read(Name.parse)
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


def _image_in(value: Value) -> PlannedImage:
    value.only(*_IMAGE_KEYS)
    image = PlannedImage(
        source_store=value.get("source_store").text(),
        source=value.get("source").read(Name.parse),
        target=value.get("target").read(Name.parse),
        status=value.get("status").one_of(get_args(Status)),
        digest=value.get("digest").maybe(_digest_in),
        source_digest=value.get("source_digest").maybe(_digest_in),
        goals=value.get("goals").numbers(),
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
