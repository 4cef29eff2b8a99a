"""`transload push`: from volumes wherever they lie into a real registry, each byte once, tags last."""

from __future__ import annotations

import contextlib
import json
import re
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pexpect
import pytest

from tests.real.airgap import BLOBS, BYTES, LARGE, ONE, RELEASE, SHARED, THREE, TWO, pack, vendor, volumes
from tests.real.servers import Registry, Skopeo
from tests.real.vendor import Shell, command, digest_at, held, push, store_at
from tests.unit.archive.writer import Saved, saved_files, write_tar
from transload.errors import NotFound
from transload.layout import LayoutStore
from transload.memory import MemoryIngest, MemoryStore
from transload.oci import Descriptor, Name
from transload.server import ServeSettings, serve
from transload.testing.images import AMD64, Built, artifact, fill, image, multi_platform, signature

CUT = ("--volume-size", "1MiB")


@pytest.fixture
def bundle(shell: Shell, tmp_path: Path) -> Path:
    """The release, cut into four volumes of which each image needs several."""
    with vendor() as source:
        pack(shell, *map(source, RELEASE), "-o", "disk", *CUT)
    return tmp_path / "disk"


def test_straight_from_volumes_each_blob_once_and_mounted_elsewhere(
    shell: Shell, bundle: Path, registry: Registry
) -> None:
    ran = shell("push", "disk", "--to", f"{registry.host}/straight", "--output", "json", "--report", "r.json")
    assert ran.code == 0, ran.told
    totals = ran.events[-1]["result"]["totals"]
    assert totals["copied"] == {"blobs": BLOBS, "bytes": BYTES}
    assert totals["mounted"]["blobs"] == 2  # the shared layer, in the other two repositories
    for name, built in RELEASE.items():
        assert digest_at(registry, f"straight/{name}") == built.digest
    assert json.loads(Path("r.json").read_text())["exit_code"] == 0
    again = shell("push", "disk", "--to", f"{registry.host}/straight")
    assert again.out.startswith("nothing to do: 3 unchanged")
    compared = shell("verify", "disk", "--to", f"{registry.host}/straight", "--deep")
    assert (compared.code, compared.out.count("identical")) == (0, 3)


def test_volumes_in_several_folders(shell: Shell, bundle: Path, registry: Registry, tmp_path: Path) -> None:
    for number, file in enumerate(volumes(tmp_path, "disk")):
        (tmp_path / f"medium{number}").mkdir()
        file.rename(tmp_path / f"medium{number}" / file.name)
    listed = shell("list", "medium0/disk")
    assert "problem:  volume 2 of 4, disk.002.tar, is missing (2 images need it)" in listed.out
    told = shell("list", "medium0/disk", "--output", "json").events[-1]
    assert told["missing_files"] == ["disk.002.tar", "disk.003.tar", "disk.004.tar"]
    ran = shell("push", "medium0/disk", "--to", f"{registry.host}/folders")
    assert ran.code == 6
    assert "note:     volume 2 of 4, disk.002.tar, is missing; it is needed for 2 of 3 images" in ran.err
    assert re.search(r"error: volume [234] of 4, disk.00[234].tar, is missing", ran.told)
    assert held(registry, "folders") == set()
    folders = [word for number in (0, 2, 3, 1) for word in ("--volumes", f"medium{number}")]
    assert shell("list", "disk", *folders, "--quiet").out.count("\n") == 3
    done = shell("push", "disk", *folders, "--to", f"{registry.host}/folders")
    assert done.code == 0, done.told
    assert held(registry, "folders") == set(RELEASE)


def test_a_damaged_volume_costs_only_the_images_that_need_it(shell: Shell, registry: Registry, tmp_path: Path) -> None:
    with vendor() as source:
        pack(shell, *map(source, RELEASE), "-o", "whole")
    file = tmp_path / "whole.tar"
    raw = bytearray(file.read_bytes())
    raw[raw.index(LARGE.read()[:4096]) + 1_000_000] ^= 1
    file.write_bytes(raw)
    checked = shell("verify", "whole")
    assert checked.code == 1
    assert re.findall(r"^(\w+) +(\S+)", checked.out, re.MULTILINE)[:3] == [
        ("sound", "app/one:v1"),
        ("sound", "app/three:v1"),
        ("damaged", "app/two:v1"),
    ]
    ran = shell("push", "whole", "--to", f"{registry.host}/damaged")
    assert ran.code == 1
    assert "done: " not in ran.out
    assert held(registry, "damaged") == {"app/one:v1", "app/three:v1"}
    with store_at(registry) as store:
        assert not store.exists("damaged/app/two", LARGE.descriptor)
    retry = next(line for line in ran.out.splitlines() if line.startswith("  transload push "))
    assert retry.endswith(f"--to {registry.host}/damaged --image app/two:v1")


