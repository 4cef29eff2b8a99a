"""Who made it, and whether it is still that: keys on the command line, and every kind of tampering refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pexpect
import pytest

from tests.real.airgap import ONE, RELEASE, THREE, pack, vendor, volumes, write_key
from tests.real.servers import Registry
from tests.real.vendor import Shell, command, held, store_at
from transload.bundle import BundleStore
from transload.bundle.format.blueprint import starts
from transload.oci import Digest
from transload.testing.images import signature


@pytest.fixture
def signed(shell: Shell, tmp_path: Path) -> Path:
    """The release, signed, in one file."""
    write_key(tmp_path / "site.key")
    with vendor() as source:
        pack(shell, *map(source, RELEASE), "-o", "signed", "--sign-key", "site.key")
    return tmp_path / "signed.tar"


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa"])
@pytest.mark.parametrize("openssh", [False, True])
def test_signed_and_verified(shell: Shell, registry: Registry, tmp_path: Path, kind: str, openssh: bool) -> None:
    public = write_key(tmp_path / "k", kind, openssh=openssh)  # type: ignore[arg-type]
    words = ("-o", "b", "--sign-key", "k")
    with vendor(images={"app/one:v1": ONE}) as source:
        ran = pack(shell, source("app/one:v1"), *words)
        assert pack(shell, source("app/one:v1"), *words).out.startswith("nothing to do")
    assert "signed:   by sha256:" in ran.out
    listed = shell("list", "b", "--key", public.name)
    assert "(verified)" in listed.out
    assert "(not verified, give the key with --key)" in shell("list", "b").out
    checked = shell("verify", "b", "--key", public.name)
    assert (checked.code, "1 image: all proved (every blob read and hashed)" in checked.out) == (0, True)
    prefix = f"{kind}-{str(openssh).lower()}"
    assert shell("push", "b", "--key", public.name, "--to", f"{registry.host}/{prefix}").code == 0
    assert held(registry, prefix) == {"app/one:v1"}


@pytest.mark.parametrize("verb", ["push", "verify", "list", "extract", "serve"])
def test_with_a_key_a_stranger_is_refused(shell: Shell, signed: Path, registry: Registry, verb: str) -> None:
    write_key(signed.with_name("other.key"))
    more = {"push": ("--to", f"{registry.host}/refused-{verb}"), "serve": ("--listen", "127.0.0.1:0")}.get(verb, ())
    foreign = shell(verb, "signed", "--key", "other.key.pub", *more)
    assert foreign.code == 7
    assert "error: the bundle is signed with the key sha256:" in foreign.err
    with vendor() as source:
        pack(shell, source("app/one:v1"), "-o", "bare")
    unsigned = shell(verb, "bare", "--key", "site.key.pub" if signed.with_name("site.key.pub").exists() else "", *more)
    assert unsigned.code == 7
    assert "error: the bundle is not signed" in unsigned.err
    assert held(registry, f"refused-{verb}") == set()


def test_a_passphrase_comes_from_a_variable_or_a_question(shell: Shell, tmp_path: Path) -> None:
    write_key(tmp_path / "k", passphrase="open sesame")
    with vendor() as source:
        words = ("pack", source("app/one:v1"), "-o", "b", "--sign-key", "k")
        nobody = shell(*words)
        assert (nobody.code, "hint: set TRANSLOAD_SIGN_PASSPHRASE" in nobody.err) == (2, True)
        shell.set(TRANSLOAD_SIGN_PASSPHRASE="wrong")
        assert "the passphrase of k is wrong" in shell(*words).err
        shell.set(TRANSLOAD_SIGN_PASSPHRASE="open sesame")
        assert pack(shell, *words[1:]).code == 0


def test_a_passphrase_is_asked_for_and_not_shown(shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_key(tmp_path / "k", passphrase="open sesame")
    with vendor() as source:
        program, *words = command("pack", source("app/one:v1"), "-o", "b", "--sign-key", "k")
        terminal = pexpect.spawn(program, words, encoding="utf-8", timeout=240, use_poll=True)
        terminal.expect("Passphrase of k: ")
        terminal.sendline("open sesame")
        terminal.expect(pexpect.EOF)
        terminal.close()
    assert terminal.exitstatus == 0, terminal.before
    assert "sesame" not in (terminal.before or "")


# --- tampering, as somebody with a disk and an editor does it


def at(marker: bytes, content: bytes) -> Callable[[bytes], bytes]:
    """Put `content` where `marker` is."""

    def change(raw: bytes) -> bytes:
        place = raw.index(marker)
        return raw[:place] + content + raw[place + len(content) :]

    return change


@pytest.mark.parametrize(
    ("change", "code", "sentence"),
    [
        (at(b'"source": "', b'"source": "x'), 6, "the signature does not match the ledger of the bundle"),
        (at(b"transload/ledger.sig", b"transload/ledger.gis"), 7, "the bundle is not signed"),
        (at(b'"signature":"', b'"signature":"AAAA'), 6, "the signature does not match the ledger of the bundle"),
        (at(b'"schemaVersion": 2', b'"schemaVersion": 3'), 6, "index.json in the bundle does not have the digest"),
        (at(b"oci-layout", b"oci-loyaut"), 7, "this is not a bundle of transload, so it carries no signature"),
        (lambda raw: raw[:3000], 6, "the bundle ends before its ledger does"),
    ],
)
def test_a_changed_head_is_refused_before_anything_is_pushed(
    shell: Shell, signed: Path, registry: Registry, change: Callable[[bytes], bytes], code: int, sentence: str
) -> None:
    signed.write_bytes(change(signed.read_bytes()))
    for verb in (("push", "--to", f"{registry.host}/changed-head"), ("verify",), ("list",)):
        ran = shell(verb[0], "bundle:signed", "--key", "site.key.pub", *verb[1:])
        assert (ran.code, sentence in ran.err) == (code, True), ran.told
        assert len([line for line in ran.err.splitlines() if line.startswith("error: ")]) == 1
    assert held(registry, "changed-head") == set()


def member(path: Path, digest: Digest) -> tuple[int, int]:
    """Where a blob's header begins, and where its content does."""
    stored = BundleStore(path).ledger.by_digest[digest]
    return starts(stored), stored.offset


