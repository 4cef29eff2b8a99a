"""URLs as values: origins, what may be shown of them, where a Location leads."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from urllib3.util import parse_url

from transload.errors import InsecureRefused, ProtocolTrouble
from transload.net.address import (
    Origin,
    Url,
    is_loopback,
    joined,
    listed,
    redacted,
    redirect_target,
    session_url,
    with_query,
    without_query,
)


def test_an_origin_knows_its_default_port() -> None:
    assert Origin.of("https://a.example/x") == Origin.of("https://A.example:443/y")
    assert Origin.of("https://a.example") != Origin.of("http://a.example:443")
    assert str(Origin.of("http://[::1]:5000/v2/")) == "http://[::1]:5000"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "a.example",
        "ftp://a.example",
        "http://",
        "http://a:99999/",
        "http://a:0/",
        "http://a:/",
        "http://a:+80/",
        "http://a:\u0661/",
        "http://[::1/",
        "http://[::1]x/",
        "http://[1:2]/",
        "http://a%2eexample/",
        "http://a.example/" + "x" * 16384,
    ],
)
def test_what_is_no_url_is_told(url: str) -> None:
    with pytest.raises(ProtocolTrouble):
        Origin.of(url)


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("localhost", True),
        ("127.3.2.1", True),
        ("::1", True),
        ("[::1]", True),
        ("localhost.example", False),
        ("128.0.0.1", False),
    ],
)
def test_loopback_is_decided_by_the_name_alone(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback


def test_a_list_of_hosts_names_a_port_or_all() -> None:
    origin = Origin.of("https://reg.example:5000")
    assert listed(origin, {"reg.example"})
    assert listed(origin, {"REG.example:5000"})
    assert not listed(origin, {"reg.example:443", "example"})
    assert listed(Origin.of("http://[::1]:5000"), {"[::1]:5000"})


ELSEWHERE = (
    "http://evil.example\\@registry.example/",
    "http://registry.example\\.evil.example/",
    "http:\\\\evil.example/",
    "\\\\evil.example/",
    "http://registry.example@evil.example/",
    "http://registry.example:80:@evil.example/",
    "//user:password@evil.example/",
    "http://registry.example\t.evil.example/",
    "http://registry.example\n.evil.example/",
    "\x01http://evil.example/",
    "http://evil.example /",
    "http://evil.example\u3002registry.example/",
    "http://registry\u2024example/",
    "http://evil.example\xa0/",
    "/path\x7f",
    "/path\ud800",
)
"""What readers of URLs disagree on: where the host ends, and what may be left out of it."""


@pytest.mark.parametrize("location", ELSEWHERE)
def test_what_readers_disagree_on_leads_nowhere(location: str) -> None:
    for follow in (joined, session_url, redirect_target):
        with pytest.raises(ProtocolTrouble) as caught:
            follow("http://registry.example/v2/", location)
        assert "password" not in str(caught.value)
        assert str(caught.value).isprintable()


@given(st.text(st.characters(max_codepoint=0x200), max_size=40))
def test_what_is_read_is_what_is_asked_for(location: str) -> None:
    try:
        found = joined("http://registry.example/v2/", location)
    except ProtocolTrouble:
        return
    assert str(Url.parse(found)) == found
    assert found.isascii()
    assert parse_url(found).host == Url.parse(found).origin.host


def test_the_fragment_stays_behind() -> None:
    assert joined("http://a.example/x", "y?z#@b.example/") == "http://a.example/y?z"
    assert joined("http://a.example/x", "http://b.example#@a.example/") == "http://b.example/"


def test_signatures_and_user_information_are_not_shown() -> None:
    shown = redacted("https://user:pw@store.example/a/b?X-Amz-Signature=geheim&n=5&digest=sha256:00")
    assert shown == "https://store.example/a/b?X-Amz-Signature=…&n=5&digest=sha256:00"
    for password in ("p@w", "p/w", "p?w", "p#w", "p\\w", "p[w", "p w"):
        assert "w" not in redacted(f"https://user:{password}@store.example/").replace("unreadable", "")


@given(st.text())
def test_anything_can_be_redacted(text: str) -> None:
    assert len(redacted(text)) <= 300


def test_a_query_that_is_there_is_kept_to_the_byte() -> None:
    url = "https://a.example/u?_state=a%2Bb%3D&x"
    assert with_query(url, digest="sha256:00") == url + "&digest=sha256:00"
    assert with_query("https://a.example/u", digest="sha256:00") == "https://a.example/u?digest=sha256:00"
    assert with_query("https://a.example/u?", digest="sha256:00") == "https://a.example/u?digest=sha256:00"
    assert without_query(url, "_state") == "https://a.example/u?x"


def test_a_redirect_may_not_leave_tls() -> None:
    assert redirect_target("https://a.example/x/y", "../z") == "https://a.example/z"
    with pytest.raises(InsecureRefused):
        redirect_target("https://a.example/x", "http://a.example/y")
    assert redirect_target("http://a.example/x", "//b.example/y") == "http://b.example/y"
    with pytest.raises(ProtocolTrouble):
        redirect_target("https://a.example/x", "file:///etc/passwd")


@pytest.mark.parametrize(
    ("asked", "location", "target"),
    [
        ("https://r.example/v2/a", "/v2/u?s=1", "https://r.example/v2/u?s=1"),
        ("https://r.example:8443/v2/a", "https://r.example/v2/u", "https://r.example:8443/v2/u"),
        ("https://r.example/v2/a", "http://r.example/v2/u", "https://r.example/v2/u"),
        ("http://localhost:5000/v2/a", "http://localhost/v2/u", "http://localhost:5000/v2/u"),
        ("https://r.example/v2/a", "https://blobs.example/u?sig=%2F", "https://blobs.example/u?sig=%2F"),
    ],
)
def test_where_an_upload_goes_on(asked: str, location: str, target: str) -> None:
    assert session_url(asked, location) == target


def test_an_upload_does_not_go_on_elsewhere_without_tls() -> None:
    with pytest.raises(InsecureRefused):
        session_url("https://r.example/v2/a", "http://blobs.example/u")
