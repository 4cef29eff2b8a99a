"""The files of uploads to a served layout, among its unfinished blobs."""

from __future__ import annotations

from collections.abc import Callable

from transload.files import Folder, local_errors
from transload.layout.ingest import OWN, adopt
from transload.oci import Descriptor

UPLOAD = "upload."
"""The beginning of the names of their files."""


class LayoutSpools:
    """Makes blobs below `root` of files in `unfinished`. `prepare` makes that folder, and deletes old files in it."""

    def __init__(self, root: Folder, unfinished: Folder, prepare: Callable[[], None]) -> None:
        self._root = root
        self._unfinished = unfinished
        self._prepare = prepare

    def spool_file(self, identifier: str) -> tuple[Folder, str]:
        """The folder of unfinished blobs, and the name of this upload's file in it.

        A later process deletes the file when nobody has written to it for a day. Raises `LocalError`.
        """
        self._prepare()
        return self._unfinished, f"{UPLOAD}{identifier}{OWN}"

    def spooled(self) -> list[str]:
        """The identifiers of the uploads whose files are there. Raises `LocalError`."""
        with local_errors("looking for uploads in", self._unfinished.path):
            names = [name for name in self._unfinished.entries() if name.startswith(UPLOAD) and name.endswith(OWN)]
        return [name.removeprefix(UPLOAD).removesuffix(OWN) for name in names]

    def adopt(self, repository: str, descriptor: Descriptor, name: str) -> None:  # noqa: ARG002 - one pool for all
        """Make the file called `name` in the folder of `spool_file` the blob; the caller has checked its digest.

        Raises `SizeMismatch`, `LocalError`; then the file stays where it is.
        """
        adopt(self._unfinished, name, self._root.inner("blobs", descriptor.digest.algorithm), descriptor)
