"""The authority `sigstore`: an identity, such as a workflow or an e-mail address, that an issuer vouched for.

sigstore-python checks certificate, log and time stamps against a `trusted_root.json`; nothing is fetched. What is done
here is to hand it what was found, and to compare the identity. Rules:
https://github.com/sigstore/architecture-docs/blob/main/client-spec.md, and docs/formats/cosign-signatures.md.
"""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from transload.documents.value import Value
from transload.errors import DocumentInvalid
from transload.extras import Extra
from transload.limits import TRUSTED_ROOT_BYTES, TRUSTED_ROOT_VALUES
from transload.trust.attested import Attested
from transload.trust.doubt import Doubt, plain, read_signed, shown
from transload.trust.evidence import Evidence, Finding, Form, Subject
from transload.trust.policyfolder import PolicyFolder
from transload.trust.predicate import WantedPredicate
from transload.trust.sigstorebundle import MessageSignature, SigstoreBundle
from transload.trust.wanted import Wanted, read_wanted
from transload.values import field, frozen

if TYPE_CHECKING:
    from cryptography.x509 import Certificate
    from sigstore.models import Bundle

    from transload.trust.offlineverifier import OfflineVerifier

AHEAD = timedelta(minutes=10)
"""How far a proved time may lie after the time that counts as now: clocks of different machines differ."""

_OPTIONS = ("issuer", "issuer-regexp", "identity", "identity-regexp", "trusted-root")
# https://github.com/sigstore/fulcio/blob/main/docs/oid-info.md
_OLD_ISSUER, _USER, _ISSUER = (f"1.3.6.1.4.1.57264.1.{number}" for number in (1, 7, 8))
_ROOT_HINT = "give a trusted_root.json, as Sigstore publishes it"


@frozen
class Signer:
    """Who signed, as a certificate says: its names (mostly one), and the issuer that vouched for them."""

    names: tuple[str, ...]
    issuer: str

    def __str__(self) -> str:
        return f"{plain(', '.join(self.names))} (issuer {plain(self.issuer)})"


@frozen
class Keyless:
    """An identity and its issuer, as a `trusted_root.json` lets them be proved. Made by `read_sigstore`.

    `predicate` makes it an authority for attestations that are and say this; None for signatures of images.
    """

    identity: Wanted
    issuer: Wanted
    _verifier: OfflineVerifier = field(repr=False, eq=False)
    predicate: WantedPredicate | None = None

    @property
    def name(self) -> str:
        """As `Authority` wants it."""
        kind = "an identity like" if self.identity.is_regexp else "the identity"
        return f"{kind} {self.identity.text} of {self.issuer.text}"

    @property
    def forms(self) -> frozenset[Form]:
        """As `Authority` wants it. cosign's older tags lack the proof that the log has the signature."""
        return frozenset({Form.SIGSTORE_BUNDLE})

    def judge(self, subject: Subject, evidence: Evidence, at: datetime) -> Finding:
        """As `Authority` wants it."""
        signer: Signer | None = None
        kind: str | None = None
        when: tuple[datetime, str] | None = None
        problem: str | None = None
        try:
            if evidence.form is not Form.SIGSTORE_BUNDLE:
                raise Doubt(f"an identity cannot check a signature of the form {evidence.form.value}")
            bundle = _loaded(evidence.content)
            attested = self._proved(subject, bundle)
            signer, kind = _signer_of(bundle.signing_certificate), attested.predicate_type if attested else None
            when = self._time(subject, bundle)
            _check_time(when[0], at)
            self._check_signer(signer)
            if attested:
                attested.check(subject, self.predicate)
            elif self.predicate:
                raise Doubt(f"it is a signature, not an attestation of the type {self.predicate.name}")
        except Doubt as doubt:
            problem = str(doubt)
        signed_at, time_from = when or (None, None)
        return Finding(
            evidence=evidence,
            problem=problem,
            signer=str(signer) if signer else None,
            signed_at=signed_at,
            time_from=time_from,
            predicate_type=kind,
        )

    def _proved(self, subject: Subject, bundle: Bundle) -> Attested | None:
        """The statement that was signed; None if it was the image. Raises `Doubt` unless all but the signer holds."""
        from sigstore.hashes import Hashed
        from sigstore_models.common.v1 import HashAlgorithm

        content = SigstoreBundle.decode(bundle.to_json().encode()).content  # as the library has read it
        if isinstance(content, MessageSignature):
            hashed = Hashed(algorithm=HashAlgorithm.SHA2_256, digest=content.check(subject))
            with _doubting():
                self._verifier.verify_artifact(hashed, bundle, _Anyone())
            return None
        with _doubting():
            payload_type, payload = self._verifier.verify_dsse(bundle, _Anyone())
        return Attested.decode(payload_type, payload)

    def _time(self, subject: Subject, bundle: Bundle) -> tuple[datetime, str]:
        """When it was signed, for a bundle that holds, and what proves it. Raises `Doubt`."""
        document = json.loads(bundle.to_json())
        material = document["verificationMaterial"]
        entry = material["tlogEntries"][0]
        seconds = int(entry.get("integratedTime") or 0)
        logs_time = bool(entry.get("inclusionPromise")) and entry["kindVersion"]["kind"] != "intoto"
        if seconds and logs_time:  # the promise signs the time, and the library has checked it
            return datetime.fromtimestamp(seconds, UTC), "the transparency log"
        stamps = material["timestampVerificationData"]["rfc3161Timestamps"]
        for stamp in stamps:
            if len(stamps) > 1:  # one of them holds, so the others are tried without it
                material["timestampVerificationData"]["rfc3161Timestamps"] = [stamp]
                try:
                    self._proved(subject, _loaded(json.dumps(document).encode()))
                except Doubt:
                    continue
            return _time_in(stamp["signedTimestamp"]), "a time stamp"
        raise Doubt("no time stamp of it holds by itself")

    def _check_signer(self, signer: Signer) -> None:
        if not self.issuer.accepts(signer.issuer):
            raise Doubt(f"its signer was vouched for by {shown(signer.issuer)}, not by {self.issuer.text}")
        if not any(map(self.identity.accepts, signer.names)):
            whole = ", which must match the whole name" if self.identity.is_regexp else ""
            raise Doubt(f"{shown(', '.join(signer.names))} signed it, not {self.identity.text}{whole}")


