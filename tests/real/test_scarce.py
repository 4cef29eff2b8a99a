"""Few open files, little address space, few threads: it works with fewer, or one clear sentence says why not."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from attrs import frozen

from benchmarks.crowd import Client
from transload.layout import LayoutStore
from transload.memory import MemoryStore
from transload.server import Served, ServeSettings, serve
from transload.testing.images import fill, image

resource = pytest.importorskip("resource", reason="limits of POSIX")

MIB = 1 << 20
NOBODY = 54322  # of nobody else: the limit counts all processes of a user, also those of other tests
FILES, SPACE, PROCESSES = "RLIMIT_NOFILE", "RLIMIT_AS", "RLIMIT_NPROC"
SCARCE = [(FILES, 64), (FILES, 32), (SPACE, 120 * MIB)]
IMAGES = [image(f"scarce {number}", layers=(70_000, 900_000)) for number in range(6)]


@frozen
class Site:
    source: Served
    target: Served
    folder: Path

    def run(self, limit: tuple[str, int] | None, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "transload", *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
            check=False,
            preexec_fn=lambda: limited(limit) if limit else None,
            env={**os.environ, "HOME": str(self.folder)},
        )

    def done(self, limit: tuple[str, int] | None, *words: str) -> None:
        ran = self.run(limit, *words)
        assert ran.returncode == 0, ran.stdout
        assert "Traceback" not in ran.stdout


def limited(limit: tuple[str, int], *, user: int | None = None) -> None:
    kind, value = limit
    resource.setrlimit(getattr(resource, kind), (value, value))
    if user is not None:
        os.setgroups([])
        os.setgid(user)
        os.setuid(user)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    source = MemoryStore()
    for number, built in enumerate(IMAGES):
        fill(source, built, f"team/app{number}", "1")
    with serve(source) as published, serve(MemoryStore(), ServeSettings(writable=True)) as site:
        yield Site(published, site, tmp_path)


@pytest.mark.parametrize("limit", SCARCE, ids=[f"{kind} {value}" for kind, value in SCARCE])
def test_every_verb_works_with_little(site: Site, limit: tuple[str, int]) -> None:
    source, target, bundle = site.source.host_port, site.target.host_port, str(site.folder / "bundle")
    site.done(limit, "mirror", "--from", source, "--to", f"oci:{site.folder / 'folder'}")
    site.done(limit, "pack", "--from", source, "-o", bundle)
    site.done(limit, "push", bundle, "--to", target)
    site.done(limit, "verify", "--deep", "--from", source, "--to", target)


@pytest.mark.parametrize("limit", SCARCE, ids=[f"{kind} {value}" for kind, value in SCARCE])
def test_several_targets_share_what_little_there_is(site: Site, limit: tuple[str, int]) -> None:
    folders = [word for number in range(3) for word in ("--to", f"oci:{site.folder / f'folder{number}'}")]
    site.done(limit, "mirror", "--from", site.source.host_port, "--to", site.target.host_port, *folders)


def test_too_few_files_are_told(site: Site) -> None:
    ran = site.run((FILES, 6), "mirror", "--from", site.source.host_port, "--to", f"oci:{site.folder / 'folder'}")
    assert ran.returncode == 8
    assert "ulimit -n" in ran.stdout
    assert "Traceback" not in ran.stdout
    site.done(None, "mirror", "--from", site.source.host_port, "--to", f"oci:{site.folder / 'folder'}")


# --- a server


def check_serves(folder: Path, limit: tuple[str, int], *, user: int | None = None) -> None:
    command = [sys.executable, "-m", "transload", "serve", f"oci:{folder / 'site'}", "--writable"]
    with subprocess.Popen(
        [*command, "--listen", "127.0.0.1:0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=lambda: limited(limit, user=user),
    ) as server:
        try:
            assert server.stdout is not None
            said = server.stdout.readline()
            where = re.search(r"http://([\d.]+):(\d+)", said)
            assert where, said
            client = Client((where[1], int(where[2])), 1, largest=3 * MIB)
            for _ in range(25):
                client.step()
            assert client.check().wrong == []
            client.leave()
        finally:
            server.terminate()
            rest = server.stdout.read() if server.stdout is not None else ""
    assert server.returncode == 0
    assert "Traceback" not in rest


@pytest.mark.parametrize("limit", [(FILES, 64), (FILES, 32), (SPACE, 100 * MIB)], ids=["64 files", "32", "100 MiB"])
def test_a_server_works_with_little(tmp_path: Path, limit: tuple[str, int]) -> None:
    check_serves(tmp_path, limit)


def test_a_server_with_too_few_files_says_so(site: Site) -> None:
    LayoutStore(site.folder / "site", create=True)
    ran = site.run((FILES, 12), "serve", f"oci:{site.folder / 'site'}", "--listen", "127.0.0.1:0")
    assert ran.returncode == 8
    assert "12 open files are too few to serve a store" in ran.stdout
    assert "Traceback" not in ran.stdout


# --- few threads; the limit does not bind root


def as_nobody(limit: tuple[str, int], *words: str, home: Path) -> subprocess.CompletedProcess[str]:
    if os.geteuid() != 0:
        pytest.skip("only root can become a user who has no other process")
    try:
        return subprocess.run(
            [sys.executable, "-m", "transload", *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
            check=False,
            preexec_fn=lambda: limited(limit, user=NOBODY),
            env={**os.environ, "HOME": str(home)},
        )
    except PermissionError:
        pytest.skip("the interpreter is not there for other users")


@pytest.mark.parametrize("count", [1, 3])
def test_few_threads(site: Site, count: int) -> None:
    site.folder.chmod(0o777)
    ran = as_nobody((PROCESSES, count), "pack", "--from", site.source.host_port, "-o", "bundle", home=site.folder)
    assert ran.returncode == 0, ran.stdout
