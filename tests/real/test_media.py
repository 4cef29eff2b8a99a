"""Sticks and discs as they are bought: exFAT and NTFS, FAT32 and UDF, with all that is written to them.

exFAT and NTFS are mounted here, with drivers that run as programs; FAT32 and UDF by a kernel that runs as a program.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from attrs import frozen

from tests.real.media import IMAGE_BYTES, mounted
from tests.real.programs import program
from tests.real.uml import Guest, booted
from transload import LayoutStore
from transload.testing.images import fill, image, multi_platform

_MADE_WITH = {"vfat": ["mkfs.vfat", "-F", "32"], "udf": ["mkudffs", "--media-type=hd", "--blocksize=512"]}
_AS_DESKTOPS_DO = "showexec,utf8,flush,shortname=mixed,fmask=0022,dmask=0022"  # udisks2 mounts FAT so


@frozen
class Stick:
    """A medium that is mounted at `place` here, or in `guest`; `source` lies beside it."""

    kind: str
    place: Path
    guest: Guest | None = None

    def run(self, *words: str, state: str | None = None) -> tuple[int, str]:
        """A program in the folder with the source; what it ends with, and what it says.

        Its state is on the medium, if no other place is named.
        """
        environment = {
            "PATH": "/usr/bin:/bin",
            "TRANSLOAD_STATE_DIR": state or str(self.place / "state"),
            "HOME": "/nowhere",
        }
        folder = self.place.parent
        if self.guest is None:
            beginnings = {"transload": [sys.executable, "-m", "transload"], "python": [sys.executable, "-c"]}
            command = [*beginnings.get(words[0], words[:1]), *words[1:]]
            done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=240)
            code, told = done.returncode, done.stdout + done.stderr
        else:
            code, told = self.guest.run(words, folder, environment)
        assert words[0] != "transload" or "Traceback" not in told, told
        return code, told

    def good(self, *words: str, state: str | None = None) -> str:
        """The same, of a program that must do well."""
        code, told = self.run(*words, state=state)
        assert code == 0, told
        return told

    def names(self, folder: str = ".") -> list[str]:
        """The names in a folder of the medium."""
        return self.good("ls", "-A", f"{self.place.name}/{folder}").splitlines()


def source(folder: Path) -> None:
    store = LayoutStore(folder / "source", create=True)
    fill(store, image("one", layers=(3_000_000, 20)), "a/one", "1")
    fill(store, multi_platform("many"), "a/many", "1")

    large(folder / "large")


def large(folder: Path) -> None:
    """An image whose layer is a file of 4 GiB, as far as anybody looks before it is read."""
    LayoutStore(folder, create=True)
    layer = {"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": f"sha256:{'a' * 64}", "size": 4 << 30}
    with (folder / "blobs" / "sha256" / ("a" * 64)).open("wb") as file:
        file.truncate(4 << 30)
    config = {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": put(folder, b"{}"), "size": 2}
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": config,
        "layers": [layer],
    }
    content = json.dumps(manifest).encode()
    entry = {
        "mediaType": manifest["mediaType"],
        "digest": put(folder, content),
        "size": len(content),
        "annotations": {"org.opencontainers.image.ref.name": "1", "io.transload.repository": "a/large"},
    }
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [entry]}))


def put(folder: Path, content: bytes) -> str:
    value = hashlib.sha256(content).hexdigest()
    (folder / "blobs" / "sha256" / value).write_bytes(content)
    return f"sha256:{value}"


@pytest.fixture(scope="module")
def guest(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Guest, Path]]:
    folder = tmp_path_factory.mktemp("kernel")
    disks = []
    for kind, words in _MADE_WITH.items():
        disk = folder / f"{kind}.img"
        with disk.open("wb") as file:
            file.truncate(IMAGE_BYTES)
        subprocess.run([program(words[0]), *words[1:], str(disk)], check=True, capture_output=True)
        disks.append(disk)
    with booted(folder, *disks) as kernel:
        yield kernel, folder


@pytest.fixture(scope="module", params=["exfat", "ntfs", "vfat", "udf"])
def stick(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stick]:
    kind = request.param
    if kind in _MADE_WITH:
        kernel, folder = request.getfixturevalue("guest")
        place = folder / kind
        place.mkdir()
        disk, options = {"vfat": ("/dev/ubda", _AS_DESKTOPS_DO), "udf": ("/dev/ubdb", "rw")}[kind]
        kernel.mount(kind, disk, place, options)
        if not (folder / "source").exists():
            source(folder)
        yield Stick(kind, place, kernel)
    else:
        folder = tmp_path_factory.mktemp("media")
        source(folder)
        with mounted(kind, folder) as place:
            yield Stick(kind, place)


def test_a_bundle_in_volumes(stick: Stick) -> None:
    name = stick.place.name
    packing = ("transload", "pack", "--from", "oci:source", "-o", f"{name}/b", "--volume-size", "1MiB")
    stick.good(*packing, "--report", f"{name}/report.md", "--verify-medium")
    assert "nothing to do" in stick.good(*packing)
    stick.good("transload", "verify", f"{name}/b")
    stick.good("sh", "-c", f"cd {name} && sha256sum -c --quiet SHA256SUMS")
    stick.good("transload", "push", f"{name}/b", "--to", f"oci:{name}/pushed")
    assert not [entry for entry in stick.names() if ".partial" in entry or entry.startswith(".SHA")]


def test_a_folder_an_inventory_and_a_plan(stick: Stick) -> None:
    name = stick.place.name
    mirroring = ("--from", "oci:source", "--to", f"oci:{name}/folder")
    stick.good("transload", "plan", *mirroring, "-o", f"{name}/plan.json")
    stick.good("transload", "apply", f"{name}/plan.json")
    assert "nothing to do" in stick.good("transload", "mirror", *mirroring, "--verify-medium")
    stick.good("transload", "verify", f"oci:{name}/folder", "--deep")
    stick.good("transload", "inventory", f"oci:{name}/folder", "-o", f"{name}/inventory.json")


SERVED = """
import transload
from transload.server import ServeSettings, serve
with serve(transload.MemoryStore(), ServeSettings(writable=True)) as served:
    results = [transload.mirror((), origin="oci:source", to=served.host_port) for _ in range(2)]
