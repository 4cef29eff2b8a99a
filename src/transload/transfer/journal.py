"""Which blobs an unfinished run already brought to a target: a hint for the next plan, which checks each of them.

A registry does not list a repository that has blobs but no manifest yet. Without the journal, the next run would
take such a repository for a new one and send everything again.
"""

from __future__ import annotations

import contextlib
import json
import threading
from pathlib import Path

from transload.errors import LocalError, TransloadError
from transload.files import Folder, local_errors, read_file
from transload.limits import JOURNAL_BYTES, SMALL_JSON_BYTES, SMALL_JSON_VALUES
from transload.oci import Digest
from transload.oci.reference import check_repository
from transload.strictjson import read_json


class Journal:
    """Appends one JSON line `[repository, digest]` per blob; safe to use from several threads.

    With `path` None nothing is kept. A line that a crash cut short is ignored. Raises `LocalError` if it cannot write.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._pairs = _read(path) if path else set()
        self._begun = False

    def knows(self, repository: str, digest: Digest) -> bool:
        """Whether an earlier run noted this blob."""
        return (repository, digest) in self._pairs

    def places(self, digest: Digest) -> tuple[str, ...]:
        """Repositories to which an earlier run brought this blob; one of them may be complete by now."""
        return tuple(sorted(repository for repository, noted in self._pairs if noted == digest))

    def note(self, repository: str, digest: Digest) -> None:
        """Remember that the target holds this blob, or will as soon as it has answered the closing request.

        It is noted before that request: the registry may store the blob although nobody is left to read the answer.
        """
        if self._path is None:
            return
        line = json.dumps([repository, digest]) + "\n"
        with self._lock, local_errors("writing", self._path):
            if (repository, digest) in self._pairs:
                return
            if not self._begun:
                self._path.parent.mkdir(parents=True, exist_ok=True)
            with Folder(self._path.parent).open(self._path.name, "a+") as file:
                # A crash may have left a line without an end. The first new line must not become part of it.
                file.write((line if self._begun else f"\n{line}").encode())
            self._begun = True
            self._pairs.add((repository, digest))

    def clear(self) -> None:
        """Forget everything: the run is complete, and the manifests now say what is there."""
        if self._path is not None:
            with local_errors("removing", self._path):
                self._path.unlink(missing_ok=True)


def _read(path: Path) -> set[tuple[str, Digest]]:
    pairs = set()
    try:
        with local_errors("reading", path):
            lines = read_file(path, JOURNAL_BYTES).splitlines()
    except LocalError:  # it does not exist or cannot be read: it was only a hint
        return set()
    for line in lines:
        with contextlib.suppress(ValueError, TypeError, TransloadError):
            repository, digest = read_json(line, limit=SMALL_JSON_BYTES, values=SMALL_JSON_VALUES)
            pairs.add((check_repository(repository) if repository else "", Digest(digest)))
    return pairs
