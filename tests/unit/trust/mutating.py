"""Changes real envelopes: in their bytes, in the values of their JSON or CBOR, and in what lies inside as base64."""

from __future__ import annotations

import base64
import binascii
import contextlib
import json
from random import Random
from typing import Any

import cbor2

from tests.unit.test_parsers import TOKENS, swapped

_DER = [b"\x30\x80", b"\x30\x84\xff\xff\xff\xff", b"\x02\x00", b"\x05\x00", b"\xa0\x00", b"\x06\x01\x80", b"\x30" * 300]


def mutated(raw: bytes, random: Random) -> bytes:
    """`raw` with something wrong in it, a few levels deep."""
    way = random.random()
    if way < 0.55:
        with contextlib.suppress(ValueError):
            document = json.loads(raw)
            changed = swapped(document, random) if way < 0.2 else _inside(document, random)
            return json.dumps(changed).encode()
        with contextlib.suppress(cbor2.CBORDecodeError, cbor2.CBOREncodeError, ValueError, TypeError):
            return cbor2.dumps(_inside(cbor2.loads(raw), random))
    return spoilt(raw, random)


def spoilt(raw: bytes, random: Random) -> bytes:
    """`raw` with bytes changed, left out, put in, repeated, or cut off."""
    for _ in range(random.choice([1, 1, 1, 2, 8])):
        start = random.randrange(len(raw) + 1)
        end = min(len(raw), start + random.choice([0, 1, 1, 2, 8, 100]))
        put = random.choice([*TOKENS, *_DER, raw[start : end + 20], bytes([random.randrange(256)])])
        raw = raw[:start] + put + raw[end:]
    return raw[: random.randrange(len(raw) + 1)] if random.random() < 0.05 else raw


def _inside(value: Any, random: Random) -> Any:
    """One text or byte string of a document changed, or what a text of base64 holds."""
    if isinstance(value, cbor2.CBORTag):
        return cbor2.CBORTag(value.tag, _inside(value.value, random))
    if isinstance(value, (dict, list, tuple)) and value:
        copy = dict(value) if isinstance(value, dict) else dict(enumerate(value))
        key = random.choice(list(copy))
        copy[key] = _inside(copy[key], random)
        return copy if isinstance(value, dict) else list(copy.values())
    if isinstance(value, bytes):
        return mutated(value, random)
    if isinstance(value, str):
        for decode, encode in (
            (base64.b64decode, base64.b64encode),
            (base64.urlsafe_b64decode, base64.urlsafe_b64encode),
        ):
            with contextlib.suppress(binascii.Error, ValueError):
                inner = decode(value + "=" * (-len(value) % 4))
                if len(inner) > 8:
                    made = encode(mutated(inner, random)).decode()
                    return made if value.endswith("=") else made.rstrip("=")
        return spoilt(value.encode(), random).decode("utf-8", "replace")
    return swapped(value, random)
