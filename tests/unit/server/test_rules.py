"""The pure rules: paths, ranges, pages, passwords, and the table of answers."""

from __future__ import annotations

import base64
import doctest
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transload import errors
from transload.errors import ReferenceInvalid, TransloadError, UsageError
from transload.login import Secret
from transload.server import ServeSettings, conditions, connections, headers, routes
from transload.server.access import BasicAuth
from transload.server.headers import ByteRange, Unsatisfiable, requested, stated
from transload.server.refusals import printable, refusal
from transload.server.routes import Route, route


@pytest.mark.parametrize("module", [conditions, connections, headers, routes])
def test_examples(module: object) -> None:
    done = doctest.testmod(module)  # type: ignore[arg-type]
    assert done.attempted
    assert not done.failed


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/v2/", Route("version")),
        ("/v2", Route("version")),
        ("/v2/_catalog", Route("catalog")),
        ("/v2/a/b/manifests/sha256:00", Route("manifest", "a/b", "sha256:00")),
        ("/v2/a/blobs/sha256:00", Route("blob", "a", "sha256:00")),
        ("/v2/a/blobs/uploads/", Route("uploads", "a")),
        ("/v2/a/blobs/uploads/7", Route("upload", "a", "7")),
        ("/v2/a/tags/list", Route("tags", "a")),
        ("/v2/a/referrers/sha256:00", Route("referrers", "a", "sha256:00")),
        ("/v2/tags/list/manifests/manifests/1", Route("manifest", "tags/list/manifests", "1")),
        ("/v2/manifests/1", Route("unknown")),
        ("/v2/a", Route("unknown")),
        ("/v1/a/tags/list", Route("unknown")),
        ("/", Route("unknown")),
    ],
)
def test_paths(path: str, expected: Route) -> None:
    assert route(path) == expected


@pytest.mark.parametrize("repository", ["../etc", "a/../b", "A", "a//b", "a/", ".", "a%2fb", "a\\b", "a\x00"])
def test_paths_that_are_no_repository_are_refused(repository: str) -> None:
    with pytest.raises(ReferenceInvalid):
        route(f"/v2/{repository}/manifests/1")


@given(st.text())
def test_any_path_is_a_route_or_refused(text: str) -> None:
    try:
        found = route(f"/v2/{text}")
    except ReferenceInvalid:
        return
    assert ".." not in found.repository.split("/")


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, None),
        ("bytes=0-0", ByteRange(0, 1)),
        ("bytes=0-9", ByteRange(0, 10)),
        ("bytes=3-100", ByteRange(3, 7)),
        ("bytes=9-", ByteRange(9, 1)),
        ("bytes=-4", ByteRange(6, 4)),
        ("bytes=-99", ByteRange(0, 10)),
        ("Bytes = 1-2", ByteRange(1, 2)),
        ("bytes=0-1,3-4", None),
        (f"bytes=3-{10**40}", ByteRange(3, 7)),
        ("bytes=-", None),
        ("bytes=a-b", None),
        ("lines=0-1", None),
        ("bytes=٣-٤", None),
    ],
)
def test_ranges(header: str | None, expected: ByteRange | None) -> None:
    assert requested(header, 10) == expected


@pytest.mark.parametrize(
    ("header", "size"),
    [
        ("bytes=10-", 10),
        ("bytes=99-100", 10),
        ("bytes=-0", 10),
        ("bytes=-1", 0),
        ("bytes=5-4", 10),
        (f"bytes={10**40}-", 10),
    ],
)
def test_ranges_without_bytes(header: str, size: int) -> None:
    with pytest.raises(Unsatisfiable):
        requested(header, size)


@given(st.integers(0, 50), st.integers(0, 50), st.integers(0, 50))
def test_a_range_is_a_slice(first: int, last: int, size: int) -> None:
    content = bytes(range(size))
    try:
        span = requested(f"bytes={first}-{last}", size)
    except Unsatisfiable:
        assert first >= size or last < first
        return
    part = content if span is None else content[span.offset : span.offset + span.length]
    assert part == (content if last < first else content[first : last + 1])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0-9", ByteRange(0, 10)),
        ("5-5", ByteRange(5, 1)),
        ("5-4", None),
        ("bytes 0-9/10", None),
        ("0-", None),
        ("", None),
    ],
)
def test_content_range_of_a_chunk(text: str, expected: ByteRange | None) -> None:
    assert stated(text) == expected


