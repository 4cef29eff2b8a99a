"""The edition of a bundle: written and read, bounded, and without doubt about what it says."""

from datetime import UTC, datetime

import pytest
from attrs import evolve

from tests.unit.bundle.packing import contents_of, named
from transload.bundle import lay_out
from transload.bundle.format.edition import BundledRelease, Edition, time_in, time_text
from transload.bundle.format.ledger import Ledger
from transload.errors import DocumentInvalid, LedgerTampered
from transload.limits import EDITION_NAMES
from transload.testing.releases import release

NOON = datetime(2026, 11, 27, 12, 0, 5, tzinfo=UTC)
EDITION = Edition(packed=NOON, sets=("acme",), releases=(BundledRelease("acme", "v1.2", "2026-11"),))
CONTENTS = evolve(contents_of(named(release(images=2, size=20_000))), edition=EDITION)
RAW = lay_out(CONTENTS, None).ledger.encode()


def test_what_is_written_is_read() -> None:
    ledger = Ledger.decode(RAW)
    assert (ledger.format, ledger.edition) == (3, EDITION)
    assert ledger.saved_digest is not None
    assert ledger.encode() == RAW


def test_a_bundle_that_no_engine_can_load_has_no_manifest_and_says_so() -> None:
    raw = RAW.replace(f'"manifest": "{Ledger.decode(RAW).saved_digest}"'.encode(), b'"manifest": null')
    ledger = Ledger.decode(raw)
    assert (ledger.format, ledger.saved_digest, ledger.edition) == (3, None, EDITION)


@pytest.mark.parametrize("year", [1, 1970, 9999])
def test_every_year_that_can_be_written_is_read(year: int) -> None:
    time = datetime(year, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert time_in(time_text(time)) == time
    raw = lay_out(evolve(CONTENTS, edition=evolve(EDITION, packed=time)), None).ledger.encode()
    assert Ledger.decode(raw).edition == evolve(EDITION, packed=time)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "2026-11-27",
        "2026-11-27T12:00:05+00:00",
        "2026-11-27T12:00:05.000Z",
        "2026-13-27T12:00:05Z",
        "0000-01-01T00:00:00Z",
        "10000-01-01T00:00:00Z",
        "２０２６-11-27T12:00:05Z",
        "2026-1-27T12:00:05Z",
        "1" * 10_000,
    ],
)
def test_a_time_that_is_written_in_another_way_is_refused(text: str) -> None:
    with pytest.raises(DocumentInvalid, match="expected a time"):
        time_in(text)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"packed": "2026-11-27T12:00:05Z"', b'"packed": null'),
        (b'"packed": "2026-11-27T12:00:05Z"', b'"packed": 1795780805'),
        (b'"packed": "2026-11-27T12:00:05Z",\n', b""),
        (b'"acme"\n  ]', b'"acme",\n   "acme"\n  ]'),
        (b'"acme"\n  ]', b'""\n  ]'),
        (b'"acme"\n  ]', b'"' + b"a" * 129 + b'"\n  ]'),
        (b'"acme"\n  ]', b'"\\u001b[2J"\n  ]'),
        (b'"v1.2"', b'"\\u202ev1.2"'),
        (b'"v1.2"', b"12"),
        (b'"2026-11"', b'"\\n"'),
        (b'"date": "2026-11"', b'"day": "2026-11"'),
        (b'"format": 3', b'"format": 2'),
    ],
)
def test_any_other_edition_is_refused(old: bytes, new: bytes) -> None:
    assert RAW.count(old) == 1
    with pytest.raises(LedgerTampered):
        Ledger.decode(RAW.replace(old, new))


def test_its_lists_are_bounded() -> None:
    many = ",".join(f'\n   "s{number:04}"' for number in range(EDITION_NAMES + 1)).encode()
    with pytest.raises(LedgerTampered, match="at most"):
        Ledger.decode(RAW.replace(b'\n   "acme"', many))