def test_the_medium_that_is_missing_is_asked_for_at_a_terminal(
    shell: Shell, bundle: Path, registry: Registry, tmp_path: Path
) -> None:
    files = volumes(tmp_path, "disk")
    elsewhere = tmp_path / "second"
    elsewhere.mkdir()
    second = files[1].rename(elsewhere / files[1].name)
    program, *words = command("push", "disk", "--to", f"{registry.host}/asked", "--jobs", "1")
    terminal = pexpect.spawn(program, words, encoding="utf-8", timeout=240, use_poll=True, dimensions=(40, 100))
    terminal.expect(re.escape("disk.002.tar (volume 2 of 4, 1.0 MiB) is needed."))
    terminal.expect(re.escape("goes on without it."))
    terminal.sendline("nowhere")  # asked again
    terminal.expect(re.escape("disk.002.tar (volume 2 of 4, 1.0 MiB) is needed."))
    second.rename(files[1])
    terminal.sendline("")  # now it is where it should be
    terminal.expect(pexpect.EOF)
    terminal.close()
    assert terminal.exitstatus == 0, terminal.before
    assert held(registry, "asked") == set(RELEASE)


def test_going_on_without_a_medium(shell: Shell, bundle: Path, registry: Registry, tmp_path: Path) -> None:
    volumes(tmp_path, "disk")[3].unlink()
    program, *words = command("push", "disk", "--to", f"{registry.host}/without", "--jobs", "1")
    terminal = pexpect.spawn(program, words, encoding="utf-8", timeout=240, use_poll=True, dimensions=(40, 100))
    terminal.expect(re.escape("goes on without it."))
    terminal.sendline("-")
    terminal.expect(pexpect.EOF)  # asked once, not for each image
    terminal.close()
    assert "is needed" not in (terminal.before or "")
    assert terminal.exitstatus in {1, 6}


# --- part of it there already, part of it wanted


def test_what_half_is_there_is_completed(shell: Shell, bundle: Path, registry: Registry) -> None:
    push(registry, ONE, "half/app/one", "v1")
    push(registry, image("older", (SHARED, 10)), "half/app/two", "v1")
    ran = shell("push", "disk", "--to", f"{registry.host}/half", "--output", "json")
    totals = ran.events[-1]["result"]["totals"]
    assert totals["images"] | {"all": 0} == {
        "all": 0, "copied": 1, "updated": 1, "unchanged": 1, "missing": 0,
        "failed": 0, "not-tried": 0, "interrupted": 0, "left": 0,
    }  # fmt: skip
    lacking = {one.descriptor.digest: one.descriptor.size for b in (TWO, THREE) for one in b.walk_contents()}
    del lacking[SHARED.descriptor.digest]
    assert totals["copied"] == {"blobs": len(lacking), "bytes": sum(lacking.values())}
    assert digest_at(registry, "half/app/two:v1") == TWO.digest


@pytest.mark.parametrize("name", ["app/two", "two", "app/two:v1"])
def test_only_one_image(shell: Shell, bundle: Path, registry: Registry, name: str) -> None:
    prefix = f"only-{name.replace('/', '-').replace(':', '-')}"
    assert shell("push", "disk", "--to", f"{registry.host}/{prefix}", "--image", name).code == 0
    assert held(registry, prefix) == {"app/two:v1"}


def test_an_image_that_the_bundle_does_not_hold(shell: Shell, bundle: Path, registry: Registry) -> None:
    ran = shell("push", "disk", "--to", registry.host, "--image", "four")
    assert ran.code == 4
    assert "no wanted image is called 'four'" in ran.err
    assert "hint: there are: app/one, app/three, app/two" in ran.err


class Gated(MemoryStore):
    """A target that does not take the largest blob before `gate` is set."""

    def __init__(self, gate: threading.Event) -> None:
        super().__init__()
        self.gate = gate
        self.begun: list[str] = []

    @contextlib.contextmanager
    def begin(self, repository: str, descriptor: Descriptor) -> Iterator[MemoryIngest]:
        self.begun.append(descriptor.digest)
        if descriptor.digest == LARGE.descriptor.digest:
            self.gate.wait()
        with super().begin(repository, descriptor) as ingest:
            yield ingest


def test_after_kill_9_what_arrived_is_not_sent_again(shell: Shell, bundle: Path, tmp_path: Path) -> None:
    gate = threading.Event()
    store = Gated(gate)
    with serve(store, ServeSettings(writable=True, spool_folder=tmp_path)) as target:
        words = ("push", "disk", "--to", f"{target.host_port}/killed", "--output", "json")
        process = shell.start(*words)
        assert process.stdout
        images = 0
        while images < 2:  # tags come last, so both are whole
            images += json.loads(process.stdout.readline())["event"] == "image"
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=240)
        with pytest.raises(NotFound):
            store.resolve(Name("killed/app/two", "v1"))
        gate.set()
        ran = shell(*words)
        assert ran.code == 0, ran.told
        totals = ran.events[-1]["result"]["totals"]
        assert totals["images"]["unchanged"] == 2
        assert store.begun.count(SHARED.descriptor.digest) == 1
        moved = [totals[kind]["bytes"] for kind in ("copied", "present", "mounted")]
        assert sum(moved) == sum(one.descriptor.size for one in TWO.contents)
        assert store.resolve(Name("killed/app/two", "v1")).digest == TWO.digest