@given(st.sets(st.text("abc", min_size=1, max_size=3)), st.integers(1, 5))
def test_pages_together_are_the_list(names: set[str], n: int) -> None:
    entries, query = sorted(names), {"n": str(n)}
    found: list[str] = []
    while True:
        page = headers.page(entries, query, "/")
        found += page.entries
        if page.link is None:
            break
        assert len(page.entries) == n
        query["last"] = page.entries[-1]
    assert found == entries


@pytest.mark.parametrize("n", ["-1", "x", "1e3", "", "9999999999", "¹"])
def test_page_size_must_be_a_number(n: str) -> None:
    with pytest.raises(headers.PageInvalid):
        headers.page([], {"n": n}, "/")


def basic(credentials: str) -> str:
    return "Basic " + base64.b64encode(credentials.encode()).decode()


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (basic("ann:one"), True),
        (basic("bob:pä:ss"), True),
        (basic("ann:one").replace("Basic", "basic"), True),
        (basic("ann:pä:ss"), False),
        (basic("ann:"), False),
        (basic("ann"), False),
        (basic(""), False),
        ("Basic !!!", False),
        ("Basic ä", False),
        ("Bearer " + basic("ann:one")[6:], False),
        ("", False),
        (None, False),
    ],
)
def test_passwords(header: str | None, expected: bool) -> None:
    assert BasicAuth({"ann": "one", "bob": Secret("pä:ss")}).admits(header) is expected


def test_without_users_everybody_comes_in() -> None:
    assert BasicAuth({}).admits(None)


def every_error(root: type[TransloadError] = TransloadError) -> list[type[TransloadError]]:
    return [root, *(found for kind in root.__subclasses__() for found in every_error(kind))]


@pytest.mark.parametrize("writing", [True, False])
@pytest.mark.parametrize("kind", every_error(), ids=lambda kind: kind.code)
def test_every_error_has_an_answer(kind: type[TransloadError], writing: bool) -> None:
    answer = refusal(kind("said", subject="what", retry_after_s=2), writing=writing)
    assert 400 <= answer.status < 600
    assert answer.headers == {"Retry-After": "2"}
    assert answer.code.isupper()


def test_corruption_is_the_senders_fault_only_when_somebody_sends() -> None:
    error = errors.DigestMismatch("differs")
    assert refusal(error, writing=True).status == 400
    assert refusal(error, writing=False).status == 500


def test_what_a_store_refuses_to_show_is_forbidden() -> None:
    assert refusal(errors.Refused("leads out of the folder"), writing=False).status == 403
    assert refusal(errors.ReadOnly("takes no writes"), writing=True).status == 405


@pytest.mark.parametrize(
    "values",
    [
        {"port": 65536},
        {"port": -1},
        {"users": {"a:b": "x"}},
        {"users": {"": "x"}},
        {"users": {"ann": ""}},
    ],
)
def test_settings_are_checked(values: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        ServeSettings(**values)  # type: ignore[arg-type]


def test_settings_hide_passwords() -> None:
    assert "tops3cret" not in repr(ServeSettings(users={"ann": "tops3cret"}))


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({}, None),
        ({"host": "::1"}, None),
        ({"host": "localhost"}, None),
        ({"host": "127.8.8.8", "writable": True}, None),
        ({"host": "0.0.0.0"}, "no login and no TLS: everybody who reaches it may read what"),
        ({"host": "::", "writable": True}, "may read and change what"),
        ({"host": "0.0.0.0", "users": {"ann": "x"}}, "passwords go there unencrypted"),
        ({"host": "0.0.0.0", "tls_certificate": Path("c.pem")}, "there is no login: everybody"),
        ({"host": "0.0.0.0", "tls_certificate": Path("c.pem"), "users": {"ann": "x"}}, None),
    ],
)
def test_what_others_can_reach_is_said(values: dict[str, object], told: str | None) -> None:
    exposure = ServeSettings(**values).exposure  # type: ignore[arg-type]
    assert exposure == told or (told is not None and exposure is not None and told in exposure)


def test_a_log_line_is_one_line() -> None:
    assert printable("a\r\nb\x1b[31m\u202e…") == "a\\r\\nb\\x1b[31m\\u202e…"


@pytest.mark.parametrize("locator", ["oci:/srv/a", "archive:/srv/a.tar", "bundle:a", "oci:a"])
def test_the_place_of_a_store_is_not_told(locator: str) -> None:
    place = locator.partition(":")[2]
    for shown in (locator, place):
        error = errors.ManifestUnknown(f"{shown} has no a/a:a.tar: {shown}", subject=locator)
        answer = refusal(error, writing=False, locator=locator)
        assert (answer.message, answer.subject) == ("this registry has no a/a:a.tar: this registry", None)
