"""`transload keys`, and the same for programs: pairs are made, shown, and given another passphrase."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pexpect
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

import transload
from transload import FileExists, KeyInvalid, UsageError
from transload.app.keyfiles import change_passphrase
from transload.bundle.format import newkeys
from transload.cli.main import main

PASSPHRASE, OTHER = "pässword one", "another"
ALGORITHMS = ("ed25519", "ecdsa-p256")


@pytest.fixture(autouse=True)
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    for name in ("HOME", "TRANSLOAD_STATE_DIR", "TRANSLOAD_CONFIG"):
        monkeypatch.setenv(name, str(tmp_path / f".{name.lower()}"))
    monkeypatch.delenv("TRANSLOAD_SIGN_PASSPHRASE", raising=False)
    umask = os.umask(0)  # which takes nothing away from a file that is made carelessly
    yield tmp_path
    os.umask(umask)


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    def run(*words: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main(["keys", *words])
        out, err = capsys.readouterr()
        return code, out, err

    return run


Told = Callable[..., tuple[int, str, str]]


def files() -> set[str]:
    return {path.name for path in Path().iterdir() if not path.name.startswith(".")}


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("passphrase", [None, PASSPHRASE])
def test_a_pair_is_what_openssl_reads_and_signs_with(
    told: Told, monkeypatch: pytest.MonkeyPatch, algorithm: str, passphrase: str | None
) -> None:
    if passphrase:
        monkeypatch.setenv("TRANSLOAD_SIGN_PASSPHRASE", passphrase)
    code, out, err = told("make", "site", "--algorithm", algorithm, *([] if passphrase else ["--no-passphrase"]))
    key = transload.load_public_key(Path("site.pub"))
    assert (code, err, files()) == (0, "", {"site.key", "site.pub"})
    assert key.key_id in out
    assert key.algorithm == algorithm
    assert PASSPHRASE not in out
    assert stat.S_IMODE(Path("site.key").stat().st_mode) == 0o600
    assert (
        Path("site.key")
        .read_bytes()
        .startswith(b"-----BEGIN ENCRYPTED PRIVATE KEY-----" if passphrase else b"-----BEGIN PRIVATE KEY-----")
    )
    secret = ["-passin", f"pass:{passphrase}"] if passphrase else []
    made = subprocess.run(["openssl", "pkey", "-in", "site.key", "-pubout", *secret], capture_output=True, check=True)
    assert made.stdout == Path("site.pub").read_bytes()
    signer = transload.load_private_key(Path("site.key"), lambda: passphrase or "")
    assert (signer.key_id, key.verify(b"bytes", signer.sign(b"bytes"))) == (key.key_id, True)


def test_a_passphrase_costs_whoever_guesses_it_many_rounds(monkeypatch: pytest.MonkeyPatch, told: Told) -> None:
    monkeypatch.setenv("TRANSLOAD_SIGN_PASSPHRASE", PASSPHRASE)
    told("make", "site")
    parsed = subprocess.run(["openssl", "asn1parse", "-in", "site.key"], capture_output=True, text=True, check=True)
    assert newkeys.ROUNDS == 600_000
    assert f"{newkeys.ROUNDS:06X}" in parsed.stdout
    assert all(name in parsed.stdout for name in (":PBES2", ":PBKDF2", ":hmacWithSHA256", ":aes-256-cbc"))


@pytest.mark.parametrize("there", ["site.key", "site.pub"])
@pytest.mark.parametrize("kind", ["file", "link", "folder", "pipe"])
def test_nothing_is_overwritten(told: Told, there: str, kind: str) -> None:
    path = Path(there)
    if kind == "file":
        path.write_text("old")
    elif kind == "link":
        path.symlink_to("nowhere")
    elif kind == "folder":
        path.mkdir()
    else:
        os.mkfifo(path)
    code, out, err = told("make", "site", "--no-passphrase")
    assert (code, out, files()) == (7, "", {there})
    assert err.startswith(f"error: {there} exists already")
    with pytest.raises(FileExists):
        transload.make_key("site.key", passphrase=None)


def test_a_folder_that_is_not_there_or_cannot_be_written(told: Told) -> None:
    assert told("make", "nowhere/site", "--no-passphrase")[0] == 8
    code, _, err = told("make", "/proc/site", "--no-passphrase")
    assert (code, files()) == (8, set())
    assert err.startswith("error: ")


def test_a_pair_whose_second_file_cannot_be_written_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """As when the disk is full after the first file."""
    program = (
        "import resource, transload; resource.setrlimit(resource.RLIMIT_FSIZE, (125, 125));"
        "import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "transload.make_key('site', passphrase=None, algorithm='ecdsa-p256')"
    )
    for limit in (50, 125, 245):  # in the private key (241 bytes), and after it
        done = subprocess.run(
            [sys.executable, "-c", program.replace("125", str(limit))], capture_output=True, text=True, check=False
        )
        if limit > 241:
            assert (done.returncode, files()) == (0, {"site.key", "site.pub"})
        else:
            assert "LocalError" in done.stderr
            assert files() == set()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["make"], "Missing argument"),
        (["made", "site"], "'made' is not one of"),
        (["make", "a", "b", "--no-passphrase"], "keys make takes one name"),
        (["make", ".key", "--no-passphrase"], "is no name for a pair of keys"),
        (["make", ""], "it is empty"),
        (["make", "a"], "no terminal"),
        (["make", "a", "--algorithm", "rsa"], "'rsa' is not one of"),
        (["show", "a", "--algorithm", "ed25519"], "--algorithm has no effect with keys show"),
        (["show", "a", "--no-passphrase"], "--no-passphrase has no effect with keys show"),
        (["passphrase", "a", "b"], "keys passphrase takes one name"),
    ],
)
def test_wrong_lines_are_refused_in_a_sentence(told: Told, words: list[str], sentence: str) -> None:
    code, out, err = told(*words)
    assert (code, out, files()) == (2, "", set())
    assert sentence in " ".join(err.split())


@pytest.mark.parametrize("passphrase", ["", "x" * 1024])
def test_passphrases_that_protect_nothing_or_that_openssl_cannot_take(
    told: Told, monkeypatch: pytest.MonkeyPatch, passphrase: str
) -> None:
    monkeypatch.setenv("TRANSLOAD_SIGN_PASSPHRASE", passphrase)
    code, _, err = told("make", "site")
    assert (code, files()) == (2, set())
    assert err.startswith("error: the passphrase ")


def test_a_passphrase_in_no_encoding_is_taken_as_its_bytes(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRANSLOAD_SIGN_PASSPHRASE", b"\xff\xfe".decode("utf-8", "surrogateescape"))
    assert told("make", "site")[0] == 0
    load_pem_private_key(Path("site.key").read_bytes(), b"\xff\xfe")
    assert told("show", "site.key")[0] == 0


def test_both_files_show_the_same_fingerprint(told: Told) -> None:
    transload.make_key("site", passphrase=None)
    fingerprint = transload.load_public_key(Path("site.pub")).key_id
    code, out, _ = told("show", "site.key", "site.pub")
    assert (code, out.splitlines()) == (
        0,
        [f"site.key: private key, ed25519 {fingerprint}", f"site.pub: public key, ed25519 {fingerprint}"],
    )
    _, out, _ = told("show", "site.pub", "--output", "json")
    shown = {"file": "site.pub", "kind": "public", "algorithm": "ed25519", "fingerprint": fingerprint}
    assert json.loads(out.splitlines()[-1])["keys"] == [shown]


def foreign_files() -> dict[str, bytes]:
    key = rsa.generate_private_key(65537, 2048)
    return {
        "junk": b"junk",
        "empty": b"",
        "rsa": key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        "half": b"-----BEGIN PRIVATE KEY-----\nAAAA\n",
        "large": b"-----BEGIN PRIVATE KEY-----\n" + b"A" * 1_000_000,
    }


@pytest.mark.parametrize("kind", foreign_files())
def test_files_that_are_no_key(told: Told, kind: str) -> None:
    content = foreign_files()[kind]
    Path("file").write_bytes(content)
    for action in ("show", "passphrase"):
        code, out, err = told(action, "file")
        assert (code, out) == (2, "")
        assert err.startswith("error: file")
        assert err.count("\n") <= 2
    assert Path("file").read_bytes() == content


def test_what_is_no_file(told: Told) -> None:
    os.mkfifo("pipe")
    Path("circle").symlink_to("circle")
    for action in ("show", "passphrase"):
        assert told(action, "missing")[0] == 8
        assert told(action, "pipe")[0] == 8
        assert told(action, "circle")[0] == 8
        assert told(action, ".")[0] == 2  # said by click


def changed(monkeypatch: pytest.MonkeyPatch, old: str, new: str) -> None:
    monkeypatch.setenv("TRANSLOAD_SIGN_PASSPHRASE", old)
    monkeypatch.setenv("TRANSLOAD_NEW_PASSPHRASE", new)


def test_a_passphrase_is_changed_and_removed(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    pair = transload.make_key("site", passphrase=lambda: PASSPHRASE)
    pair.private.chmod(0o640)
    changed(monkeypatch, PASSPHRASE, OTHER)
    code, out, _ = told("passphrase", "site.key", "--output", "json")
    document = json.loads(out.splitlines()[-1])
    assert (code, document["event"], document["fingerprint"]) == (0, "key-changed", pair.key.key_id)
    assert stat.S_IMODE(pair.private.stat().st_mode) == 0o640
    load_pem_private_key(pair.private.read_bytes(), OTHER.encode())
    code, _, err = told("passphrase", "site.key")
    assert (code, err) == (2, "error: the passphrase of site.key is wrong\n")
    monkeypatch.setenv("TRANSLOAD_SIGN_PASSPHRASE", OTHER)
    assert told("passphrase", "site.key", "--no-passphrase")[0] == 0
    assert transload.read_key("site.key").key == pair.key
    assert told("passphrase", "site.key")[0] == 0  # a key without gets one
    with pytest.raises(KeyInvalid, match="none was given"):
        transload.read_key("site.key")


def test_a_link_is_followed(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    transload.make_key("site", passphrase=lambda: PASSPHRASE)
    Path("link").symlink_to("site.key")
    changed(monkeypatch, PASSPHRASE, OTHER)
    assert told("passphrase", "link")[0] == 0
    assert Path("link").is_symlink()
    load_pem_private_key(Path("site.key").read_bytes(), OTHER.encode())


def test_the_openssh_format_is_left_to_its_own_program(told: Told) -> None:
    pair = transload.make_key("site", passphrase=None)
    key = load_pem_private_key(pair.private.read_bytes(), None)
    pair.private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))
    code, _, err = told("passphrase", "site.key", "--no-passphrase")
    assert code == 2
    assert "hint: ssh-keygen -p -f site.key" in err
    assert told("show", "site.key")[0] == 0


def test_sec1_becomes_pkcs8(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    pair = transload.make_key("site", passphrase=None, algorithm="ecdsa-p256")
    key = load_pem_private_key(pair.private.read_bytes(), None)
    locked = BestAvailableEncryption(PASSPHRASE.encode())
    pair.private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, locked))
    changed(monkeypatch, PASSPHRASE, OTHER)
    assert told("passphrase", "site.key")[0] == 0
    assert transload.read_key("site.key", passphrase=lambda: OTHER).key == pair.key


def test_what_goes_wrong_leaves_the_old_file() -> None:
    pair = transload.make_key("site", passphrase=lambda: PASSPHRASE)
    before = pair.private.read_bytes()

    def interrupted() -> str:
        raise KeyboardInterrupt

    for new in (interrupted, lambda: "", lambda: "x" * 2000):
        with pytest.raises((KeyboardInterrupt, UsageError)):
            change_passphrase(pair.private, lambda: PASSPHRASE, new)
    assert pair.private.read_bytes() == before
    assert files() == {"site.key", "site.pub"}


def test_programs_name_the_parameter_that_is_wrong() -> None:
    with pytest.raises(TypeError, match="passphrase must be a function"):
        transload.make_key("site", passphrase="secret")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="new must be a function"):
        transload.change_passphrase("site.key", new="secret")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="algorithm"):
        transload.make_key("site", passphrase=None, algorithm="rsa")  # type: ignore[arg-type]
    assert files() == set()


# --- at a terminal


def terminal(*words: str) -> pexpect.spawn[str]:
    return pexpect.spawn(sys.executable, ["-m", "transload", "keys", *words], encoding="utf-8", timeout=60)


def test_a_passphrase_is_asked_for_twice_and_not_shown() -> None:
    screen = terminal("make", "site")
    for prompt, answer in [("New passphrase of site.key: ", "one"), ("The same again: ", "two")]:
        screen.expect_exact(prompt)
        screen.sendline(answer)
    screen.expect_exact("these two differ")
    for prompt in ("New passphrase of site.key: ", "The same again: "):
        screen.expect_exact(prompt)
        screen.sendline("correct")
    screen.expect(pexpect.EOF)
    assert "correct" not in (screen.before or "")
    screen.close()
    assert screen.exitstatus == 0
    assert transload.read_key("site.key", passphrase=lambda: "correct").kind == "private"


@pytest.mark.parametrize("ending", ["\x03", "\x04", "closed"])
def test_a_question_that_is_not_answered_leaves_nothing(ending: str) -> None:
    screen = terminal("make", "site")
    screen.expect_exact("New passphrase of site.key: ")
    if ending == "closed":
        screen.close(force=False)
    else:
        screen.send(ending)
        screen.expect(pexpect.EOF)
        screen.close()
        assert screen.exitstatus == 130
    if screen.isalive():
        screen.kill(signal.SIGKILL)
    assert files() == set()
