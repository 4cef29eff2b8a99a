"""transload history: records that hold, and records that do not, each named with its reason."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

import transload
from transload.app.attaching import put_artifact
from transload.bundle.format.keys import load_public_key
from transload.cli.main import main
from transload.layout import LayoutStore
from transload.memory import MemoryStore
from transload.oci import Name
from transload.ports import Target
from transload.report.transferrecord import ARTIFACT_TYPE, PREDICATE_TYPE
from transload.server import ServeSettings, serve
from transload.testing.images import fill, image
from transload.trust.dsse import IN_TOTO, MEDIA_TYPE, Envelope, EnvelopeSignature, pae
from transload.trust.statement import Statement, StatementSubject

ONE, TWO = image("one", (100,)), image("two", (200,))
SITE, OTHER = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
WORDS = ("history", "app/one:1", "--from", "oci:far")


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("HOME", "TRANSLOAD_STATE_DIR", "TRANSLOAD_CONFIG"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    for place in ("source", "far"):
        store = LayoutStore(tmp_path / place, create=True)
        fill(store, ONE, "app/one", "1")
        fill(store, TWO, "app/two", "1")
    for name, key in (("site", SITE), ("other", OTHER)):
        Path(f"{name}.key").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        Path(f"{name}.pub").write_bytes(public)
    return tmp_path


def statement(digest: str = ONE.digest, kind: str = PREDICATE_TYPE, **predicate: Any) -> bytes:
    return Statement((StatementSubject("x", transload.Digest(digest)),), kind, predicate).encode()


def signed(content: bytes, key: Ed25519PrivateKey = SITE, kind: str = IN_TOTO, key_id: str = "") -> bytes:
    return Envelope(kind, content, (EnvelopeSignature(key.sign(pae(kind, content)), key_id),)).encode()


def attach(desk: Path, content: bytes, media_type: str = MEDIA_TYPE) -> None:
    attach_to(LayoutStore(desk / "far"), "app/one", content, media_type)


def attach_to(store: Target, repository: str, content: bytes, media_type: str = MEDIA_TYPE) -> None:
    subject = store.resolve(Name(repository, "1"))
    put_artifact(store, repository, subject, content=content, media_type=media_type, artifact_type=ARTIFACT_TYPE)


def shown(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, list[dict[str, Any]]]:
    capsys.readouterr()
    code = main([*WORDS, *words, "--output", "json"])
    event = json.loads(capsys.readouterr().out.splitlines()[-1])
    return code, event["records"]


def test_a_signed_record_holds(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["mirror", "--from", "oci:source", "--to", "oci:far", "--record-at-target", "--recorded-by", "Desk 4"]
    assert main([*words, "--sign-key", "site.key"]) == 0
    code, (record,) = shown(capsys, "--public-key", "site.pub")
    assert (code, record["verified"], record["problem"]) == (0, True, None)
    assert record["record"]["recordedBy"] == "Desk 4"
    assert main([*WORDS, "--public-key", "site.pub"]) == 0
    told = capsys.readouterr().out
    assert "recorded:  by Desk 4" in told
    assert "(verified)" in told
    code, (record,) = shown(capsys)
    assert (code, record["verified"], record["problem"]) == (0, None, None)
    code, (record,) = shown(capsys, "--public-key", "other.pub")
    assert (code, record["verified"], record["problem"]) == (6, False, "another key signed it")


@pytest.mark.parametrize(
    ("content", "media_type", "problem"),
    [
        (statement(), IN_TOTO, "it is not signed"),
        (signed(statement(TWO.digest)), MEDIA_TYPE, "it is about another image"),
        (signed(statement(kind="https://slsa.dev/provenance/v1")), MEDIA_TYPE, "its predicate is of another type"),
        (signed(statement(), kind="text/plain"), MEDIA_TYPE, "what is signed is not a record"),
        (signed(statement(), OTHER), MEDIA_TYPE, "another key signed it"),
        (b"{}", MEDIA_TYPE, "is missing"),
        (b"[]", IN_TOTO, "is not a JSON object"),
        (signed(b"no json"), MEDIA_TYPE, "cannot be read as JSON"),
        (statement(), "text/plain", "it is not a transfer record of this image"),
        (b"{" + b" " * (300 << 10) + b"}", IN_TOTO, "the limit is"),
    ],
)
def test_what_does_not_hold_is_said_with_its_reason(
    desk: Path, capsys: pytest.CaptureFixture[str], content: bytes, media_type: str, problem: str
) -> None:
    attach(desk, content, media_type)
    attach(desk, signed(statement(runId="good", finishedOn="2026")))
    code, records = shown(capsys, "--public-key", "site.pub")
    assert code == 6
    (bad,) = [record for record in records if record["problem"]]
    assert problem in bad["problem"]
    assert bad["verified"] is False
    (good,) = [record for record in records if not record["problem"]]
    assert good["verified"] is True
    assert main([*WORDS, "--public-key", "site.pub"]) == 6
    assert "problem:" in capsys.readouterr().out


def test_a_record_that_was_changed_is_known_by_its_signature(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole = Envelope(
        IN_TOTO,
        statement(runId="changed"),
        (EnvelopeSignature(SITE.sign(pae(IN_TOTO, statement())), load_public_key(Path("site.pub")).key_id),),
    )
    attach(desk, whole.encode())
    code, (record,) = shown(capsys, "--public-key", "site.pub")
    assert code == 6
    assert record["problem"] == "the signature does not match: it was changed after it was signed"


def test_odd_values_are_shown_harmless(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    predicate: dict[str, Any] = {
        "runId": 7,
        "images": [None],
        "checks": ["x", {"name": "\x1b[31m"}],
        "tool": [],
        "recordedBy": "\x1b]0;",
    }
    attach(desk, signed(statement(**predicate)))
    assert main([*WORDS, "--public-key", "site.pub"]) == 0
    assert "\x1b" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("history", "app/two:1", "--from", "oci:far"), 4, "app/two:1 has no transfer record"),
        (("history", "app/none:1", "--from", "oci:far"), 4, "app/none"),
        (("history", "app/two", "--from", "oci:far"), 2, "has neither a tag nor a digest"),
        (("history", "app/two:1", "--from", "bundle:far"), 2, "bundle"),
        (("history", "oci:far"), 4, "none of its 2 images has a transfer record"),
        (("history", "bundle:far"), 2, "bundle"),
        (("history", "oci:far/app/two:1"), 2, "is a store, and an image was expected"),
        ((*WORDS, "--public-key", "site.key"), 2, "is not a public key"),
        ((*WORDS, "--public-key", "none.pub"), 8, "none.pub"),
        (("history", "app/two:1", "--from", "oci:none"), 8, "none"),
    ],
)
def test_wrong_inputs(
    desk: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], code: int, message: str
) -> None:
    assert main(list(words)) == code
    assert message in capsys.readouterr().err


def test_the_library_finds_the_same(desk: Path) -> None:
    attach(desk, signed(statement(runId="r", finishedOn="2026-02")))
    attach(desk, signed(statement(runId="q", finishedOn="2026-01")))
    found = transload.history("app/one:1", store="oci:far", public_key="site.pub")
    assert found.holds
    assert [record.record["runId"] for record in found.records] == ["q", "r"]


def of_file(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict[str, Any]]:
    capsys.readouterr()
    code = main(["history", *words, "--output", "json"])
    event: dict[str, Any] = json.loads(capsys.readouterr().out.splitlines()[-1])
    return code, event


def test_a_file_with_a_record_or_a_receipt_is_shown_too(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["pack", "--from", "oci:source", "-o", "rel"]) == 0
    words = ["push", "rel", "--to", "oci:new", "--sign-key", "site.key", "--receipt", "slip.json"]
    gate = "/bin/sh -c 'grep -q " + ONE.digest.encoded + " $0/index.json' {image}"
    assert main([*words, "--record", "record.json", "--gate", gate]) == 7
    for name in ("slip.json", "record.json"):
        code, event = of_file(capsys, name, "--public-key", "site.pub")
        (found,) = event["records"]
        assert (code, event["file"], found["verified"], found["problem"]) == (0, name, True, None)
        assert "inventory" not in found["record"]
        assert of_file(capsys, name, "--public-key", "other.pub")[0] == 6
        assert main(["history", name]) == 0
        printed = capsys.readouterr().out
        assert "images:    1 copied, 1 failed" in printed
        assert "lacking:   app/two:1: failed, gate-refused" in printed


def test_a_file_that_is_no_record_is_told(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("x.json").write_bytes(statement(kind="https://slsa.dev/provenance/v1"))
    code, event = of_file(capsys, "x.json")
    assert code == 6
    assert event["records"][0]["problem"] == "its predicate is of another type: 'https://slsa.dev/provenance/v1'"
    Path("x.json").write_text("[]")
    assert main(["history", "x.json"]) == 2
    assert "the record is not a JSON object" in capsys.readouterr().err
    assert main(["history", "none.json"]) == 8
    assert "none.json" in capsys.readouterr().err


def test_a_record_that_came_along_is_told_from_that_of_this_target(
    desk: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = ["mirror", "app/one:1", "--from", "oci:source", "--to", "oci:between", "--record-at-target"]
    assert main([*first, "--sign-key", "other.key"]) == 0
    onwards = ["mirror", "app/one:1", "--from", "oci:between", "--to", "oci:new"]
    assert main(onwards) == 0  # referrers travel
    words = ("history", "app/one:1", "--from", "oci:new")
    _, event = of_file(capsys, *words[1:], "--public-key", "site.pub")
    assert [found["carried"] for found in event["records"]] == [True]
    for key in ("site.pub", "other.pub"):  # whoever signed what came along: it does not say how the image came here
        assert main([*words, "--public-key", key]) == 6
    assert main([*onwards, "--record-at-target", "--sign-key", "site.key"]) == 0
    assert "records at the target: 1 attached" in capsys.readouterr().err
    code, event = of_file(capsys, *words[1:], "--public-key", "site.pub")
    assert [(found["carried"], found["verified"]) for found in event["records"]] == [(True, False), (False, True)]
    assert code == 0
    assert main([*words]) == 0
    assert "to:        oci:between (came along with the image)" in capsys.readouterr().out
    assert main([*onwards, "--record-at-target", "--sign-key", "site.key"]) == 0
    assert "records at the target: 0 attached, 1 had one" in capsys.readouterr().err


def test_a_record_of_another_target_with_the_same_name_keeps_nobody_from_writing_theirs(
    desk: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The registries of both sides of a gap can have one name; the key tells whose record it is."""
    for side in ("connected", "far"):
        (desk / side).mkdir(exist_ok=True)
    first = ["mirror", "app/one:1", "--from", "oci:source", "--to", "oci:connected/site", "--record-at-target"]
    assert main([*first, "--sign-key", "other.key"]) == 0
    onwards = ["mirror", "app/one:1", "--from", "oci:connected/site", "--to", "oci:far/site"]
    assert main(onwards) == 0
    capsys.readouterr()
    for told in ("1 attached", "0 attached, 1 had one"):
        assert main([*onwards, "--record-at-target", "--sign-key", "site.key"]) == 0
        assert f"records at the target: {told}" in capsys.readouterr().err
    _, event = of_file(capsys, "app/one:1", "--from", "oci:far/site", "--public-key", "site.pub")
    assert [found["verified"] for found in event["records"]] == [False, True]


