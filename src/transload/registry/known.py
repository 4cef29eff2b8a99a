"""What was learnt about registries, kept from run to run in the state folder.

It is only a help: whatever is wrong with the file, a run works as if nothing were known. Only `forget` reports errors.
Each finding has a row of its own, and a run writes only what it learnt itself. So processes that run at the same time
lose nothing of each other. A finding is used for `FRESH_S`, then it has to be learnt again; after `KEPT_S` it goes.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from transload.clock import SYSTEM_CLOCK, Clock
from transload.errors import LocalError, TransloadError
from transload.files import read_file
from transload.limits import LEARNT_BYTES, LEARNT_VALUES
from transload.net.address import DEFAULT_PORTS, Origin
from transload.oci.reference import check_registry
from transload.registry.capabilities import Capabilities
from transload.registry.knownfile import Unusable, read_from, write_to
from transload.strictjson import NotJson, read_json
from transload.values import frozen
from transload.version import __version__

if TYPE_CHECKING:
    from sqlite3 import Connection

FILE = "known-registries.sqlite3"
FRESH_S = 30 * 24 * 3600
KEPT_S = 365 * 24 * 3600
_OLD_FILE = "registries.json"  # written up to version 0.1
_ROWS = 64
_VALUE_LENGTH = 200
_REGISTRIES = 10_000
_REMOVE = "DELETE FROM findings WHERE registry = ? AND finding = ?"
_INSERT = "INSERT OR REPLACE INTO findings VALUES (?, ?, ?, ?, ?)"

Scalar = str | int | bool
FileState = Literal["none", "used", "newer", "unusable"]
"""There is no file; it is used; a newer version wrote it, so it is not used; it cannot be read."""
Result = TypeVar("Result")


@frozen
class Finding:
    """One thing that was learnt about a registry: its value, when (seconds since 1970), and by which version."""

    value: Scalar
    learnt_s: float
    version: str

    def is_fresh(self, now_s: float) -> bool:
        """Whether a run still relies on it. A date in the future comes from a wrong clock."""
        return abs(now_s - self.learnt_s) <= FRESH_S


def registry_key(host: str, *, plain: bool = False) -> str:
    """How the file names a registry: host and port; port 443 is left out, unless http is spoken there.

    A port speaks one of http and https, so the key needs no scheme. Raises `ReferenceInvalid`.
    """
    origin = Origin.of(f"{'http' if plain else 'https'}://{check_registry(host)}")
    is_usual = origin.port == DEFAULT_PORTS["https"]
    return origin.netloc.removesuffix(f":{origin.port}") + ("" if is_usual else f":{origin.port}")


class KnownRegistries:
    """The findings about all registries, in `folder`. With None, nothing is known and nothing is kept."""

    def __init__(self, folder: Path | None, clock: Clock = SYSTEM_CLOCK) -> None:
        self._folder = folder
        self._clock = clock
        self._given_up = False

    @property
    def path(self) -> Path | None:
        """Where the file is, or would be."""
        return self._folder / FILE if self._folder else None

    # --- for a run: never an error

    def of(self, registry: str) -> dict[str, Finding]:
        """All findings about a registry, also old ones; empty if the file cannot be used."""
        return self._attempt(lambda: self._read(registry), {})

    def fresh(self, registry: str) -> dict[str, Scalar]:
        """The values of the findings that a run relies on."""
        now_s = self._clock.wall_s()
        return {name: finding.value for name, finding in self.of(registry).items() if finding.is_fresh(now_s)}

    def keep(self, registry: str, before: Mapping[str, Scalar], now: Mapping[str, Scalar]) -> None:
        """Write down what a run learnt: `before` is what `fresh` gave it, `now` what it knows at its end."""
        changed = {name: value for name, value in now.items() if before.get(name) != value}
        gone = [name for name in before if name not in now]
        if changed or gone:
            self._attempt(lambda: self._write(registry, changed, gone), None)

    def registries(self) -> tuple[str, ...]:
        """Every registry that something is known about, in order."""
        return self._attempt(self._names, ())

    def _attempt(self, work: Callable[[], Result], otherwise: Result) -> Result:
        """What `work` gives; `otherwise` if the file is unusable. Then it is not tried again: a lock may have hung."""
        if not self._given_up:
            try:
                return work()
            except Unusable:
                self._given_up = True
        return otherwise

    # --- for people

    def state(self) -> FileState:
        """Whether there is a file, and whether it is used."""
        try:
            self._names()
        except Unusable as error:
            return "newer" if error.newer else "unusable"
        return "used" if self.path and self.path.exists() else "none"

    def forget(self, registry: str | None = None) -> tuple[str, ...]:
        """Remove what is known about a registry, or about all of them. Returns those that were known.

        Raises `LocalError` if the file cannot be changed.
        """
        try:
            known = tuple(name for name in self._names() if registry in {None, name})
            if known and self.path:
                write_to(self.path, lambda database: _delete(database, registry), self._begin)
                self._remove_old()
        except Unusable as error:
            hint = "use that version, or delete the file" if error.newer else "delete the file; it only saves time"
            raise LocalError(f"{self.path} cannot be changed: {error}", subject=str(self.path), hint=hint) from error
        return known

    # --- inside

    def _read(self, registry: str) -> dict[str, Finding]:
        if self.path is None:
            return {}
        if not self.path.exists():
            return self._old().get(registry, {})
        return read_from(self.path, lambda database: _findings(database, registry), {})

    def _names(self) -> tuple[str, ...]:
        if self.path is None:
            return ()
        if not self.path.exists():
            return tuple(sorted(self._old()))
        return read_from(self.path, _registries, ())

    def _write(self, registry: str, changed: Mapping[str, Scalar], gone: list[str]) -> None:
        if self.path is None:
            return
        now_s = int(self._clock.wall_s())

        def work(database: Connection) -> None:
            database.execute("DELETE FROM findings WHERE learnt_s < ?", (now_s - KEPT_S,))
            database.executemany(_REMOVE, ((registry, name) for name in gone))
            rows = [(registry, name, json.dumps(value), now_s, __version__) for name, value in changed.items()]
            database.executemany(_INSERT, rows)

        write_to(self.path, work, self._begin)
        self._remove_old()

    def _begin(self, database: Connection) -> None:
        """Take what an older version knew into a new file."""
        for registry, findings in self._old().items():
            rows = [(registry, name, json.dumps(f.value), int(f.learnt_s), f.version) for name, f in findings.items()]
            database.executemany(_INSERT, rows)

    def _old(self) -> dict[str, dict[str, Finding]]:
        """What versions up to 0.1 kept: one JSON file, without dates."""
        if self._folder is None:
            return {}
        path = self._folder / _OLD_FILE
        try:
            learnt_s = path.stat().st_mtime
            document = read_json(read_file(path, LEARNT_BYTES + 1), limit=LEARNT_BYTES, values=LEARNT_VALUES)
        except (OSError, LocalError, NotJson):  # without this file, we only have to ask again
            return {}
        old = {}
        for host, known in document.items() if isinstance(document, dict) else ():
            with contextlib.suppress(TransloadError):
                values = Capabilities.from_json(known).to_json()
                old[registry_key(host)] = {name: Finding(value, learnt_s, "0.1.0") for name, value in values.items()}
        return old

    def _remove_old(self) -> None:
        if self._folder is not None:
            with contextlib.suppress(OSError):
                (self._folder / _OLD_FILE).unlink(missing_ok=True)


def _findings(database: Connection, registry: str) -> dict[str, Finding]:
    """The valid rows of a registry."""
    rows = database.execute(
        "SELECT finding, value, learnt_s, version FROM findings WHERE registry = ? AND length(value) <= ? LIMIT ?",
        (registry, _VALUE_LENGTH, _ROWS),
    )
    found = {}
    for name, text, learnt_s, version in rows:
        with contextlib.suppress(NotJson, ValueError, TypeError):
            value: Any = read_json(str(text).encode(), limit=_VALUE_LENGTH, values=1)
            if isinstance(value, (str, int)):
                found[str(name)] = Finding(value, float(learnt_s), str(version))
    return found


def _registries(database: Connection) -> tuple[str, ...]:
    rows = database.execute("SELECT DISTINCT registry FROM findings ORDER BY registry LIMIT ?", (_REGISTRIES,))
    return tuple(str(name) for (name,) in rows)


def _delete(database: Connection, registry: str | None) -> None:
    if registry is None:
        database.execute("DELETE FROM findings")
    else:
        database.execute("DELETE FROM findings WHERE registry = ?", (registry,))
