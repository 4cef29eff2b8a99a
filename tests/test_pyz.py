"""The one-file program: built once, run elsewhere by a Python that has nothing installed, in an empty environment."""

from __future__ import annotations

import ast
import json
import shutil
import signal
import subprocess
import sys
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path

import pexpect
import pytest

from tests.real.servers import Registry, running_registry
from tools import pyz
from transload.app import onefile
from transload.inventory.file import load_inventory
from transload.layout import LayoutStore
from transload.oci import Name
from transload.testing.releases import fill_release, release

BARE = (sys.executable, "-I", "-S")  # no environment, no site-packages
RELEASE = release(images=4, size=400_000)

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pyz") / "transload.pyz"
    subprocess.run([sys.executable, pyz.__file__, "-o", path], check=True, capture_output=True)
    return path


@pytest.fixture
def run(program: Path, tmp_path: Path) -> Run:
    def run(*arguments: object, python: tuple[str, ...] = BARE) -> subprocess.CompletedProcess[str]:
        command = [*python, str(program), *map(str, arguments)]
        return subprocess.run(
            command, capture_output=True, text=True, cwd=tmp_path, env={"HOME": str(tmp_path)}, timeout=60, check=False
        )

    return run


@pytest.fixture
def vendor(tmp_path: Path) -> Path:
    store = LayoutStore(tmp_path / "vendor", create=True)
    fill_release(store, RELEASE, "shop")
    return store.root


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    path = shutil.which("docker-registry")
    if path is None:
        pytest.skip("docker-registry is not installed")
    with running_registry(path, tmp_path_factory.mktemp("registry")) as started:
        yield started


def test_the_python_of_these_tests_has_nothing_installed() -> None:
    for name in ("click", "attrs", "yaml", "urllib3", "transload"):
        done = subprocess.run([*BARE, "-c", f"import {name}"], capture_output=True, check=False)
        assert done.returncode == 1, name


@pytest.mark.parametrize("python", ["own", "system"])
def test_version_and_help(run: Run, python: str) -> None:
    command = BARE if python == "own" else (shutil.which("python3", path="/usr/bin:/bin") or "", "-I")
    if not command[0]:
        pytest.skip("the system has no Python")
    version = subprocess.run([*command, "-c", "import sys; print(sys.version_info >= (3, 11))"], capture_output=True)
    if version.stdout.strip() != b"True":
        pytest.skip("the system's Python is too old")
    assert run("--version", python=command).stdout.startswith("transload ")
    assert "mirror" in run("--help", python=command).stdout


def test_catalogs_travel_with_it(run: Run) -> None:
    done = run("releases", "arcdata", "--known")
    assert done.returncode == 0, done.stderr
    assert "v1.40.0_2025-08-12" in done.stdout


def test_folder_to_folder_and_proof(run: Run, vendor: Path, tmp_path: Path) -> None:
    done = run("mirror", "--from", f"oci:{vendor}", "--to", f"oci:{tmp_path / 'site'}")
    assert done.returncode == 0, done.stderr
    proved = run("verify", f"oci:{tmp_path / 'site'}", "--deep")
    assert proved.returncode == 0, proved.stderr
    site = LayoutStore(tmp_path / "site")
    assert {str(Name(name, tag)) for name in site.repositories() for tag in site.tags(name)} == {
        f"shop/{name}:{RELEASE.tag}" for name in RELEASE.images
    }


def test_reports_and_lists_are_pages(run: Run, vendor: Path, tmp_path: Path) -> None:
    """jinja2 and the templates travel with it; markupsafe goes on without its compiled part."""
    done = run("mirror", "--from", f"oci:{vendor}", "--to", f"oci:{tmp_path / 'site'}", "--report", "run.html")
    assert done.returncode == 0, done.stderr
    assert "All 4 images are in oci:" in (tmp_path / "run.html").read_text(encoding="utf-8")
    assert run("pack", "--from", f"oci:{vendor}", "-o", tmp_path / "release").returncode == 0
    listed = run("list", tmp_path / "release", "--html", "list.html")
    assert listed.returncode == 0, listed.stderr
    assert "Bundle release: 4 images" in (tmp_path / "list.html").read_text(encoding="utf-8")


