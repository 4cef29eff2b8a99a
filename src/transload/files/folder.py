"""A folder that may come from elsewhere. Nothing outside it is opened, made, renamed or deleted through it.

Invariants, held for every method and every name below `root`:
1. no link is followed, neither in the name nor in a folder on the way to it;
2. only regular files are opened, and opening never waits; a file that is written has no second name (a hard link),
   which might be outside.

`root` itself was chosen by the user, so it may be a link. Where the system has folder handles, every step is relative
to one, so that nothing can be replaced between the check and the opening. Elsewhere (Windows) there is a check before
each opening.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterable, Iterator
from functools import cached_property
from io import FileIO
from pathlib import Path

from transload.errors import Busy, FolderUnsafe, LocalError, LocksMissing
from transload.files.regular import PLAIN, closed_after, no_file, regular
from transload.files.trouble import local_errors
from transload.values import define, field

try:  # POSIX
    import fcntl
except ImportError:  # Windows
    import msvcrt

    def _lock(file: FileIO, *, shared: bool) -> None:  # noqa: ARG001 - Windows has one kind of lock
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]

else:

    def _lock(file: FileIO, *, shared: bool) -> None:
        fcntl.flock(file.fileno(), (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)


_BUSY = {errno.EACCES, errno.EAGAIN, errno.EDEADLK}
_LOCKLESS = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP}
_HANDLES = hasattr(os, "O_NOFOLLOW") and {os.open, os.mkdir, os.unlink, os.stat, os.rename} <= os.supports_dir_fd
_NOFOLLOW = getattr(os, "O_NOFOLLOW", 0)
_FOLDER = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_CLOEXEC", 0)
_MODES = {
    "r": os.O_RDONLY,
    "r+": os.O_RDWR,
    "a+": os.O_RDWR | os.O_APPEND | os.O_CREAT,
    "x+": os.O_RDWR | os.O_CREAT | os.O_EXCL,
}


@define(frozen=True, slots=False)
class Folder:
    """The folder `root`, or the one that `names` lead to below it. It keeps nothing open, except within `held`.

    Methods raise `FolderUnsafe` for links and second names, `LocalError` for other kinds of files, and `OSError`.
    """

    root: Path
    names: tuple[str, ...] = ()
    _handle: int | None = field(default=None, repr=False, eq=False)

    @cached_property
    def path(self) -> Path:
        """The path, for messages only: do not open it."""
        return self.root.joinpath(*self.names)

    def inner(self, *names: str) -> Folder:
        """A folder below this one."""
        return Folder(self.root, (*self.names, *names))

    def make(self) -> None:
        """Make the folders below `root` that do not exist yet."""
        for depth in range(len(self.names)):
            outer = Folder(self.root, self.names[:depth])
            with outer._held() as handle, contextlib.suppress(FileExistsError):
                os.mkdir(outer._at(self.names[depth], handle), dir_fd=handle)
        with self._held():  # a folder that was there already may be a link
            pass

    def open(self, name: str, mode: str, permissions: int = 0o666) -> FileIO:
        """Open a file: `r` to read, `r+` to change it, `a+` to read and append (made if missing), `x+` to make it.

        A file that is made gets these `permissions`, less those in the umask.
        """
        return FileIO(self._opened(name, mode, permissions), mode)

    def read(self, name: str, count: int) -> bytes:
        """The first `count` bytes of a small file, fewer if it is shorter, by as few calls as possible."""
        number = self._opened(name, "r")
        try:
            return os.read(number, min(count, os.fstat(number).st_size + 1))  # what is asked for is set aside at once
        finally:
            os.close(number)

    def create(self, name: str, content: bytes) -> None:
        """Make a small file by as few calls as possible. After an error, a part of it may be there."""
        number = self._opened(name, "x+")
        try:
            rest = memoryview(content)
            while rest:
                rest = rest[os.write(number, rest) :]
        finally:
            os.close(number)

    def _opened(self, name: str, mode: str, permissions: int = 0o666) -> int:
        with self._held() as handle:
            if not _HANDLES:
                _check_no_link(self.path / name)
            try:
                number = os.open(self._at(name, handle), _MODES[mode] | PLAIN | _NOFOLLOW, permissions, dir_fd=handle)
            except OSError as error:
                status = self.status(name)
                if status is not None and not stat.S_ISREG(status.st_mode):
                    raise _in_the_way(self.path / name, status.st_mode) from error
                raise
        status = regular(number, mode, self.path, name)
        if status.st_nlink > 1 and mode != "r":
            os.close(number)
            path = self.path / name
            raise FolderUnsafe(f"{path} has a second name (a hard link)", subject=str(path), hint="delete it")
        return number

    def status(self, name: str) -> os.stat_result | None:
        """The status of an entry, without following a link; None if there is none."""
        with self._held() as handle, contextlib.suppress(FileNotFoundError):
            return os.stat(self._at(name, handle), dir_fd=handle, follow_symlinks=False)
        return None

    def statuses(self, names: Iterable[str]) -> Iterator[os.stat_result | None]:
        """`status` of each of these entries; the folder is opened once for all of them."""
        with self._held() as handle:
            for name in names:
                try:
                    status = os.stat(self._at(name, handle), dir_fd=handle, follow_symlinks=False)
                except FileNotFoundError:
                    yield None
                else:
                    yield status

    def entries(self) -> list[str]:
        """The names in the folder, in no order; empty if it does not exist."""
        with contextlib.suppress(FileNotFoundError), self._held() as handle:
            return os.listdir(self.path if handle is None else handle)  # noqa: PTH208 - by its handle
        return []

    def unlink(self, name: str) -> None:
        """Delete a file or a link, if it is there."""
        with self._held() as handle, contextlib.suppress(FileNotFoundError):
            os.unlink(self._at(name, handle), dir_fd=handle)

    def move(self, name: str, to: Folder, new: str) -> None:
        """Rename a file to `new` in the folder `to`; a file with that name is replaced."""
        with self._held() as old_handle, to._held() as new_handle:
            source, target = self._at(name, old_handle), to._at(new, new_handle)
            os.replace(source, target, src_dir_fd=old_handle, dst_dir_fd=new_handle)

    def flush(self) -> None:
        """Make new names in the folder survive a power cut. Does nothing where folders cannot be opened (Windows)."""
        with self._held() as handle:
            if handle is not None:
                os.fsync(handle)

    @contextlib.contextmanager
    def locked(self, name: str) -> Iterator[FileIO]:
        """Hold a lock file for the block; the operating system frees it when the process dies.

        Raises `Busy` at once if another process, or another thread through its own file object, holds it.
        `LocksMissing` where the file system has none.
        """
        path = self.path / name
        with local_errors("opening", path):
            file = self.open(name, "a+")
        with closed_after(file):
            lock(file, path)
            yield file

    def is_locked(self, name: str) -> bool:
        """Whether a process holds this file. Two that ask at the same time do not take each other for its holder.

        Raises `LocksMissing` where the file system has no locks.
        """
        with closed_after(self.open(name, "r")) as file:
            try:
                lock(file, self.path / name, shared=True)
            except Busy:
                return True
        return False

    def leads_to(self, name: str, file: FileIO) -> bool:
        """Whether this name still stands for an open file: another process may have deleted or replaced it."""
        with local_errors("looking for", self.path / name):
            opened, named = os.fstat(file.fileno()), self.status(name)
        return named is not None and (opened.st_dev, opened.st_ino) == (named.st_dev, named.st_ino)

    @contextlib.contextmanager
    def held(self) -> Iterator[Folder]:
        """The same folder, opened once for all that is done in the block."""
        with self._held() as handle:
            yield Folder(self.root, self.names, handle)

    @contextlib.contextmanager
    def number(self) -> Iterator[int | None]:
        """The number of the open folder, for calls about its whole file system; None where there are only paths."""
        with self._held() as handle:
            yield handle

    @contextlib.contextmanager
    def _held(self) -> Iterator[int | None]:
        """A handle of the folder; None where the system has only paths."""
        if self._handle is not None:
            yield self._handle
            return
        if not _HANDLES:
            for depth in range(1, len(self.names) + 1):
                _check_no_link(self.root.joinpath(*self.names[:depth]))
            yield None
            return
        handle = os.open(self.root, _FOLDER)
        try:
            for depth, name in enumerate(self.names):
                inner = _inner_handle(handle, name, self, depth + 1)
                os.close(handle)
                handle = inner
            yield handle
        finally:
            with contextlib.suppress(OSError):
                os.close(handle)

    def _at(self, name: str, handle: int | None) -> str:
        return name if handle is not None else str(self.path / name)


def lock(file: FileIO, path: Path, *, shared: bool = False) -> None:
    """Lock an open file until it is closed; `path` names it in errors. Raises as `Folder.locked` does.

    A `shared` lock keeps only those out who want it for themselves.
    """
    with local_errors("locking", path):
        try:
            _lock(file, shared=shared)
        except OSError as error:
            if error.errno in _BUSY:
                raise Busy(f"another process is using {path}", subject=str(path)) from error
            if error.errno in _LOCKLESS:
                raise LocksMissing(
                    f"locking {path}: this file system has no locks",
                    subject=str(path),
                    hint="choose another disk, or mount it with locks",
                ) from error
            raise


def _inner_handle(outer: int, name: str, folder: Folder, depth: int) -> int:
    try:
        return os.open(name, _FOLDER | _NOFOLLOW, dir_fd=outer)
    except OSError as error:
        path = folder.root.joinpath(*folder.names[:depth])
        if error.errno not in {errno.ELOOP, errno.ENOTDIR, errno.EMLINK}:
            raise
        mode = os.stat(name, dir_fd=outer, follow_symlinks=False).st_mode
        if stat.S_ISLNK(mode):
            raise _in_the_way(path, mode) from error
        raise LocalError(f"{path} is not a folder", subject=str(path)) from error


def _check_no_link(path: Path) -> None:
    """Raise `FolderUnsafe` for a link. Windows' junctions and other reparse points count as links."""
    with contextlib.suppress(FileNotFoundError):
        status = path.lstat()
        if stat.S_ISLNK(status.st_mode) or getattr(status, "st_reparse_tag", False):
            raise _in_the_way(path, stat.S_IFLNK)


def _in_the_way(path: Path, mode: int) -> FolderUnsafe | LocalError:
    if stat.S_ISLNK(mode):
        return FolderUnsafe(
            f"{path} is a link, and nothing is written through links",
            subject=str(path),
            hint="if you do not know why it is there, do not trust the folder; otherwise put a file or folder there",
        )
    return no_file(path, mode)
