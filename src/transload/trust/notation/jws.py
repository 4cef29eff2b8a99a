"""JWS in flattened JSON serialization (RFC 7515; the Notary Project's signature-envelope-jws.md)."""

from __future__ import annotations

import base64
import binascii
import re
from datetime import UTC, datetime
from typing import Any

from transload.limits import NOTATION_BYTES, NOTATION_VALUES
from transload.strictjson import NotJson, read_json
from transload.trust.doubt import Doubt, plain
from transload.trust.notation.envelope import TIMESTAMP_SIGNATURE, Envelope, signed_attributes

_BASE64URL = re.compile(r"[A-Za-z0-9_-]*")
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_MEMBERS = {"payload", "protected", "header", "signature"}


def read_jws(content: bytes) -> Envelope:
    """The signature in `content`. Raises `Doubt`."""
    envelope = _object(content, "its envelope")
    if envelope.keys() != _MEMBERS:
        raise Doubt("its envelope does not have exactly payload, protected, header and signature")
    payload, protected, signature = (envelope[name] for name in ("payload", "protected", "signature"))
    headers = _object(_base64url(protected, "protected"), "its protected header")
    unprotected = envelope["header"]
    if not isinstance(unprotected, dict):
        raise Doubt("its header is not a JSON object")
    scheme, signing_time, expiry = signed_attributes(headers, headers.get("cty"), headers.get("crit"), _time)
    timestamp = unprotected.get(TIMESTAMP_SIGNATURE)
    return Envelope(
        algorithm=plain(headers.get("alg")),
        scheme=scheme,
        signing_time=signing_time,
        expiry=expiry,
        payload=_base64url(payload, "payload"),
        chain=_chain(unprotected.get("x5c")),
        signed=f"{protected}.{payload}".encode(),
        signature=_base64url(signature, "signature"),
        timestamp=_base64(timestamp, TIMESTAMP_SIGNATURE) if timestamp else None,
    )


def _object(content: bytes, name: str) -> dict[str, Any]:
    try:
        document = read_json(content, limit=NOTATION_BYTES, values=NOTATION_VALUES)
    except NotJson as error:
        raise Doubt(f"{name} {error.verdict}") from error
    if not isinstance(document, dict):
        raise Doubt(f"{name} is not a JSON object")
    return document


def _chain(x5c: object) -> tuple[bytes, ...]:
    if not isinstance(x5c, list):
        raise Doubt("it has no chain of certificates (x5c)")
    return tuple(_base64(certificate, "x5c") for certificate in x5c)


def _base64url(text: object, name: str) -> bytes:
    if not isinstance(text, str) or not _BASE64URL.fullmatch(text) or len(text) % 4 == 1:
        raise Doubt(f"its {name} is not base64url")
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _base64(text: object, name: str) -> bytes:
    try:
        return base64.b64decode(text if isinstance(text, str) else "?", validate=True)
    except (binascii.Error, ValueError):
        raise Doubt(f"its header {name} is not base64") from None


def _time(text: object) -> datetime | None:
    if not isinstance(text, str) or not _RFC3339.fullmatch(text):
        return None
    try:
        return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