print(*(result.moved_bytes for result in results))
"""


def test_what_is_remembered_lies_on_it(stick: Stick) -> None:
    if stick.guest is not None:
        stick.good("python", LOOPBACK)
    first, second = stick.good("python", SERVED).split()[-2:]
    assert (int(first) > 3_000_000, second) == (True, "0")
    assert "known-registries.sqlite3" in stick.names("state")


in_kernel = pytest.mark.parametrize("stick", ["vfat", "udf"], indirect=True)

LOOPBACK = """
import fcntl, socket, struct
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
    fcntl.ioctl(any_socket, 0x8914, struct.pack("16sH14x", b"lo", 1))  # SIOCSIFFLAGS, IFF_UP
"""

KILLED = """
import os, signal, transload
from transload.events import StepMoved
def end(event):
    if isinstance(event, StepMoved) and event.position > 2_000_000:
        os.kill(os.getpid(), signal.SIGKILL)
"""


@in_kernel
@pytest.mark.parametrize("work", ["pack", "to-media", "mirror"])
def test_a_run_that_was_killed_goes_on(stick: Stick, work: str) -> None:
    name = stick.place.name
    start = {
        "pack": f"transload.pack((), '{name}/killed', origin='oci:source', volume_size='1MiB', progress=end, jobs=1)",
        "to-media": f"transload.pack((), '{name}/killed-media', origin='oci:source', volume_size='1MiB', "
        "progress=end, jobs=1, to_media=True)",
        "mirror": f"transload.mirror((), origin='oci:source', to='oci:{name}/killed-folder', progress=end, jobs=1)",
    }[work]
    code, told = stick.run("python", KILLED + start)
    assert code == -9, told
    again, proof = {
        "pack": (("pack", "-o", f"{name}/killed", "--volume-size", "1MiB"), (f"{name}/killed",)),
        "to-media": (
            ("pack", "-o", f"{name}/killed-media", "--volume-size", "1MiB", "--to-media"),
            (f"{name}/killed-media",),
        ),
        "mirror": (("mirror", "--to", f"oci:{name}/killed-folder"), (f"oci:{name}/killed-folder", "--deep")),
    }[work]
    stick.good("transload", again[0], "--from", "oci:source", *again[1:])
    stick.good("transload", "verify", *proof)


@in_kernel
def test_what_a_killed_run_left_is_cleaned_up(stick: Stick) -> None:
    name = stick.place.name
    start = f"transload.pack((), '{name}/left', origin='oci:source', volume_size='1MiB', progress=end, jobs=1)"
    assert stick.run("python", KILLED + start)[0] == -9
    assert [entry for entry in stick.names() if entry.startswith("left.")]
    stick.good("transload", "clean", f"bundle:{name}/left", "--older-than", "0m")
    assert not [entry for entry in stick.names() if entry.startswith("left.")]


TWO_AT_ONCE = """
import transload
from transload.errors import Busy
from transload.events import StepMoved
told = []
def again(event):
    if isinstance(event, StepMoved) and not told:
        told.append("nothing")
        try:
            transload.pack((), "{name}/two", origin="oci:source")
        except Busy:
            told[0] = "busy"
