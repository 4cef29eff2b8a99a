"""Lists of revoked certificates that a policy gives: what they refuse, and which of them nobody should believe."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.trust.notation.making import (
    DAY,
    ISSUES,
    MIDDLE,
    NOW,
    ROOT,
    SIGNER,
    SUBJECT,
    Holder,
    headers,
    issued,
    made,
)
from tests.unit.trust.notation.signatures import trust
from transload.errors import DocumentInvalid, TransloadError
from transload.limits import CRL_BYTES, REVOCATION_LISTS
from transload.trust.evidence import Finding
from transload.trust.notation.revocation import lists_in
from transload.trust.notation.timestamp import ProvedTime

LOW = issued("low", by=MIDDLE)
BELOW = made("jws", LOW, [LOW.der, MIDDLE.der, ROOT.der])
DIRECT = made("cose")


def crl(
    *revoked: Holder,
    by: Holder = ROOT,
    named: Holder | None = None,
    since: datetime | None = None,
    days: tuple[int, int] = (-1, 1),
    extensions: Sequence[tuple[x509.ExtensionType, bool]] = (),
) -> bytes:
    """A list by an authority; with `named`, in the name of another one. `since` is when the keys were lost."""
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name((named or by).certificate.subject)
        .last_update(NOW + days[0] * DAY)
        .next_update(NOW + days[1] * DAY)
    )
    for holder in revoked:
        entry = x509.RevokedCertificateBuilder().serial_number(holder.certificate.serial_number)
        entry = entry.revocation_date(NOW - 2 * DAY)
        entry = entry.add_extension(x509.InvalidityDate(since.replace(tzinfo=None)), False) if since else entry
        builder = builder.add_revoked_certificate(entry.build())
    for extension, is_critical in extensions:
        builder = builder.add_extension(extension, is_critical)
    own = builder.sign(by.key, None if isinstance(by.key, ed25519.Ed25519PrivateKey) else hashes.SHA256())
    return own.public_bytes(Encoding.PEM)


def judged(
    folder: Path, evidence: object, *lists: bytes, at: datetime = NOW, authorities: Sequence[str] = ()
) -> Finding:
    (folder / "root.pem").write_bytes(ROOT.certificate.public_bytes(Encoding.PEM))
    names = [f"{number}.crl" for number in range(len(lists))]
    for name, content in zip(names, lists, strict=True):
        (folder / name).write_bytes(content)
    options = {"signing-authority-stores": list(authorities)} if authorities else {}
    authority = trust("root.pem", folder=folder, crls=names, **options)
    return authority.judge(SUBJECT, evidence, at)  # type: ignore[arg-type]  # evidence of any form


# --- what is refused


@pytest.mark.parametrize("der", [False, True])
def test_a_signer_whose_certificate_was_revoked(tmp_path: Path, der: bool) -> None:
    content = crl(issued("x", by=ROOT), SIGNER)
    content = x509.load_pem_x509_crl(content).public_bytes(Encoding.DER) if der else content
    finding = judged(tmp_path, DIRECT, content)
    assert finding.problem == (
        f"the certificate CN=signer,O=Example,ST=WA,C=US was revoked on 2026-01-13 (by the list {tmp_path}/0.crl)"
    )


@pytest.mark.parametrize("revoked", [LOW, MIDDLE])
def test_each_certificate_of_the_chain_is_looked_up(tmp_path: Path, revoked: Holder) -> None:
    both = crl(by=ROOT), crl(by=MIDDLE)
    assert judged(tmp_path, BELOW, *both).problem is None
    by = MIDDLE if revoked is LOW else ROOT
    assert "was revoked" in str(judged(tmp_path, BELOW, *both, crl(revoked, by=by)).problem)
    assert "was revoked" in str(judged(tmp_path, BELOW, both[0] + both[1] + crl(revoked, by=by)).problem)


def test_the_same_number_of_another_authority_is_another_certificate(tmp_path: Path) -> None:
    assert judged(tmp_path, BELOW, crl(LOW, by=ROOT), crl(MIDDLE, by=MIDDLE)).problem is None


def test_authorities_without_a_list_are_not_asked_for(tmp_path: Path) -> None:
    assert judged(tmp_path, BELOW, crl(by=MIDDLE)).problem is None
    assert judged(tmp_path, BELOW, crl(by=issued("other", ISSUES))).problem is None


def test_a_list_that_somebody_else_made_in_their_name(tmp_path: Path) -> None:
    """Else a list without the certificate could be put in the place of the one with it."""
    stranger = issued("stranger", ISSUES)
    finding = judged(tmp_path, DIRECT, crl(by=stranger, named=ROOT))
    assert finding.problem == (
        f"the list of revoked certificates {tmp_path}/0.crl is not signed by CN=root,O=Example,ST=WA,C=US"
    )


@pytest.mark.parametrize(("since", "holds"), [(NOW - DAY, False), (NOW + DAY, True), (NOW, False)])
def test_a_key_that_was_lost_later_signed_rightly_before_if_the_time_is_proved(
    tmp_path: Path, since: datetime, holds: bool
) -> None:
    proved = made("jws", protected=headers("notary.x509.signingAuthority", signed=NOW))
    finding = judged(tmp_path, proved, crl(SIGNER, since=since), authorities=["root.pem"])
    assert finding.holds == holds, finding.problem
    assert "was revoked" in str(judged(tmp_path, proved, crl(SIGNER), authorities=["root.pem"]).problem)
    assert "was revoked" in str(judged(tmp_path, DIRECT, crl(SIGNER, since=since)).problem)


def test_lists_of_some_certificates_only(tmp_path: Path) -> None:
    def scope(**scopes: bool) -> x509.IssuingDistributionPoint:
        names = ("only_contains_user_certs", "only_contains_ca_certs", "indirect_crl", "only_contains_attribute_certs")
        return x509.IssuingDistributionPoint(
            full_name=None,
            relative_name=None,
            only_some_reasons=None,
            **{name: scopes.get(name, False) for name in names},
        )

    users = crl(SIGNER, MIDDLE, extensions=[(scope(only_contains_user_certs=True), True)])
    authorities = crl(SIGNER, MIDDLE, extensions=[(scope(only_contains_ca_certs=True), True)])
    attributes = crl(SIGNER, MIDDLE, extensions=[(scope(only_contains_attribute_certs=True), True)])
    for content, direct, below in [(users, False, True), (authorities, True, False), (attributes, True, True)]:
        assert judged(tmp_path, DIRECT, content).holds == direct
        assert judged(tmp_path, BELOW, content).holds == below
    with pytest.raises(DocumentInvalid, match="a list for other authorities"):
        judged(tmp_path, DIRECT, crl(extensions=[(scope(indirect_crl=True), True)]))


# --- old lists


def test_an_old_list_counts_and_its_date_is_told(tmp_path: Path) -> None:
    old = crl(days=(-9, -8))
    note = (
        f"the list of revoked certificates {tmp_path}/0.crl is of 2026-01-06; its authority has made newer ones since"
    )
    assert judged(tmp_path, DIRECT, old).note == note
    assert judged(tmp_path, DIRECT, old, crl()).note is None
    assert judged(tmp_path, BELOW, old, crl(by=MIDDLE)).note == note
    assert "was revoked" in str(judged(tmp_path, DIRECT, crl(SIGNER, days=(-9, -8))).problem)
    assert "was revoked" in str(judged(tmp_path, DIRECT, crl(SIGNER, days=(-9, -8)), crl()).problem)


# --- files


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "is not a list of revoked certificates"),
        (b"hello", "is not a list of revoked certificates"),
        (ROOT.certificate.public_bytes(Encoding.PEM), "is not a list of revoked certificates"),
        (crl()[:200], "is not a list of revoked certificates"),
        (crl() * (REVOCATION_LISTS + 1), f"has {REVOCATION_LISTS + 1} lists of revoked certificates"),
        (b"\n" * (CRL_BYTES + 1), "is too large for a list of revoked certificates"),
        (crl(extensions=[(x509.DeltaCRLIndicator(1), True)]), "has only what changed since an earlier list"),
        (
            crl(extensions=[(x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3"), b"\5\0"), True)]),
            "has an extension that is not known here",
        ),
    ],
)
def test_files_that_are_no_lists(tmp_path: Path, content: bytes, why: str) -> None:
    with pytest.raises(DocumentInvalid, match=r"notation.*crls\[0\]: .*0\.crl") as raised:
        judged(tmp_path, DIRECT, content)
    assert why in raised.value.message
    assert raised.value.hint


def test_a_policy_names_some_lists_or_none(tmp_path: Path) -> None:
    with pytest.raises(DocumentInvalid, match="crls: no list of revoked certificates is named"):
        judged(tmp_path, DIRECT)


WHOLE = crl(SIGNER)


@given(place=st.integers(0, len(WHOLE)), put=st.binary(max_size=4), cut=st.integers(0, 4))
def test_a_list_with_any_bytes_changed_is_read_or_refused(place: int, put: bytes, cut: int) -> None:
    der = x509.load_pem_x509_crl(WHOLE).public_bytes(Encoding.DER)
    place %= len(der)
    try:
        lists = lists_in(der[:place] + put + der[place + cut :], "x.crl")
    except TransloadError:
        return
    for listed in lists:
        assert listed.note(NOW) is None or listed.is_by(ROOT.certificate) in (True, False)


def test_the_range_of_a_proved_time() -> None:
    proved = ProvedTime(NOW, DAY, "x")
    assert (proved.lower, proved.upper) == (NOW - DAY, datetime(2026, 1, 16, 12, tzinfo=UTC))
