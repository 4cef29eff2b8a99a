"""Cuts a bundle into volumes of one size, so that recovery volumes are no larger than they must be. Pure."""

from __future__ import annotations

from transload.bundle.format.recovery import check_rows, planned
from transload.bundle.format.volumes import SMALLEST_BYTES, Cut
from transload.errors import UsageError
from transload.limits import VOLUMES
from transload.oci import Digest
from transload.wording import number_of

_STEP = 4096  # cuts are on the blocks of file systems
_SLACK = 4096  # a ledger that says how the bundle is cut is a little longer than one that does not
_ANY = Digest.of(b"")


def even_volume_bytes(size: int, *, most_bytes: int | None, count: int | None, rows: int) -> int | None:
    """The size of the volumes of a stream of `size` bytes; None if it is not to be cut.

    There are `count` of them (fewer if they would be smaller than 1 MiB), or as few as possible with at most
    `most_bytes` each. Recovery volumes, `rows` of them, are a little larger than the others, and keep to `most_bytes`
    too. Raises `UsageError` if that is not possible.
    """
    if count is not None:
        if not 1 <= count <= VOLUMES:
            raise UsageError(f"{count} volumes are not possible: from 1 to {VOLUMES}", subject=str(count))
        volume_bytes = max(_share(size, count), SMALLEST_BYTES)
        return volume_bytes if volume_bytes < size else None
    if most_bytes is None:
        return None
    if size <= most_bytes and (not rows or _largest(size, None, rows) <= most_bytes):
        return None
    number = -(-size // most_bytes)
    while (volume_bytes := _share(size, number)) > most_bytes or _largest(size, volume_bytes, rows) > most_bytes:
        number += 1
        if rows and number + rows > VOLUMES:
            raise UsageError(
                f"recovery volumes of at most {number_of(most_bytes, 'byte')} are not possible",
                hint="choose larger volumes",
            )
    return volume_bytes


def _share(size: int, count: int) -> int:
    return -(-(size + _SLACK) // (count * _STEP)) * _STEP


def _largest(size: int, volume_bytes: int | None, rows: int) -> int:
    """The size of the largest file."""
    cut = Cut(size + _SLACK, volume_bytes)
    if not rows:
        return cut.size_of(1)
    check_rows(cut, rows)
    return planned(cut, _ANY, rows).file_bytes
