"""Small bundles with recovery volumes, and damage done to their files from a seed."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from attrs import frozen

from tests.unit.bundle.packing import named, pack
from transload.bundle import BundleStore
from transload.bundle.format.recovery import planned
from transload.bundle.writing.recovery import RecoveryWriter
from transload.bundle.writing.sums import SUMS
from transload.oci import Name
from transload.testing.images import Built
from transload.testing.releases import release

IMAGES = named(release("damage", images=3, size=30_000))
OTHERS = named(release("another", images=3, size=30_000))
BLOCK = 512


@frozen
class Whole:
    """A bundle as it was made: its files by name."""

    folder: Path
    files: Mapping[str, bytes]
    rows: int

    @property
    def volumes(self) -> int:
        """How many volumes there are, without recovery volumes."""
        return sum(name.endswith(".tar") for name in self.files) - self.rows


def protected(
    folder: Path,
    rows: int = 2,
    volume_bytes: int | None = 9216,
    images: Mapping[Name, Built] = IMAGES,
    name: str = "b",
    block_bytes: int = BLOCK,
) -> Whole:
    """Pack and protect a bundle."""
    folder.mkdir(exist_ok=True)
    blueprint, _ = pack(folder / name, images, volume_bytes)
    RecoveryWriter(folder / name, planned(blueprint.cut, blueprint.digest, rows, block_bytes)).write()
    return Whole(folder, contents(folder), rows)


def contents(folder: Path) -> dict[str, bytes]:
    """The files in a folder; the lines of SHA256SUMS are sorted, since new ones are added at its end."""
    files = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    if SUMS in files:
        files[SUMS] = b"".join(sorted(files[SUMS].splitlines(keepends=True)))
    return files


def put_back(whole: Whole, folder: Path) -> None:
    """Fill a folder with the bundle as it was made."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name, raw in whole.files.items():
        (folder / name).write_bytes(raw)


def is_all_there(path: Path) -> bool:
    """Whether every member of a bundle can be read and is right."""
    return all(part.error is None or part.made_good for part in BundleStore(path).check())


def spoil(folder: Path, chance: random.Random) -> None:
    """Do one thing to one file: cut, lengthen, lose, zero, flip, overwrite it, or swap it with another."""
    path = chance.choice(sorted(folder.glob("*.tar")))
    raw = bytearray(path.read_bytes())
    if not raw:
        return
    place, length = chance.randrange(len(raw)), chance.choice([1, 40, 600, 3000])
    match chance.randrange(7):
        case 0:
            path.unlink()
        case 1:
            path.write_bytes(raw[:place])
        case 2:
            path.write_bytes(raw + chance.randbytes(length))
        case 3:
            raw[place : place + length] = bytes(len(raw[place : place + length]))
            path.write_bytes(raw)
        case 4:
            raw[place] ^= 1 << chance.randrange(8)
            path.write_bytes(raw)
        case 5:
            raw[place : place + length] = chance.randbytes(len(raw[place : place + length]))
            path.write_bytes(raw)
        case 6:
            other = chance.choice(sorted(folder.glob("*.tar")))
            between = folder / "between"
            path.rename(between)
            other.rename(path) if other != path else None
            between.rename(other)


# --- one thing at a time

Step = Callable[[Path], object]
"""Does some damage to the bundle in a folder."""


def lose(*names: str) -> Step:
    """Delete files."""

    def step(folder: Path) -> None:
        for name in names:
            (folder / name).unlink()

    return step


def rename(*names: str) -> Step:
    """Give the first file the name of the second, and so on; the last one, if it exists, gets the first name."""

    def step(folder: Path) -> None:
        there = [name for name in names if (folder / name).exists()]
        for name in there:
            (folder / name).rename(folder / f"{name}.aside")
        for name in there:
            new = names[(names.index(name) + 1) % len(names)]
            (folder / f"{name}.aside").rename(folder / new)

    return step


def cut(name: str, length: int) -> Step:
    """Make a file so long; zeros follow if it was shorter."""
    return lambda folder: os.truncate(folder / name, length)


def overwrite(name: str, offset: int, length: int, *, zeros: bool = False) -> Step:
    """Put random bytes, or zeros, over a part of a file."""

    def step(folder: Path) -> None:
        with (folder / name).open("r+b") as file:
            file.seek(offset)
            file.write(bytes(length) if zeros else random.Random(length).randbytes(length))

    return step
