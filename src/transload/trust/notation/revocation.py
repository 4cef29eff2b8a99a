"""Lists of revoked certificates (CRLs), given as files: nothing is fetched.

What they mean: trust-store-trust-policy.md, "Revocation Checking with CRL", and RFC 5280, 5. There a list that should
have been replaced proves nothing; on a far side all lists are old, so here it counts, and its date is told.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from transload.errors import DocumentInvalid
from transload.limits import REVOCATION_LISTS
from transload.trust.doubt import Doubt
from transload.trust.notation.chain import WEAK_HASHES, is_authority, name_of
from transload.values import field, frozen

if TYPE_CHECKING:
    from cryptography.x509 import Certificate, CertificateRevocationList, RevokedCertificate

_BEGIN, _END = b"-----BEGIN X509 CRL-----", b"-----END X509 CRL-----"
_HINT = "give whole lists as their authority publishes them (PEM, or DER with one in it)"


@frozen(eq=False)
class RevocationList:
    """A list of one authority. `file` is where it was read, for people."""

    file: str
    content: CertificateRevocationList = field(repr=False)
    _signed_by: dict[Certificate, bool] = field(factory=dict, init=False, repr=False)

    def is_by(self, issuer: Certificate) -> bool:
        """Whether this authority signed it."""
        if issuer not in self._signed_by:
            self._signed_by[issuer] = self._fits(issuer)
        return self._signed_by[issuer]

    def _fits(self, issuer: Certificate) -> bool:
        key = issuer.public_key()
        try:
            return self.content.is_signature_valid(key)  # type: ignore[arg-type]  # it raises TypeError for others
        except (TypeError, ValueError):
            return False

    def note(self, at: datetime) -> str | None:
        """That it is old, if it should have been replaced by `at`."""
        replaced = self.content.next_update_utc
        if replaced is None or at <= replaced:
            return None
        made = self.content.last_update_utc
        return f"the list of revoked certificates {self.file} is of {made:%F}; its authority has made newer ones since"


@frozen
class RevocationLists:
    """The lists that a policy gives."""

    lists: tuple[RevocationList, ...] = ()

    def check(self, chain: Sequence[Certificate], signed: datetime | None) -> None:
        """Raise `Doubt` if a certificate of the chain was revoked; `signed` is when it was used, if that is proved.

        A certificate counts as revoked whenever that happened, unless its authority says that the key was good until
        some later time than `signed`. Certificates of authorities without a list here are not asked for.
        """
        for number, certificate in enumerate(chain[:-1]):
            for listed in self._of(certificate, chain[number + 1]):
                entry = listed.content.get_revoked_certificate_by_serial_number(certificate.serial_number)
                if entry is not None and _is_revoked(entry, signed):
                    when = f"{entry.revocation_date_utc:%F}"
                    raise Doubt(
                        f"the certificate {name_of(certificate)} was revoked on {when} (by the list {listed.file})"
                    )

    def notes(self, chain: Sequence[Certificate], at: datetime) -> Iterator[str]:
        """What should be known of the lists that were asked."""
        for number, certificate in enumerate(chain[:-1]):
            asked = list(self._of(certificate, chain[number + 1]))
            newest = max(asked, key=lambda listed: listed.content.last_update_utc, default=None)
            if newest and (note := newest.note(at)):
                yield note

    def _of(self, certificate: Certificate, issuer: Certificate) -> Iterator[RevocationList]:
        """The lists that would have the certificate. Raises `Doubt` for one that somebody else made in their name."""
        for listed in self.lists:
            if listed.content.issuer != certificate.issuer or not _covers(listed.content, certificate):
                continue
            if not listed.is_by(issuer):
                raise Doubt(f"the list of revoked certificates {listed.file} is not signed by {name_of(issuer)}")
            yield listed


NO_LISTS = RevocationLists()


def lists_in(content: bytes, path: str) -> tuple[RevocationList, ...]:
    """The lists in a file. Raises `DocumentInvalid` for one that is not whole, or that cannot be believed."""
    from cryptography.x509 import load_der_x509_crl, load_pem_x509_crl

    parts = [_BEGIN + part.rpartition(_BEGIN)[2] + _END for part in content.split(_END)[:-1]]
    if len(parts) > REVOCATION_LISTS:
        raise DocumentInvalid(
            f"{path} has {len(parts)} lists of revoked certificates, {REVOCATION_LISTS} are allowed", hint=_HINT
        )
    try:
        found = [load_pem_x509_crl(part) for part in parts] or [load_der_x509_crl(content)]
        for listed in found:
            _check(listed, path)
    except DocumentInvalid:
        raise
    except Exception as error:  # the library raises errors of many kinds for what it cannot read
        raise DocumentInvalid(f"{path} is not a list of revoked certificates", hint=_HINT) from error
    return tuple(RevocationList(path, listed) for listed in found)


def _check(listed: CertificateRevocationList, path: str) -> None:
    """Raise `DocumentInvalid` for a list that does not stand for itself, or that nobody should believe."""
    from cryptography import x509

    known = (x509.CRLNumber, x509.AuthorityKeyIdentifier, x509.IssuingDistributionPoint)
    hash_of = listed.signature_hash_algorithm
    if hash_of is not None and hash_of.name in WEAK_HASHES:
        raise DocumentInvalid(f"{path} is signed with {hash_of.name.upper()}", hint="get a newer list")
    for extension in listed.extensions:
        value = extension.value
        if isinstance(value, x509.DeltaCRLIndicator):
            raise DocumentInvalid(f"{path} has only what changed since an earlier list", hint=_HINT)
        if isinstance(value, x509.IssuingDistributionPoint) and (value.indirect_crl or value.only_some_reasons):
            raise DocumentInvalid(f"{path} is a list for other authorities, or for some reasons only", hint=_HINT)
        if extension.critical and not isinstance(value, known):
            raise DocumentInvalid(f"{path} has an extension that is not known here", hint=_HINT)
    _ = (listed.issuer, listed.last_update_utc, listed.next_update_utc)  # parsed when asked for, with errors


def _covers(listed: CertificateRevocationList, certificate: Certificate) -> bool:
    """Whether it is a list of such certificates: some have only authorities, or only others."""
    from cryptography.x509 import ExtensionNotFound, IssuingDistributionPoint

    try:
        scope = listed.extensions.get_extension_for_class(IssuingDistributionPoint).value
    except ExtensionNotFound:
        return True
    if scope.only_contains_attribute_certs:
        return False
    return not (scope.only_contains_user_certs if is_authority(certificate) else scope.only_contains_ca_certs)


def _is_revoked(entry: RevokedCertificate, signed: datetime | None) -> bool:
    from cryptography.x509 import ExtensionNotFound, InvalidityDate

    try:
        bad_from = entry.extensions.get_extension_for_class(InvalidityDate).value.invalidity_date_utc
    except ExtensionNotFound:
        return True
    return signed is None or bad_from <= signed
