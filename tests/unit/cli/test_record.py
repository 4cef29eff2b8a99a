"""--record: what a transfer record says, who signs it, and what is refused before the run."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

import transload
from transload.bundle.format.keys import parse_public_key
from transload.cli.main import main
from transload.errors import UsageError
from transload.layout import LayoutStore
from transload.oci import Digest
from transload.report.transferrecord import PREDICATE_TYPE, shown
from transload.testing.images import fill, image
from transload.trust import dsse, statement

ONE, TWO = image("one", (100, 200)), image("two", (300,))
KEYS: dict[str, ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey] = {
    "ed25519": ed25519.Ed25519PrivateKey.generate(),
    "p256": ec.generate_private_key(ec.SECP256R1()),
}


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    here = tmp_path / "alice"
    here.mkdir()
    monkeypatch.chdir(here)
    for name in ("HOME", "TRANSLOAD_STATE_DIR", "TRANSLOAD_CONFIG"):
        monkeypatch.setenv(name, str(here / name.lower()))
    store = LayoutStore(here / "source", create=True)
    fill(store, ONE, "app/one", "1")
    fill(store, TWO, "app/two", "2")
    for name, key in KEYS.items():
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        (here / f"{name}.key").write_bytes(pem)
    return here


def recorded(desk: Path, *words: str, name: str = "record.json", code: int = 0) -> dict[str, Any]:
    assert main([*words, "--record", name]) == code
    document: dict[str, Any] = json.loads((desk / name).read_bytes())
    return document


def test_a_record_says_what_arrived(desk: Path) -> None:
    words = ("mirror", "--from", f"oci:{desk}/source", "--to", f"oci:{desk}/far", "--run-id", "r1")
    document = recorded(desk, *words, "--recorded-by", "Site A, desk 4")
    assert document["_type"] == "https://in-toto.io/Statement/v1"
    assert document["predicateType"] == PREDICATE_TYPE
    assert document["subject"] == [
        {"name": "app/one:1", "digest": {"sha256": ONE.digest.encoded}},
        {"name": "app/two:2", "digest": {"sha256": TWO.digest.encoded}},
    ]
    run = document["predicate"]
    assert (run["runId"], run["recordedBy"], run["sources"], run["target"]) == (
        *("r1", "Site A, desk 4"),
        *(["oci:source"], "oci:far"),
    )
    assert run["startedOn"] <= run["finishedOn"]
    assert run["tool"] == {"name": "transload", "version": transload.__version__}
    assert run["bytes"]["copied"] == sum(shared["bytesCopied"] for shared in run["images"]) > 600
    assert run["checks"][0]["name"] == "content-digests"
    assert [entry["status"] for entry in run["images"]] == ["copied", "copied"]
    assert run["images"][0]["source"] == "oci:source/app/one:1"


def test_a_run_that_copied_nothing_has_checked_no_content(desk: Path) -> None:
    words = ("mirror", "--from", "oci:source", "--to", "oci:far")
    assert [recorded(desk, *words)["predicate"]["checks"][0]["result"] for _ in range(2)] == ["passed", "not-made"]


def test_its_plan_digest_is_that_of_the_saved_plan(desk: Path) -> None:
    assert main(["plan", "--from", "oci:source", "--to", "oci:far", "-o", "plan.json"]) == 0
    run = recorded(desk, "mirror", "--from", "oci:source", "--to", "oci:far")["predicate"]
    assert run["plan"]["digest"] == {"sha256": Digest.of((desk / "plan.json").read_bytes()).encoded}


def test_nothing_of_this_machine_is_in_it_unasked(desk: Path) -> None:
    recorded(desk, "mirror", "--from", f"oci:{desk}/source", "--to", f"oci:{desk}/far")
    assert b"alice" not in (content := (desk / "record.json").read_bytes())
    assert b"recordedBy" not in content


def test_what_is_there_already_is_recorded_as_that(desk: Path) -> None:
    words = ("mirror", "--from", "oci:source", "--to", "oci:far")
    recorded(desk, *words)
    run = recorded(desk, *words)["predicate"]  # the file of the first run is replaced
    assert [entry["status"] for entry in run["images"]] == ["unchanged", "unchanged"]
    assert run["bytes"]["copied"] == 0


def test_an_image_that_failed_is_no_subject(desk: Path) -> None:
    words = ("mirror", "app/one:1", "app/none:9", "--from", "oci:source", "--to", "oci:far")
    document = recorded(desk, *words, code=1)
    assert [subject["name"] for subject in document["subject"]] == ["app/one:1"]
    assert document["predicate"]["images"][1] == {
        "name": "app/none:9",
        "source": "oci:source/app/none:9",
        "status": "missing",
        "bytesCopied": 0,
        "problem": "manifest-unknown",
    }


def test_without_an_image_there_is_no_record(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["mirror", "app/none:1", "--from", "oci:source", "--to", "oci:far", "--record", "record.json"]
    assert main(words) != 0
    assert not (desk / "record.json").exists()
    assert "no transfer record was written: no image is at the target" in capsys.readouterr().err


def test_what_gates_said_is_in_it_without_their_words(desk: Path) -> None:
    gate = "/bin/sh -c 'case $0 in *) test -d $0;; esac' {image}"
    words = ("mirror", "app/one:1", "--from", "oci:source", "--to", "oci:far", "--gate", gate)
    (check,) = [check for check in recorded(desk, *words)["predicate"]["checks"] if check["name"] == "gate"]
    assert (check["result"], check["by"], check["image"]) == ("passed", "sh", "app/one:1")
    assert check["detail"].startswith("exit code 0")
    assert b"test -d" not in (desk / "record.json").read_bytes()


@pytest.mark.parametrize("kind", KEYS)
def test_a_signed_record_is_an_envelope_that_the_key_proves(desk: Path, kind: str) -> None:
    key = KEYS[kind]
    recorded(desk, "mirror", "--from", "oci:source", "--to", "oci:far", "--sign-key", f"{kind}.key")
    envelope = dsse.decode((desk / "record.json").read_bytes())
    public = parse_public_key(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    assert envelope.payload_type == "application/vnd.in-toto+json"
    assert envelope.signatures[0].key_id == public.key_id
    assert public.verify(envelope.signed_bytes, envelope.signatures[0].value)
    assert statement.decode(envelope.payload).is_about(ONE.digest)


def test_pack_and_push_write_one_too(desk: Path) -> None:
    packed = recorded(desk, "pack", "--from", "oci:source", "-o", "rel", "--sign-key", "p256.key", name="pack.json")
    run = json.loads(statement_bytes(packed))["predicate"]
    assert run["target"] == "bundle:rel"
    assert run["plan"]["digest"]["sha256"] in (desk / "rel.tar").read_bytes().decode("latin-1")  # the ledger's
    key = KEYS["p256"].public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (desk / "key.pub").write_bytes(key)
    pushed = recorded(desk, "push", f"{desk}/rel", "--to", "oci:far", "--key", "key.pub", name="push.json")
    run = pushed["predicate"]
    assert run["checks"][1] == {
        "name": "bundle-signature",
        "result": "passed",
        "by": parse_public_key(key).key_id,
    }
    assert run["images"][0]["source"] == "bundle:rel/app/one:1"
    assert b"alice" not in (desk / "push.json").read_bytes()
    unchecked = recorded(desk, "push", "rel", "--to", "oci:far", name="push.json")["predicate"]
    assert unchecked["checks"][1] == {"name": "bundle-signature", "result": "not-made"}


def statement_bytes(document: dict[str, Any]) -> bytes:
    return dsse.decode(json.dumps(document).encode()).payload


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("--recorded-by", "me"), 2, "--recorded-by without --record has no effect"),
        (("--sign-key", "p256.key"), 2, "--sign-key without --record or --gate has no effect"),
        (("--sign-command", "true"), 2, "--sign-command without --record or --gate has no effect"),
        (("--public-key", "x.pub"), 2, "--public-key without --record or --gate has no effect"),
        (("--record", "r.json", "--recorded-by", " "), 2, "does not say who recorded the run"),
        (("--record", "r.json", "--recorded-by", "a\x1b[1m"), 2, "does not say who recorded the run"),
        (("--record", "r.json", "--recorded-by", "a" * 201), 2, "does not say who recorded the run"),
        (("--record", "r.json", "--to", "oci:more"), 2, "--record is for one target"),
        (("--record", "no/r.json"), 8, "there is no folder"),
        (("--record", "/dev/null"), 2, "let the name end in .json"),
        (("--record", "-"), 2, "let the name end in .json"),
        (("--record", "p256.key", "--sign-key", "p256.key"), 2, "let the name end in .json"),
        (("--record", "source.tar"), 2, "let the name end in .json"),
        (("--record", "source"), 2, "source"),
        (("--record", "r.json", "--sign-key", "source/index.json"), 2, "is not a private key"),
    ],
)
def test_what_cannot_be_is_said_before_the_run(
    desk: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], code: int, message: str
) -> None:
    assert main(["mirror", "--from", "oci:source", "--to", "oci:far", *words]) == code
    assert message in capsys.readouterr().err
    assert not (desk / "far").exists()


def test_the_library_writes_the_same(desk: Path) -> None:
    transload.mirror(to="oci:far", origin="oci:source", record="r.json", recorded_by="me", sign_key="ed25519.key")
    said = statement.decode(dsse.decode((desk / "r.json").read_bytes()).payload)
    assert said.predicate["recordedBy"] == "me"
    assert said.is_about(TWO.digest)
    with pytest.raises(UsageError, match="sign_key without record"):
        transload.mirror(to="oci:far", origin="oci:source", sign_key="ed25519.key")
    with pytest.raises(UsageError, match="recorded_by without record"):
        transload.pack((), "rel", origin="oci:source", recorded_by="me")
    with pytest.raises(UsageError, match="record is for one target"):
        transload.mirror(to=["oci:far", "oci:more"], origin="oci:source", record="r.json")


@pytest.mark.parametrize(
    ("locator", "name"),
    [
        ("registry.example:5000", "registry.example:5000"),
        ("oci:5000", "oci:5000"),
        ("oci:.", "oci:."),
        ("oci:C:\\Users\\alice\\out", "oci:out"),
        ("bundle:/media/alice/rel", "bundle:rel"),
        ("charts:https://charts.example/x", "charts:https://charts.example/x"),
        ("docker:", "docker:"),
    ],
)
def test_a_store_is_named_without_its_folders(locator: str, name: str) -> None:
    assert shown(locator) == name


def program(desk: Path, key: str) -> str:
    """A signer as a site has one: a program that signs its input; here openssl's words for it, in Python."""
    (desk / "signer.py").write_text(
        "import sys\n"
        "from cryptography.hazmat.primitives.serialization import load_pem_private_key\n"
        f"key = load_pem_private_key(open({key!r}, 'rb').read(), None)\n"
        "sys.stdout.buffer.write(key.sign(sys.stdin.buffer.read()))\n"
    )
    return f"{sys.executable} {desk / 'signer.py'}"