transload.pack((), "{name}/two", origin="oci:source", progress=again, jobs=1)
print(*told)
"""


@in_kernel
def test_two_runs_at_once_know_of_each_other(stick: Stick) -> None:
    assert stick.good("python", TWO_AT_ONCE.replace("{name}", stick.place.name)).split()[-1] == "busy"


def test_a_name_that_it_does_not_take(stick: Stick) -> None:
    code, told = stick.run("transload", "pack", "--from", "oci:source", "-o", f"{stick.place.name}/a:b")
    if code == 0:
        pytest.skip("this driver takes every name")
    assert (code, "does not take the name a:b" in told) == (8, True)


def test_capitals_do_not_make_another_name(stick: Stick) -> None:
    name = stick.place.name
    packing = ("transload", "pack", "--from", "oci:source", "-o", f"{name}/capitals/name")
    stick.good("mkdir", f"{name}/capitals")
    stick.good(*packing, "--image", "a/one")
    stick.good("python", f"import os; os.rename('{name}/capitals/name.tar', '{name}/capitals/NAME.TAR')")
    if stick.run("test", "-e", f"{name}/capitals/name.tar")[0]:
        pytest.skip("this driver tells capitals from small letters")
    before = stick.good("sha256sum", f"{name}/capitals/NAME.TAR")
    code, told = stick.run(*packing, "--image", "a/many")
    assert (code, "exists already" in told) == (7, True), told
    assert stick.good("sha256sum", f"{name}/capitals/NAME.TAR") == before


@in_kernel
@pytest.mark.parametrize("work", ["pack", "to-media", "mirror"])
def test_files_of_4_gib(stick: Stick, work: str) -> None:
    name = stick.place.name
    words = {
        "pack": ("pack", "-o", f"{name}/large"),
        "to-media": ("pack", "-o", f"{name}/large", "--volume-size", "5GiB", "--to-media"),
        "mirror": ("mirror", "--to", f"oci:{name}/large"),
    }[work]
    code, told = stick.run("transload", *words, "--from", "oci:large")
    assert (code, "below 4 GiB" in told) == (8, stick.kind == "vfat"), told
    assert ("--volume-size fat32" in told) == (stick.kind == "vfat"), told


@in_kernel
def test_names_as_long_as_it_takes(stick: Stick) -> None:
    """FAT takes 255 UTF-16 units; UDF 254 letters of Latin 1, or 127 if one of them is another."""
    name = stick.place.name
    stick.good("mkdir", f"{name}/long")
    packing = ("transload", "pack", "--from", "oci:source", "--image", "a/many", "--volume-size", "1MiB", "-o")
    code, told = stick.run(*packing, f"{name}/long/{'x' * 300}")
    assert (code, "choose a shorter name" in told) == (8, True), told
    code, told = stick.run(*packing, f"{name}/long/語{'x' * 120}")
    assert (code, "choose a shorter name" in told) == ((8, True) if stick.kind == "udf" else (0, False)), told
    assert bool(stick.names("long")) == (stick.kind == "vfat")
    stick.good(*packing, f"{name}/long/語{'x' * 110}")
    stick.good("transload", "verify", f"{name}/long/語{'x' * 110}")