class _Anyone:
    """The library asks it who may sign. Who it is, is compared when the rest holds: before, a name is not proved."""

    def verify(self, cert: Certificate) -> None:
        """Accept it."""


def _loaded(content: bytes) -> Bundle:
    from sigstore.models import Bundle

    read_signed(content, "the bundle")  # the library takes the last of two keys, and any depth
    SigstoreBundle.decode(content)
    with _doubting():
        return Bundle.from_json(content)


@contextmanager
def _doubting() -> Iterator[None]:
    """What the libraries raise for a bundle becomes a `Doubt`: their own errors, and whatever broken content causes."""
    try:
        yield
    except Exception as error:  # see above: broken content causes errors of any kind
        message = "; ".join(line.strip() for line in str(error).splitlines()[:3])
        raise Doubt(plain(message or type(error).__name__)) from None


def _signer_of(certificate: Certificate) -> Signer:
    from cryptography import x509
    from cryptography.hazmat import asn1

    with _doubting():
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        others = (other for other in names.get_values_for_type(x509.OtherName) if other.type_id.dotted_string == _USER)
        found = (
            *names.get_values_for_type(x509.RFC822Name),
            *names.get_values_for_type(x509.UniformResourceIdentifier),
            *(asn1.decode_der(str, other.value) for other in others),
        )
        held = {extension.oid.dotted_string: extension.value for extension in certificate.extensions}
        newer, older = held.get(_ISSUER), held.get(_OLD_ISSUER)
        if isinstance(newer, x509.UnrecognizedExtension):
            return Signer(found, asn1.decode_der(str, newer.value))
        if isinstance(older, x509.UnrecognizedExtension):
            return Signer(found, older.value.decode())
    raise Doubt("its certificate does not say who vouched for the signer")


def _time_in(stamp: str) -> datetime:
    from rfc3161_client import decode_timestamp_response

    with _doubting():
        return decode_timestamp_response(base64.b64decode(stamp)).tst_info.gen_time.astimezone(UTC)


def _check_time(signed_at: datetime, at: datetime) -> None:
    if signed_at > at + AHEAD:
        signed, now = (f"{time.astimezone(UTC):%Y-%m-%d %H:%M} UTC" for time in (signed_at, at))
        raise Doubt(f"it was signed at {signed}, and it is only {now}: set the clock right, or give the time with --at")


def read_sigstore(options: Value, folder: PolicyFolder) -> Keyless:
    """The authority that a policy file writes as `sigstore: {issuer: …, identity: …, trusted-root: FILE}`.

    `issuer-regexp` and `identity-regexp` stand for `issuer` and `identity`. Raises `DocumentInvalid` with the place,
    `LocalError`, and `PartMissing` without sigstore-python.
    """
    options.only(*_OPTIONS)
    issuer, identity = _wanted(options, "issuer"), _wanted(options, "identity")
    options.needs("trusted-root")
    return Keyless(identity, issuer, _verifier(options.get("trusted-root"), folder))


def _wanted(options: Value, key: str) -> Wanted:
    exact, pattern = options.get(key), options.get(f"{key}-regexp")
    if options.has(key) and options.has(f"{key}-regexp"):
        raise pattern.fail(f"{key} is given too", hint=f"keep one of {key} and {key}-regexp")
    if options.has(key):
        return read_wanted(exact)
    if not options.has(f"{key}-regexp"):
        raise options.missing(key, hint=f"write {key}, or {key}-regexp with a regular expression for it")
    return read_wanted(pattern, is_regexp=True)


def _verifier(named: Value, folder: PolicyFolder) -> OfflineVerifier:
    try:
        import transload.trust.offlineverifier  # noqa: F401 - whether it is there is said before the file is read
    except ImportError as error:
        raise Extra.SIGSTORE.missing("checking signatures by identity", "sigstore") from error
    logging.getLogger("sigstore").addHandler(logging.NullHandler())  # its warnings are no lines of ours
    return folder.load(named, "trusted root", TRUSTED_ROOT_BYTES, _root_in)


def _root_in(content: bytes, path: str) -> OfflineVerifier:
    from transload.trust.offlineverifier import verifier_from

    lines = [line.strip() for line in content.splitlines() if line.strip()]
    if len(lines) > 1 and all(line[:1] + line[-1:] == b"{}" for line in lines):  # `gh attestation trusted-root`
        hint = "put the one that the publisher's signatures need into a file of its own"
        raise DocumentInvalid(f"{path} has {len(lines)} trusted roots, one on each line", subject=path, hint=hint)
    Value.from_json(content, path, limit=TRUSTED_ROOT_BYTES, values=TRUSTED_ROOT_VALUES, hint=_ROOT_HINT, is_file=True)
    try:
        with _doubting():
            return verifier_from(content)
    except Doubt as doubt:
        raise DocumentInvalid(f"{path} is not a trusted root: {doubt}", subject=path, hint=_ROOT_HINT) from None
