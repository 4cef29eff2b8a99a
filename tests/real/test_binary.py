"""The native executable, in trees without Python: one of Debian's smallest, and one with nothing but glibc and zlib."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.real.programs import missing, program
from tests.real.servers import write_certificates
from tests.real.vendor import Shell
from tools import binary
from transload.layout import LayoutStore
from transload.oci import Manifest
from transload.oci.mediatype import OCI_MANIFEST
from transload.server import ServeSettings, serve
from transload.testing.images import Built, fill, image
from transload.testing.layers import Content
from transload.testing.releases import fill_release, release

RELEASE = release(images=3, size=1_500_000)
SUITE, MIRROR = "bookworm", "http://deb.debian.org/debian"
# PyInstaller's loader takes zlib from the system, as it takes the C library.
LIBRARIES = ("libz.so.1", "libc.so.6", "libm.so.6", "libdl.so.2", "libpthread.so.0", "librt.so.1")
TIMEOUT_S = 240
SIGNATURES = Path(__file__).parents[3] / "shared" / "data" / "signatures"

pytestmark = pytest.mark.timeout(1200)  # building the executable and the tree is a part of the first test

InTree = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def executable(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("binary") / "transload"
    subprocess.run([sys.executable, binary.__file__, "-o", path], check=True, capture_output=True)
    return path


@pytest.fixture(scope="module")
def trees(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    if os.geteuid() != 0:
        missing("root's right to enter a tree", "run the tests as root")
    debian, bare = (tmp_path_factory.mktemp("tree") / name for name in ("debian", "bare"))
    command = [program("debootstrap"), "--variant=minbase", SUITE, str(debian), MIRROR]
    fetched = subprocess.run(command, check=False, capture_output=True).returncode == 0
    assert not list(debian.glob("usr/bin/python*"))
    assert not (debian / "etc/ssl/certs/ca-certificates.crt").exists()
    listed = subprocess.run(["ldd", "/bin/true"], capture_output=True, text=True, check=True).stdout.split()
    loader = Path(next(word for word in listed if "/ld-linux" in word))
    folder = Path(next(word for word in listed if word.endswith("/libc.so.6"))).parent
    for path in (loader, *(folder / name for name in LIBRARIES)):
        there = bare / path.relative_to("/")
        there.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, there)
    (bare / "tmp").mkdir()
    return {"debian": debian, "bare": bare} if fetched else {"bare": bare}


@pytest.fixture(params=["debian", "bare"])
def tree(request: pytest.FixtureRequest, trees: dict[str, Path], executable: Path, shell: Shell) -> Iterator[Path]:
    """A tree with a medium in it, which an installed transload wrote: a bundle, and the executable beside it."""
    if request.param not in trees:
        pytest.skip("debootstrap could not fetch a tree of Debian")
    tree = trees[request.param]
    (tree / "medium").mkdir()
    store = LayoutStore(shell.home / "vendor", create=True)
    fill_release(store, RELEASE, "shop")
    packed = shell(
        *("pack", "--from", f"oci:{store.root}", "-o", tree / "medium/release", "--volume-size", "2MiB"),
        *("--with-tool", executable),
    )
    assert packed.code == 0, packed.told
    yield tree
    assert not list((tree / "tmp").iterdir())
    for name in ("medium", "site"):
        shutil.rmtree(tree / name, ignore_errors=True)


@pytest.fixture
def inside(tree: Path) -> InTree:
    def inside(*words: object, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            entering(tree, *words), env=variables, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
        )

    return inside


def entering(tree: Path, *words: object) -> list[str]:
    """The command that runs the executable in the tree, with the medium as its folder, without a shell."""
    enter = "import os, sys; os.chroot(sys.argv[1]); os.chdir('/medium'); os.execv('./transload', sys.argv[2:])"
    return [sys.executable, "-I", "-c", enter, str(tree), "./transload", *map(str, words)]


def test_what_the_page_says_works_without_python(tree: Path, inside: InTree) -> None:
    page = (tree / "medium/README.txt").read_text()
    assert "./transload push release --to REGISTRY/PATH" in page
    assert inside("--version").stdout.startswith("transload ")
    assert "mirror" in inside("--help", TERM="xterm", LANG="xx_YY.UTF-8").stdout
    for words in (
        ("verify", "bundle:release"),
        ("push", "release", "--to", "oci:/site"),
        ("verify", "oci:/site", "--deep"),
    ):
        done = inside(*words)
        assert done.returncode == 0, done.stderr
    site = LayoutStore(tree / "site")
    assert sorted(site.repositories()) == sorted(f"shop/{name}" for name in RELEASE.images)


def test_it_serves_the_bundle(tree: Path, shell: Shell) -> None:
    command = entering(tree, "serve", "bundle:release", "--listen", "127.0.0.1:0")
    with subprocess.Popen(command, env={}, stderr=subprocess.PIPE, text=True) as server:
        try:
            assert server.stderr is not None
            words = server.stderr.readline().split()
            host = words[words.index("at") + 1].removeprefix("http://").rstrip(",")
            wanted = [f"{host}/shop/{name}:{RELEASE.tag}" for name in RELEASE.images]
            copied = shell("mirror", *wanted, "--to", f"oci:{shell.home}/copy")
            assert copied.code == 0, copied.told
            browser = urllib.request.Request(f"http://{host}/", headers={"Accept": "text/html"})
            with urllib.request.urlopen(browser) as page:
                assert b"The bundle release" in page.read()
        finally:
            server.send_signal(signal.SIGINT)
    assert server.returncode == 0
    assert shell("verify", f"oci:{shell.home}/copy", "--deep").code == 0


@pytest.mark.skipif(not SIGNATURES.is_dir(), reason=f"no signatures to test with in {SIGNATURES}")
def test_it_checks_signatures_by_a_policy(tree: Path, inside: InTree) -> None:
    """By certificates (JWS and COSE), and by an identity: sigstore-python is there with all its parts."""
    shutil.copytree(SIGNATURES / "notation-signed", tree / "medium/signed")
    shutil.copy(SIGNATURES / "notation-signed/site.example.crt", tree / "medium")
    shutil.copy(SIGNATURES / "trusted_root_pgi.json", tree / "medium")
    rule = "version: 1\nrules:\n  - prefix: ''\n    mode: require\n    any-of:\n      - "
    site = "notation: {trust-stores: [site.example.crt], identities: ['*']}\n"
    anybody = "sigstore: {issuer-regexp: '.*', identity-regexp: '.*', trusted-root: trusted_root_pgi.json}\n"
    (tree / "medium/site.yaml").write_text(rule + site)
    (tree / "medium/anybody.yaml").write_text(rule + anybody)
    by_site = ("--policy", "site.yaml", "--at", "2026-11-26T12:00:00Z", "--to", "oci:/site")
    for name, code in (("jws-good", 0), ("cose-good", 0), ("jws-other", 7)):
        done = inside("mirror", "--from", "oci:signed", f"signed/{name}:v1", *by_site)
        assert done.returncode == code, done.stderr
    _attest(LayoutStore(tree / "medium/attested", create=True))
    done = inside("mirror", "--from", "oci:attested", "app:1", "--policy", "anybody.yaml", "--to", "oci:/site")
    assert done.returncode == 7
    assert "signed only attestations of it" in done.stderr  # said of what holds, but for what it states


def _attest(store: LayoutStore) -> None:
    """An image with the bundle of an attestation beside it, as cosign attaches one."""
    built, media_type = image("attested", (100,)), "application/vnd.dev.sigstore.bundle.v0.3+json"
    bundle = (SIGNATURES / "oci-attestation.sigstore.json").read_bytes()
    config, layer = Content.of(b"{}", "application/vnd.oci.empty.v1+json"), Content.of(bundle, media_type)
    document = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "artifactType": media_type,
        "config": config.descriptor.to_json(),
        "layers": [layer.descriptor.to_json()],
        "subject": built.descriptor.to_json(),
    }
    fill(store, built, "app", "1")
    fill(store, Built(Manifest.parse(json.dumps(document).encode()), (config, layer)), "app")


def test_it_signs_and_brings_itself(tree: Path, inside: InTree, executable: Path) -> None:
    for words in (
        ("genpkey", "-algorithm", "ed25519", "-out", "site.key"),
        ("pkey", "-in", "site.key", "-pubout", "-out", "site.pub"),
    ):
        subprocess.run(["openssl", *words], cwd=tree / "medium", check=True)
    assert inside("push", "release", "--to", "oci:/site").returncode == 0
    (tree / "site/onward").mkdir()
    packed = inside(
        *("pack", "--from", "oci:/site", "-o", "/site/onward/next", "--sign-key", "site.key", "--with-tool", "auto")
    )
    assert packed.returncode == 0, packed.stderr
    assert (tree / "site/onward/transload").read_bytes() == executable.read_bytes()
    assert "--key FILE" in (tree / "site/onward/README.txt").read_text()
    proved = inside("verify", "bundle:/site/onward/next", "--key", "site.pub")
    assert proved.returncode == 0, proved.stderr
    refused = inside("pack", "--from", "oci:/site", "-o", "/site/again", "--with-tool", "pyz")
    assert "the native executable cannot make transload.pyz" in refused.stderr


def test_a_tree_without_authorities_says_so_and_takes_ours(tree: Path, inside: InTree, tmp_path: Path) -> None:
    certificates = write_certificates(tmp_path / "certificates")
    shutil.copy(certificates / "ca.crt", tree / "medium/ca.crt")
    store = LayoutStore(tmp_path / "store", create=True)
    fill_release(store, RELEASE, "shop")
    secured = ServeSettings(tls_certificate=certificates / "server.cert", tls_key=certificates / "server.key")
    with serve(store, secured) as served:
        wanted = [f"{served.host_port}/shop/{name}:{RELEASE.tag}" for name in RELEASE.images]
        refused = inside("mirror", *wanted, "--to", "oci:/site")
        assert refused.returncode != 0
        assert "this system has no list of certificate authorities" in refused.stdout + refused.stderr
        taken = inside("mirror", *wanted, "--to", "oci:/site", "--ca-file", "ca.crt")
        assert taken.returncode == 0, taken.stderr
        places = tree / "etc/pki/tls/certs"  # Red Hat's, where an OpenSSL from Debian does not look
        places.mkdir(parents=True)
        shutil.copy(certificates / "ca.crt", places / "ca-bundle.crt")
        try:
            known = inside("mirror", *wanted, "--to", "oci:/site")
            assert known.returncode == 0, known.stderr
        finally:
            shutil.rmtree(tree / "etc/pki")


def test_where_programs_may_not_run_from_tmp_another_folder_helps(tree: Path, inside: InTree) -> None:
    with contextlib.ExitStack() as stack:
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "noexec", "none", tree / "tmp"], check=False)
        if mounted.returncode != 0:
            missing("the right to mount", "run the tests as root of the machine")
        stack.callback(lambda: subprocess.run(["umount", tree / "tmp"], check=True))
        stopped = inside("--version")
        assert stopped.returncode != 0
        assert "failed to map segment from shared object" in stopped.stderr
        assert inside("--version", TMPDIR="/medium").stdout.startswith("transload ")
