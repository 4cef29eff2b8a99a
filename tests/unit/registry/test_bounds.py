"""What a hostile registry may cost: lists, manifests and answers without end are refused, in bounded memory."""

from __future__ import annotations

import collections
import contextlib
import gzip
import json
import re
import socket
import threading
import zlib
from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest

from tests.unit.limited import MEMORY, run_limited
from tests.unit.registry.wire import Asked, Said, Wire, plain_http, talking
from transload.errors import LimitExceeded, ProtocolTrouble, Unreachable
from transload.limits import (
    CHUNK_BYTES,
    HEADER_LINES,
    INFORMATIONAL_ANSWERS,
    LIST_ENTRIES,
    LIST_IDLE_PAGES,
    MANIFEST_BYTES,
    REFERRER_PAGES,
    SMALL_CHUNKS,
)
from transload.oci import Descriptor, Digest, Name
from transload.oci.mediatype import OCI_CONFIG, OCI_INDEX, OCI_MANIFEST
from transload.registry import headers
from transload.registry.store import RegistryStore

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
PACKED = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n"  # without its end

PROGRAM = r"""
import re, sys
from pathlib import Path
from transload.cli.main import main
code = main(sys.argv[1:])
print(f"code {code} peak", re.search(r"VmHWM:\s*(\d+)", Path("/proc/self/status").read_text())[1])
"""


def cost(*words: object) -> tuple[int, int, str]:
    """How a command ended, the bytes of memory that it took at most, and what it said."""
    said = run_limited(PROGRAM, *words, space=4 * MEMORY)
    ended = re.search(r"code (\d+) peak (\d+)", said)
    assert ended, said
    return int(ended[1]), int(ended[2]) << 10, said


def paged(page: Callable[[int], list[str]], key: str = "tags") -> Callable[[Asked], Said]:
    """A list of which each page leads to another one."""
    numbers = count(1)

    def script(asked: Asked) -> Said:
        number = next(numbers)
        headers = {"Content-Type": "application/json", "Link": f'<{asked.path}?page={number}>; rel="next"'}
        return Said(200, headers, json.dumps({key: page(number)}).encode())

    return script


@pytest.mark.parametrize("key", ["tags", "repositories"])
def test_a_list_that_never_ends(key: str) -> None:
    names = 50_000
    endless = paged(lambda number: [f"v{number}-{each}" for each in range(names)], key)
    with talking(endless) as (wire, store), pytest.raises(LimitExceeded, match=f"more than {LIST_ENTRIES} names"):
        list(store.tags("a/b") if key == "tags" else store.repositories())
    assert len([line for line in wire.lines if key == "tags" or "_catalog" in line]) == LIST_ENTRIES // names + 1


def test_pages_of_few_names_that_never_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(headers, "LIST_PAGES", 30)
    endless = paged(lambda number: [f"v{number}"])
    with talking(endless) as (_, store), pytest.raises(LimitExceeded, match="more than 30 pages"):
        list(store.tags("a/b"))


def test_referrers_of_which_each_page_has_one_more() -> None:
    numbers = count(1)

    def script(asked: Asked) -> Said:
        number = next(numbers)
        one = {"mediaType": OCI_MANIFEST, "digest": Digest.of(b"%d" % number), "size": 1}
        headers = {"Content-Type": OCI_INDEX, "Link": f'<{asked.path}?page={number}>; rel="next"'}
        document = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [one]}
        return Said(200, headers, json.dumps(document).encode())

    with talking(script) as (wire, store):
        with pytest.raises(LimitExceeded, match=f"more than {REFERRER_PAGES} pages"):
            store.refers.referrers("a/b", Digest.of(b"image"))
        assert len(wire.lines) <= REFERRER_PAGES + 2


@pytest.mark.parametrize("page", [[], ["v1"] * 5, ["not a tag"]])
def test_pages_of_nothing_new_that_never_end(page: list[str]) -> None:
    with talking(paged(lambda _: page)) as (wire, store):
        with pytest.raises(LimitExceeded, match=f"last {LIST_IDLE_PAGES} pages had nothing new"):
            list(store.tags("a/b"))
        assert len(wire.lines) <= LIST_IDLE_PAGES + 2


def test_a_name_that_is_listed_again_and_again_is_one_name() -> None:
    answer = Said(200, {"Content-Type": "application/json"}, json.dumps({"tags": ["v1"] * 200_000}).encode())
    with talking(lambda _: answer) as (_, store):
        assert list(store.tags("a/b")) == ["v1"]


def test_a_hundred_thousand_tags_pass() -> None:
    tags = [f"v{number}" for number in range(100_000)]
    answer = Said(200, {"Content-Type": "application/json"}, json.dumps({"tags": tags}).encode())
    with talking(lambda _: answer) as (_, store):
        assert list(store.tags("a/b")) == tags


def test_names_that_none_can_have_are_passed_over() -> None:
    listed = ["v1", "", "a b", "x" * 129, "../x", 5, None, "\x1b[2J"]
    answer = Said(200, {"Content-Type": "application/json"}, json.dumps({"tags": listed}).encode())
    with talking(lambda _: answer) as (_, store):
        assert list(store.tags("a/b")) == ["v1"]


