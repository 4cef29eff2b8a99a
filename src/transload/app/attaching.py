"""Attaches transfer records to the images at a target: each is an artifact whose subject is its image."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress

from transload.app.mirror import Prepared
from transload.errors import NotFound, Refused, TransloadError, as_result
from transload.oci import Descriptor, Digest, Manifest, Name
from transload.oci import mediatype as types
from transload.oci.descriptor import NO_ANNOTATIONS
from transload.ports import Target
from transload.report.result import Result
from transload.report.transferrecord import ARTIFACT_TYPE, KEY, TARGET, has_arrived, shown
from transload.threads import in_parallel
from transload.trust.dsse import IN_TOTO, MEDIA_TYPE
from transload.values import frozen

Encoded = Callable[[int], bytes]
"""The record of one image by its number in the plan: an envelope, or a plain statement."""

_EMPTY = b"{}"
_THREADS = 8


@frozen(kw_only=True)
class Attached:
    """How many images got a record, how many had one already, and the first error, if there was any."""

    new: int
    had: int
    failed: int
    error: TransloadError | None = None

    def check(self) -> None:
        """Raise the error, saying what it means for the run."""
        if self.error is None:
            return
        failure = f"{self.failed} of {self.failed + self.new + self.had} records could not be attached to their images"
        self.error.message = f"{failure}: {self.error.message}"
        self.error.hint = self.error.hint or "the images are there; the same command attaches the missing records"
        raise self.error


def check_takes_records(target: Target) -> None:
    """Raises `Refused` for a target that does not know what refers to an image."""
    if target.refers is None:
        raise Refused(
            f"{target.locator} keeps nothing that refers to an image, so no record can be attached there",
            subject=target.locator,
            side="target",
            hint="leave --record-at-target out; --record FILE writes the record to a file",
        )


def attach(prepared: Prepared, result: Result, encoded: Encoded, *, key_id: str | None) -> Attached:
    """Attach its record to every image that has arrived. An image that was there, and has a record, gets no other.

    Records that came along from elsewhere do not count: they are of another target, or another key signed them than
    `key_id`, which signs these (None: nobody does). One error does not keep the other images from getting theirs.
    """
    target, manifests = prepared.target, prepared.plan.manifests
    notes = {TARGET: shown(target.locator), **({KEY: key_id} if key_id is not None else {})}

    def attached(arrival: tuple[int, Digest]) -> bool | TransloadError:
        number, digest = arrival
        repository = prepared.plan.images[number].target.repository
        try:
            if result.images[number].status == "unchanged" and _has_record(target, repository, digest, notes):
                return False
            manifest = manifests.get(digest)
            subject = manifest.descriptor if manifest else target.resolve(Name(repository, None, digest))
            media_type = MEDIA_TYPE if key_id is not None else IN_TOTO
            put_artifact(
                target,
                repository,
                subject,
                content=encoded(number),
                media_type=media_type,
                artifact_type=ARTIFACT_TYPE,
                annotations=notes,
            )
        except TransloadError as error:
            return as_result(error)
        return True

    arrivals = [(number, image.digest) for number, image in enumerate(result.images) if has_arrived(image)]
    done = in_parallel(attached, [(number, digest) for number, digest in arrivals if digest is not None], _THREADS)
    errors = [outcome for outcome in done if isinstance(outcome, TransloadError)]
    return Attached(
        new=done.count(True), had=done.count(False), failed=len(errors), error=errors[0] if errors else None
    )


def _has_record(target: Target, repository: str, digest: Digest, notes: Mapping[str, str]) -> bool:
    if target.refers is None:
        return False
    with suppress(NotFound):
        found = target.refers.referrers(repository, digest)
        return any(each.artifact_type == ARTIFACT_TYPE and notes.items() <= each.annotations.items() for each in found)
    return False


def put_artifact(
    target: Target,
    repository: str,
    subject: Descriptor,
    *,
    content: bytes,
    media_type: str,
    artifact_type: str,
    annotations: Mapping[str, str] = NO_ANNOTATIONS,
) -> Descriptor:
    """Store `content` as an artifact that refers to `subject`, and give its manifest's descriptor.

    The same content makes the same manifest, so that storing it again changes nothing. Raises what the target raises.
    """
    manifest, blobs = artifact(
        subject, content=content, media_type=media_type, artifact_type=artifact_type, annotations=annotations
    )
    for blob, held in blobs:
        if not target.exists(repository, blob):
            with target.begin(repository, blob) as ingest:
                ingest.write([held[ingest.offset :]])
                ingest.commit()
    target.put_manifest(Name(repository, None, manifest.digest), manifest)
    return manifest.as_referrer


def artifact(
    subject: Descriptor,
    *,
    content: bytes,
    media_type: str,
    artifact_type: str,
    annotations: Mapping[str, str] = NO_ANNOTATIONS,
) -> tuple[Manifest, tuple[tuple[Descriptor, bytes], ...]]:
    """The manifest of an artifact (OCI image specification 1.1, "Guidelines for Artifact Usage"), and its blobs."""
    config = Descriptor(types.OCI_EMPTY, Digest.of(_EMPTY), len(_EMPTY))
    layer = Descriptor(media_type, Digest.of(content), len(content))
    document = {
        "schemaVersion": 2,
        "mediaType": types.OCI_MANIFEST,
        "artifactType": artifact_type,
        "config": config.to_json(),
        "layers": [layer.to_json()],
        "subject": Descriptor(subject.media_type, subject.digest, subject.size).to_json(),
        **({"annotations": dict(annotations)} if annotations else {}),
    }
    manifest = Manifest.parse(json.dumps(document, separators=(",", ":")).encode())
    return manifest, ((config, _EMPTY), (layer, content))
