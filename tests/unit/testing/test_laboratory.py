"""The fault laboratory: what each fault does on the wire, and that a copy arrives through every one of them."""

from __future__ import annotations

import email.utils
import http.client
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from attrs import evolve, frozen

from tests.unit.testing.spoilt import APP, LARGE, copied
from transload.errors import TransloadError
from transload.memory import MemoryStore
from transload.oci import Digest
from transload.server import ServeSettings, serve
from transload.testing import laboratory as lab
from transload.testing.images import fill
from transload.testing.laboratory import Answer, Asked, Fault, HangUp, Laboratory

BLOB = f"/v2/app/blobs/{LARGE.descriptor.digest}"
CONTENT = LARGE.read()
SIZE = len(CONTENT)


@pytest.fixture(scope="module")
def upstream() -> Iterator[str]:
    """A registry that serves `APP`, and three tags of it."""
    store = MemoryStore()
    for tag in ("1", "2", "3"):
        fill(store, APP, "app", tag)
    with serve(store) as served:
        yield served.host_port


@frozen
class Got:
    status: int
    headers: Any
    body: bytes
    broken: bool


def ask(
    laboratory: Laboratory,
    path: str,
    method: str = "GET",
    body: bytes | None = None,
    headers: dict[str, str] | None = None,
) -> Got:
    """One request by hand; `broken`: the body ended too early."""
    connection = http.client.HTTPConnection(laboratory.host_port, timeout=30)
    try:
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        arrived, broken = b"", False
        try:
            while piece := answer.read1(1 << 16):
                arrived += piece
            broken = answer.length not in {0, None} and method != "HEAD"
        except (OSError, http.client.HTTPException):
            broken = True
        return Got(answer.status, answer.headers, arrived, broken)
    except (OSError, http.client.HTTPException):
        return Got(0, {}, b"", broken=True)
    finally:
        connection.close()


def test_without_faults_all_passes_and_is_counted(upstream: str) -> None:
    with Laboratory(upstream) as laboratory:
        got = ask(laboratory, BLOB)
        part = ask(laboratory, BLOB, headers={"Range": "bytes=10-19"})
        assert ask(laboratory, BLOB, "HEAD").headers["Content-Length"] == str(SIZE)
    assert (got.status, got.body, got.broken) == (200, CONTENT, False)
    assert (part.status, part.body) == (206, CONTENT[10:20])
    assert laboratory.tally.fetched == {LARGE.descriptor.digest: SIZE + 10}
    assert laboratory.tally.by_kind() == {"GET blob": 2, "HEAD blob": 1}


def test_a_cut_in_good_order_is_at_the_very_byte(upstream: str) -> None:
    with Laboratory(upstream, [lab.cuts(after=70_001, reset=False, skip=1)]) as laboratory:
        assert ask(laboratory, BLOB).body == CONTENT
        cut = ask(laboratory, BLOB)
        assert ask(laboratory, BLOB).body == CONTENT
    assert (cut.status, cut.broken, cut.body) == (200, True, CONTENT[:70_001])
    assert cut.headers["Content-Length"] == str(SIZE)


def test_a_cut_with_a_reset(upstream: str) -> None:
    with Laboratory(upstream, [lab.cuts(after=70_001)]) as laboratory:
        cut = ask(laboratory, BLOB)
    assert cut.broken
    assert CONTENT.startswith(cut.body)
    assert len(cut.body) <= 70_001


def test_the_seed_decides_where_a_cut_falls(upstream: str) -> None:
    def places(seed: int) -> list[int]:
        with Laboratory(upstream, [lab.cuts(reset=False, times=3)], seed=seed) as laboratory:
            return [len(ask(laboratory, BLOB).body) for _ in range(3)]

    assert places(1) == places(1)
    assert len({*places(1), *places(2)}) == 6


def test_chances_are_those_of_the_seed(upstream: str) -> None:
    def struck(seed: int) -> list[bool]:
        fault = lab.refuses("GET version", times=lab.ALWAYS, chance=0.2)
        with Laboratory(upstream, [fault], seed=seed) as laboratory:
            return [ask(laboratory, "/v2/").status == 503 for _ in range(60)]

    assert struck(3) == struck(3)
    assert 3 <= sum(struck(3)) <= 25
    assert struck(3) != struck(4)