def test_across_a_gap_on_a_disk(run: Run, vendor: Path, tmp_path: Path) -> None:
    packed = run("pack", "--from", f"oci:{vendor}", "-o", tmp_path / "release")
    assert packed.returncode == 0, packed.stderr
    pushed = run("push", tmp_path / "release", "--to", f"oci:{tmp_path / 'site'}")
    assert pushed.returncode == 0, pushed.stderr
    taken = run("inventory", f"oci:{tmp_path / 'site'}", "-o", tmp_path / "site.json")
    assert taken.returncode == 0, taken.stderr
    assert set(load_inventory((tmp_path / "site.json").read_bytes()).repositories) == {
        f"shop/{name}" for name in RELEASE.images
    }


@pytest.mark.real
def test_folder_to_a_real_registry(run: Run, vendor: Path, registry: Registry) -> None:
    done = run("mirror", "--from", f"oci:{vendor}", "--to", registry.host)
    assert done.returncode == 0, done.stderr
    for name, built in RELEASE.images.items():
        accept = {"Accept": built.manifest.media_type}
        status, _, raw = registry.request(f"/v2/shop/{name}/manifests/{RELEASE.tag}", headers=accept)
        assert (status, raw) == (200, built.manifest.raw)


def test_a_terminal_gets_colours_without_any_package(program: Path, vendor: Path, tmp_path: Path) -> None:
    arguments = [*BARE[1:], str(program), "mirror", "--from", f"oci:{vendor}", "--to", f"oci:{tmp_path / 'site'}"]
    environment = {"HOME": str(tmp_path), "TERM": "xterm-256color"}
    child = pexpect.spawn(BARE[0], arguments, env=environment, cwd=str(tmp_path), timeout=30, encoding="utf-8")
    told = child.read()
    child.close()
    assert child.exitstatus == 0, told
    assert "4 images" in told
    assert "\x1b[" in told


def test_a_bundle_is_served_from_its_volumes(program: Path, run: Run, vendor: Path, tmp_path: Path) -> None:
    packed = run("pack", "--from", f"oci:{vendor}", "-o", tmp_path / "release", "--volume-size", "1MiB")
    assert packed.returncode == 0, packed.stderr
    command = [*BARE, str(program), "serve", "bundle:release", "--listen", "127.0.0.1:0"]
    with subprocess.Popen(command, cwd=tmp_path, env={"HOME": str(tmp_path)}, stderr=subprocess.PIPE) as server:
        try:
            assert server.stderr is not None
            words = server.stderr.readline().decode().split()
            host = words[words.index("at") + 1].removeprefix("http://").rstrip(",")
            copied = run("mirror", *wanted(host), "--to", f"oci:{tmp_path / 'site'}")
            assert copied.returncode == 0, copied.stderr
            browser = urllib.request.Request(f"http://{host}/", headers={"Accept": "text/html"})
            with urllib.request.urlopen(browser) as page:
                assert b"The bundle release" in page.read()
        finally:
            server.send_signal(signal.SIGINT)
            left = server.stderr.read()  # type: ignore[union-attr]  # asserted above
    assert b"Traceback" not in left
    site = LayoutStore(tmp_path / "site")
    for name, built in RELEASE.images.items():
        assert (
            site.resolve(Name(f"shop/{name}", RELEASE.tag)).digest == f"sha256:{sha256(built.manifest.raw).hexdigest()}"
        )
    assert run("verify", f"oci:{tmp_path / 'site'}", "--deep").returncode == 0


def wanted(host: str) -> list[str]:
    return [f"{host}/shop/{name}:{RELEASE.tag}" for name in RELEASE.images]


def test_a_signed_bundle_is_verified_without_a_compiled_part(run: Run, vendor: Path, tmp_path: Path) -> None:
    for name in ("site", "other"):
        key = tmp_path / f"{name}.key"
        subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", key], check=True)
        subprocess.run(["openssl", "pkey", "-in", key, "-pubout", "-out", key.with_suffix(".pub")], check=True)
    installed = (sys.executable, "-m", "transload")
    packing = ["pack", "--from", f"oci:{vendor}", "-o", f"{tmp_path}/release", "--sign-key", f"{tmp_path}/site.key"]
    subprocess.run([*installed, *packing], check=True, capture_output=True)
    listed = run("list", tmp_path / "release", "--key", tmp_path / "site.pub")
    assert "(verified)" in listed.stdout, listed.stderr
    pushed = run("push", tmp_path / "release", "--to", f"oci:{tmp_path / 'site'}", "--key", tmp_path / "site.pub")
    assert pushed.returncode == 0, pushed.stderr
    refused = run("push", tmp_path / "release", "--to", f"oci:{tmp_path / 'no'}", "--key", tmp_path / "other.pub")
    assert (refused.returncode, (tmp_path / "no").exists()) == (7, False), refused.stderr


