"""The payload of cosign's `.sig` tags: a small JSON document that names an image by digest and by repository.

https://github.com/sigstore/cosign/blob/main/specs/SIGNATURE_SPEC.md, "Simple Signing". cosign itself compares only the
digest. The repository that the payload names is compared here too, because a signer may sign the same content under two
names and mean both: content of `vendor/test` is then not taken for `vendor/product`. A payload that names none is
compared by digest alone.
"""

from __future__ import annotations

from collections.abc import Iterable

from transload.errors import ReferenceInvalid
from transload.oci import Reference
from transload.trust.doubt import Doubt, mapping, read_signed, shown, text
from transload.trust.evidence import Subject
from transload.values import frozen

MEDIA_TYPE = "application/vnd.dev.cosign.simplesigning.v1+json"
"""The media type of the layer that holds a payload."""

SIGNATURE_ANNOTATION = "dev.cosignproject.cosign/signature"
"""The annotation of that layer with the signature, in base64."""

CERTIFICATE_ANNOTATION = "dev.sigstore.cosign/certificate"
"""The annotation with the certificate of a signer who has an identity and no key of their own, in PEM."""

_TYPES = ("cosign container image signature", "https://sigstore.dev/cosign/sign/v1")


@frozen
class Payload:
    """What a simple signing payload states. `repository` is as it stands there, perhaps with a tag, or empty."""

    digest: str
    repository: str

    @classmethod
    def decode(cls, raw: bytes) -> Payload:
        """Raises `Doubt`."""
        critical = mapping(read_signed(raw, "the payload").get("critical"), "its part `critical`")
        if critical.get("type") not in _TYPES:
            raise Doubt(f"its payload is of the type {shown(critical.get('type'))}, not a signature of an image")
        image = mapping(critical.get("image"), "its part `image`")
        identity = mapping(critical.get("identity", {}), "its part `identity`")
        repository = identity.get("docker-reference", "")
        if not isinstance(repository, str):
            raise Doubt("its docker-reference is not a text")
        return cls(text(image.get("docker-manifest-digest"), "its docker-manifest-digest"), repository)

    def check(self, subject: Subject) -> None:
        """Raise `Doubt` unless this is about `subject`: its digest, and one of its names if there are any."""
        if self.digest != subject.digest:
            raise Doubt(f"it signs another image: {shown(self.digest)}")
        if self.repository and subject.names and not _names(self.repository, subject.names):
            raise Doubt(f"it signs this content under another name: {shown(self.repository)}")


def _names(reference: str, repositories: Iterable[str]) -> bool:
    signed = _repository(reference)
    return signed is not None and signed in map(_repository, repositories)


def _repository(reference: str) -> tuple[str, str] | None:
    try:
        parsed = Reference.parse(reference)
    except ReferenceInvalid:
        return None
    return parsed.registry, parsed.name.repository
