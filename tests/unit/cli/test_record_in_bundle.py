"""pack --record-in-bundle: the bundle says who packed it, and list, push and extract know that."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from transload.app.bundlerecord import NAME
from transload.bundle.reading.reader import BundleStore
from transload.cli.main import main
from transload.layout import LayoutStore
from transload.report.transferrecord import PREDICATE_TYPE
from transload.testing.images import fill, image
from transload.trust import dsse, statement

ONE, TWO = image("one", (100, 200)), image("two", (1_500_000,))
SITE, OTHER = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
PACK = ["pack", "--from", "oci:source", "-o", "rel", "--record-in-bundle", "--recorded-by", "Desk 4"]
SIGNED = [*PACK, "--sign-key", "site.key"]


@pytest.fixture(autouse=True)
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("HOME", "TRANSLOAD_STATE_DIR", "TRANSLOAD_CONFIG"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    store = LayoutStore(tmp_path / "source", create=True)
    fill(store, ONE, "app/one", "1")
    fill(store, TWO, "app/two", "2")
    for name, key in (("site", SITE), ("other", OTHER)):
        Path(f"{name}.key").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        Path(f"{name}.pub").write_bytes(public)
    return tmp_path


def listed(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> dict[str, Any]:
    capsys.readouterr()
    assert main(["list", "rel", *words, "--output", "json"]) == code
    event: dict[str, Any] = json.loads(capsys.readouterr().out.splitlines()[-1])
    return event


def test_a_bundle_says_who_packed_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(SIGNED) == 0
    found = listed(capsys, "--key", "site.pub")["record"]
    assert (found["verified"], found["problem"]) == (True, None)
    said = found["record"]
    assert (said["recordedBy"], said["sources"], said["target"]) == ("Desk 4", ["oci:source"], "bundle:rel")
    assert [(entry["name"], entry["status"], entry["digest"]) for entry in said["images"]] == [
        ("app/one:1", "copied", ONE.digest),
        ("app/two:2", "copied", TWO.digest),
    ]
    assert said["checks"][0]["name"] == "content-digests"
    assert "finishedOn" not in said  # nobody knows that before
    assert main(["list", "rel"]) == 0
    shown = capsys.readouterr().out
    assert "packed:   by Desk 4, " in shown
    assert "(not verified, give the key with --key)" in shown


def test_its_record_is_a_file_that_others_read(desk: Path) -> None:
    assert main(SIGNED) == 0
    assert main(["extract", "rel", NAME, "-C", "out"]) == 0
    content = (desk / "out" / NAME).read_bytes()
    envelope = dsse.decode(content)
    SITE.public_key().verify(envelope.signatures[0].value, envelope.signed_bytes)
    said = statement.decode(envelope.payload)
    assert said.predicate_type == PREDICATE_TYPE
    assert {subject.digest for subject in said.subjects} == {ONE.digest, TWO.digest}
    ledger = BundleStore(desk / "rel").ledger
    assert said.predicate["plan"]["digest"] == {"sha256": ledger.plan_digest.encoded if ledger.plan_digest else ""}
    assert content in (desk / "rel.tar").read_bytes()


def test_the_same_command_finds_the_bundle_finished(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(SIGNED) == 0
    before = (desk / "rel.tar").read_bytes()
    assert main(SIGNED) == 0
    assert (desk / "rel.tar").read_bytes() == before
    assert not list(desk.glob("rel.partial*"))
    capsys.readouterr()
    assert main([*PACK[:-1], "Desk 5", "--sign-key", "site.key"]) != 0  # another record makes another bundle
    assert "exists already" in capsys.readouterr().err


@pytest.mark.parametrize("signing", [[], ["--sign-key", "site.key"]])
def test_a_killed_run_is_continued_with_its_record(desk: Path, signing: list[str]) -> None:
    program = (
        "import os, sys\n"
        "from transload.bundle.writing.writer import BundleWriter\n"
        "BundleWriter.finish = lambda *_: os.kill(os.getpid(), 9)\n"
        "from transload.cli.main import main\n"
        "main(sys.argv[1:])\n"
    )
    words = [*PACK, "--run-id", "first", *signing]
    killed = subprocess.run([sys.executable, "-c", program, *words], env=os.environ, check=False)
    assert killed.returncode == -9
    assert {path.name for path in desk.glob("rel.*")} >= {"rel.partial.journal", "rel.partial.record.json"}
    assert main([*PACK, "--run-id", "second", *signing]) == 0
    assert {path.name for path in desk.glob("rel*")} == {"rel.tar"}
    assert b"first" in record_bytes(desk)
    assert b"second" not in record_bytes(desk)


def record_bytes(desk: Path) -> bytes:
    with BundleStore(desk / "rel").open_extra(NAME) as chunks:
        content = b"".join(bytes(chunk) for chunk in chunks)
    return dsse.decode(content).payload if b"payloadType" in content else content


def test_media_are_continued_with_it_too(desk: Path) -> None:
    words = [*SIGNED, "--to-media", "--volume-size", "1MiB"]
    assert main([*words, "--run-id", "first"]) == 0
    assert main([*words, "--run-id", "second", "--rewrite-volume", "1"]) == 0
    assert b"first" in record_bytes(desk)
    assert main(["verify", "rel"]) == 0


def test_what_a_gate_said_is_in_it(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gate = "/bin/sh -c 'date +%N; case $0 in *one*) exit 0;; *) exit 0;; esac' {image}"
    assert main([*SIGNED, "--gate", gate]) == 0
    checks = listed(capsys, "--key", "site.pub")["record"]["record"]["checks"]
    assert [(check["name"], check.get("image")) for check in checks] == [
        ("content-digests", None),
        ("gate", "app/one:1"),
        ("gate", "app/two:2"),
    ]
    assert main([*SIGNED, "--gate", gate]) == 0  # the gate writes other bytes, and says the same


def test_a_push_records_who_packed_what_it_brought(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(SIGNED) == 0
    words = ["push", "rel", "--to", "oci:far", "--record", "push.json", "--record-at-target", "--sign-key", "other.key"]
    assert main([*words, "--key", "site.pub"]) == 0
    bundle = statement.decode(dsse.decode((desk / "push.json").read_bytes()).payload).predicate["bundle"]
    assert (bundle["name"], bundle["images"]) == ("rel", 2)
    assert bundle["digest"] == {"sha256": BundleStore(desk / "rel").digest.encoded}
    assert (bundle["record"]["recordedBy"], bundle["record"]["signature"]) == ("Desk 4", "passed")
    capsys.readouterr()
    assert main(["history", "app/one:1", "--from", "oci:far", "--public-key", "other.pub"]) == 0
    shown = capsys.readouterr().out
    assert "packed:    by Desk 4, " in shown
    assert "(this was verified when it was pushed)" in shown
    assert "(said by who packed it)" in shown
    assert "app/two" not in shown
    assert main(["push", "rel", "--to", "oci:more", "--record", "push.json"]) == 0  # without the key
    bundle = statement.decode((desk / "push.json").read_bytes()).predicate["bundle"]
    assert bundle["record"]["signature"] == "not-made"


def forged(desk: Path, content: bytes) -> None:
    """A bundle by the site's key that carries another file under the record's name."""
    (desk / NAME).write_bytes(content)
    assert main(["pack", "--from", "oci:source", "-o", "rel", "--sign-key", "site.key", "--also", NAME]) == 0


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"no json", "cannot be read as JSON"),
        (b"{}", "'_type' is missing"),
        (dsse.Envelope("text/plain", b"a", (dsse.EnvelopeSignature(b"a"),)).encode(), "what is signed is not a record"),
        (b"[" * 100_000, "nested"),
    ],
)
def test_a_file_that_is_no_record_is_told(
    desk: Path, capsys: pytest.CaptureFixture[str], content: bytes, problem: str
) -> None:
    forged(desk, content)
    found = listed(capsys, "--key", "site.pub", code=6)["record"]
    assert found["verified"] is False
    assert problem in found["problem"]
    assert main(["push", "rel", "--to", "oci:far", "--key", "site.pub"]) == 0  # the images are what they are
    assert "the transfer record that the bundle carries does not count: " in capsys.readouterr().err


def test_the_record_of_another_bundle_is_told(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = ["pack", "app/one:1", "--from", "oci:source", "-o", "other", "--record-in-bundle", "--sign-key", "site.key"]
    assert main(other) == 0
    assert main(["extract", "other", NAME]) == 0
    forged(desk, (desk / NAME).read_bytes())
    found = listed(capsys, "--key", "site.pub", code=6)["record"]
    assert "it is the record of another bundle" in found["problem"]


def test_a_bundle_of_nothing_new_carries_none(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inventory", "oci:source", "-o", "far.json"]) == 0
    assert main([*SIGNED, "--against", "far.json"]) == 0
    assert "the bundle holds no image, so it carries no transfer record" in capsys.readouterr().err
    assert listed(capsys)["record"] is None


def test_flags_that_do_not_go_together(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*PACK[:-2], "--recorded-by", "\x1b[1m"]) == 2
    assert "does not say who recorded the run" in capsys.readouterr().err
    assert main([*PACK, "--also", "source/index.json", "--also", "site.pub"]) == 0
    Path(NAME).write_text("{}")
    assert main([*PACK[:4], "again", "--record-in-bundle", "--also", NAME]) == 2
    assert f"two files in the bundle would have the name {NAME}" in capsys.readouterr().err
