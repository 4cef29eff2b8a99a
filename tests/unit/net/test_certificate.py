"""A certificate that is not believed: each cause has its own words, and a hint that mends it."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime
from pathlib import Path

import pytest
import trustme

from tests.unit.registry.wire import Said, Wire
from transload.errors import CertificateUntrusted
from transload.net.address import Origin
from transload.net.answer import Request
from transload.net.certificate import Certificate, untrusted
from transload.net.http import Http
from transload.net.settings import NetSettings

PAST, FUTURE = datetime(2020, 1, 2, tzinfo=UTC), datetime(2090, 3, 4, tzinfo=UTC)


def refusal(certificate: trustme.LeafCert, *trusted: Path) -> tuple[str, str]:
    """What is said of a server with this certificate by one who trusts these authorities."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    with Wire(lambda asked: Said(), context) as wire, Http(NetSettings(ca_files=trusted)) as http:
        with pytest.raises(CertificateUntrusted) as caught:
            http.ask(Request("GET", f"https://{wire.host}/", "asking", "test"))
        assert f"--insecure-tls {wire.host}" in (caught.value.hint or "")
        assert http.traffic.retries == 0
        return caught.value.message, caught.value.hint or ""


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def trusted(authority: trustme.CA, tmp_path: Path) -> Path:
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    return tmp_path / "ca.pem"


def test_a_wrong_name_is_told_with_the_names_that_would_do(authority: trustme.CA, trusted: Path) -> None:
    told, hint = refusal(authority.issue_cert("registry.example", "10.1.2.3"), trusted)
    assert "is not for 127.0.0.1, but for registry.example, 10.1.2.3" in told
    assert "--ca-file" not in hint
    assert "instead of 127.0.0.1" in hint


def test_many_names_are_told_in_part(authority: trustme.CA, trusted: Path) -> None:
    told, _ = refusal(authority.issue_cert(*(f"r{number}.example" for number in range(9))), trusted)
    assert told.endswith("r4.example, …")


def test_a_date_that_has_passed_is_told(authority: trustme.CA, trusted: Path) -> None:
    told, hint = refusal(authority.issue_cert("127.0.0.1", not_before=PAST, not_after=PAST.replace(year=2021)), trusted)
    assert "is out of date since 2021-01-02 00:00 UTC" in told
    assert "--ca-file" not in hint
    assert "renew it" in hint
    assert "clock of this machine" in hint


def test_a_date_still_to_come_is_told(authority: trustme.CA, trusted: Path) -> None:
    told, hint = refusal(
        authority.issue_cert("127.0.0.1", not_before=FUTURE, not_after=FUTURE.replace(year=2091)), trusted
    )
    assert "is not valid before 2090-03-04 00:00 UTC" in told
    assert hint.startswith("check the clock of this machine")
    assert "--ca-file" not in hint


def test_an_unknown_authority_is_mended_by_naming_it(authority: trustme.CA) -> None:
    told, hint = refusal(authority.issue_cert("127.0.0.1"))
    assert "no authority known here" in told
    assert "name the authority with --ca-file FILE" in hint


@pytest.mark.parametrize(
    ("code", "words", "remedy"),
    [
        (18, "signed by itself", "--ca-file FILE"),
        (20, "no authority known here", "--ca-file FILE"),
        (66, "too weak", "2048 bits"),
        (26, "not made for this use", "server authentication"),
        (23, "not trusted: certificate revoked", "mend it"),
        (10, "is out of date", "renew it"),
        (62, "is not for registry.example", "issued for registry.example"),
        (64, "is not for registry.example", "issued for registry.example"),
    ],
)
def test_every_cause_has_its_own_words(code: int, words: str, remedy: str) -> None:
    cause = ssl.SSLCertVerificationError(1, "certificate verify failed")
    cause.verify_code, cause.verify_message = code, "certificate revoked"
    error = untrusted(cause, Origin.of("https://registry.example"), "asking", lambda: None, 0)
    assert words in error.message
    assert remedy in (error.hint or "")


def test_a_certificate_that_names_nobody_says_so() -> None:
    cause = ssl.SSLCertVerificationError(1, "certificate verify failed")
    cause.verify_code = 62
    error = untrusted(cause, Origin.of("https://registry.example"), "asking", Certificate, 0)
    assert "names no host at all" in error.message
