"""--key demands a signature from whatever is read: what nobody signs is refused, and not even looked into."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from tests.unit.bundle.packing import pack
from transload.bundle.format.keys import PublicKey, Signature
from transload.cli.main import main
from transload.layout import LayoutStore
from transload.oci import Name
from transload.testing.images import image

KEY = PublicKey("ed25519", bytes(32))
GARBAGE = b"{" * 4096  # whoever parses this has an error of another kind
ONE = {Name("app/one", "v1"): image("one", (1000,))}


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder: a public key, and what is not signed, all of it unreadable."""
    pem = b"-----BEGIN PUBLIC KEY-----\n%s\n-----END PUBLIC KEY-----\n" % base64.b64encode(KEY.der)
    (tmp_path / "site.pub").write_bytes(pem)
    (tmp_path / "folder").mkdir()
    for name in ("folder/oci-layout", "folder/index.json", "rel.tar", "saved", "set.yaml", "rel.json"):
        (tmp_path / name).write_bytes(GARBAGE)
    monkeypatch.chdir(tmp_path)
    for name in ("HOME", "TRANSLOAD_STATE_DIR", "TRANSLOAD_CONFIG"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    return tmp_path


def told(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    capsys.readouterr()
    code = main(list(words))
    return code, capsys.readouterr().err


TO = ("--to", "127.0.0.1:1/nobody-listens")
SERVE = ("--listen", "127.0.0.1:0")
LOCAL = ("folder", "oci:folder", "rel.tar", "rel", "saved", "archive:rel.tar", "archive:saved", "bundle:rel")
REGISTRY = "registry.invalid/app"


@pytest.mark.parametrize(
    "words",
    [
        *(("push", store, *TO) for store in LOCAL),
        *(("list", store) for store in LOCAL),
        *(("extract", store) for store in LOCAL),
        *(("serve", store, *SERVE) for store in (*LOCAL, REGISTRY)),
        ("serve", "oci:folder", "--writable", *SERVE),
        *(("verify", store) for store in LOCAL),
        *(("verify", store, *TO) for store in LOCAL),
        *(("verify", store, *TO) for store in (REGISTRY, "arcdata", "set.yaml", "rel.json")),
        *(("verify", "--from", store, *TO) for store in ("oci:folder", "archive:rel.tar", "bundle:rel", REGISTRY)),
    ],
    ids=" ".join,
)
def test_what_nobody_signed_is_refused(desk: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]) -> None:
    code, err = told(capsys, *words, "--key", "site.pub")
    assert (code, "carries no signature" in err) == (7, True), err


@pytest.mark.parametrize("against", ["folder", "rel.tar", "rel", "saved", "rel.json"])
def test_nor_is_packed_against(desk: Path, capsys: pytest.CaptureFixture[str], against: str) -> None:
    (desk / "rel.tar").write_bytes(b"no tar")
    words = ("pack", REGISTRY, "-o", "new", "--against", against, "--against-key", "site.pub")
    code, err = told(capsys, *words)
    assert (code, "sign" in err) == (7, True), err


def test_nor_do_further_folders_help(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (desk / "rel.tar").rename(desk / "folder" / "rel.tar")
    code, err = told(capsys, "push", "rel", "--volumes", "folder", "--key", "site.pub", *TO)
    assert (code, "carries no signature" in err) == (7, True), err


def test_who_demands_it_is_told(
    desk: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (desk / "transload_config").write_text("key: site.pub\n")
    code, err = told(capsys, "push", "oci:folder", *TO)
    assert (code, "the configuration file demands one" in err) == (7, True), err
    monkeypatch.setenv("TRANSLOAD_KEY", "site.pub")
    code, err = told(capsys, "push", "oci:folder", *TO)
    assert (code, "TRANSLOAD_KEY demands one" in err) == (7, True), err


def test_a_key_that_is_a_default_keeps_no_command_from_a_registry(
    desk: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRANSLOAD_KEY", "site.pub")
    code, err = told(capsys, "verify", REGISTRY, *TO)
    assert (code, "signature" in err) == (5, False), err  # asked, and nobody listens there
    code, err = told(capsys, "verify", REGISTRY, *TO, "--key", "site.pub")
    assert (code, "--key demands one" in err) == (7, True), err


def test_a_signature_that_nobody_checked_is_told(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (desk / "rel.tar").unlink()
    pack(desk / "rel", ONE, sign=lambda _: Signature("ed25519", KEY.key_id, bytes(64)).encode())
    code, err = told(capsys, "verify", "rel")
    assert (code, f"{KEY.key_id} signed it, but this was not checked" in err) == (0, True), err
    LayoutStore(desk / "target", create=True)
    code, err = told(capsys, "push", "rel", "--to", "oci:target")
    assert (code, f"{KEY.key_id} signed it, but this was not checked" in err) == (0, True), err


def test_an_unsigned_bundle_makes_no_claim(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (desk / "rel.tar").unlink()
    pack(desk / "rel", ONE)
    assert "signed" not in told(capsys, "push", "rel", "--to", "oci:target")[1]
