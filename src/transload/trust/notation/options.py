"""The options under `notation` in a policy file: files of certificates, and identities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from transload.documents.value import Document, Value
from transload.errors import DocumentInvalid
from transload.limits import CRL_BYTES, TRUST_STORE_BYTES, TRUST_STORE_CERTIFICATES
from transload.trust.notation.authority import NotationTrust, parts_missing
from transload.trust.notation.chain import is_authority, is_issued, name_of, parse_all
from transload.trust.notation.identity import Identity, read_identities
from transload.trust.notation.revocation import NO_LISTS, RevocationLists, lists_in
from transload.trust.policyfolder import PolicyFolder
from transload.wording import first_of

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

TRUST_STORES, SIGNING_AUTHORITIES, TIMESTAMP_STORES = "trust-stores", "signing-authority-stores", "timestamp-stores"
IDENTITIES, CRLS = "identities", "crls"
KEYS = (TRUST_STORES, SIGNING_AUTHORITIES, TIMESTAMP_STORES, IDENTITIES, CRLS)
_SHOWN = 3  # files in the name of an authority
_BEGIN = b"-----BEGIN"


def read_notation(options: Value | Mapping[str, object], folder: PolicyFolder) -> NotationTrust:
    """The authority that these options describe; their files are looked for in `folder`, that of the policy.

    `trust-stores` lists files of certificates (PEM, or DER with one in it); `identities` lists subjects, or is `["*"]`.
    `timestamp-stores`, `signing-authority-stores` and `crls` are files too, and can be left out. Raises
    `DocumentInvalid` for an option, a file or an identity that is wrong, `LocalError` for a file that cannot be read,
    and `PartMissing` without the extra `trust`.
    """
    value = options if isinstance(options, Value) else Value(dict(options), Document("notation"))
    value.only(*KEYS)
    value.needs(IDENTITIES)
    if not value.has(SIGNING_AUTHORITIES):
        value.needs(TRUST_STORES)
    try:
        names = [name for key in (TRUST_STORES, SIGNING_AUTHORITIES) for name in value.get(key).maybe(Value.texts, ())]
        identities = _identities(value.get(IDENTITIES))
        return NotationTrust(
            name=f"notation with {first_of(names, _SHOWN)}{_only(identities)}",
            roots=_stores(value.get(TRUST_STORES), folder),
            signing_authorities=_stores(value.get(SIGNING_AUTHORITIES), folder),
            timestamp_roots=_stores(value.get(TIMESTAMP_STORES), folder),
            identities=identities,
            revoked=_revoked(value.get(CRLS), folder),
        )
    except ImportError as error:
        raise parts_missing(error) from error


def _only(identities: Sequence[Identity]) -> str:
    """What tells authorities apart that have the same trust stores."""
    return f" for {identities[0].subject}{' and others' if len(identities) > 1 else ''}" if identities else ""


def _identities(value: Value) -> tuple[Identity, ...]:
    texts = value.texts()
    with value.explained():
        return read_identities(texts)


def _stores(value: Value, folder: PolicyFolder) -> tuple[Certificate, ...]:
    if value.content is None:
        return ()
    value.texts()
    certificates: dict[Certificate, None] = {}
    for item in value.items():
        certificates |= dict.fromkeys(folder.load(item, "trust store", TRUST_STORE_BYTES, store_in))
    if not certificates:
        raise value.fail("no file of certificates is listed")
    return tuple(certificates)


def _revoked(value: Value, folder: PolicyFolder) -> RevocationLists:
    if value.content is None:
        return NO_LISTS
    if not value.texts():
        raise value.fail("no list of revoked certificates is named")
    found = [folder.load(item, "list of revoked certificates", CRL_BYTES, lists_in) for item in value.items()]
    return RevocationLists(tuple(listed for lists in found for listed in lists))


def store_in(content: bytes, path: str) -> tuple[Certificate, ...]:
    """The certificates in a file, each one that issues others or is signed with its own key.

    Raises `DocumentInvalid` for a file that has no such certificates.
    """
    certificates = _parsed(content, path)
    if len(certificates) > TRUST_STORE_CERTIFICATES:
        raise DocumentInvalid(f"{path} has {len(certificates)} certificates, {TRUST_STORE_CERTIFICATES} are allowed")
    for certificate in certificates:
        if not is_authority(certificate) and not is_issued(certificate, certificate):
            hint = "give the certificate of the authority that issued it"
            raise DocumentInvalid(
                f"{path}: {name_of(certificate)} is neither an authority nor signed with its own key", hint=hint
            )
    return tuple(certificates)


def _parsed(content: bytes, path: str) -> list[Certificate]:
    from cryptography.x509 import load_der_x509_certificate, load_pem_x509_certificates

    if not content.strip():
        raise DocumentInvalid(f"{path} is empty", hint="put the certificate of an authority into it, as PEM")
    try:
        certificates = (
            load_pem_x509_certificates(content) if _BEGIN in content else [load_der_x509_certificate(content)]
        )
        for certificate in certificates:
            parse_all(certificate)
    except Exception as error:  # the library raises errors of many kinds for what it cannot read
        hint = "a trust store is a file of certificates as PEM, or one certificate as DER"
        raise DocumentInvalid(f"{path} has no certificates that can be read", hint=hint) from error
    return certificates
