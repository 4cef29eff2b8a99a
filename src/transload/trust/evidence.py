"""What is checked and what comes out: the image, the signatures that were found for it, and a finding on each."""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from typing import Protocol

from transload.oci import Descriptor, Digest, Manifest
from transload.values import field, frozen


class Form(Enum):
    """The forms in which a registry keeps signatures."""

    COSIGN_TAG = "cosign-tag"
    """A manifest under cosign's tag `sha256-….sig` (simple signing) or `.att` (DSSE); its layers have annotations."""

    SIGSTORE_BUNDLE = "sigstore-bundle"
    """A referrer whose layer is a Sigstore bundle (`application/vnd.dev.sigstore.bundle.v0.3+json`)."""

    NOTATION = "notation"
    """A referrer of artifact type `application/vnd.cncf.notary.signature`; its layer is a JWS or COSE envelope."""


@frozen(kw_only=True)
class Subject:
    """What should be signed: an image, by the digest that everything was resolved to.

    `descriptor` is that of its manifest, as the source gave it. `names` are the repositories that a signature may name
    (`registry.example/vendor/image`): that of the publisher, and that of where it was read.
    """

    descriptor: Descriptor
    names: tuple[str, ...] = ()

    @property
    def digest(self) -> Digest:
        """The digest of the image's manifest."""
        return self.descriptor.digest


@frozen(kw_only=True)
class Evidence:
    """A signature that was found for an image: its manifest, and one layer of it with its bytes, not yet believed.

    `problem` says why it could not be read, for people: then it proves nothing, and no authority is asked. `manifest`
    is None if that is what could not be read, and `layer` is then its descriptor, as far as that is known.
    """

    form: Form
    manifest: Manifest | None
    layer: Descriptor
    content: bytes = field(repr=False)
    problem: str | None = None


@frozen(kw_only=True)
class Finding:
    """What an authority says of one piece of evidence.

    `problem` says why it does not hold, for people; None if it holds. `signer` is who signed, as far as that is proved,
    or as the evidence claims if it does not hold. `signed_at` is the time that a log or a time stamp proves, and
    `time_from` says which; a time that only the signer states is not given here. `predicate_type` is that of an
    attestation. `note` is what people should know although it holds.
    """

    evidence: Evidence
    problem: str | None
    signer: str | None = None
    signed_at: datetime | None = None
    time_from: str | None = None
    predicate_type: str | None = None
    note: str | None = None

    @property
    def holds(self) -> bool:
        """Whether this is a signature of the image by somebody whom the authority trusts."""
        return self.problem is None


class Authority(Protocol):
    """Whom a rule trusts, such as the owner of a key.

    `name` is for people: `the key cosign.pub`. `forms` are those that it can judge: only these are fetched.
    """

    @property
    def name(self) -> str: ...  # noqa: D102 - see the class

    @property
    def forms(self) -> frozenset[Form]: ...  # noqa: D102 - see the class

    def judge(self, subject: Subject, evidence: Evidence, at: datetime) -> Finding:
        """Say whether `evidence` proves that this authority signed `subject`; `at` is the time that counts as now.

        It never raises for what the evidence says, however broken. Raises `PartMissing` without the library for it.
        """
        ...
