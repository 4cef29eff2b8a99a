"""What a store may offer to a server beyond `transload.ports`: attributes that are an object or None."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from transload.oci import Descriptor, Digest, Manifest, Name


class Spools(Protocol):
    """Takes over a file that already holds a whole, proved blob, so that an upload is written and hashed once."""

    @property
    def folder(self) -> Path:
        """Where such files are to be made: on the file system of the store, invisible to its readers."""
        ...

    def adopt(self, repository: str, descriptor: Descriptor, path: Path) -> None:
        """Make the file at `path` the blob; the caller has checked its digest and size. The file moves."""
        ...


class Lenient(Protocol):
    """Takes manifests of which parts are not there, for a server that was told to."""

    def point_lacking(self, name: Name, manifest: Manifest) -> None:
        """As `Names.point`, whatever is absent: children of an index are left out on purpose, blobs are missing."""
        ...


class Deletes(Protocol):
    """Takes names and content away again."""

    def delete_manifest(self, name: Name) -> None:
        """Take a tag away, or a manifest with every tag that stands for it. Raises `ManifestUnknown`."""
        ...

    def delete_blob(self, repository: str, digest: Digest) -> None:
        """Make a blob invisible in a repository. Raises `BlobUnknown`."""
        ...
