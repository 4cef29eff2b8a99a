"""Requests to an engine's socket, and what its answers mean."""

from __future__ import annotations

import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.engines.scripted import answer, scripted, sending_without_end
from transload.engines.address import EngineAddress, EngineKind
from transload.engines.api import EngineApi
from transload.engines.socket import answers_ping
from transload.errors import (
    AccessDenied,
    Interrupted,
    NotFound,
    ProtocolTrouble,
    Refused,
    ServerTrouble,
    Stalled,
    StorageFull,
    TransloadError,
    Unreachable,
)


def api(path: Path, kind: EngineKind = "docker", stall_s: float = 60) -> EngineApi:
    return EngineApi(EngineAddress(kind, path), stall_s)


def chunked(*parts: bytes) -> bytes:
    body = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts)
    return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + body


def test_a_value_is_asked_for() -> None:
    with scripted(answer(200, b'{"Version": "20.10"}')) as engine:
        assert api(engine.path).value("GET", "/version", {"a": "b c"}) == {"Version": "20.10"}
    assert engine.requests[0].startswith(b"GET /version?a=b+c HTTP/1.1\r\n")


def test_a_body_is_streamed_and_events_come_back() -> None:
    with (
        scripted(chunked(b'{"stream": "on', b'e"}\n{"stream": "two"}\n', b"")) as engine,
        api(engine.path).ask("POST", "/images/load", body=iter([b"abc", b"", b"de"])) as told,
    ):
        assert list(told.events()) == [{"stream": "one"}, {"stream": "two"}]
    assert engine.requests[0].endswith(b"\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")


def test_bytes_are_read_as_they_are_also_to_the_end_of_the_connection() -> None:
    raw = b"HTTP/1.0 200 OK\r\n\r\n" + b"x" * 700_000
    with scripted(raw) as engine, api(engine.path).ask("GET", "/images/a/get") as told:
        assert sum(map(len, told.chunks())) == 700_000


@pytest.mark.parametrize(
    ("status", "body", "kind", "text"),
    [
        (401, b'{"message": "authorization denied by plugin"}', AccessDenied, "answers 401: authorization denied"),
        (403, b"no", AccessDenied, "answers 403: no"),
        (404, b'{"message": "no such image"}', NotFound, "no such image"),
        (400, b'{"cause": "bad", "message": "it is bad", "response": 400}', Refused, "it is bad"),
        (500, b'{"message": "broken\\u001b[31m\\nbadly"}', ServerTrouble, "answers 500: broken \\[31m badly"),
        (
            500,
            b'{"message": "write /x: no space left on device"}',
            StorageFull,
            "the disk of the docker engine is full",
        ),
        (500, b"", ServerTrouble, "answers 500: Reason"),
        (302, b"", ProtocolTrouble, "answers 302"),
    ],
)
def test_a_refusal_is_an_error_with_the_engines_words(
    status: int, body: bytes, kind: type[TransloadError], text: str
) -> None:
    with scripted(answer(status, body)) as engine, pytest.raises(kind, match=text):
        api(engine.path).value("GET", "/info")


def test_an_engine_that_refuses_in_the_middle_of_a_body_is_heard() -> None:
    with scripted(answer(500, b'{"message": "no space left on device"}'), enough=4096) as engine:  # noqa: SIM117 - too long for one line
        with pytest.raises(StorageFull), api(engine.path).ask("POST", "/load", body=iter([b"x" * 65536] * 400)):
            pass


def test_an_error_among_the_events_is_raised() -> None:
    events = b'{"status": "going on"}\n{"errorDetail": {"message": "it broke"}, "error": "it broke"}\n'
    with (
        scripted(chunked(events, b"")) as engine,
        pytest.raises(ServerTrouble, match="loading: the docker engine answers: it broke"),
        api(engine.path).ask("POST", "/load", doing="loading") as told,
    ):
        list(told.events())


