"""Checks that the disk of a layout has enough room, before the copying begins."""

from __future__ import annotations

from collections.abc import Iterable

from transload.errors import DiskFull
from transload.files import Folder, check_file_size, free_bytes, local_errors
from transload.layout.ingest import parked_name
from transload.oci import Descriptor
from transload.wording import in_words

_OTHERWISE = "format the disk with exFAT, or pack a bundle with --volume-size fat32"


def check_space(root: Folder, ingests: Folder, wanted: Iterable[Descriptor]) -> None:
    """Raise `DiskFull`, with the numbers, if the disk has less room than these need. Parked bytes are there already."""
    wanted = tuple(wanted)
    sizes = {descriptor.digest: descriptor.size for descriptor in wanted}
    if not sizes:
        return
    largest = max(wanted, key=lambda descriptor: descriptor.size)
    check_file_size(root.path, largest.size, f"blob {largest.digest.short}", _OTHERWISE)
    parked = {parked_name(digest): digest for digest in sizes}
    with local_errors("looking for unfinished blobs in", ingests.path):
        for name in parked.keys() & set(ingests.entries()):
            status = ingests.status(name)
            arrived = 0 if status is None else min(status.st_size, getattr(status, "st_blocks", 1 << 60) * 512)
            sizes[parked[name]] -= min(sizes[parked[name]], arrived)
    needed, free = sum(sizes.values()), free_bytes(root.path)
    if free < needed:
        raise DiskFull(
            f"the folder needs {in_words(needed)} more ({needed} bytes), "
            f"{root.path} has {in_words(free)} free ({free} bytes)",
            subject=str(root.path),
            hint=f"make room for {in_words(needed - free)}, or choose another disk, and run the same command again",
        )
