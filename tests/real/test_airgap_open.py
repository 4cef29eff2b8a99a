"""A bundle is no lock-in: other tools read it, and any of them can pull from one that is served."""

from __future__ import annotations

import contextlib
import re
import signal
import tarfile
from collections.abc import Iterator
from pathlib import Path

from tests.real.airgap import ONE, RELEASE, TWO, pack, vendor, volumes, write_key
from tests.real.servers import Skopeo
from tests.real.vendor import Shell
from transload.archive import ArchiveStore
from transload.oci import Name


def test_skopeo_reads_a_bundle_as_an_oci_archive(shell: Shell, skopeo: Skopeo, tmp_path: Path) -> None:
    with vendor() as source:
        pack(shell, *map(source, RELEASE), "-o", "whole")
        pack(shell, *map(source, RELEASE), "-o", "cut", "--volume-size", "1MiB")
    joined = tmp_path / "joined.tar"
    joined.write_bytes(b"".join(file.read_bytes() for file in volumes(tmp_path, "cut")))
    for file in (tmp_path / "whole.tar", joined):
        for name, built in (("app/one:v1", ONE), ("app/two:v1", TWO)):
            skopeo("copy", f"oci-archive:{file}:{name}", f"dir:{tmp_path / 'out'}")
            assert (tmp_path / "out/manifest.json").read_bytes() == built.manifest.raw
        with tarfile.open(file) as archive:
            names = archive.getnames()[:4]
            assert names == ["oci-layout", "index.json", "transload/ledger.json", "manifest.json"]
        assert ArchiveStore(file).fetch(Name("app/two", "v1")).digest == TWO.digest


@contextlib.contextmanager
def serving(shell: Shell, *words: object) -> Iterator[str]:
    """Host and port of `transload serve …`."""
    process = shell.start("serve", "--listen", "127.0.0.1:0", *words)
    assert process.stderr
    try:
        said = process.stderr.readline()
        found = re.search(r"http://(\S+?), read-only", said)
        assert found, said
        yield found[1]
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=240)


def test_a_bundle_is_served_from_its_volumes(shell: Shell, skopeo: Skopeo, tmp_path: Path) -> None:
    write_key(tmp_path / "site.key")
    with vendor() as source:
        pack(shell, *map(source, RELEASE), "-o", "cut", "--volume-size", "1MiB", "--sign-key", "site.key")
    (tmp_path / "second").mkdir()
    for file in volumes(tmp_path, "cut")[2:]:
        file.rename(tmp_path / "second" / file.name)
    with serving(shell, "bundle:cut", "--volumes", "second", "--key", "site.key.pub") as host:
        for name, built in (("app/one:v1", ONE), ("app/two:v1", TWO)):
            skopeo("copy", "--src-tls-verify=false", f"docker://{host}/{name}", f"dir:{tmp_path / 'out'}")
            assert (tmp_path / "out/manifest.json").read_bytes() == built.manifest.raw
        refused = skopeo(
            "copy", "--dest-tls-verify=false", f"dir:{tmp_path / 'out'}", f"docker://{host}/x:v1", check=False
        )
        assert refused.returncode != 0
        assert shell("mirror", f"{host}/app/three:v1", "--to", "oci:got").code == 0


def test_what_a_served_bundle_lacks_is_told_at_the_start(shell: Shell, tmp_path: Path) -> None:
    with vendor() as source:
        pack(shell, *map(source, RELEASE), "-o", "cut", "--volume-size", "1MiB")
    volumes(tmp_path, "cut")[1].unlink()
    process = shell.start("serve", "--listen", "127.0.0.1:0", "bundle:cut")
    assert process.stderr
    try:
        assert process.stderr.readline().startswith("serving bundle:cut at ")
        lost = r"note: volume 2 of \d, cut.002.tar, is missing; it is needed for \d of 3 images$"
        assert re.match(lost, process.stderr.readline())
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=10)


def test_archives_and_folders_of_other_tools_are_pushed(shell: Shell, skopeo: Skopeo, tmp_path: Path) -> None:
    with vendor() as source:
        assert shell("mirror", source("app/one:v1"), "--to", "oci:folder").code == 0
    digest = str(ONE.digest)
    name = shell("verify", "oci:folder").out.split()[1]
    skopeo("copy", f"oci:{tmp_path / 'folder'}:{name}", f"oci-archive:{tmp_path / 'oci.tar'}:app/one:v1")
    skopeo("copy", f"oci:{tmp_path / 'folder'}:{name}", f"docker-archive:{tmp_path / 'docker.tar'}:app/one:v1")
    for carried, note in (("folder", False), ("oci.tar", False), ("docker.tar", True)):
        ran = shell("push", carried, "--to", f"oci:got-{carried}")
        assert ran.code == 0, ran.err
        assert ("digests differ from the publisher's" in ran.err) is note
        assert (digest[:19] in shell("verify", f"oci:got-{carried}").out) is not note
