"""Burnt discs: a bundle and a folder are read from them, whatever names the disc keeps; nothing is written to them.

genisoimage makes the discs, and a kernel that runs as a program mounts them.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import transload
from tests.real.programs import program
from tests.real.test_media import Stick
from tests.real.uml import booted
from transload import LayoutStore
from transload.testing.images import fill, image, multi_platform

_ALL = ("-udf", "-J", "-r")
_HOW = {  # what the disc is made with, and how it is mounted
    "udf": (_ALL, "udf", "ro"),
    "rock-ridge": (_ALL, "iso9660", "ro"),
    "joliet": (_ALL, "iso9660", "ro,norock"),
    "plain": ((), "iso9660", "ro"),
}


@pytest.fixture(scope="module")
def discs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Stick]]:
    """The same content on discs that keep names in four ways."""
    folder = tmp_path_factory.mktemp("discs")
    making = program("genisoimage")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("TRANSLOAD_STATE_DIR", str(folder / "state"))
        source = LayoutStore("source", create=True)
        fill(source, image("one", layers=(3_000_000, 20)), "a/one", "1")
        fill(source, multi_platform("many"), "a/many", "1")
        Path("burnt").mkdir()
        transload.pack((), "burnt/release-2026-11", origin="oci:source", volume_size="1MiB")
        transload.mirror((), origin="oci:source", to="oci:burnt/folder")
    disks = [folder / f"{name}.iso" for name in _HOW]
    for disk, (words, _, _) in zip(disks, _HOW.values(), strict=True):
        subprocess.run([making, "-quiet", *words, "-o", disk, "burnt"], cwd=folder, check=True, capture_output=True)
    with booted(folder, *disks) as kernel:
        for letter, (name, (_, kind, options)) in zip("abcd", _HOW.items(), strict=True):
            (folder / name).mkdir()
            kernel.mount(kind, f"/dev/ubd{letter}", folder / name, options)
        yield {name: Stick(name, folder / name, kernel) for name in _HOW}


@pytest.mark.parametrize("how", ["udf", "rock-ridge", "joliet"])
def test_what_was_burnt_is_proved_and_pushed(discs: dict[str, Stick], how: str) -> None:
    disc = discs[how]
    disc.good("transload", "verify", f"{how}/release-2026-11", state="kept")
    disc.good("transload", "push", f"{how}/release-2026-11", "--to", f"oci:pushed-{how}", state="kept")
    disc.good("sh", "-c", f"cd {how} && sha256sum -c --quiet SHA256SUMS")
    disc.good("transload", "verify", f"oci:{how}/folder", "--deep", state="kept")
    disc.good("transload", "mirror", "--from", f"oci:{how}/folder", "--to", f"oci:copied-{how}", state="kept")


@pytest.mark.parametrize(
    "words",
    [
        ("pack", "--from", "oci:source", "-o", "udf/b"),
        ("mirror", "--from", "oci:source", "--to", "oci:udf/new"),
        ("inventory", "oci:source", "-o", "udf/inventory.json"),
        ("plan", "--from", "oci:source", "--to", "oci:nowhere", "-o", "udf/plan.json"),
    ],
    ids=lambda words: words[0],
)
def test_writing_to_it_is_refused(discs: dict[str, Stick], words: tuple[str, ...]) -> None:
    code, told = discs["udf"].run("transload", *words, state="kept")
    assert (code, "Read-only file system" in told, "it is read-only" in told) == (8, True, True), told


def test_what_needs_no_writing_works_on_it(discs: dict[str, Stick]) -> None:
    disc = discs["udf"]
    unchanged = disc.good("transload", "mirror", "--from", "oci:source", "--to", "oci:udf/folder", state="kept")
    assert "nothing to do" in unchanged
    assert "nothing to clean" in disc.good("transload", "clean", "oci:udf/folder", state="kept")
    disc.good("transload", "mirror", "--from", "oci:udf/folder", "--to", "oci:again")  # its state on the disc


def test_names_of_iso_9660_alone_are_cut(discs: dict[str, Stick]) -> None:
    """So such a disc is of no use; the guide says how to burn one."""
    disc = discs["plain"]
    assert "release-2026-11.001.tar" not in disc.names()
    code, told = disc.run("transload", "push", "oci:plain/folder", "--to", "oci:pushed", state="kept")
    assert (code, "is not an OCI layout" in told) == (4, True), told
    code, told = disc.run("transload", "push", "plain/release-2026-11", "--to", "oci:pushed", state="kept")
    assert (code, "there is no bundle, folder or archive" in told) == (8, True), told