# --- kinds of content


SIGNED = multi_platform("signed", (1000, 30_000))


@pytest.fixture
def attested() -> dict[str, Built]:
    """An image for two platforms with a referrer of the index, one of a child, and a signature under cosign's tag."""
    child = SIGNED.children[0]
    return {
        "app/signed:v1": SIGNED,
        f"app/signed@{signature(SIGNED).digest}": signature(SIGNED),
        f"app/signed@{signature(child, 'child').digest}": signature(child, "child"),
        f"app/signed:sha256-{SIGNED.digest.encoded}.sig": artifact("cosign", (400,)),
    }


def test_referrers_and_cosign_tags_cross(shell: Shell, attested: dict[str, Built], registry: Registry) -> None:
    with vendor(images=attested) as source:
        pack(shell, source("app/signed:v1"), "-o", "signed")
        assert "content:  1 image, 1 signature under a tag, 6 manifests" in shell("list", "signed").out
    ran = shell("push", "signed", "--to", f"{registry.host}/attested")
    assert ran.out.startswith("done: 1 copied"), ran.told
    with store_at(registry) as store:
        for text, built in attested.items():
            assert store.fetch(Name.parse(f"attested/{text}")).raw == built.manifest.raw
        assert [one.digest for one in store.refers.referrers("attested/app/signed", SIGNED.digest)] == [
            signature(SIGNED).digest
        ]


def test_without_referrers_they_stay(shell: Shell, attested: dict[str, Built], registry: Registry) -> None:
    with vendor(images=attested) as source:
        pack(shell, source("app/signed:v1"), "-o", "plain", "--no-referrers")
    assert shell("push", "plain", "--to", f"{registry.host}/unreferred").code == 0
    assert held(registry, "unreferred") == {"app/signed:v1"}


def test_a_narrowed_image_crosses_as_it_was_packed(shell: Shell, registry: Registry) -> None:
    with vendor(images={"app/multi:v1": SIGNED}) as source:
        pack(shell, source("app/multi:v1"), "-o", "narrow", "--platform", str(AMD64))
    assert shell("push", "narrow", "--to", f"{registry.host}/narrow").code == 0
    with store_at(registry) as store:
        index = store.fetch(Name("narrow/app/multi", "v1"))
    assert [child.digest for child in index.manifests] == [SIGNED.children[0].digest]


def test_by_digest_only(shell: Shell, registry: Registry) -> None:
    with vendor() as source:
        pack(shell, source(f"app/one@{ONE.digest}"), "-o", "digest")
    assert shell("push", "digest", "--to", f"{registry.host}/digest").code == 0
    with store_at(registry) as store:
        assert store.fetch(Name("digest/app/one", None, ONE.digest)).raw == ONE.manifest.raw


def test_flattened(shell: Shell, bundle: Path, registry: Registry) -> None:
    assert shell("push", "disk", "--to", f"{registry.host}/flat", "--flatten").code == 0
    assert held(registry, "flat") == {"one:v1", "two:v1", "three:v1"}


def test_any_folder_or_archive_can_be_pushed(shell: Shell, skopeo: Skopeo, registry: Registry, tmp_path: Path) -> None:
    fill(LayoutStore(tmp_path / "folder", create=True), ONE, "app/one", "v1")
    skopeo("copy", f"oci:{tmp_path / 'folder'}:app/one:v1", f"oci-archive:{tmp_path / 'oci.tar'}:app/one:v1")
    for what in ("folder", "oci.tar"):
        ran = shell("push", what, "--to", f"{registry.host}/any-{what[:3]}")
        assert ran.code == 0, ran.told
        assert digest_at(registry, f"any-{what[:3]}/app/one:v1") == ONE.digest
    saved = Saved("saved")
    write_tar(tmp_path / "saved.tar", saved_files((saved.flat(), ["registry.example/app/saved:v1"])))
    ran = shell("push", "saved.tar", "--to", f"{registry.host}/any-saved")
    assert ran.code == 0, ran.told
    assert held(registry, "any-saved") == {"app/saved:v1"}


@pytest.mark.parametrize(
    ("what", "code", "sentence"),
    [
        ("absent", 8, "there is no bundle, folder or archive absent"),
        ("bundle:absent", 8, "there is no bundle absent"),
        ("notes.txt", 6, "notes.txt"),
        ("home", 4, "home holds no bundle"),
    ],
)
def test_what_is_none(shell: Shell, registry: Registry, tmp_path: Path, what: str, code: int, sentence: str) -> None:
    (tmp_path / "notes.txt").write_text("no archive\n")
    ran = shell("push", what, "--to", registry.host)
    assert (ran.code, sentence in ran.err) == (code, True), ran.err
    assert "Traceback" not in ran.err
