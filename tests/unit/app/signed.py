"""Images that are really signed, with keys that are made here, and policies that trust these keys."""

from __future__ import annotations

import base64
import json

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.unit.trust.notation.making import ISSUES, issued, jws
from tests.unit.trust.notation.making import payload as notation_payload
from transload.app.attaching import put_artifact
from transload.app.signatures import NOTATION
from transload.oci import Descriptor, Manifest
from transload.oci import mediatype as types
from transload.ports import Target
from transload.testing.images import Built, fill
from transload.testing.layers import Content
from transload.trust import sigstorebundle, simplesigning
from transload.trust.cosignkey import CosignKey
from transload.trust.policy import Mode, Policy, Rule
from transload.trust.verifyingkey import read_verifying_key


class Signer:
    """Somebody with a key."""

    def __init__(self, file: str) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        public = self._key.public_key()
        self.pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        self.trusted = CosignKey(file, read_verifying_key(self.pem, file))

    def sign(self, store: Target, repository: str, built: Built, named: str) -> None:
        """Put a signature of `built`, called `named`, beside it, as cosign does under its tag."""
        content = payload(built.descriptor, named)
        made = base64.b64encode(self._key.sign(content, ec.ECDSA(hashes.SHA256()))).decode()
        layer = Content.of(content, simplesigning.MEDIA_TYPE)
        config = Content.of(b"{}", types.OCI_CONFIG)
        document = {
            "schemaVersion": 2,
            "mediaType": types.OCI_MANIFEST,
            "config": config.descriptor.to_json(),
            "layers": [{**layer.descriptor.to_json(), "annotations": {simplesigning.SIGNATURE_ANNOTATION: made}}],
        }
        signature = Built(Manifest.parse(json.dumps(document).encode()), (config, layer))
        fill(store, signature, repository, f"sha256-{built.digest.encoded}.sig")

    def bundle(self, store: Target, repository: str, built: Built) -> None:
        """Put a Sigstore bundle with a signature of `built` beside it, as cosign 3 does."""
        made = self._key.sign(built.manifest.raw, ec.ECDSA(hashes.SHA256()))
        digest = base64.b64encode(bytes.fromhex(built.digest.encoded)).decode()
        document = {
            "mediaType": sigstorebundle.MEDIA_TYPE,
            "verificationMaterial": {"publicKey": {"hint": "made here"}},
            "messageSignature": {
                "messageDigest": {"algorithm": "SHA2_256", "digest": digest},
                "signature": base64.b64encode(made).decode(),
            },
        }
        put_artifact(
            store,
            repository,
            built.descriptor,
            content=json.dumps(document).encode(),
            media_type=sigstorebundle.MEDIA_TYPE,
            artifact_type=sigstorebundle.MEDIA_TYPE,
        )


class Notary:
    """Somebody who signs with notation, by a certificate of an authority of his own. Valid from 2026 on."""

    def __init__(self, root: str | x509.Name, signer: str | x509.Name) -> None:
        self._root = issued(root, ISSUES, days=(-10, 36_500))
        self._signer = issued(signer, by=self._root, days=(-10, 36_500))
        self.certificate = self._root.certificate.public_bytes(Encoding.PEM)

    def sign(self, store: Target, repository: str, built: Built) -> None:
        """Put a signature of `built` beside it, as notation does."""
        chain = [self._signer.der, self._root.der]
        envelope = jws(self._signer, chain, content=notation_payload(built.descriptor))
        put_artifact(
            store,
            repository,
            built.descriptor,
            content=envelope,
            media_type="application/jose+json",
            artifact_type=NOTATION,
        )


def payload(image: Descriptor, named: str) -> bytes:
    """What is signed: that this content is called so."""
    critical = {
        "identity": {"docker-reference": named},
        "image": {"docker-manifest-digest": image.digest},
        "type": "cosign container image signature",
    }
    return json.dumps({"critical": critical, "optional": None}).encode()


def rule(prefix: str, *signers: Signer, mode: str = "require") -> Rule:
    """A rule that trusts the keys of `signers`."""
    return Rule(prefix=prefix, mode=Mode(mode), authorities=tuple(signer.trusted for signer in signers))


def policy(*rules: Rule) -> Policy:
    """A policy of these rules."""
    return Policy(file="policy.yaml", rules=rules)
