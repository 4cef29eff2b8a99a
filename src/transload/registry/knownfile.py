"""The SQLite file of what was learnt about registries: opened for one short transaction, made, checked, set aside.

1. There is no write-ahead log: it needs memory that all processes share, which network disks do not have.
2. A lock that is not to be had soon (another process hangs, a network disk without locks) makes the file unusable.
3. A file that is damaged or not ours is set aside with the ending `.damaged`, and begun again.
4. The file of a newer version is left alone.

The rules: https://www.sqlite.org/fileformat2.html, https://www.sqlite.org/lockingv3.html,
https://www.sqlite.org/howtocorrupt.html (a journal never stays beside another database).
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from transload.errors import TransloadError
from transload.files import check_kind
from transload.limits import LEARNT_BYTES

if TYPE_CHECKING:
    from sqlite3 import Connection

SCHEMA = 1
_APPLICATION = 0x74736C64  # "tsld"
_LOCK_WAIT_S = 2.0
_OWN = 0o600
_PAGE_BYTES = 4096
_DAMAGED = {11, 26}  # SQLITE_CORRUPT, SQLITE_NOTADB
_TABLE = """
CREATE TABLE findings (
    registry TEXT NOT NULL,
    finding TEXT NOT NULL,
    value TEXT NOT NULL,
    learnt_s INTEGER NOT NULL,
    version TEXT NOT NULL,
    PRIMARY KEY (registry, finding)
) WITHOUT ROWID
"""
Result = TypeVar("Result")


class Unusable(Exception):
    """The file cannot be used: `newer` if a newer version wrote it, `damaged` if it is not whole or not ours."""

    def __init__(self, reason: str, *, newer: bool = False, damaged: bool = False) -> None:
        super().__init__(reason)
        self.newer = newer
        self.damaged = damaged


def read_from(path: Path, work: Callable[[Connection], Result], nothing: Result) -> Result:
    """What `work` reads, in one transaction; `nothing` from a file that is empty or damaged. The file must exist.

    Raises `Unusable`.
    """
    try:
        with _opened(path, "rw") as database, _transaction(database, "BEGIN"):
            if _is_new(database):  # another process is just making it, or was killed then
                return nothing
            _check(database)
            return work(database)
    except Unusable as error:
        if not error.damaged:
            raise
        _set_aside(path)
        return nothing


def write_to(path: Path, work: Callable[[Connection], Result], begin: Callable[[Connection], None]) -> Result:
    """What `work` gives back after it has written, in one transaction. `begin` fills a new file. Raises `Unusable`."""
    try:
        return _written(path, work, begin)
    except Unusable as error:
        if not error.damaged:
            raise
        _set_aside(path)
        return _written(path, work, begin)


def _written(path: Path, work: Callable[[Connection], Result], begin: Callable[[Connection], None]) -> Result:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):  # SQLite would make it readable for everybody
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, _OWN))
    except OSError as error:
        raise Unusable(str(error)) from error
    with _opened(path, "rwc") as database, _transaction(database, "BEGIN IMMEDIATE"):
        if _is_new(database):
            database.execute(_TABLE)
            database.execute(f"PRAGMA application_id = {_APPLICATION}")
            database.execute(f"PRAGMA user_version = {SCHEMA}")
            begin(database)
        _check(database)
        return work(database)


@contextlib.contextmanager
def _opened(path: Path, mode: str) -> Iterator[Connection]:
    """The database for the block; every error of it becomes `Unusable`."""
    try:
        import sqlite3
    except ImportError as error:  # some builds of Python have no SQLite
        raise Unusable("this Python has no SQLite") from error
    try:
        check_kind(path, stat.S_ISREG)  # opening a pipe would wait
        address = f"{path.absolute().as_uri()}?mode={mode}"
        with contextlib.closing(sqlite3.connect(address, _LOCK_WAIT_S, isolation_level=None, uri=True)) as database:
            database.execute("PRAGMA synchronous = NORMAL")
            database.execute(f"PRAGMA max_page_count = {LEARNT_BYTES // _PAGE_BYTES}")
            yield database
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0)
        raise Unusable(str(error), damaged=code & 0xFF in _DAMAGED) from error
    except (OSError, TransloadError) as error:
        raise Unusable(str(error)) from error


@contextlib.contextmanager
def _transaction(database: Connection, begin: str) -> Iterator[None]:
    database.execute(begin)
    try:
        yield
    except BaseException:
        if database.in_transaction:
            database.execute("ROLLBACK")
        raise
    database.execute("COMMIT")


def _is_new(database: Connection) -> bool:
    tables = database.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    return not tables and _number(database, "user_version") == 0


def _check(database: Connection) -> None:
    """Raise `Unusable` for a file that is not ours, or not of this version."""
    application, schema = _number(database, "application_id"), _number(database, "user_version")
    if application != _APPLICATION:
        raise Unusable("it is not a file of transload", damaged=True)
    if schema > SCHEMA:
        raise Unusable("a newer version of transload wrote it", newer=True)


def _number(database: Connection, pragma: str) -> int:
    return int(database.execute(f"PRAGMA {pragma}").fetchone()[0])


def _set_aside(path: Path) -> None:
    """Rename a damaged file. If another process has just done so and begun anew, only hints are lost."""
    with contextlib.suppress(OSError):
        for ending in ("-journal", "-wal", "-shm"):
            path.with_name(path.name + ending).unlink(missing_ok=True)
        path.replace(path.with_name(f"{path.name}.damaged"))
