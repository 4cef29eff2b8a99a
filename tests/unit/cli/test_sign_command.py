"""--sign-command: another program signs, and nothing is written before its signature is found to be right."""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import transload
from transload import KeyInvalid, LocalError, UsageError
from transload.app.settings import read_environment
from transload.app.signing import command_signer
from transload.bundle import BundleStore
from transload.cli.main import main
from transload.layout import LayoutStore
from transload.testing.images import fill, image

Told = Callable[..., tuple[int, str, str]]
OPENSSL = {
    "ed25519": "f=$(mktemp) && cat >$f && openssl pkeyutl -sign -rawin -inkey ed25519.key -in $f; c=$?; rm $f; exit $c",
    "ecdsa-p256": "openssl dgst -sha256 -sign ecdsa-p256.key",
}
COUNTED = "echo x >>calls; "
"""Each call of the program adds a line to a file."""


@pytest.fixture(autouse=True)
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder: an image in a folder, and a pair of keys of each kind."""
    monkeypatch.chdir(tmp_path)
    for name in ("HOME", "TRANSLOAD_STATE_DIR", "TRANSLOAD_CONFIG"):
        monkeypatch.setenv(name, str(tmp_path / f".{name.lower()}"))
    fill(LayoutStore(tmp_path / "folder", create=True), image("one", (1_500_000,)), "app/one", "v1")
    for algorithm in OPENSSL:
        transload.make_key(algorithm, passphrase=None, algorithm=algorithm)  # type: ignore[arg-type]
    return tmp_path


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str]) -> Told:
    def run(*words: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main(list(words))
        out, err = capsys.readouterr()
        return code, out, err

    return run


def pack(told: Told, line: str, key: str = "ed25519.pub", *more: str) -> tuple[int, str, str]:
    return told("pack", "--from", "oci:folder", "-o", "b", "--sign-command", line, "--public-key", key, *more)


def shell(line: str) -> str:
    assert "'" not in line
    return f"sh -c '{line}'"


def written() -> list[str]:
    return sorted(path.name for path in Path().glob("b*"))


def calls() -> int:
    return len(Path("calls").read_text().splitlines())


@pytest.mark.parametrize("encoded", ["", " | base64"])
@pytest.mark.parametrize("algorithm", OPENSSL)
def test_openssl_signs_a_bundle(told: Told, algorithm: str, encoded: str) -> None:
    line = shell(f"({OPENSSL[algorithm]}){encoded}")
    code, _, err = pack(told, line, f"{algorithm}.pub")
    assert (code, err.count("error")) == (0, 0), err
    assert BundleStore("b", verifier=transload.load_public_key(Path(f"{algorithm}.pub"))).verified
    assert told("verify", "b", "--key", f"{algorithm}.pub")[0] == 0


@pytest.mark.parametrize("more", [(), ("--volume-size", "1MiB"), ("--volume-count", "2"), ("--recovery", "1")])
@pytest.mark.parametrize("algorithm", OPENSSL)
def test_the_program_signs_once_and_a_finished_bundle_is_known_again(
    told: Told, algorithm: str, more: tuple[str, ...]
) -> None:
    """openssl signs differently each time with ECDSA. What is there with a good signature is not signed again."""
    for _ in range(2):
        code, _, err = pack(told, shell(COUNTED + OPENSSL[algorithm]), f"{algorithm}.pub", *more)
        assert code == 0, err
        assert calls() == 1
    assert told("verify", "b", "--key", f"{algorithm}.pub")[0] == 0


def test_an_interrupted_bundle_is_finished_with_another_signature(told: Told) -> None:
    line = shell(OPENSSL["ecdsa-p256"])
    code, _, err = pack(told, line, "ecdsa-p256.pub", "--max-bytes", "1KB")
    assert code == 10, err
    assert "b.partial.journal" in written()
    code, _, err = pack(told, line, "ecdsa-p256.pub")
    assert code == 0, err
    assert told("verify", "b", "--key", "ecdsa-p256.pub")[0] == 0


def test_an_inventory_is_signed(told: Told) -> None:
    line = shell(OPENSSL["ed25519"])
    words = ["inventory", "oci:folder", "-o", "site.json"]
    code, out, _ = told(*words, "--sign-command", line, "--public-key", "ed25519.pub", "--output", "json")
    key = transload.load_public_key(Path("ed25519.pub"))
    assert (code, json.loads(out.splitlines()[-1])["signed_by"]) == (0, key.key_id)
    signature = json.loads(Path("site.json.sig").read_bytes())
    assert key.verify(Path("site.json").read_bytes(), base64.b64decode(signature["signature"]))
    before = Path("site.json").read_bytes()
    fill(LayoutStore(Path("folder")), image("two", (1000,)), "app/two", "v1")
    assert told(*words, "--sign-command", "false", "--public-key", "ed25519.pub")[0] == 8
    assert Path("site.json").read_bytes() == before


@pytest.mark.parametrize(
    ("line", "code", "sentence"),
    [
        ("false", 8, "false did not sign: it ended with exit code 1"),
        (shell("echo no card in the reader >&2; exit 3"), 8, "exit code 3: no card in the reader"),
        (shell("kill -9 $$"), 8, "signal 9"),
        ("true", 2, "true wrote no signature"),
        ("echo", 2, "echo wrote no signature"),
        ("cat", 2, "what cat wrote is no signature by the key sha256:"),
        ("yes", 8, "yes did not sign: it was ended, since it wrote more than 64 KiB"),
        (shell("yes >&2"), 8, "more than 64 KiB"),
        ("head -c 64 /dev/zero", 2, "what head wrote is no signature by the key sha256:"),
        ("echo c2lnbmF0dXJl", 2, "what echo wrote is no signature by the key sha256:"),
        (shell(OPENSSL["ecdsa-p256"]), 2, "is no signature by the key sha256:"),
        ("nowhere/program", 8, "there is no program 'nowhere/program'"),
        ("", 2, "it is empty"),
        (" ", 2, "--sign-command is empty"),
        ("sh -c 'cat", 2, "close the quotes"),
        ("cat | base64", 2, "no shell reads it"),
    ],
)
def test_a_program_that_does_not_sign(told: Told, line: str, code: int, sentence: str) -> None:
    ended, out, err = pack(told, line)
    assert (ended, written()) == (code, [])
    assert sentence in " ".join(err.split())
    assert "Traceback" not in out + err


def test_a_program_that_hangs_is_ended() -> None:
    signer = command_signer("sleep 600", Path("ed25519.pub"), read_environment(), timeout_s=0.2)
    with pytest.raises(LocalError, match="ended after 0.2 s"):
        signer(b"ledger")


def test_a_program_that_does_not_read_what_it_gets_is_not_waited_for() -> None:
    signer = command_signer("true", Path("ed25519.pub"), read_environment())
    with pytest.raises(KeyInvalid, match="wrote no signature"):
        signer(bytes(10 << 20))


def test_passwords_of_ours_are_not_in_its_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TRANSLOAD_SIGN_PASSPHRASE", "TRANSLOAD_NEW_PASSPHRASE", "TRANSLOAD_TARGET_PASSWORD"):
        monkeypatch.setenv(name, "secret")
    signer = command_signer(shell("env >seen; false"), Path("ed25519.pub"), read_environment())
    with pytest.raises(LocalError):
        signer(b"ledger")
    assert "secret" not in Path("seen").read_text()


def test_ctrl_c_in_the_program_is_an_interruption(told: Told) -> None:
    code, _, err = pack(told, shell("kill -INT $$"))
    assert (code, written()) == (130, [])
    assert "interrupted" in err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--sign-command", "cat"], "--sign-command needs the public key"),
        (["--public-key", "ed25519.pub"], "--public-key without --sign-command has no effect"),
        (
            ["--sign-key", "ed25519.key", "--sign-command", "cat", "--public-key", "ed25519.pub"],
            "--sign-key and --sign-command are two ways to sign",
        ),
        (["--sign-command", "cat", "--public-key", "ed25519.key"], "is not a public key"),
        (["--sign-command", "cat", "--public-key", "missing"], "there is no file missing"),
    ],
)
@pytest.mark.parametrize("verb", [("pack", "--from", "oci:folder", "-o", "b"), ("inventory", "oci:folder", "-o", "b")])
def test_flags_that_contradict_each_other(told: Told, verb: tuple[str, ...], words: list[str], sentence: str) -> None:
    code, _, err = told(*verb, *words)
    assert code in {2, 8}
    assert written() == []
    assert sentence in " ".join(err.split())


def test_a_written_way_to_sign_goes_before_a_default(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRANSLOAD_SIGN_COMMAND", "false")
    monkeypatch.setenv("TRANSLOAD_PUBLIC_KEY", "ecdsa-p256.pub")
    assert told("pack", "--from", "oci:folder", "-o", "b", "--sign-key", "ed25519.key")[0] == 0
    assert BundleStore("b", verifier=transload.load_public_key(Path("ed25519.pub"))).verified


def test_the_library_signs_so_too() -> None:
    line = shell(OPENSSL["ecdsa-p256"])
    transload.pack((), "b", origin="oci:folder", sign_command=line, public_key="ecdsa-p256.pub")
    assert BundleStore("b", verifier=transload.load_public_key(Path("ecdsa-p256.pub"))).verified
    for wrong in ({"sign_command": line}, {"public_key": "ed25519.pub"}):
        with pytest.raises(UsageError, match="belong together"):
            transload.pack((), "c", origin="oci:folder", **wrong)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="two ways"):
        transload.pack(
            (), "c", origin="oci:folder", sign_key="ed25519.key", sign_command=line, public_key="ed25519.pub"
        )


def test_the_program_is_not_started_through_a_shell(told: Told) -> None:
    script = Path("signer.py")
    script.write_text("import sys; sys.exit(f'{len(sys.argv)} words: {sys.argv[1:]}')")
    code, _, err = pack(told, f"{sys.executable} signer.py '$HOME' '*' \"; touch b\"")
    assert (code, written()) == (8, [])
    assert "4 words: ['$HOME', '*', '; touch b']" in " ".join(err.split())
