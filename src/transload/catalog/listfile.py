"""Which files hold documents, and reading the others: lists of references."""

from __future__ import annotations

from pathlib import Path

from transload.catalog.imageset import ImageSet
from transload.catalog.references import LIST_BYTES, parse_references
from transload.files import local_errors, read_file

DOCUMENT_SUFFIXES = (".yaml", ".yml", ".json", ".lock")
"""Files that end so hold documents: a catalog, an image set, or what another tool lists. Others hold lines."""


def is_document(path: Path) -> bool:
    """Whether the file holds documents, by its name."""
    return path.suffix.lower() in DOCUMENT_SUFFIXES


def load_references(path: Path) -> ImageSet:
    """The images that a list of references names. Raises `DocumentInvalid`, `TargetConflict`, `LocalError`."""
    return ImageSet(path.stem, parse_references(read_bounded(path, LIST_BYTES), str(path)))


def read_bounded(path: Path, limit: int) -> bytes:
    """What a file holds, at most one byte more than `limit`. Raises `LocalError`."""
    with local_errors("reading", path):
        return read_file(path, limit + 1)
