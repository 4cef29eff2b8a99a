"""Trusted identities: what the subject of a certificate must have (trust-store-trust-policy.md, "Identities")."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import combinations
from typing import TYPE_CHECKING

from transload.errors import DocumentInvalid
from transload.values import frozen

if TYPE_CHECKING:
    from cryptography.x509 import Certificate, Name, ObjectIdentifier

ANY = "*"
_PREFIX = "x509.subject:"
_ATTRIBUTES = re.compile(r"(?:[^\\,]|\\.)+", re.DOTALL)
_NEEDED = {"C": "2.5.4.6", "ST": "2.5.4.8", "O": "2.5.4.10"}
_EXAMPLE = 'such as "x509.subject: C=US, ST=WA, O=Example", or "*" for any'


@frozen
class Identity:
    """Attributes that a subject must have, by their object identifiers; `text` is what the policy says."""

    text: str
    attributes: frozenset[tuple[str, str]]

    @property
    def subject(self) -> str:
        """What the policy says, without its kind."""
        return self.text.removeprefix(_PREFIX).strip()

    def fits(self, certificate: Certificate) -> bool:
        """Whether the certificate's subject has each of these attributes once, with this value."""
        return all(
            [attribute.value for attribute in certificate.subject if attribute.oid.dotted_string == kind] == [value]
            for kind, value in self.attributes
        )


def read_identities(texts: Sequence[str]) -> tuple[Identity, ...]:
    """The identities of a policy; none for `*`, which means any. Raises `DocumentInvalid`."""
    if not texts:
        raise DocumentInvalid("no identity is listed", hint=_EXAMPLE)
    if ANY in texts:
        if len(texts) > 1:
            raise DocumentInvalid('"*" means any identity, so no other can be listed beside it')
        return ()
    identities = tuple(_identity(text) for text in texts)
    for one, other in combinations(identities, 2):
        if one.attributes <= other.attributes or other.attributes <= one.attributes:
            raise DocumentInvalid(f"the identities {one.text!r} and {other.text!r} overlap: one is a part of the other")
    return identities


def _identity(text: str) -> Identity:
    if not text.startswith(_PREFIX):
        raise DocumentInvalid(f"{text[:80]!r} is not an identity: it does not begin with {_PREFIX!r}", hint=_EXAMPLE)
    attributes = [
        (attribute.oid.dotted_string, str(attribute.value)) for attribute in _name(text.removeprefix(_PREFIX), text)
    ]
    kinds = [kind for kind, _ in attributes]
    if len(set(kinds)) < len(kinds):
        raise DocumentInvalid(f"the identity {text[:200]!r} has an attribute twice")
    if missing := [name for name, kind in _NEEDED.items() if kind not in kinds]:
        # So the specification wants it: a common name alone is easily had from many authorities.
        raise DocumentInvalid(
            f"the identity {text[:200]!r} lacks {', '.join(missing)}", hint="give C, ST and O at least"
        )
    return Identity(text, frozenset(attributes))


def _name(subject: str, text: str) -> Name:
    """The distinguished name in a text of RFC 4514, also with spaces after its commas. Raises `DocumentInvalid`."""
    from cryptography.x509 import Name

    try:
        name = Name.from_rfc4514_string(",".join(_trimmed(part) for part in _ATTRIBUTES.findall(subject)), _aliases())
    except (ValueError, TypeError) as error:
        why = f": {error}" if str(error) else ""
        hint = "write it as RFC 4514 does, such as C=US, ST=WA, O=Example; a comma in a value is written \\,"
        raise DocumentInvalid(f"the identity {text[:200]!r} cannot be read{why}", hint=hint) from error
    if any(len(list(part)) > 1 for part in name.rdns):
        raise DocumentInvalid(f"the identity {text[:200]!r} joins attributes with +, which is not supported")
    return name


def _trimmed(part: str) -> str:
    """An attribute without the spaces around its parts, its kind in capitals; an escaped space at its end stays."""
    kind, equals, value = part.partition("=")
    bare = value.strip()
    if bare.endswith("\\") and not bare.endswith("\\\\"):
        bare += " "
    return f"{kind.strip().upper()}{equals}{bare}"


def _aliases() -> dict[str, ObjectIdentifier]:
    from cryptography.x509.oid import NameOID

    return {
        "S": NameOID.STATE_OR_PROVINCE_NAME,
        "E": NameOID.EMAIL_ADDRESS,
        "EMAILADDRESS": NameOID.EMAIL_ADDRESS,
        "SERIALNUMBER": NameOID.SERIAL_NUMBER,
    }
