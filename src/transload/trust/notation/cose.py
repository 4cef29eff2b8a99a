"""COSE_Sign1, tagged (RFC 9052; the Notary Project's signature-envelope-cose.md). `cbor2` reads the CBOR."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from io import BytesIO
from typing import Any, NoReturn

from transload.limits import NOTATION_BYTES
from transload.trust.doubt import Doubt, plain
from transload.trust.notation.envelope import TIMESTAMP_SIGNATURE, Envelope, signed_attributes
from transload.values import frozen

# Labels of headers, and algorithms (IANA, "COSE Header Parameters", "COSE Algorithms").
_ALG, _CRIT, _CONTENT_TYPE, _X5CHAIN = 1, 2, 3, 33
_ALGORITHMS = {-7: "ES256", -35: "ES384", -36: "ES512", -37: "PS256", -38: "PS384", -39: "PS512"}

_SIGN1 = 18  # the tag of COSE_Sign1
_EPOCH = 1  # the tag of a time in seconds (RFC 8949, 3.4.2)
_DEPTH = 8  # honest envelopes are three deep
# Tags that `cbor2` turns into values: none of them has a place in an envelope, and some are costly or make cycles.
_REFUSED = (0, 2, 3, 4, 5, 25, 28, 29, 30, 35, 36, 37, 52, 54, 100, 256, 258, 260, 261, 1004, 43000, 55799)


@frozen
class _Seconds:
    """A value with the tag 1."""

    content: object


def read_cose(content: bytes) -> Envelope:
    """The signature in `content`. Raises `Doubt`; `ImportError` without `cbor2`."""
    from cbor2 import CBORTag, dumps

    message = _decoded(content, "its envelope")
    if not isinstance(message, CBORTag) or message.tag != _SIGN1:
        raise Doubt("its envelope is not a tagged COSE_Sign1")
    parts = message.value
    if not isinstance(parts, list | tuple) or len(parts) != 4:
        raise Doubt("its COSE_Sign1 does not have four parts")
    protected, unprotected, payload, signature = parts
    if not all(isinstance(part, bytes) for part in (protected, payload, signature)):
        raise Doubt("its COSE_Sign1 lacks protected headers, payload or signature")
    headers = _headers(_decoded(protected, "its protected header"))
    others = _headers(unprotected)
    scheme, signing_time, expiry = signed_attributes(headers, headers.get(_CONTENT_TYPE), headers.get(_CRIT), _time)
    algorithm, timestamp = headers.get(_ALG), others.get(TIMESTAMP_SIGNATURE)
    return Envelope(
        algorithm=_ALGORITHMS.get(algorithm, plain(algorithm)) if isinstance(algorithm, int) else plain(algorithm),
        scheme=scheme,
        signing_time=signing_time,
        expiry=expiry,
        payload=payload,
        chain=_chain(others, headers),
        signed=dumps(["Signature1", protected, b"", payload]),  # Sig_structure (RFC 9052, 4.4)
        signature=signature,
        timestamp=_bytes(timestamp, TIMESTAMP_SIGNATURE) if timestamp else None,
    )


def _decoded(content: bytes, name: str) -> Any:
    """The one value in `content`. No key is there twice, and no container without a length."""
    from cbor2 import CBORDecoder

    if len(content) > NOTATION_BYTES:
        raise Doubt(f"{name} is too large: it has {len(content)} bytes, {NOTATION_BYTES} are allowed")
    file = BytesIO(content)
    decoder = CBORDecoder(
        file,
        semantic_decoders={**dict.fromkeys(_REFUSED, _refuse), _EPOCH: _seconds},
        max_depth=_DEPTH,
        allow_indefinite=False,
        allow_duplicate_keys=False,
    )
    try:
        value = decoder.decode()
    except Exception as error:  # the library raises errors of many kinds for what it cannot read
        raise Doubt(f"{name} cannot be read as CBOR: {plain(error)}") from error
    if file.read(1):
        raise Doubt(f"{name} has bytes after its end")
    return value


def _refuse(*_: object) -> NoReturn:
    raise ValueError("this tag has no place in a signature")


def _seconds(content: object, *_: object) -> _Seconds:
    return _Seconds(content)


def _headers(value: object) -> Mapping[object, Any]:
    if not isinstance(value, Mapping):
        raise Doubt("its headers are not a map")
    return value


def _chain(unprotected: Mapping[object, Any], protected: Mapping[object, Any]) -> tuple[bytes, ...]:
    """The certificates of x5chain (RFC 9360): a list, or a single one that is not in a list."""
    x5chain = unprotected.get(_X5CHAIN, protected.get(_X5CHAIN))
    if x5chain is None:
        raise Doubt("it has no chain of certificates (x5chain)")
    chain = x5chain if isinstance(x5chain, list | tuple) else (x5chain,)
    return tuple(_bytes(certificate, "x5chain") for certificate in chain)


def _bytes(value: object, name: str) -> bytes:
    if not isinstance(value, bytes):
        raise Doubt(f"its header {name} does not hold bytes")
    return value


def _time(value: object) -> datetime | None:
    if not isinstance(value, _Seconds) or not isinstance(value.content, int | float):
        return None
    try:
        return datetime.fromtimestamp(value.content, UTC)
    except (ValueError, OverflowError, OSError):
        return None
