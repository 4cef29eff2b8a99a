"""JSON from outside: one reading of it or none, and never more than the limits allow."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.limited import run_limited
from transload.limits import JSON_DEPTH
from transload.strictjson import NotJson, read_json


def read(raw: bytes, **more: bool) -> object:
    return read_json(raw, limit=1 << 20, values=50_000, **more)


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"", "it is empty"),
        (b"{\xff}", "it is not UTF-8 from byte 1 on"),
        (b"\xef\xbb\xbf{}", r"byte order mark \(BOM\): save it as UTF-8 without one"),
        ('"ä"'.encode("utf-16"), "it is saved as UTF-16: save it as UTF-8"),
        ('{"ä": 1}'.encode("utf-16-le"), "it is saved as UTF-16"),
        ('"🙂'.encode() + b"a" * (1 << 18) + b'"', "262150 bytes, 262144 are allowed"),
        (b"{} {}", "Extra data"),
        (b"[NaN]", "NaN is not a number"),
        (b"[-Infinity]", "-Infinity is not a number"),
        (b"[1e999]", "a number is too large"),
        (b"1" * 5000, "a number is too long"),
        (b'{"a":1,"b":{"digest":1,"digest":2}}', "the key 'digest' twice"),
        (rb'{"\u0061":1,"a":2}', "the key 'a' twice"),
        (rb'{"\ud800":1,"\ud801":2}', "twice"),
        (b"[" * (JSON_DEPTH + 1) + b"]" * (JSON_DEPTH + 1), "nested more than 64 deep"),
        (b'{"a":' * 500 + b"1" + b"}" * 500, "nested more than 64 deep"),
        (b"[" * 49_000, "nested too deep"),
        (b'{"a":[' * 16_000, "nested too deep"),
        (b" " * ((1 << 20) + 1), "1048577 bytes, 1048576 are allowed"),
        (b"[" + b"[]," * 60_000 + b"[]]", "more than 50000 values"),
        (b"{" + b",".join(b'"%d":1' % number for number in range(60_000)) + b"}", "more than 50000 values"),
    ],
)
def test_what_is_refused(raw: bytes, why: str) -> None:
    with pytest.raises(NotJson, match=why) as caught:
        read(raw)
    large = "allowed" in why or "more than 50000" in why
    assert caught.value.verdict.startswith("is too large: it has" if large else "cannot be read as JSON: ")


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (rb'"\ud83d\ude00"', "😀"),
        (rb'"\ud800"', "\ufffd"),
        (rb'"x\udfffy"', "x\ufffdy"),
        (rb'"\\ud800"', r"\ud800"),
        (rb'{"\ud800":["\udc00\ud800"]}', {"\ufffd": ["\ufffd\ufffd"]}),
        (b"[" * JSON_DEPTH + b"]" * JSON_DEPTH, json.loads("[" * JSON_DEPTH + "]" * JSON_DEPTH)),
        (b"123456789012345678901234567890", 123456789012345678901234567890),
    ],
)
def test_what_is_read(raw: bytes, value: object) -> None:
    assert read(raw) == value


def test_where_others_take_the_last_of_equal_keys() -> None:
    assert read(b'{"a":1,"a":2}', twins=True) == {"a": 2}


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=20,
    )
)
def test_what_json_writes_is_read(value: object) -> None:
    assert read(json.dumps(value).encode()) == value


@given(st.binary() | st.text(alphabet='{}[]",:\\ud8dc0ae1. -').map(str.encode))
def test_any_bytes_are_a_value_or_an_error(raw: bytes) -> None:
    with contextlib.suppress(NotJson):
        json.dumps(read(raw)).encode()


@pytest.mark.parametrize("piece", ["[],", "{},", '"a":{},', '"😀",', r'"\\ud800",'])
def test_memory_is_bounded(piece: str) -> None:
    """What takes most is refused within little more than its bytes."""
    program = (
        "import sys\n"
        "from transload.strictjson import NotJson, read_json\n"
        "piece = sys.argv[1].encode()\n"
        "try: read_json(piece * ((64 << 20) // len(piece)), limit=256 << 20, values=2_000_000)\n"
        "except NotJson: print('refused')"
    )
    assert run_limited(program, piece) == "refused\n"