@pytest.mark.parametrize("where", ["blob", "manifest", "link"])
def test_a_changed_member_costs_only_its_image(shell: Shell, signed: Path, registry: Registry, where: str) -> None:
    layer = THREE.contents[2].descriptor
    header, content = member(signed.with_suffix(""), THREE.digest if where == "manifest" else layer.digest)
    raw = bytearray(signed.read_bytes())
    if where == "link":
        raw[header + 156] = ord("2")
    else:
        raw[content + 20] ^= 1
    signed.write_bytes(raw)
    ran = shell("push", "signed", "--key", "site.key.pub", "--to", f"{registry.host}/changed-{where}")
    assert ran.code == 1, ran.told
    assert held(registry, f"changed-{where}") == {"app/one:v1", "app/two:v1"}
    with store_at(registry) as store:
        assert not store.exists(f"changed-{where}/app/three", layer)
    checked = shell("verify", "signed", "--key", "site.key.pub")
    assert checked.code == 1
    assert checked.out.splitlines()[-1] == "3 images: 2 proved (every blob read and hashed), 1 damaged"


def test_volumes_that_are_not_what_they_are_called(shell: Shell, registry: Registry, tmp_path: Path) -> None:
    with vendor() as source:
        pack(shell, *map(source, RELEASE), "-o", "cut", "--volume-size", "1MiB")
        pack(shell, source("app/two:v1"), "-o", "other", "--volume-size", "1MiB")
    first, second, third, last = volumes(tmp_path, "cut")
    rest = last.read_bytes()
    last.write_bytes(rest[:1000])
    short = shell("verify", "cut")
    assert (short.code in {1, 6}, "has 1000 bytes, volume 4 has" in short.err) == (True, True)
    last.write_bytes(rest)
    assert shell("verify", "cut").code == 0
    second.write_bytes(volumes(tmp_path, "other")[0].read_bytes())
    ran = shell("push", "cut", "--to", f"{registry.host}/swapped")
    assert ran.code in {1, 6}
    assert "cut.002.tar does not belong to this bundle" in ran.told
    assert "app/two:v1" not in held(registry, "swapped")  # whose largest layer reaches into it


def test_a_damaged_signature_costs_only_the_image_that_it_belongs_to(
    shell: Shell, registry: Registry, tmp_path: Path
) -> None:
    attached = signature(ONE)
    with vendor(images={**RELEASE, f"app/one@{attached.digest}": attached}) as source:
        pack(shell, *map(source, RELEASE), "-o", "b", "--referrers")
    file = tmp_path / "b.tar"
    raw = bytearray(file.read_bytes())
    raw[member(tmp_path / "b", attached.digest)[1] + 20] ^= 1
    file.write_bytes(raw)
    ran = shell("push", "b", "--to", f"{registry.host}/unsigned")
    assert ran.code == 1, ran.told
    assert held(registry, "unsigned") == {"app/two:v1", "app/three:v1"}  # never an image without its signature
    checked = shell("verify", "b", "--output", "json").events[-1]
    assert [one["name"] for one in checked["images"] if one["verdict"] == "damaged"] == ["app/one:v1"]