def test_signing_says_in_one_sentence_what_is_missing(run: Run, vendor: Path, tmp_path: Path) -> None:
    (tmp_path / "site.key").write_text("-----BEGIN PRIVATE KEY-----\n")
    done = run("pack", "--from", f"oci:{vendor}", "-o", tmp_path / "release", "--sign-key", tmp_path / "site.key")
    assert done.returncode == 8
    assert "signing needs the package cryptography" in done.stderr
    assert "the Python that runs this: python3 -m pip install cryptography\n" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_wrong_word_ends_as_in_the_installed_program(run: Run) -> None:
    assert run("mirrer").returncode == 2


# --- beside a bundle


@pytest.mark.parametrize("packer", ["installed", "itself"])
def test_what_the_page_beside_it_says_works(program: Path, run: Run, vendor: Path, tmp_path: Path, packer: str) -> None:
    """`pack --with-tool` puts the same file on the medium, from an installed transload and from the file itself.

    The installed one builds it: so two builds, by other processes and under other names, are the same bytes.
    """
    by = [sys.executable, "-m", "transload"] if packer == "installed" else [*BARE, str(program)]
    (tmp_path / "medium").mkdir()
    packing = ["pack", "--from", f"oci:{vendor}", "-o", "medium/release", "--with-tool", "auto", "--output", "json"]
    packed = subprocess.run([*by, *packing], cwd=tmp_path, capture_output=True, text=True, check=True)
    (told,) = [line["tool"] for line in map(json.loads, packed.stdout.splitlines()) if line["event"] == "bundle"]
    medium = tmp_path / "medium"
    assert (medium / "transload.pyz").read_bytes() == program.read_bytes()
    content = program.read_bytes()
    assert told == {
        "name": "transload.pyz", "size": len(content), "digest": f"sha256:{sha256(content).hexdigest()}", "lacks": []
    }  # fmt: skip
    page = (medium / "README.txt").read_text().replace("REGISTRY/PATH", f"oci:{tmp_path / 'site'}")
    commands = [line.split() for line in page.splitlines() if line.startswith("     ") and " serve " not in line]
    assert [words[0] for words in commands] == ["sha256sum", "python3", "python3"]
    for words in commands:
        words[:1] = BARE if words[0] == "python3" else words[:1]
        subprocess.run(words, cwd=medium, env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}, check=True, timeout=60)
    assert sorted(LayoutStore(tmp_path / "site").repositories()) == sorted(f"shop/{name}" for name in RELEASE.images)


# --- the file


def test_nothing_else_is_left_beside_it(program: Path) -> None:
    assert [path.name for path in program.parent.iterdir()] == ["transload.pyz"]


def test_it_can_be_started_by_itself(program: Path) -> None:
    assert program.read_bytes().startswith(b"#!/usr/bin/env python3\n")
    assert program.stat().st_mode & 0o111 == 0o111


def test_it_holds_no_compiled_part_and_the_license_of_every_part(program: Path) -> None:
    names = zipfile.ZipFile(program).namelist()
    assert not [name for name in names if name.endswith((".so", ".pyd", ".dll", ".dylib"))]
    for part in (*onefile.NEEDED, *(part for parts in onefile.OPTIONAL.values() for part in parts)):
        assert any(name.startswith(f"{part.replace('-', '_')}-") and "LICEN" in name for name in names), part


def test_another_version_of_python_reads_the_sources(program: Path, tmp_path: Path) -> None:
    """Bytecode of another version is known by its first bytes and passed over."""
    other = tmp_path / "other.pyz"
    with zipfile.ZipFile(program) as given, zipfile.ZipFile(other, "w") as made:
        for info in given.infolist():
            content = given.read(info)
            made.writestr(info, b"\0\0\r\n" + content[4:] if info.filename.endswith(".pyc") else content)
    done = subprocess.run([*BARE, other, "--version"], capture_output=True, text=True, check=False)
    assert done.stdout.startswith("transload "), done.stderr


def test_an_old_python_can_read_what_it_is_told() -> None:
    tree = ast.parse(onefile.MAIN, feature_version=(3, 7))
    assert "needs Python 3.11" in ast.unparse(tree)


def test_an_undecided_dependency_stops_the_build(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onefile, "LEFT_OUT", ())
    with pytest.raises(SystemExit, match="async-timeout"):
        pyz.check_parts()