def test_thousands_of_referrers_are_told_from_records(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    store = MemoryStore()
    fill(store, ONE, "app/one", "1")
    subject = store.resolve(Name("app/one", "1"))

    def put(count: int, artifact_type: str, content: bytes) -> None:
        for number in range(count):
            put_artifact(
                store,
                "app/one",
                subject,
                content=b"%d %b" % (number, content),
                media_type=IN_TOTO,
                artifact_type=artifact_type,
            )

    put(8_000, "application/vnd.example", b"x")
    put(2, ARTIFACT_TYPE, statement())
    with serve(store, ServeSettings()) as server:
        words = ["history", f"{server.host_port}/app/one:1", "--plain-http", server.host_port]
        assert main(words) == 6  # two that are no JSON
        before = server.requests.total
        assert main(words) == 6
        assert server.requests.total - before < 12
        capsys.readouterr()
        put(1000, ARTIFACT_TYPE, b"y")
        assert main(words) == 7
        assert "has 1002 transfer records, the limit is 1000" in capsys.readouterr().err
        put(10_001, "application/vnd.example.more", b"z")
        assert main(words) == 6
        assert "10000" in capsys.readouterr().err.replace(",", "")


def test_a_whole_target_is_shown_with_what_has_no_record(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record = statement(
        finishedOn="2026-11-26T12:00:00Z",
        recordedBy="Desk\x1b[2J",
        images=[{"name": "app/one:1", "status": "copied", "published": "quay.io/app/one:1"}],
    )
    attach(desk, signed(record))
    assert main(["history", "oci:far", "--public-key", "site.pub"]) == 1
    out = capsys.readouterr().out
    assert f"app/one:1  {ONE.digest.short}" in out
    assert "2026-11-26T12:00:00Z, copied, from quay.io/app/one:1, by Desk" in out
    assert "(verified)" in out
    assert "app/two:1  no record" in out
    assert out.rstrip().endswith("2 images: 1 with a record, 1 without")
    assert "\x1b[2J" not in out
    code, event = of_file(capsys, "oci:far", "--public-key", "other.pub")
    assert code == 1
    assert event["event"] == "histories"
    assert event["without"] == ["app/two:1"]
    (image,) = event["images"]
    assert [found["problem"] for found in image["records"]] == ["another key signed it"]


def test_of_a_registry_only_what_lies_under_the_prefix_is_shown(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = MemoryStore()
    fill(store, ONE, "site/one", "1")
    fill(store, TWO, "other/two", "1")
    fill(store, TWO, "site/one", f"sha256-{ONE.digest.encoded}.sig")
    attach_to(store, "site/one", signed(statement(finishedOn="2026")))
    with serve(store) as served:
        place = served.host_port
        assert main(["history", f"{place}/site", "--public-key", "site.pub"]) == 0
        assert capsys.readouterr().out.rstrip().endswith("1 image: 1 with a record")
        assert main(["history", f"{place}/other"]) == 4
        assert "its only image has no transfer record" in capsys.readouterr().err
        assert main(["history", f"{place}/nothing"]) == 4
        assert "has no image under nothing" in capsys.readouterr().err