@pytest.mark.parametrize(
    ("raw", "kind", "text"),
    [
        (b"SSH-2.0-OpenSSH_9.2\r\n", ProtocolTrouble, "is no docker engine"),
        (answer(200, b"<html>"), ProtocolTrouble, "its answer cannot be read as JSON"),
        (answer(200, b"{}")[:-1], Unreachable, "broke off"),
        (b"", Unreachable, "broke off"),
    ],
)
def test_what_is_no_engine_is_told_from_one_that_breaks_off(raw: bytes, kind: type[TransloadError], text: str) -> None:
    with scripted(raw) as engine, pytest.raises(kind, match=text):
        api(engine.path).value("GET", "/version")


def test_an_error_of_the_body_passes_through_and_the_body_gets_no_end() -> None:
    def body() -> Iterator[bytes]:
        yield b"abc"
        raise KeyboardInterrupt

    with (
        scripted(b"") as engine,
        pytest.raises(KeyboardInterrupt),
        api(engine.path).ask("POST", "/load", body=body()),
    ):
        pass
    assert engine.requests[0].endswith(b"\r\n\r\n3\r\nabc\r\n")


def test_an_engine_that_works_for_long_is_waited_for_as_long_as_it_answers_pings() -> None:
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as listener:
        path = Path(folder) / "s"
        listener.bind(str(path))
        listener.listen()
        asked = api(path, stall_s=0.05)
        with pytest.raises(Stalled, match="does not answer any more"):
            _asking_while_pings(listener, asked, pings=2)


def _asking_while_pings(listener: socket.socket, asked: EngineApi, pings: int) -> None:
    import threading

    def serve() -> None:
        first, _ = listener.accept()
        with first:
            for _ in range(pings):
                ping, _ = listener.accept()
                with ping:
                    ping.recv(65536)
                    ping.sendall(answer(200, b"OK"))
            last, _ = listener.accept()
            last.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        asked.value("GET", "/info")
    finally:
        thread.join(10)


def test_each_reason_why_there_is_no_engine_has_its_words(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Unreachable, match="there is no such socket") as caught:
        api(tmp_path / "s").value("GET", "/info")
    assert "systemctl start docker" in (caught.value.hint or "")
    with pytest.raises(Unreachable, match="that is no socket"):
        api(tmp_path / "file").value("GET", "/info")
    with pytest.raises(Unreachable, match="path too long"):
        api(tmp_path / ("x" * 200)).value("GET", "/info")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "s"
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(path))
        with pytest.raises(Unreachable, match="nobody listens there"):
            api(path, "podman").value("GET", "/info")


@pytest.mark.parametrize("events", [b"2\r\n{}\r\n2\r\n\n{", b"3\r\n{}\n\r\n", b"3\r\n{}\n\r\nno size\r\n{}\n"])
def test_events_that_break_off_are_no_success(events: bytes) -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    with (
        scripted(head + events) as engine,
        pytest.raises(Unreachable, match="broke off"),
        api(engine.path).ask("POST", "/images/a/push") as told,
    ):
        list(told.events())


@pytest.mark.parametrize("size", [b"-1", b"-5", b"f" * 60_000])
def test_a_chunk_of_an_impossible_size_is_never_read_into_memory(size: bytes) -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    with (
        scripted(head + size + b"\r\n" + b"x" * (3 << 20)) as engine,
        pytest.raises(ProtocolTrouble, match="its answer is too large"),
        api(engine.path).ask("POST", "/images/load") as told,
    ):
        list(told.events())


@pytest.mark.parametrize(
    ("head", "repeated"),
    [
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"3\r\n{}\n\r\n"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", b"a: b\r\n"),
    ],
    ids=["heads", "events", "trailers"],
)
def test_an_answer_without_end_can_be_interrupted(head: bytes, repeated: bytes) -> None:
    def check() -> None:
        raise Interrupted("interrupted")

    with sending_without_end(head, repeated * 1000) as path:
        asked = EngineApi(EngineAddress("docker", path), check=check)
        with pytest.raises(Interrupted), asked.ask("POST", "/images/load") as told:
            for _ in told.events():
                pass


def test_what_answers_a_ping_without_end_is_no_engine() -> None:
    with sending_without_end(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 1000) as path:
        assert not answers_ping(EngineAddress("docker", path), patience_s=0)
    with scripted(answer(200, b"OK")) as engine:
        assert answers_ping(EngineAddress("docker", engine.path))