def public(desk: Path, kind: str) -> Path:
    pem = KEYS[kind].public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    path = desk / f"{kind}.pub"
    path.write_bytes(pem)
    return path


@pytest.mark.parametrize("command", ["mirror", "push", "apply"])
def test_a_program_signs_the_record_of_each_command(desk: Path, command: str) -> None:
    assert main(["pack", "--from", "oci:source", "-o", "rel"]) == 0
    assert main(["plan", "--from", "oci:source", "--to", "oci:far", "-o", "plan.json"]) == 0
    words = {
        "mirror": ["mirror", "--from", "oci:source", "--to", "oci:far"],
        "push": ["push", "rel", "--to", "oci:far"],
        "apply": ["apply", "plan.json"],
    }[command]
    key = public(desk, "ed25519")
    signing = ("--sign-command", program(desk, str(desk / "ed25519.key")), "--public-key", str(key))
    envelope = dsse.decode(json.dumps(recorded(desk, *words, *signing, "--record-at-target")).encode())
    proving = parse_public_key(key.read_bytes())
    assert proving.verify(envelope.signed_bytes, envelope.signatures[0].value)
    assert statement.decode(envelope.payload).is_about(ONE.digest)
    for repository, tag in (("app/one", "1"), ("app/two", "2")):
        assert main(["history", f"{repository}:{tag}", "--from", "oci:far", "--public-key", str(key)]) == 0


def test_apply_writes_the_record_of_its_plan(desk: Path) -> None:
    assert main(["plan", "--from", "oci:source", "--to", "oci:far", "-o", "plan.json"]) == 0
    run = recorded(desk, "apply", "plan.json", "--recorded-by", "Desk 4")["predicate"]
    assert run["plan"]["digest"] == {"sha256": Digest.of((desk / "plan.json").read_bytes()).encoded}
    assert run["recordedBy"] == "Desk 4"


def test_a_run_that_is_repeated_for_a_record_is_repeated_whole(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("mirror", "app/one:1", "app/none:9", "--from", "oci:source", "--to", "oci:far", "--recorded-by", "me")
    recorded(desk, *words, "--sign-key", "p256.key", code=1)
    printed = "".join(capsys.readouterr())
    assert "--record record.json --recorded-by me --sign-key p256.key" in printed
    assert "--image" not in printed  # the record of one image would replace that of both
