"""What every signature envelope of the Notary Project has, whatever its encoding (signature-specification.md)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import Any

from transload.trust.doubt import Doubt, plain
from transload.values import field, frozen

PAYLOAD_TYPE = "application/vnd.cncf.notary.payload.v1+json"

SIGNING_SCHEME = "io.cncf.notary.signingScheme"
SIGNING_TIME = "io.cncf.notary.signingTime"
AUTHENTIC_SIGNING_TIME = "io.cncf.notary.authenticSigningTime"
EXPIRY = "io.cncf.notary.expiry"
TIMESTAMP_SIGNATURE = "io.cncf.notary.timestampSignature"
PLUGIN = "io.cncf.notary.verificationPlugin"

X509 = "notary.x509"
SIGNING_AUTHORITY = "notary.x509.signingAuthority"


@frozen(kw_only=True)
class Envelope:
    """A signature as its envelope states it; nothing of it is proved yet.

    `algorithm` is the name in JWS, such as `PS256`. `chain` are certificates in DER, the signing one first. `signed`
    are the bytes that `signature` covers. `timestamp` is a time stamp token (RFC 3161) in DER.
    """

    algorithm: str
    scheme: str
    signing_time: datetime
    expiry: datetime | None
    payload: bytes = field(repr=False)
    chain: tuple[bytes, ...] = field(repr=False)
    signed: bytes = field(repr=False)
    signature: bytes = field(repr=False)
    timestamp: bytes | None = field(repr=False)


def signed_attributes(
    headers: Mapping[Any, Any], content_type: object, critical: object, time_of: Callable[[object], datetime | None]
) -> tuple[str, datetime, datetime | None]:
    """Scheme, signing time and expiry in the protected headers, which are as the specification wants them.

    `time_of` reads a time as the encoding writes it, None if it is none. Raises `Doubt`.
    """
    scheme = _scheme(headers.get(SIGNING_SCHEME), content_type, headers, critical)
    signing_time = _time(headers, SIGNING_TIME if scheme == X509 else AUTHENTIC_SIGNING_TIME, time_of)
    expiry = _time(headers, EXPIRY, time_of) if EXPIRY in headers else None
    if expiry is not None and expiry <= signing_time:
        raise Doubt("it says that it expired before it was made")
    return scheme, signing_time, expiry


def _time(headers: Mapping[Any, Any], name: str, time_of: Callable[[object], datetime | None]) -> datetime:
    time = time_of(headers[name])
    if time is None:
        raise Doubt(f"its header {name} is not a time")
    return time


def _scheme(scheme: object, content_type: object, present: Collection[object], critical: object) -> str:
    """The signing scheme, if the protected headers are as the specification wants them. Raises `Doubt`.

    `present` are the names of all protected headers. `critical` are those that a reader must understand: the scheme,
    and the authentic time and the expiry if they are there. Any other critical header asks for a program that
    understands it, so the signature does not hold here.
    """
    if scheme not in (X509, SIGNING_AUTHORITY):
        raise Doubt(f"its signing scheme is {plain(scheme)}, not {X509} or {SIGNING_AUTHORITY}")
    if content_type != PAYLOAD_TYPE:
        raise Doubt(f"its content type is {plain(content_type)}, not {PAYLOAD_TYPE}")
    if not isinstance(critical, list | tuple) or not critical:
        raise Doubt("it does not say which of its headers are critical")
    wanted = {SIGNING_SCHEME, AUTHENTIC_SIGNING_TIME, EXPIRY} & {name for name in present if isinstance(name, str)}
    if PLUGIN in critical:
        raise Doubt("it can only be verified by a plugin of notation, which transload does not run")
    for name in critical:
        if not isinstance(name, str) or name not in wanted:
            raise Doubt(f"its critical header {plain(name)} is not known here")
    if missing := sorted(wanted.difference(critical)):
        raise Doubt(f"its header {missing[0]} is not marked as critical")
    wrong, right = (AUTHENTIC_SIGNING_TIME, SIGNING_TIME) if scheme == X509 else (SIGNING_TIME, AUTHENTIC_SIGNING_TIME)
    if wrong in present or right not in present:
        raise Doubt(f"under the signing scheme {scheme} it must have the header {right}, and not {wrong}")
    return str(scheme)
