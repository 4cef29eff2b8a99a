"""A small file of JSON in the state folder: read whole, changed under a lock, replaced at once.

Whatever is wrong with it, a run goes on as if nothing were known, and says so. A file that is damaged is set aside with
the ending `.damaged` when it is changed. The file of a newer version is left alone. A link is not followed.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from transload.clock import SYSTEM_CLOCK, Clock
from transload.errors import TransloadError
from transload.files import Folder, read_up_to, replace_file
from transload.limits import STATE_FILE_BYTES, STATE_FILE_VALUES
from transload.locks import awaited
from transload.strictjson import NotJson, read_json
from transload.values import frozen

_PATIENCE_S = 10.0
_PRIVATE = 0o600


class StateUnusable(Exception):
    """The file cannot be used; the text says why, to be read after the path. `damaged` if it is not a file of ours."""

    def __init__(self, why: str, *, damaged: bool = False) -> None:
        super().__init__(why)
        self.damaged = damaged


@frozen
class StateFile:
    """The file `name` in `folder`, with entries of this `kind` and `version`. Without a folder, nothing is kept."""

    folder: Path | None
    name: str
    kind: str
    version: int = 1
    clock: Clock = SYSTEM_CLOCK

    @property
    def path(self) -> Path | None:
        """Where it is, or would be."""
        return self.folder / self.name if self.folder else None

    def read(self) -> list[Any]:
        """Its entries; none if there is no file. Raises `StateUnusable`."""
        if self.folder is None:
            return []
        try:
            with Folder(self.folder).open(self.name, "r") as file:
                raw = read_up_to(file, STATE_FILE_BYTES + 1)
        except FileNotFoundError:
            return []
        except (OSError, TransloadError) as error:
            raise StateUnusable(f"cannot be read: {_why(error)}") from error
        return self._entries(raw)

    def change(self, change: Callable[[list[Any]], list[Any]]) -> None:
        """Replace its entries by what `change` makes of them; no other process changes them meanwhile.

        Raises `StateUnusable`.
        """
        if self.folder is None:
            return
        path = self.folder / self.name
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with awaited(Folder(self.folder), f"{self.name}.lock", self.clock, _PATIENCE_S):
                entries = change(self._or_set_aside(path))
                document = {"kind": self.kind, "version": self.version, "entries": entries}
                replace_file(path, json.dumps(document, indent=1).encode(), permissions=_PRIVATE)
        except (OSError, TransloadError) as error:
            raise StateUnusable(f"cannot be written: {_why(error)}") from error

    def _or_set_aside(self, path: Path) -> list[Any]:
        try:
            return self.read()
        except StateUnusable as error:
            if not error.damaged:
                raise
            with contextlib.suppress(OSError):
                path.replace(path.with_name(f"{path.name}.damaged"))
            return []

    def _entries(self, raw: bytes) -> list[Any]:
        try:
            document = read_json(raw, limit=STATE_FILE_BYTES, values=STATE_FILE_VALUES)
        except NotJson as error:
            raise StateUnusable(f"is damaged: {error}", damaged=True) from error
        if not isinstance(document, dict) or document.get("kind") != self.kind:
            raise StateUnusable("is not such a file", damaged=True)
        version = document.get("version")
        if type(version) is int and version > self.version:
            raise StateUnusable("was written by a newer version of transload")
        entries = document.get("entries")
        if version != self.version or not isinstance(entries, list):
            raise StateUnusable("is damaged", damaged=True)
        return entries


def _why(error: OSError | TransloadError) -> str:
    return str(error) if isinstance(error, TransloadError) else error.strerror or str(error)
