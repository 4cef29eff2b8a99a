"""The authority `cosign-key`: whoever holds the private key to a public key, in every form that cosign writes.

Only the signature is checked: a transparency log adds nothing for somebody who trusts the key itself, and a far side
cannot ask one. So such a signature proves no time.
"""

from __future__ import annotations

from datetime import datetime

from transload.documents.value import Value
from transload.errors import DocumentInvalid
from transload.limits import PUBLIC_KEY_BYTES
from transload.trust import dsse, simplesigning
from transload.trust.attested import Attested
from transload.trust.doubt import Doubt, from_base64
from transload.trust.evidence import Evidence, Finding, Form, Subject
from transload.trust.policyfolder import PolicyFolder
from transload.trust.predicate import WantedPredicate
from transload.trust.sigstorebundle import MessageSignature, SigstoreBundle
from transload.trust.verifyingkey import VerifyingKey, read_verifying_key
from transload.values import frozen

_BY_CERTIFICATE = "it was signed with a certificate, not with a key"
_OTHER_SIGNATURE = "it was not made with this key, or what it signs was changed"


@frozen
class CosignKey:
    """The owner of a key. `file` is where its public half was read, for people.

    `predicate` makes it an authority for attestations that are and say this; None for signatures of images.
    """

    file: str
    key: VerifyingKey
    predicate: WantedPredicate | None = None

    @property
    def name(self) -> str:
        """As `Authority` wants it."""
        return f"the key {self.file}"

    @property
    def forms(self) -> frozenset[Form]:
        """As `Authority` wants it."""
        return frozenset({Form.COSIGN_TAG, Form.SIGSTORE_BUNDLE})

    def judge(self, subject: Subject, evidence: Evidence, at: datetime) -> Finding:  # noqa: ARG002 - a key has no time
        """As `Authority` wants it."""
        kind: str | None = None
        try:
            attested = self._proved(subject, evidence)
            if attested:
                kind = attested.predicate_type
                attested.check(subject, self.predicate)
            elif self.predicate:
                raise Doubt(f"it is a signature, not an attestation of the type {self.predicate.name}")
        except Doubt as doubt:
            return Finding(evidence=evidence, problem=str(doubt), predicate_type=kind)
        return Finding(evidence=evidence, problem=None, signer=f"key {self.key.key_id}", predicate_type=kind)

    def _proved(self, subject: Subject, evidence: Evidence) -> Attested | None:
        """The statement that this key signed; None if it signed the image itself. Raises `Doubt`."""
        if evidence.form is Form.SIGSTORE_BUNDLE:
            return self._bundle(subject, SigstoreBundle.decode(evidence.content))
        if evidence.form is Form.COSIGN_TAG and evidence.layer.media_type == simplesigning.MEDIA_TYPE:
            self._simple(subject, evidence)
            return None
        if evidence.form is Form.COSIGN_TAG and evidence.layer.media_type == dsse.MEDIA_TYPE:
            return self._envelope(_envelope(evidence.content))
        raise Doubt(f"a key cannot check {evidence.layer.media_type[:80]}")

    def _simple(self, subject: Subject, evidence: Evidence) -> None:
        signature = from_base64(evidence.layer.annotations.get(simplesigning.SIGNATURE_ANNOTATION), "its signature")
        if not self.key.made(signature, evidence.content):
            by_certificate = simplesigning.CERTIFICATE_ANNOTATION in evidence.layer.annotations
            raise Doubt(_BY_CERTIFICATE if by_certificate else _OTHER_SIGNATURE)
        simplesigning.Payload.decode(evidence.content).check(subject)

    def _bundle(self, subject: Subject, bundle: SigstoreBundle) -> Attested | None:
        if bundle.has_certificate:
            raise Doubt(_BY_CERTIFICATE)
        if isinstance(bundle.content, MessageSignature):
            if not self.key.made_for_digest(bundle.content.signature, bundle.content.check(subject)):
                raise Doubt(_OTHER_SIGNATURE)
            return None
        return self._envelope(bundle.content)

    def _envelope(self, envelope: dsse.Envelope) -> Attested:
        if not any(self.key.made(signature.value, envelope.signed_bytes) for signature in envelope.signatures):
            raise Doubt(_OTHER_SIGNATURE)
        return Attested.decode(envelope.payload_type, envelope.payload)


def read_cosign_key(options: Value, folder: PolicyFolder) -> CosignKey:
    """The authority that a policy file writes as `cosign-key: FILE`, or `cosign-key: {key: FILE}`.

    Raises `DocumentInvalid` with the place, `LocalError`, `PartMissing`.
    """
    named = options.only("key").get("key") if isinstance(options.content, dict) else options
    file = named.text()
    if "://" in file:
        raise named.fail(
            f"{file[:80]!r} is not a file", hint="write the public key into a file: cosign public-key --key …"
        )
    return CosignKey(file, folder.load(named, "public key", PUBLIC_KEY_BYTES, read_verifying_key))


def _envelope(content: bytes) -> dsse.Envelope:
    try:
        return dsse.decode(content)
    except DocumentInvalid as error:
        raise Doubt(error.message) from None
