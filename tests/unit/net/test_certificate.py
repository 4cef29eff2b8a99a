"""A certificate that is not believed: each cause has its own words, and a hint that mends it."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime
from pathlib import Path

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID

from tests.unit.registry.wire import Said, Wire
from transload.errors import CertificateUntrusted, DocumentInvalid
from transload.net.address import Origin
from transload.net.certificate import Certificate, untrusted
from transload.net.http import Http
from transload.net.messages import HttpRequest
from transload.net.settings import NetSettings

PAST, FUTURE = datetime(2020, 1, 2, tzinfo=UTC), datetime(2090, 3, 4, tzinfo=UTC)


def refusal(certificate: trustme.LeafCert, *trusted: Path) -> tuple[str, str]:
    """What is said of a server with this certificate by one who trusts these authorities."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    with Wire(lambda asked: Said(), context) as wire, Http(NetSettings(ca_files=trusted)) as http:
        with pytest.raises(CertificateUntrusted) as caught:
            http.ask(HttpRequest("GET", f"https://{wire.host}/", "asking", "test"))
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
    assert "expired on 2021-01-02 00:00 UTC" in told
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
        (23, "not trusted: certificate revoked", "correct it"),
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


def test_a_common_name_alone_names_nobody(tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    built = x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
    built = built.serial_number(1).not_valid_before(PAST).not_valid_after(FUTURE)
    pem = built.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)
    (tmp_path / "own.pem").write_bytes(pem)
    (tmp_path / "both.pem").write_bytes(pem + key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "both.pem")
    settings = NetSettings(ca_files=(tmp_path / "own.pem",))
    with Wire(lambda asked: Said(), context) as wire, Http(settings) as http:
        port = wire.host.rpartition(":")[2]
        with pytest.raises(CertificateUntrusted, match="names no host at all in subjectAltName"):
            http.ask(HttpRequest("GET", f"https://localhost:{port}/", "asking", "test"))


def test_a_certificate_that_names_nobody_says_so() -> None:
    cause = ssl.SSLCertVerificationError(1, "certificate verify failed")
    cause.verify_code = 62
    error = untrusted(cause, Origin.of("https://registry.example"), "asking", Certificate, 0)
    assert "names no host at all" in error.message


def test_a_client_key_with_a_passphrase_is_told_and_nobody_is_asked_for_it(tmp_path: Path) -> None:
    pair = trustme.CA().issue_cert("client.example")
    pair.cert_chain_pems[0].write_to_path(str(tmp_path / "client.pem"))
    key = load_pem_private_key(pair.private_key_pem.bytes(), None)
    locked = BestAvailableEncryption(b"secret")
    (tmp_path / "client.key").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, locked))
    settings = NetSettings(client_certificate=tmp_path / "client.pem", client_key=tmp_path / "client.key")
    with Http(settings) as http, pytest.raises(DocumentInvalid, match=r"client\.key has a passphrase") as caught:
        http.ask(HttpRequest("GET", "https://registry.invalid/", "asking", "test"))
    assert "openssl pkey -in client.key" in (caught.value.hint or "")


def test_an_authority_in_between_and_a_servers_own_certificate_can_be_named(tmp_path: Path) -> None:
    between = trustme.CA().create_child_ca()
    leaf = between.issue_cert("127.0.0.1")
    between.cert_pem.write_to_path(str(tmp_path / "between.pem"))
    leaf.cert_chain_pems[0].write_to_path(str(tmp_path / "leaf.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    leaf.configure_cert(context)
    with Wire(lambda asked: Said(), context) as wire:
        for name in ("between.pem", "leaf.pem"):
            with Http(NetSettings(ca_files=(tmp_path / name,))) as http:
                assert http.ask(HttpRequest("GET", f"https://{wire.host}/", "asking", "test")).status == 200


@pytest.mark.parametrize("folder", ["absent", "empty"])
def test_a_system_without_authorities_is_told_as_that(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, folder: str
) -> None:
    (tmp_path / "empty").mkdir()
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "absent"))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path / folder))
    cause = ssl.SSLCertVerificationError()
    cause.verify_code, cause.verify_message = 20, "unable to get local issuer certificate"
    error = untrusted(cause, Origin.of("https://registry.example"), "asking", lambda: None, 0)
    assert "this system has no list of certificate authorities" in str(error)
    assert "ca-certificates" in (error.hint or "")
