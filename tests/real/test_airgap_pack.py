"""`transload pack`: volumes on a medium, the same bytes every time, whole or not at all, and gone on with."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import signal
import subprocess
import threading
from collections import namedtuple
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.real.airgap import BLOBS, BYTES, LARGE, ONE, RELEASE, TWO, Vendor, pack, vendor, volumes
from tests.real.servers import StartRegistry
from tests.real.test_cli_verify import blob_file
from tests.real.vendor import Shell, push
from transload.bundle import BundleStore
from transload.oci import Name
from transload.testing.faults import waits
from transload.testing.images import image


@pytest.fixture
def source() -> Iterator[Vendor]:
    with vendor() as serving:
        yield serving


def release(source: Vendor) -> list[str]:
    return [source(name) for name in RELEASE]


# --- what lies on the medium


def test_volumes_are_whole_named_and_summed(shell: Shell, source: Vendor, tmp_path: Path) -> None:
    ran = pack(shell, *release(source), "-o", "disk-2026.11", "--volume-size", "1MiB")
    files = volumes(tmp_path, "disk-2026.11")
    assert [file.name for file in files] == [f"disk-2026.11.00{number}.tar" for number in range(1, 5)]
    assert [file.stat().st_size for file in files[:-1]] == [1 << 20] * 3
    assert "content:  3 images, 3 manifests, 7 blobs, 3.3 MiB" in ran.out
    assert "volumes:  disk-2026.11.001.tar 1.0 MiB, " in ran.out
    summed = subprocess.run(["sha256sum", "-c", "SHA256SUMS"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert summed.stdout.splitlines() == [f"{file.name}: OK" for file in files]
    assert {path.name for path in tmp_path.iterdir()} == {*(file.name for file in files), "SHA256SUMS", "home"}


def test_each_blob_is_fetched_once_and_the_same_set_gives_the_same_bytes(
    shell: Shell, source: Vendor, tmp_path: Path
) -> None:
    pack(shell, *release(source), "-o", "a", "--volume-size", "1MiB")
    assert source.blobs_read == BLOBS
    pack(shell, *reversed(release(source)), "-o", "b", "--volume-size", "1MiB", "--jobs", "1")
    assert [one.read_bytes() for one in volumes(tmp_path, "a")] == [one.read_bytes() for one in volumes(tmp_path, "b")]


def test_what_is_packed_already_is_left_alone(shell: Shell, source: Vendor, tmp_path: Path) -> None:
    words = (*release(source), "-o", "done.tar")  # the suffix may be written
    pack(shell, *words)
    read, before = source.blobs_read, (tmp_path / "done.tar").stat()
    ran = pack(shell, *words)
    assert ran.out.startswith("nothing to do: 3 unchanged")
    after = (tmp_path / "done.tar").stat()
    assert (source.blobs_read, after.st_mtime_ns, after.st_ino) == (read, before.st_mtime_ns, before.st_ino)


def test_another_set_does_not_replace_a_bundle(shell: Shell, source: Vendor, tmp_path: Path) -> None:
    pack(shell, source("app/one:v1"), "-o", "taken")
    before = (tmp_path / "taken.tar").read_bytes()
    ran = shell("pack", source("app/two:v1"), "-o", "taken")
    assert ran.code == 7
    assert ran.err.startswith("error: taken.tar exists already")
    assert "hint: delete it, or give the new bundle another name" in ran.err
    assert (tmp_path / "taken.tar").read_bytes() == before


def test_further_files_and_the_tool_travel_too(shell: Shell, source: Vendor, tmp_path: Path) -> None:
    (tmp_path / "licence.txt").write_text("do as you like\n")
    (tmp_path / "transload.pyz").write_bytes(b"a program")
    (tmp_path / "disk").mkdir()
    pack(shell, source("app/one:v1"), "-o", "disk/b", "--also", "licence.txt", "--with-tool", "transload.pyz")
    assert (tmp_path / "disk/transload.pyz").read_bytes() == b"a program"
    summed = subprocess.run(["sha256sum", "-c", "SHA256SUMS"], cwd=tmp_path / "disk", capture_output=True, check=True)
    assert summed.stdout.splitlines() == [b"b.tar: OK", b"transload.pyz: OK"]
    assert "files:    licence.txt 15 B" in shell("list", "disk/b").out
    ran = shell("extract", "disk/b", "-C", "out")
    assert (ran.code, ran.out) == (0, "out/licence.txt\n")
    assert (tmp_path / "out/licence.txt").read_text() == "do as you like\n"
    again = shell("extract", "disk/b", "-C", "out")
    assert (again.code, again.err.splitlines()[0]) == (7, "error: out/licence.txt is there already")
    told = shell("extract", "disk/b", "licence.txt", "-C", "out", "--overwrite", "--output", "json")
    assert told.events[-1]["files"] == ["out/licence.txt"]
    assert shell("extract", "disk/b", "manual.pdf").code == 4


def test_what_is_made_is_told_to_programs(shell: Shell, source: Vendor, tmp_path: Path) -> None:
    ran = pack(shell, *release(source), "-o", "b", "--volume-size", "1MiB", "--output", "json", "--report", "r.json")
    (bundle,) = [event for event in ran.events if event["event"] == "bundle"]
    assert bundle["volume_files"] == [file.name for file in volumes(tmp_path, "b")]
    assert {image["name"] for image in bundle["images"]} == set(RELEASE)
    result = ran.events[-1]["result"]
    kept = json.loads((tmp_path / "r.json").read_text())
    assert {**kept, "images": None} == {**kept, **result, "images": None}
    for told, more in zip(result["images"], kept["images"], strict=True):
        assert more == {**more, **told}  # the file says more, such as the layers
    assert result["totals"]["copied"] == {"blobs": BLOBS, "bytes": BYTES}
    listed = shell("list", "b", "--output", "json").events[-1]
    assert {**listed, "time": ""} == {**bundle, "time": ""}


# --- whole or not at all


def test_a_release_that_cannot_be_packed_whole_is_refused(shell: Shell, source: Vendor, tmp_path: Path) -> None:
    words = (*release(source), source("app/absent:v1"))
    ran = shell("pack", *words, "-o", "b")
    assert ran.code == 7
    assert ran.err.splitlines() == [
        (
            "error: 1 of 4 images cannot be packed, so nothing was written: "
            f"{source.served.host_port} has no app/absent:v1"
        ),
        "  hint: check the names; --allow-missing packs the others",
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["home"]
    allowed = pack(shell, *words, "-o", "b", "--allow-missing")
    assert "done: 3 copied, 1 missing as allowed" in allowed.out
    assert set(BundleStore(tmp_path / "b").ledger.by_name) == set(map(Name.parse, RELEASE))


@pytest.mark.parametrize("more", [(), ("--allow-missing",)])
def test_nothing_of_it_published_is_not_found(shell: Shell, source: Vendor, tmp_path: Path, more: tuple[str]) -> None:
    ran = shell("pack", source("app/absent:v1"), source("app/gone:v1"), "-o", "b", *more)
    assert ran.code == 4
    assert "none of the 2 images is published: " in ran.err
    assert [path.name for path in tmp_path.iterdir()] == ["home"]


def test_a_source_that_is_down_is_told_once(shell: Shell, tmp_path: Path) -> None:
    ran = shell("pack", "127.0.0.1:1/app/one:v1", "127.0.0.1:1/app/two:v1", "-o", "b")
    assert ran.code == 5
    assert len([line for line in ran.err.splitlines() if line.startswith("error: ")]) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["home"]


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (("-o", "absent/b"), 8, "there is no folder"),
        (("-o", "home"), 8, "home is a folder, not a bundle"),
        (("-o", "b.002"), 2, "volume 2 of the bundle b would have the name b.002"),
        (("-o", "b", "--volume-size", "7"), 2, "a volume of 7 bytes is too small"),
        (("-o", "b", "--volume-size", "large"), 2, "'large' is not a volume size"),
        (("-o", "b", "--sign-key", "absent.key"), 8, "there is no file absent.key"),
        (("-o", "b", "--also", "absent.txt"), 8, "there is no file absent.txt"),
        (("-o", "b", "--with-tool", "absent.pyz"), 8, "there is no file absent.pyz"),
        (("-o", "b", "--against", "absent"), 8, "there is no bundle absent"),
        (("-o", "b", "--against-key", "absent.pub"), 2, "--against-key was given without --against"),
    ],
)
def test_what_cannot_be_done_is_said_before_anything_is_fetched(
    shell: Shell, source: Vendor, tmp_path: Path, words: tuple[str, ...], code: int, sentence: str
) -> None:
    ran = shell("pack", source("app/one:v1"), *words)
    assert (ran.code, sentence in ran.err) == (code, True), ran.err
    assert source.blobs_read == 0
    assert [path.name for path in tmp_path.iterdir()] == ["home"]


# --- gone on with


def test_a_disk_without_room_is_found_before_the_first_byte(
    shell: Shell, source: Vendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda _: usage(1 << 40, 1 << 40, 1 << 20))
        ran = shell("pack", *release(source), "-o", "b")
        assert ran.code == 8
        assert "error: the bundle needs 3.3 MiB more (" in ran.err
        assert "has 1.0 MiB free (1048576 bytes)" in ran.err
        assert "run the same command again" in ran.err
        assert source.blobs_read == 0
    pack(shell, source("app/one:v1"), "-o", "b")  # the name is still free


def test_a_blob_that_the_source_lost_leaves_the_bundle_unfinished(
    shell: Shell, start_registry: StartRegistry, tmp_path: Path
) -> None:
    source = start_registry()
    words = [push(source, built, name.partition(":")[0], "v1") for name, built in RELEASE.items()]
    path = blob_file(source, LARGE.descriptor.digest)
    path.rename(tmp_path / "aside")
    ran = shell("pack", *words, "-o", "b")
    assert ran.code == 1, ran.told
    assert "the bundle is not finished: what was fetched is kept, and the same command fetches the rest" in ran.err
    assert volumes(tmp_path, "b") == []
    (tmp_path / "aside").rename(path)
    retry = next(line for line in ran.out.splitlines() if line.startswith("  transload pack "))
    again = shell(*shlex.split(retry)[1:])
    assert "1.4 MiB copied in 1 blob, 6 already there" in again.out, again.told
    assert shell("verify", "b").code == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_what_was_fetched_before_an_interruption_is_not_fetched_again(
    shell: Shell, tmp_path: Path, number: signal.Signals
) -> None:
    gate = threading.Event()
    with vendor(waits("open", gate, subject=LARGE.descriptor.digest, times=99)) as source:
        words = ("pack", *release(source), "-o", "b", "--volume-size", "1MiB")
        process = shell.start(*words, "--output", "json")
        assert process.stdout
        images = 0
        while images < 2:  # all but the one whose layer is held back
            images += json.loads(process.stdout.readline())["event"] == "image"
        process.send_signal(number)
        out, err = process.communicate(timeout=240)
        assert volumes(tmp_path, "b") == []
        if number == signal.SIGINT:
            assert process.returncode == 130
            result = json.loads(out.splitlines()[-1])["result"]
            assert shlex.split(result["retry"])[1:] == list(words)
            assert "Traceback" not in err
        other = shell("pack", source("app/one:v1"), "-o", "b")
        assert (other.code, "belongs to an unfinished bundle with other content" in other.err) == (7, True)
        assert "or delete what it left: b.*partial*" in other.err
        gate.set()
        source.store.subjects.clear()
        again = shell(*words)
        assert again.code == 0, again.told
        config = TWO.contents[0].descriptor.digest  # which may have been on its way as well
        read = {subject for on, subject in source.store.subjects if on == "open"}
        assert {LARGE.descriptor.digest} <= read <= {LARGE.descriptor.digest, config}
        # The config may have come whole and not have been committed; then it is copied without being read again.
        assert any(f"{BLOBS - copied} already there" in again.out for copied in {len(read), 2})
    assert len(volumes(tmp_path, "b")) == 4
    assert shell("verify", "b").code == 0
    assert not list(tmp_path.glob("b*partial*"))


def test_two_at_once_on_one_bundle(shell: Shell) -> None:
    gate = threading.Event()
    with vendor(waits("open", gate, subject=LARGE.descriptor.digest, times=99)) as source:
        words = ("pack", *release(source), "-o", "b")
        process = shell.start(*words, "--output", "json")
        assert process.stdout
        while json.loads(process.stdout.readline())["event"] != "image":
            pass
        ran = shell(*words)
        assert (ran.code, "another process is using" in ran.err) == (8, True), ran.told
        gate.set()
        process.communicate(timeout=240)
        assert process.returncode == 0


# --- kinds of content


def test_two_registries_and_what_is_named_by_its_digest_only(shell: Shell, tmp_path: Path) -> None:
    other = image("other", (1000, 2000))
    with vendor() as first, vendor(images={"team/tool:v1": other}) as second:
        pack(shell, first(f"app/one@{ONE.digest}"), second("team/tool:v1"), "-o", "b")
    assert set(BundleStore(tmp_path / "b").ledger.by_name) == {
        Name("app/one", None, ONE.digest),
        Name("team/tool", "v1"),
    }


def test_one_name_with_different_content_is_refused(shell: Shell, tmp_path: Path) -> None:
    with vendor() as first, vendor(images={"app/one:v1": image("other")}) as second:
        ran = shell("pack", first("app/one:v1"), second("app/one:v1"), "-o", "b")
    assert (ran.code, "app/one:v1 is wanted twice" in ran.err) == (2, True)
    assert [path.name for path in tmp_path.iterdir()] == ["home"]


def test_the_document_for_programs_has_the_keys_that_are_documented(shell: Shell, source: Vendor) -> None:
    text = (Path(__file__).parents[2] / "docs/formats/json-output.md").read_text("utf-8")
    (section,) = re.findall(r"^### Bundle\n(.*?)^### ", text, re.MULTILINE | re.DOTALL)
    documented = {
        key for cell in re.findall(r"^\| (`.*?) \|", section, re.MULTILINE) for key in re.findall(r"`(\S+?)`", cell)
    }
    pack(shell, source("app/one:v1"), "-o", "b")
    told = shell("list", "b", "--output", "json").events[-1]
    listed = {key.partition("[]")[0] for key in documented if "[]" in key}  # lists whose entries have documented keys
    keys = {key for key in told if key not in {"event", "time", *listed}}
    empty = {key for key in documented if key.partition("[]")[0] in listed and not told[key.partition("[]")[0]]}
    assert documented - empty == keys | {f"images[].{key}" for key in told["images"][0]}


def test_what_is_to_be_packed_has_to_be_said(shell: Shell) -> None:
    ran = shell("pack", "-o", "b")
    assert (ran.code, ran.err.splitlines()) == (
        2,
        [
            "error: nothing says which images are wanted",
            "  hint: name them, for example: transload pack arcdata -o b",
        ],
    )
