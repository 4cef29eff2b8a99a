"""The pure rules of the wire: challenges, scopes, realms, ranges, links, traits."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transload.errors import AccessDenied, InsecureRefused, LimitExceeded, ProtocolTrouble
from transload.login import Login, Secret
from transload.net.address import Origin
from transload.net.messages import Reply
from transload.registry import headers
from transload.registry.auth import Applicant, basic, choose, may_get_password, obtain
from transload.registry.capabilities import FIRST_PIECE, LARGEST_PIECE, SMALLEST_PIECE, Capabilities
from transload.registry.headers import (
    Challenge,
    challenges,
    closed_range,
    next_link,
    next_url,
    pages,
    parse_content_range,
    unsatisfied_total,
    upload_offset,
    upload_range,
)
from transload.registry.scope import Scope, covers, merged, parse_scopes, pull, push

# --- challenges


def test_commas_and_escapes_inside_quotes_belong_to_the_value() -> None:
    header = r'Bearer realm="https://a/t?x=1,2",service="a \"b\"",scope="repository:x:pull,push"'
    (challenge,) = challenges(header)
    assert challenge.scheme == "bearer"
    assert challenge.get("realm") == "https://a/t?x=1,2"
    assert challenge.get("service") == 'a "b"'
    assert challenge.get("scope") == "repository:x:pull,push"
    assert challenge.get("error") == ""


@pytest.mark.parametrize(
    ("header", "schemes"),
    [
        ('Basic realm="a", Bearer realm="https://b"', ["basic", "bearer"]),
        ('BEARER realm = https://b , basic realm="x"', ["bearer", "basic"]),
        ("Negotiate, Basic realm=x", ["negotiate", "basic"]),
        (', ,Basic realm="unfinished, Bearer', ["basic"]),
        ("", []),
        ("=,;", []),
    ],
)
def test_several_challenges(header: str, schemes: list[str]) -> None:
    assert [challenge.scheme for challenge in challenges(header)] == schemes


@given(st.text(max_size=200))
def test_no_header_breaks_the_parser(header: str) -> None:
    challenges(header)
    next_link(header)
    parse_scopes(header)
    parse_content_range(header)
    upload_offset(header)


def test_bearer_is_taken_before_basic_and_basic_needs_a_login() -> None:
    registry = Origin.of("https://r.example")
    offered = challenges('Basic realm="a", Bearer realm="https://r.example/t"')
    assert choose(offered, Applicant(registry)).scheme == "bearer"
    with pytest.raises(AccessDenied, match="asks for user name and password"):
        choose(offered[:1], Applicant(registry))
    with pytest.raises(AccessDenied, match="offered: negotiate"):
        choose(challenges("Negotiate"), Applicant(registry))


# --- scopes


def test_scopes_are_merged_with_pushes_first() -> None:
    scopes = merged([pull("a"), pull("b"), push("c"), push("b")])
    assert [str(scope) for scope in scopes] == ["repository:b:pull,push", "repository:c:pull,push", "repository:a:pull"]


def test_a_token_covers_less_than_it_is_for() -> None:
    assert covers([push("a"), pull("b")], [pull("a")])
    assert not covers([pull("a")], [push("a")])
    assert not covers([pull("a")], [pull("b")])


def test_scopes_of_a_challenge() -> None:
    found = parse_scopes("repository:host:5000/a/b:pull,push nonsense registry:catalog:*")
    assert found == (push("host:5000/a/b"), Scope("registry", "catalog", frozenset("*")))


# --- realms


@pytest.mark.parametrize(
    ("realm", "registry", "may"),
    [
        ("https://auth.docker.io", "https://registry-1.docker.io", True),
        ("https://r.example.com", "https://r.example.com:5000", True),
        ("https://r.example.com", "http://r.example.com", True),
        ("http://r.example.com", "https://r.example.com", False),
        ("http://auth.example.com", "http://r.example.com", False),
        ("https://evil.example", "https://r.example.com", False),
        ("https://evil.co.uk", "https://registry.co.uk", False),
        ("https://evil.com", "https://registry.com", False),
        ("https://auth.allowed.example:8443", "https://r.example.com", True),
        ("http://localhost:5001", "http://127.0.0.1:5000", True),
        ("http://[::1]:5001", "http://localhost:5000", True),
        ("http://127.0.0.2:5001", "http://127.0.0.1:5000", False),
        ("https://10.0.0.2", "https://10.0.0.1", False),
        ("https://notdocker.io", "https://registry-1.docker.io", False),
    ],
)
def test_who_may_see_the_password(realm: str, registry: str, may: bool) -> None:
    assert may_get_password(Origin.of(realm), Origin.of(registry), {"auth.allowed.example:8443"}) is may


def test_the_password_does_not_go_to_a_stranger() -> None:
    login = Login("me", Secret("pw"))
    applicant = Applicant(Origin.of("https://r.example.com"), login)
    challenge = Challenge("bearer", {"realm": "https://evil.example/token"})
    with pytest.raises(InsecureRefused) as caught:
        next(obtain(challenge, [pull("a")], applicant))
    assert "--allow-realm evil.example" in (caught.value.hint or "")
    request = next(obtain(challenge, [pull("a")], Applicant(applicant.registry)))
    assert "Authorization" not in request.headers


# --- tokens


def granted(reply: Reply) -> tuple[str, float]:
    conversation = obtain(
        Challenge("bearer", {"realm": "https://r.example/token", "service": "s"}),
        [pull("a/b")],
        Applicant(Origin.of("https://r.example")),
    )
    request = next(conversation)
    assert request.url == "https://r.example/token?service=s&scope=repository:a/b:pull&client_id=transload"
    with pytest.raises(StopIteration) as end:
        conversation.send(reply)
    return end.value.value.token.reveal(), end.value.value.lifetime_s


def said(document: object, status: int = 200) -> Reply:
    return Reply(status, {}, json.dumps(document).encode(), "https://r.example/token")


def test_a_token_has_two_names_and_lives_a_minute_at_least() -> None:
    assert granted(said({"token": "t", "expires_in": 300})) == ("t", 300)
    assert granted(said({"access_token": "t"})) == ("t", 60)
    assert granted(said({"access_token": "t", "expires_in": 5})) == ("t", 60)


@pytest.mark.parametrize(
    ("stated", "lifetime_s"),
    [
        (0, 60),
        (-5, 60),
        (300.5, 300.5),
        (10**400, 86_400),
        (1e300, 86_400),
        ("300", 300),
        ("9" * 400, 60),
        ("²", 60),
        ("soon", 60),
        (True, 60),
        ([], 60),
        ({}, 60),
        (None, 60),
    ],
)
def test_a_lifetime_that_is_none_costs_only_asking_again(stated: object, lifetime_s: float) -> None:
    assert granted(said({"token": "t", "expires_in": stated})) == ("t", lifetime_s)


@pytest.mark.parametrize(
    "document", [[], {}, {"token": 5}, {"token": ""}, "x", None, 5, {"token": "t", "expires_in": float("nan")}]
)
def test_what_is_no_token(document: object) -> None:
    with pytest.raises(ProtocolTrouble, match="not a token"):
        granted(said(document))


def test_a_token_cannot_smuggle_a_header() -> None:
    with pytest.raises(LimitExceeded):
        granted(said({"token": "t\r\nX: y"}))


def test_an_identity_token_is_posted_and_falls_back_to_get() -> None:
    login = Login("<token>", identity_token=Secret("refresh"))
    conversation = obtain(
        Challenge("bearer", {"realm": "https://r.example/token?a=1", "service": "s"}),
        [push("a"), pull("b")],
        Applicant(Origin.of("https://r.example"), login),
    )
    post = next(conversation)
    assert (post.method, post.url) == ("POST", "https://r.example/token?a=1")
    assert isinstance(post.body, bytes)
    assert b"grant_type=refresh_token" in post.body
    assert b"scope=repository%3Aa%3Apull%2Cpush+repository%3Ab%3Apull" in post.body
    get = conversation.send(said({}, 404))
    assert get.method == "GET"
    assert get.url.startswith("https://r.example/token?a=1&service=s&scope=")
    assert get.headers["Authorization"] == basic(login)


def test_nothing_printed_has_the_password_in_it() -> None:
    login = Login("me", Secret("geheim"))
    applicant = Applicant(Origin.of("https://r.example"), login)
    request = next(obtain(Challenge("bearer", {"realm": "/t"}), [], applicant))
    assert request.headers["Authorization"] == "Basic bWU6Z2VoZWlt"
    assert "geheim" not in repr(applicant) + repr(request)
    assert "bWU6" not in repr(request)


# --- ranges


def test_ranges() -> None:
    part = parse_content_range("bytes 10-19/100")
    assert part is not None
    assert (part.start, part.end, part.total) == (10, 20, 100)
    assert parse_content_range("bytes 10-19/*") is not None
    assert parse_content_range("bytes 19-10/100") is None
    assert unsatisfied_total("bytes */100") == 100
    assert closed_range(10, 20) == "bytes=10-19"
    assert upload_range(10, 10) == "10-19"


@pytest.mark.parametrize(
    ("header", "offset"),
    [("0-99", 100), ("bytes=0-99", 100), ("0-0", 0), ("", None), (None, None), ("5-9", None), ("0--1", None)],
)
def test_how_much_an_upload_has(header: str | None, offset: int | None) -> None:
    assert upload_offset(header) == offset


# --- links


@pytest.mark.parametrize(
    ("header", "target"),
    [
        ('</v2/_catalog?n=1&last=a>; rel="next"', "/v2/_catalog?n=1&last=a"),
        ("<https://r/x,y;z>; title=a; rel=next", "https://r/x,y;z"),
        ('<a>; rel="prev", <b>; rel="last next"', "b"),
        ('<a>; rel="nextish"', None),
        ("<a>", None),
        ("garbage", None),
        (None, None),
    ],
)
def test_the_next_page(header: str | None, target: str | None) -> None:
    assert next_link(header) == target


def page(url: str, link: str = "") -> Reply:
    return Reply(200, {"Link": link} if link else {}, b"", url)


def test_a_list_stays_on_its_host() -> None:
    assert (
        next_url(page("https://r/v2/_catalog", '</v2/_catalog?last=b>; rel="next"')) == "https://r/v2/_catalog?last=b"
    )
    with pytest.raises(ProtocolTrouble, match="another host"):
        next_url(page("https://r/v2/_catalog", '<https://evil/x>; rel="next"'))


def test_a_list_that_goes_round_ends() -> None:
    with pytest.raises(ProtocolTrouble, match="circle"):
        list(pages("https://r/a", lambda url: page(url, '</a>; rel="next"'), ()))


def test_a_list_without_end_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(headers, "LIST_PAGES", 20)
    with pytest.raises(LimitExceeded):
        list(pages("https://r/a?1", lambda url: page(url, f'<{url}1>; rel="next"'), ()))


# --- traits


def test_what_was_learnt_survives_a_file() -> None:
    capabilities = Capabilities()
    capabilities.mount_answered(True)
    capabilities.ranges = False
    assert capabilities.takes_less_than(100 << 20)
    again = Capabilities.from_json(json.loads(json.dumps(capabilities.to_json())))
    assert again.to_json() == capabilities.to_json()
    assert (again.upload_mode, again.piece_bytes, again.mounts, again.ranges) == ("pieces", 64 << 20, True, False)


@pytest.mark.parametrize("document", [None, [], {"upload_mode": "x", "piece_bytes": -1, "ranges": "yes", "head": 1}])
def test_a_file_of_nonsense_is_nothing_learnt(document: object) -> None:
    assert Capabilities.from_json(document).to_json() == Capabilities().to_json()


def test_mounts_are_given_up_after_three_refusals_without_success() -> None:
    capabilities = Capabilities()
    for expected in (True, True, False):
        capabilities.mount_answered(False)
        assert capabilities.mounts_worth_trying is expected
    capabilities.mount_answered(True)
    assert capabilities.mounts_worth_trying


def test_pieces_get_smaller_until_they_cannot() -> None:
    capabilities = Capabilities()
    sizes = []
    refused = 1 << 40
    while capabilities.takes_less_than(refused):
        refused = capabilities.piece_size(0)
        sizes.append(refused)
    assert sizes[0] == FIRST_PIECE
    assert sizes == sorted(set(sizes), reverse=True)
    assert sizes[-1] == SMALLEST_PIECE


def test_many_failures_at_once_are_one_lesson() -> None:
    capabilities = Capabilities()
    for _ in range(8):
        assert capabilities.takes_less_than(500 << 20)
    assert capabilities.piece_bytes == FIRST_PIECE


def test_the_registrys_own_minimum_counts_within_reason() -> None:
    assert Capabilities().piece_size(100 << 20) == 100 << 20
    assert Capabilities().piece_size(1 << 40) == LARGEST_PIECE