def test_an_answer_that_says_it_is_shorter(upstream: str) -> None:
    with Laboratory(upstream, [lab.ends_early(after=1000)]) as laboratory:
        got = ask(laboratory, BLOB)
    assert (got.status, got.body, got.broken) == (200, CONTENT[:1000], False)


def test_a_wrong_byte(upstream: str) -> None:
    with Laboratory(upstream, [lab.corrupts(at=1_000_000)]) as laboratory:
        got = ask(laboratory, BLOB)
    wrong = [number for number in range(SIZE) if got.body[number] != CONTENT[number]]
    assert (len(got.body), wrong) == (SIZE, [1_000_000])


def test_a_stall_ends_when_its_gate_opens(upstream: str) -> None:
    gate = threading.Event()
    with Laboratory(upstream, [lab.stalls(after=100_000, until=gate)]) as laboratory:
        connection = http.client.HTTPConnection(laboratory.host_port, timeout=30)
        connection.request("GET", BLOB)
        answer = connection.getresponse()
        assert answer.read(100_000) == CONTENT[:100_000]
        gate.set()
        assert answer.read() == CONTENT[100_000:]
        connection.close()


def test_a_stall_ends_with_the_laboratory(upstream: str) -> None:
    with Laboratory(upstream, [lab.stalls(after=0)]) as laboratory:
        connection = http.client.HTTPConnection(laboratory.host_port, timeout=30)
        connection.request("GET", BLOB)
        answer = connection.getresponse()
    with pytest.raises((OSError, http.client.HTTPException)):
        answer.read()
    connection.close()


def test_a_body_that_drips_is_whole(upstream: str) -> None:
    with Laboratory(upstream, [lab.drips("GET manifest", rate=20_000)]) as laboratory:
        assert ask(laboratory, "/v2/app/manifests/1").body == APP.manifest.raw


def test_a_line_with_a_rate_passes_all(upstream: str) -> None:
    with Laboratory(upstream, rate=20 << 20) as laboratory:
        assert ask(laboratory, BLOB).body == CONTENT


def test_a_range_is_ignored(upstream: str) -> None:
    with Laboratory(upstream, [lab.ignores_ranges()]) as laboratory:
        got = ask(laboratory, BLOB, headers={"Range": "bytes=10-"})
    assert (got.status, got.body) == (200, CONTENT)


def test_refusals(upstream: str) -> None:
    faults = [lab.refuses("GET manifest", 502, "UNKNOWN", times=2), lab.unauthorized("GET manifest")]
    with Laboratory(upstream, [*faults, lab.sends_html("GET manifest")]) as laboratory:
        got = [ask(laboratory, "/v2/app/manifests/1") for _ in range(5)]
    assert [each.status for each in got] == [502, 502, 401, 200, 200]
    assert got[2].headers["WWW-Authenticate"].startswith("Basic")
    assert b"log in" in got[3].body
    assert got[4].body == APP.manifest.raw
    assert laboratory.tally.struck == {"GET manifest": 4}


def test_too_many_requests_in_seconds_and_as_a_date(upstream: str) -> None:
    faults = [lab.too_many_requests(wait_s=7), lab.too_many_requests(wait_s=7, form="date")]
    with Laboratory(upstream, faults) as laboratory:
        seconds, date = ask(laboratory, "/v2/"), ask(laboratory, "/v2/")
    assert (seconds.status, seconds.headers["Retry-After"]) == (429, "7")
    until, now = (email.utils.parsedate_to_datetime(date.headers[name]) for name in ("Retry-After", "Date"))
    assert (until - now).total_seconds() == 7


def test_lists_lose_their_next_page(upstream: str) -> None:
    with Laboratory(upstream) as laboratory:
        assert "Link" in ask(laboratory, "/v2/app/tags/list?n=1").headers
        laboratory.script.add(lab.loses_pages())
        assert "Link" not in ask(laboratory, "/v2/app/tags/list?n=1").headers


def test_a_digest_that_lies_and_one_that_is_missing(upstream: str) -> None:
    lie = str(Digest.of(b"other"))
    faults = [lab.names_digest(lie, times=1), lab.names_digest(None, times=1)]
    with Laboratory(upstream, faults) as laboratory:
        got = [ask(laboratory, "/v2/app/manifests/1", "HEAD").headers["Docker-Content-Digest"] for _ in range(3)]
    assert got == [lie, None, APP.digest]


