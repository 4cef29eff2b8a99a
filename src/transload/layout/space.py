"""Checks that the disk of a layout has enough room, before the copying begins."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress

from transload.errors import DiskFull, TransloadError
from transload.files import Folder, check_file_size, free_bytes, local_errors
from transload.layout.ingest import digest_of_parked
from transload.oci import Descriptor
from transload.wording import in_words

_OTHERWISE = "format the disk with exFAT, or pack a bundle with --volume-size fat32"


def check_space(
    root: Folder, ingests: Folder, wanted: Iterable[Descriptor], exists: Callable[[str, Descriptor], bool]
) -> None:
    """Raise `DiskFull`, with the numbers, if the disk has less room than these need.

    What `exists` or is parked needs none; it is looked for only where the room does not suffice for all.
    """
    blobs = {descriptor.digest: descriptor for descriptor in wanted}
    if not blobs:
        return
    largest = max(blobs.values(), key=lambda blob: blob.size)
    check_file_size(root.path, largest.size, f"blob {largest.digest.short}", _OTHERWISE)
    needed, free = sum(blob.size for blob in blobs.values()), free_bytes(root.path)
    if free < needed:
        lacking: dict[str, int] = {digest: blob.size for digest, blob in blobs.items() if not _is_there(blob, exists)}
        needed = sum(lacking.values()) - _parked_bytes(ingests, lacking)
    if free < needed:
        raise DiskFull(
            f"the folder needs {in_words(needed)} more ({needed} bytes), "
            f"{root.path} has {in_words(free)} free ({free} bytes)",
            subject=str(root.path),
            hint=f"make room for {in_words(needed - free)}, or choose another disk, and run the same command again",
        )


def _is_there(blob: Descriptor, exists: Callable[[str, Descriptor], bool]) -> bool:
    with suppress(TransloadError):  # the run will report the error
        return exists("", blob)
    return False


def _parked_bytes(ingests: Folder, sizes: Mapping[str, int]) -> int:
    """How many bytes of these blobs earlier runs have left."""
    arrived = 0
    with local_errors("looking for unfinished blobs in", ingests.path):
        for name in ingests.entries():
            size = sizes.get(digest_of_parked(name))
            status = None if size is None else ingests.status(name)
            if size is not None and status is not None:
                arrived += min(size, status.st_size, getattr(status, "st_blocks", 1 << 60) * 512)
    return arrived
