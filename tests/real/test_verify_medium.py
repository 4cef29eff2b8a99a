"""`--verify-medium` finds what a medium gives back otherwise than it was written, and the next run writes it again.

The medium is a disk image with ext4. Behind the system's back, the test changes one byte in the image.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import transload
from tests.real.media import unmount
from transload import LayoutStore
from transload.errors import MediumDamaged
from transload.files.readback import ReadBack
from transload.testing.images import fill, image

MADE = image("medium", layers=(3_000_000, 20))
LAYER = max(MADE.walk_contents(), key=lambda content: content.descriptor.size)
PLACE = 1_500_000


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where the medium is mounted; its image lies beside it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TRANSLOAD_STATE_DIR", str(tmp_path / "state"))
    fill(LayoutStore("source", create=True), MADE, "a/b", "1")
    with (tmp_path / "image").open("wb") as file:
        file.truncate(64 << 20)
    place = tmp_path / "disk"
    place.mkdir()
    for words in (["mkfs.ext4", "-q", "-F", "image"], ["mount", "-o", "loop", "image", str(place)]):
        try:
            done = subprocess.run(words, capture_output=True, text=True)
        except FileNotFoundError:
            pytest.skip(f"{words[0]} is not installed")
        if done.returncode:
            pytest.skip(f"no image can be mounted here: {done.stderr.strip()}")
    yield place
    unmount(place)


def spoil() -> int:
    with Path("image").open("r+b") as file:
        content = file.read()
        found = content.index(LAYER.read()[PLACE : PLACE + 64])
        file.seek(found)
        file.write(bytes([content[found] ^ 1]))
    return found


def pack(**more: object) -> transload.PackResult:
    return transload.pack((), "disk/b", origin="oci:source", volume_size="1MiB", verify_medium=True, **more)  # type: ignore[arg-type]


def mirror(**more: object) -> transload.Result:
    return transload.mirror((), origin="oci:source", to="oci:disk/folder", verify_medium=True, **more)  # type: ignore[call-overload, no-any-return]


def test_a_bundle_that_does_not_read_back_is_not_finished(disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spoil_before_reading(monkeypatch)
    with pytest.raises(MediumDamaged, match=r"b\.002\.tar\.partial does not read back as it was written: bytes .* to "):
        pack()
    assert not list(disk.glob("*.tar"))
    again = pack()
    assert again.result.moved_bytes == LAYER.descriptor.size
    assert transload.verify("bundle:disk/b").good


def test_a_finished_bundle_is_read_back_too(disk: Path) -> None:
    pack()
    spoil()
    with pytest.raises(MediumDamaged, match=r"b\.002\.tar does not read back"):
        pack()


def test_recovery_volumes_are_read_back_too(disk: Path) -> None:
    pack(recovery=1)
    with Path("image").open("r+b") as file:
        content = file.read()
        parity = (disk / "b.r01.tar").read_bytes()[900_000:900_064]
        found = content.index(parity)
        file.seek(found)
        file.write(bytes([content[found] ^ 1]))
    with pytest.raises(MediumDamaged, match=r"b\.r01\.tar does not read back"):
        pack(recovery=1)


def test_a_blob_in_a_folder_is_noted_and_written_again(disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spoil_before_reading(monkeypatch)
    with pytest.raises(MediumDamaged, match=f"{LAYER.descriptor.digest.encoded} does not read back"):
        mirror()
    assert mirror().moved_bytes == LAYER.descriptor.size
    assert transload.verify("oci:disk/folder", deep=True).good


def spoil_before_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same once, just before the first file is read back."""
    chunks = ReadBack.chunks
    spoilt: list[int] = []

    def spoiling(back: ReadBack, path: Path) -> Iterator[memoryview]:
        if not spoilt:
            spoilt.append(spoil())
        return chunks(back, path)

    monkeypatch.setattr(ReadBack, "chunks", spoiling)