def heavy(number: int, padding: str) -> bytes:
    """An image's manifest of 4 MiB with `padding` where nobody reads, or nobody needs so much."""
    config = {"mediaType": OCI_CONFIG, "digest": Digest.of(b"%d" % number), "size": 1}
    head = json.dumps({"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config, "layers": []})[:-1]
    return f"{head},{padding}}}".encode()


@pytest.mark.parametrize(
    "padding",
    [
        '"x":[' + ",".join(["[]"] * 1_300_000) + "]",
        '"annotations":{' + ",".join(f'"{number}":""' for number in range(180_000)) + "}",
        '"annotations":{' + f'"a":"{"é" * 1_900_000}"' + "}",
    ],
    ids=["lists", "annotations", "text"],
)
def test_manifests_that_cost_more_than_they_are(padding: str, tmp_path: Path) -> None:
    children = {Digest.of(raw): raw for raw in (heavy(number, padding) for number in range(24))}
    entries = [{"mediaType": OCI_MANIFEST, "digest": digest, "size": len(raw)} for digest, raw in children.items()]
    top = json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}).encode()
    packed = {digest: gzip.compress(raw, 1) for digest, raw in children.items()}

    def script(asked: Asked) -> Said:
        reference = asked.path.rpartition("/")[2]
        if reference in packed:
            headers = {"Content-Type": OCI_MANIFEST, "Content-Encoding": "gzip"}
            return Said(200, headers, packed[Digest(reference)])
        return Said(200, {"Content-Type": OCI_INDEX}, top if reference == "v1" else b"{}")

    with Wire(script) as wire:
        code, peak, said = cost("plan", f"{wire.host}/app/one:v1", "--to", f"oci:{tmp_path / 'o'}", "--quiet")
    assert code in {6, 7}, said
    assert peak < MEMORY, said


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (b"HTTP/1.1 100 Continue\r\n\r\n" * (INFORMATIONAL_ANSWERS + 2), "interim answers"),
        (b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" * (INFORMATIONAL_ANSWERS + 2), "interim answers"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200, "got more than 100 headers"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000 + b"\r\n\r\n", "got more than 65536 bytes"),
        (CHUNKED + b"1" * 70_000, "got more than 65536 bytes"),
        (
            CHUNKED + b"0\r\n" + b"X: y\r\n" * (HEADER_LINES + 10),
            "lines without content",
        ),
        (CHUNKED + b"-1\r\n" + b"x" * 70_000, "negative size"),
        (CHUNKED + b"1\r\nx\r\n" * (SMALL_CHUNKS + 10), "chunks of less than"),
        (
            CHUNKED + (b"1;" + b"e" * 60_000 + b"\r\nx\r\n") * (SMALL_CHUNKS * CHUNK_BYTES // 60_000 + 1),
            "chunks of less",
        ),
        (PACKED + b"Content-Length: 8\r\n\r\nnot gzip", "incomplete 'gzip' body"),
        (PACKED + b"Content-Length: 15\r\n\r\n" + gzip.compress(b"")[:10] + b"\0\0\0\xff\xff", "ends too early"),
        (
            PACKED + b"\r\n" + gzip.compress(b"")[:10] + b"\0\0\0\xff\xff" * (MANIFEST_BYTES // 5),
            f"more than {MANIFEST_BYTES} bytes",
        ),
        (PACKED + b"\r\n" + gzip.compress(b" " * (MANIFEST_BYTES + 1)), f"more than {MANIFEST_BYTES} bytes"),
    ],
    ids=[
        "100",
        "103",
        "headers",
        "header",
        "chunk",
        "trailers",
        "negative",
        "bytes",
        "extensions",
        "no gzip",
        "half a gzip",
        "empty blocks",
        "bomb",
    ],
)
def test_an_answer_that_never_comes_to_an_end(answer: bytes, why: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection, contextlib.suppress(OSError):  # who has heard enough hangs up
                    connection.recv(65_536)
                    connection.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        with plain_http(attempts=1) as http:
            store = RegistryStore(f"127.0.0.1:{listener.getsockname()[1]}", http)
            with pytest.raises((Unreachable, ProtocolTrouble, LimitExceeded), match=why):
                store.fetch(Name("a/b", "v1"))
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(10)


@pytest.mark.parametrize(
    "attack", [b"-1\r\n" + b"x" * 70_000, b"1\r\nx\r\n" * (SMALL_CHUNKS + 10)], ids=["negative", "bytes"]
)
def test_a_blob_in_chunks_made_to_hurt(attack: bytes) -> None:
    blob = Descriptor("application/octet-stream", Digest.of(b"x" * 70_000), 70_000)
    answer = Said(200, {"Transfer-Encoding": "chunked", "Content-Length": ""}, attack)
    with (
        talking(lambda _: answer, attempts=1) as (_, store),
        pytest.raises(Unreachable, match="chunk"),
        store.open("a/b", blob) as chunks,
    ):
        collections.deque(chunks, 0)


def test_small_chunks_and_a_gzip_that_nobody_asked_for_are_read() -> None:
    names = [f"v{number}" for number in range(SMALL_CHUNKS // 2)]
    raw = json.dumps({"tags": names}).encode()
    parts = [raw[at : at + 20] for at in range(0, len(raw), 20)]
    small = b"".join(b"%x;ext=1\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\nTrailer: x\r\n\r\n"
    for named, body in (
        ({"Transfer-Encoding": "chunked", "Content-Length": ""}, small),
        ({"Content-Encoding": "gzip"}, gzip.compress(raw)),
        ({"Content-Encoding": "deflate"}, zlib.compress(raw)),
        ({"Content-Encoding": "identity"}, raw),
    ):
        said = Said(200, {"Content-Type": "application/json", **named}, body)
        with talking(lambda _, said=said: said) as (_, store):  # type: ignore[misc]
            assert list(store.tags("a/b")) == names
