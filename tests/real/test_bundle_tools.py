"""Tools that everybody has read a bundle without us: skopeo, tar, sha256sum, openssl."""

import base64
import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.real.servers import Skopeo
from tests.unit.bundle.packing import joined, named, pack
from transload.bundle import BundleStore, ExtraFile
from transload.bundle.format.signing import load_private_key, load_public_key
from transload.bundle.format.tarheader import END, header, padding
from transload.layout import LayoutStore
from transload.oci import Name
from transload.testing.images import image, multi_platform
from transload.testing.releases import release

MADE = named(release(images=4, size=600_000))


def tool(*command: object, folder: Path | None = None, check: bool = True) -> str:
    name = str(command[0])
    if shutil.which(name) is None:
        pytest.skip(f"{name} is not installed")
    done = subprocess.run([str(each) for each in command], cwd=folder, capture_output=True, text=True, timeout=240)
    if check:
        assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def test_skopeo_reads_an_uncut_bundle(tmp_path: Path, skopeo: Skopeo) -> None:
    pack(tmp_path / "b", MADE)
    for name, built in MADE.items():
        copied = tmp_path / name.repository.replace("/", "-")
        skopeo("copy", f"oci-archive:{tmp_path / 'b.tar'}:{name}", f"dir:{copied}")
        assert (copied / "manifest.json").read_bytes() == built.manifest.raw
        for descriptor, raw in built.walk_blobs():
            assert (copied / descriptor.digest.encoded).read_bytes() == raw


def test_skopeo_reads_a_signed_bundle_with_all_it_can_hold(tmp_path: Path, skopeo: Skopeo) -> None:
    """Further files, an index, a blob by sha512 with its longer header."""
    multi, long_digest = multi_platform("multi", (3000,)), image("sha512", (500,), algorithm="sha512")
    (tmp_path / "Handbuch – ü.txt").write_text("read me")
    tool("openssl", "genpkey", "-algorithm", "ed25519", "-out", tmp_path / "key")
    images = {Name("multi", "1"): multi, Name("registry.example/team/long", "1"): long_digest}
    extras = (ExtraFile.of(tmp_path / "Handbuch – ü.txt"),)
    *_, sums = pack(tmp_path / "b", images, 10_000, load_private_key(tmp_path / "key"), extras=extras)[1]
    (tmp_path / "joined.tar").write_bytes(joined(sorted(tmp_path.glob("b.*.tar"))))
    skopeo("copy", "--all", f"oci-archive:{tmp_path / 'joined.tar'}:multi:1", f"dir:{tmp_path / 'all'}")
    assert (tmp_path / "all" / "manifest.json").read_bytes() == multi.manifest.raw
    raw = skopeo("inspect", "--raw", f"oci-archive:{tmp_path / 'joined.tar'}:registry.example/team/long:1").stdout
    assert raw.encode() == long_digest.manifest.raw
    assert sums.exists()


def test_tar_lists_and_unpacks_a_layout(tmp_path: Path) -> None:
    *volumes, _ = pack(tmp_path / "b", MADE, 100_000)[1]
    (tmp_path / "joined.tar").write_bytes(joined(volumes))
    (tmp_path / "out").mkdir()
    said = tool("tar", "--utc", "-tvf", tmp_path / "joined.tar")
    assert "1970-01-01 00:00" in said.splitlines()[0]
    tool("tar", "-xf", tmp_path / "joined.tar", "-C", tmp_path / "out")
    store = LayoutStore(tmp_path / "out")
    for name, built in MADE.items():
        assert store.fetch(name).raw == built.manifest.raw


@pytest.mark.parametrize("size", [(8 << 30) - 1, 8 << 30, 40 << 30])
def test_tar_reads_members_beyond_what_ustar_can_say(tmp_path: Path, size: int) -> None:
    first, second = "blobs/sha256/" + "a" * 64, "blobs/sha512/" + "b" * 128
    path = tmp_path / "large.tar"
    with path.open("wb") as file:
        for name in (first, second):
            file.write(header(name, size))
            file.seek(size + padding(size), 1)  # leaves a hole
        file.write(END)
    if path.stat().st_blocks * 512 > size:
        pytest.skip("this file system has no holes in files")
    lines = tool("tar", "-tvf", path).splitlines()
    assert [(line.split()[2], line.split()[-1]) for line in lines] == [(str(size), first), (str(size), second)]


def test_sha256sum_checks_the_volumes(tmp_path: Path) -> None:
    *volumes, sums = pack(tmp_path / "b", MADE, 100_000)[1]
    assert tool("sha256sum", "--strict", "-c", sums.name, folder=tmp_path).count(": OK\n") == len(volumes)
    volumes[1].write_bytes(b"x" + volumes[1].read_bytes()[1:])
    assert "b.002.tar: FAILED" in tool("sha256sum", "-c", sums.name, folder=tmp_path, check=False)


def test_a_blob_is_where_the_ledger_says(tmp_path: Path) -> None:
    pack(tmp_path / "b", MADE)
    tool("tar", "-xf", tmp_path / "b.tar", "-C", tmp_path, "transload/ledger.json")
    entry = json.loads((tmp_path / "transload" / "ledger.json").read_bytes())["blobs"][-1]
    command = f"tail -c +{entry['offset'] + 1} b.tar | head -c {entry['size']} | sha256sum"
    found = tool("sh", "-c", command, folder=tmp_path)
    assert f"sha256:{found.split()[0]}" == entry["digest"]


@pytest.mark.parametrize(
    ("algorithm", "options", "verify"),
    [
        ("ed25519", ["-algorithm", "ed25519"], ["pkeyutl", "-verify", "-rawin", "-pubin", "-inkey", "{key}"]),
        (
            "ecdsa-p256",
            ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
            ["dgst", "-sha256", "-verify", "{key}"],
        ),
    ],
)
def test_openssl_verifies_the_signature(tmp_path: Path, algorithm: str, options: list[str], verify: list[str]) -> None:
    tool("openssl", "genpkey", *options, "-out", tmp_path / "key")
    tool("openssl", "pkey", "-in", tmp_path / "key", "-pubout", "-out", tmp_path / "key.pub")
    pack(tmp_path / "b", MADE, None, load_private_key(tmp_path / "key"))
    tool("tar", "-xf", tmp_path / "b.tar", "-C", tmp_path, "transload/ledger.json", "transload/ledger.sig")
    document = json.loads((tmp_path / "transload" / "ledger.sig").read_bytes())
    assert document["algorithm"] == algorithm
    (tmp_path / "sig").write_bytes(base64.b64decode(document["signature"]))
    command = [each.format(key=tmp_path / "key.pub") for each in verify]
    ledger, signature = tmp_path / "transload" / "ledger.json", tmp_path / "sig"
    last = ["-in", ledger, "-sigfile", signature] if algorithm == "ed25519" else ["-signature", signature, ledger]
    tool("openssl", *command, *last)
    said = tool("sh", "-c", f"openssl pkey -pubin -in {tmp_path / 'key.pub'} -outform DER | sha256sum")
    assert document["key"] == f"sha256:{said.split()[0]}"
    assert BundleStore(tmp_path / "b", verifier=load_public_key(tmp_path / "key.pub")).verified


def test_keys_that_ssh_keygen_made(tmp_path: Path) -> None:
    for kind in ("ed25519", "ecdsa"):
        path = tmp_path / kind
        tool("ssh-keygen", "-q", "-t", kind, "-N", "a passphrase", "-C", "somebody at example", "-f", path)
        signer = load_private_key(path, lambda: "a passphrase")
        assert load_public_key(tmp_path / f"{kind}.pub") == signer.public
