"""Reads what a recovery volume says of a bundle, from whichever of its two copies is whole."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from io import FileIO
from pathlib import Path

from transload.bundle.format.recovery import DESCRIPTION, HEADERS_BYTES, Description, Protection
from transload.bundle.format.tarheader import BLOCK
from transload.errors import MemberDamaged
from transload.files import open_file, read_up_to
from transload.limits import SMALL_JSON_BYTES


def descriptions_in(path: Path) -> Iterator[Description]:
    """The descriptions that are whole in a file: at its beginning, and before its end. Raises nothing."""
    try:
        with open_file(path) as file:
            size = file.seek(0, 2)
            last = max(0, size - HEADERS_BYTES) // BLOCK * BLOCK
            for offset in (0, *range(last, size, BLOCK)):
                description = _described(file, offset)
                if description is not None:
                    yield description
    except OSError:  # a bad sector here is one damage more; the other copy counts
        return


def _described(file: FileIO, offset: int) -> Description | None:
    file.seek(offset)
    block = file.read(BLOCK)
    form = DESCRIPTION.match(block)
    if form is None:
        return None
    digits = block[124:135]
    size = int(digits, 8) if digits.isdigit() and not digits.strip(b"01234567") else 0
    raw = read_up_to(file, min(size, SMALL_JSON_BYTES))
    if hashlib.sha256(raw).hexdigest().encode() != form[1]:
        return None
    try:
        return Description.decode(raw)
    except MemberDamaged:
        return None


def protections_in(paths: Iterable[Path]) -> list[Protection]:
    """The sets of recovery volumes that these files belong to, without those whose sums are damaged everywhere."""
    paths = list(paths)
    described = {description.id: description for path in paths for description in descriptions_in(path)}
    found = (protection_of(description, paths) for description in described.values())
    return [protection for protection in found if protection is not None]


def protection_of(description: Description, paths: Iterable[Path]) -> Protection | None:
    """The description with its sums, from the first file that has them whole; None if no file has."""
    for path in paths:
        try:
            with open_file(path) as file:
                for offset in description.copies_of_sums:
                    file.seek(offset)
                    sums = read_up_to(file, description.sums_bytes)
                    if f"sha256:{hashlib.sha256(sums).hexdigest()}" == description.sums:
                        return Protection(description, sums)
        except OSError:
            continue
    return None
