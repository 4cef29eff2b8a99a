"""`transload verify` of a real registry, also one whose disk was damaged behind its back."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.real.servers import Registry, StartRegistry
from tests.real.vendor import NEW, Shell, push
from transload.testing.images import image

IMAGES = ("arc-controller", "arc-dns", "arc-sqlmi")
SAMPLE = image("verified")


def blob_file(registry: Registry, digest: str) -> Path:
    """Where docker-registry keeps a blob's bytes."""
    algorithm, _, encoded = digest.partition(":")
    return registry.root / "docker/registry/v2/blobs" / algorithm / encoded[:2] / encoded / "data"


@pytest.fixture
def words(shell: Shell, vendor: Registry, start_registry: StartRegistry) -> tuple[Registry, list[str]]:
    """A target of its own with three images of the release, and the words that name them."""
    target = start_registry()
    words = ["arcdata", "--source-registry", vendor.host, "--tag", NEW, "--to", f"{target.host}/verified"]
    for name in IMAGES:
        words += ["--image", name]
    assert shell("mirror", *words).code == 0
    return target, words


def test_what_was_mirrored_is_identical(shell: Shell, words: tuple[Registry, list[str]]) -> None:
    for deep, how in (((), "every manifest read, every blob asked for"), (("--deep",), "every blob read and hashed")):
        ran = shell("verify", *words[1], *deep)
        assert ran.code == 0, ran.told
        lines = ran.out.splitlines()
        assert [line.split()[0] for line in lines[:3]] == ["identical"] * 3
        assert lines[3] == f"3 images: all proved ({how})"
        assert ran.err == ""


def test_what_is_absent_or_another_is_found(shell: Shell, words: tuple[Registry, list[str]]) -> None:
    target, given = words
    push(target, image("somebody else's"), "verified/arc-dns", NEW)
    ran = shell("verify", *given, "--image", "arc-bootstrapper")
    assert ran.code == 1
    verdicts = sorted(line.split()[0] for line in ran.out.splitlines())
    assert verdicts == ["4", "absent", "differs", "identical", "identical"]
    assert "1 differs" in ran.out
    assert "1 absent" in ran.out
    assert "see who pushed something else under this name" in ran.err
    quiet = shell("verify", *given, "--quiet")
    assert [line.split()[0] for line in quiet.out.splitlines()] == ["differs", "3"]


def test_nothing_mirrored_yet_is_not_found(shell: Shell, vendor: Registry, registry: Registry) -> None:
    ran = shell(
        "verify", "arcdata", "--source-registry", vendor.host, "--tag", NEW, "--to", f"{registry.host}/nothing-yet"
    )
    assert ran.code == 4
    assert "20 images: 20 absent" in ran.out
    assert len(ran.err.splitlines()) == 1


def test_a_deleted_blob_is_found_without_reading_and_a_damaged_one_by_reading(
    shell: Shell, start_registry: StartRegistry
) -> None:
    target = start_registry()
    reference = push(target, SAMPLE, "app", "v1")
    words = (reference, "--to", target.host)
    path = blob_file(target, SAMPLE.manifest.layers[0].digest)
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    assert shell("verify", *words).code == 0
    deep = shell("verify", *words, "--deep")
    assert deep.code == 6
    assert deep.out.startswith("damaged   app:v1")
    path.unlink()
    gone = shell("verify", *words)
    assert gone.code == 4
    assert gone.out.startswith("damaged   app:v1")
    assert "--recheck" in gone.err.splitlines()[-1], "what to do comes last"


def test_verification_for_programs(shell: Shell, words: tuple[Registry, list[str]]) -> None:
    target, given = words
    push(target, image("somebody else's"), "verified/arc-dns", NEW)
    ran = shell("verify", *given, "--output", "json")
    hello, *_, told = ran.events  # on a slow machine it says in between what it is at
    assert (hello["event"], hello["command"]) == ("hello", "verify")
    assert (told["event"], told["good"], told["deep"]) == ("verification", False, False)
    verdicts = {one["name"]: (one["verdict"], one["problem"] and one["problem"]["code"]) for one in told["images"]}
    assert verdicts == {
        f"verified/arc-controller:{NEW}": ("identical", None),
        f"verified/arc-dns:{NEW}": ("differs", "content-differs"),
        f"verified/arc-sqlmi:{NEW}": ("identical", None),
    }


def test_a_folder_by_itself(shell: Shell, vendor: Registry, tmp_path: Path) -> None:
    assert shell("mirror", f"{vendor.host}/arcdata/arc-dns:{NEW}", "--to", "oci:folder").code == 0
    assert shell("verify", "oci:folder", "--deep").out.startswith("sound     arcdata/arc-dns:v1.40")
    largest = max((tmp_path / "folder/blobs/sha256").iterdir(), key=lambda path: path.stat().st_size)
    largest.write_bytes(b"\0" * largest.stat().st_size)
    assert shell("verify", "oci:folder", "--deep").code == 6
    largest.unlink()
    ran = shell("verify", "oci:folder")
    assert (ran.code, ran.out.split()[0]) == (4, "damaged")


def test_verifying_makes_no_folder(shell: Shell, vendor: Registry, tmp_path: Path) -> None:
    ran = shell("verify", f"{vendor.host}/arcdata/arc-dns:{NEW}", "--to", "oci:absent")
    assert ran.code == 8
    assert not (tmp_path / "absent").exists()