# --- writing


@pytest.fixture
def writable() -> Iterator[str]:
    store = MemoryStore()
    fill(store, APP, "app", "1")
    with serve(store, ServeSettings(writable=True)) as served:
        yield served.host_port


def begin(laboratory: Laboratory, query: str = "") -> str:
    got = ask(laboratory, f"/v2/new/blobs/uploads/{query}", "POST", b"")
    assert got.status == 202
    return str(got.headers["Location"])


def test_a_request_that_breaks_leaves_its_first_bytes(writable: str) -> None:
    with Laboratory(writable, [lab.cuts_request(after=70_000)]) as laboratory:
        where = begin(laboratory)
        assert ask(laboratory, where, "PATCH", CONTENT).broken
    assert laboratory.tally.bytes_received >= 70_000


def test_bodies_above_a_limit(writable: str) -> None:
    with Laboratory(writable, [lab.limits_bodies(1000)]) as laboratory:
        where = begin(laboratory)
        assert ask(laboratory, where, "PATCH", CONTENT).status in {413, 0}  # 0: the answer was lost in the reset
        assert ask(laboratory, where, "PATCH", CONTENT[:1000]).status == 202


@pytest.mark.parametrize(
    ("to", "start"),
    [("foreign", "http://registry.invalid/v2/"), ("relative", "/v2/"), ("portless", "http://127.0.0.1/v2/")],
)
def test_locations_elsewhere(writable: str, to: Any, start: str) -> None:
    with Laboratory(writable, [lab.moves_location(to)]) as laboratory:
        assert begin(laboratory).startswith(start)


def test_a_location_that_is_missing(writable: str) -> None:
    with Laboratory(writable, [lab.moves_location("missing")]) as laboratory:
        assert "Location" not in ask(laboratory, "/v2/new/blobs/uploads/", "POST", b"").headers


@pytest.mark.parametrize(("status", "code"), [(202, 202), (405, 405)])
def test_mounts_are_refused(writable: str, status: int, code: int) -> None:
    query = f"?mount={LARGE.descriptor.digest}&from=app"
    with Laboratory(writable, [lab.refuses_mounts(status)]) as laboratory:
        assert ask(laboratory, f"/v2/new/blobs/uploads/{query}", "POST", b"").status == code


def test_a_right_upload_is_called_wrong_once(writable: str) -> None:
    content, digest = b"content", Digest.of(b"content")
    with Laboratory(writable, [lab.refuses_digest()]) as laboratory:
        first = ask(laboratory, f"{begin(laboratory)}?digest={digest}", "PUT", content)
        second = ask(laboratory, f"{begin(laboratory)}?digest={digest}", "PUT", content)
    assert (first.status, second.status) == (400, 201)
    assert b"DIGEST_INVALID" in first.body
    assert laboratory.tally.uploaded() == {digest: 14}


def test_a_chunked_body_passes(writable: str) -> None:
    with Laboratory(writable) as laboratory:
        where = begin(laboratory)
        connection = http.client.HTTPConnection(laboratory.host_port, timeout=30)
        connection.request("PATCH", where, iter([b"one", b"two"]), encode_chunked=True)
        assert connection.getresponse().headers["Range"] == "0-5"
        connection.close()


def test_a_fault_of_ones_own_before_a_function() -> None:
    def registry(asked: Asked) -> Answer:
        return Answer.of(200, b"".join(asked.body), Content_Type="text/plain", X_Path=asked.path)

    def shout(asked: Asked, onward: lab.Onward, dice: Any) -> Answer:  # noqa: ARG001 - an Act
        answer = onward(asked)
        return evolve(answer, body=[piece.upper() for piece in answer.body])

    def gone(asked: Asked, onward: lab.Onward, dice: Any) -> Answer:
        raise HangUp

    faults = [Fault(on="PUT *", act=shout), Fault(on="PUT *", act=gone, about="x=1")]
    with Laboratory(registry, faults) as laboratory:
        assert ask(laboratory, "/a%20b", "PUT", b"words").body == b"WORDS"
        assert ask(laboratory, "/a?x=1", "PUT", b"words").broken
        assert ask(laboratory, "/a?x=1", "PUT", b"words").body == b"words"
    assert [seen.status for seen in laboratory.tally.requests] == [200, 0, 200]


def test_a_fault_without_an_endpoint_is_refused() -> None:
    with pytest.raises(ValueError, match="'blob' is not a method and a kind"):
        lab.cuts("blob")


# --- a copy arrives


SOURCE_FAULTS = {
    "cut": lab.cuts(after=1_000_000, times=3),
    "cut in good order": lab.cuts(after=1_000_000, reset=False, times=3),
    "cut at once": lab.cuts(after=0, times=2),
    "corrupt": lab.corrupts(at=2_000_000),
    "ranges ignored": lab.ignores_ranges(),
    "cut where ranges are ignored": Fault(
        on="GET blob",
        act=lambda asked, onward, dice: lab.cuts(after=1_000_000).act(
            asked, lambda again: lab.ignores_ranges().act(again, onward, dice), dice
        ),
        times=2,
    ),
    "503": lab.refuses("GET *", 503, times=4),
    "429 in seconds": lab.too_many_requests("GET *", times=3),
    "429 as a date": lab.too_many_requests("GET *", form="date", times=3),
    "no digest in headers": lab.names_digest(None),
    "HEAD refused": lab.refuses("HEAD *", 405, "UNSUPPORTED", times=lab.ALWAYS),
    "a short length of a blob": lab.ends_early(after=1_000_000),
    "a short length of a manifest": lab.ends_early("GET manifest", after=100),
    "a manifest with a wrong byte": lab.corrupts("GET manifest", at=100),
    "a manifest that breaks off": lab.cuts("GET manifest", after=100, reset=False),
    "a page in place of a blob": lab.sends_html(),
    "a page in place of a manifest": lab.sends_html("GET manifest"),
    "digest of another in headers": lab.names_digest(str(Digest.of(b"other")), times=1),
    "one of a hundred": lab.refuses("* *", times=lab.ALWAYS, chance=0.05),
}


@pytest.mark.parametrize("name", SOURCE_FAULTS)
def test_a_copy_arrives_from_a_source_with(name: str) -> None:
    outcome, before, _ = copied([SOURCE_FAULTS[name]], [])
    assert [each.error for each in outcome.images] == [None, None]
    assert before.tally.struck or name in {"HEAD refused", "one of a hundred"}


TARGET_FAULTS = {
    "request cut": lab.cuts_request(after=1_000_000, times=3),
    "request cut anywhere": lab.cuts_request(times=3),
    "503": lab.refuses("* *", 503, times=4),
    "429": lab.too_many_requests("* *", times=3),
    "bodies limited": lab.limits_bodies(1 << 20, "PATCH|PUT upload"),
    "location relative": lab.moves_location("relative"),
    "mounts refused with 202": lab.refuses_mounts(),
    "mounts refused with 405": lab.refuses_mounts(405),
    "HEAD refused": lab.refuses("HEAD *", 405, "UNSUPPORTED", times=lab.ALWAYS),
    "right bytes called wrong": lab.refuses_digest(),
    "a page in place of an answer to an upload": lab.sends_html("PUT|PATCH upload"),
    "answer lost": lab.cuts("PUT upload|manifest", after=0, times=2),
    "status lost": Fault(on="PUT upload|manifest", act=lambda asked, onward, dice: _lost(onward(asked)), times=2),
    "one of a hundred": lab.refuses("* *", times=lab.ALWAYS, chance=0.05),
}


def _lost(answer: Answer) -> Answer:
    for _ in answer.body:
        pass
    raise HangUp


@pytest.mark.parametrize("name", TARGET_FAULTS)
def test_a_copy_arrives_at_a_target_with(name: str) -> None:
    outcome, _, _ = copied([], [TARGET_FAULTS[name]])
    assert [each.error for each in outcome.images] == [None, None]


SAID = {
    "foreign location": lab.moves_location("foreign"),
    "location missing": lab.moves_location("missing"),
    "bodies of nothing": lab.limits_bodies(10, "PATCH|PUT upload"),
    "read only": lab.refuses("POST uploads", 405, "UNSUPPORTED", times=lab.ALWAYS),
}


@pytest.mark.parametrize("name", SAID)
def test_what_cannot_be_is_an_error_of_ours_and_no_tag_is_set(name: str) -> None:
    try:
        outcome, _, _ = copied([], [SAID[name]])
    except TransloadError:
        return
    assert all(isinstance(each.error, TransloadError) for each in outcome.images)
