"""The files that a user gives to be rewritten: single ones, and those of folders, with their names below the folder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from transload.configuration import InputFile
from transload.errors import FolderUnsafe, LimitExceeded, LocalError, UsageError
from transload.files import expanded, local_errors, read_file
from transload.limits import INPUT_FILE_BYTES, INPUT_FILES, INPUT_FILES_BYTES

_SUFFIXES = {".yaml", ".yml", ".json"}


def input_files(words: Sequence[str | Path]) -> tuple[InputFile, ...]:
    """The content of files, and of the YAML and JSON files in folders, in the order of their names.

    A link in a folder is read if it leads to a file there. Raises `FolderUnsafe` for one that leads out, whose content
    would else be written where others read it; `LocalError` for a path that does not exist, `LimitExceeded` for too
    many or too large ones, `UsageError` for two with the same name.
    """
    files: dict[PurePosixPath, InputFile] = {}
    total = 0
    for name, path in _named([expanded(word) for word in words]):
        if len(files) >= INPUT_FILES:
            raise LimitExceeded(f"more than {INPUT_FILES} files are to be rewritten", hint="name a part of them")
        with local_errors("reading", path):
            content = read_file(path, INPUT_FILE_BYTES + 1)
        if len(content) > INPUT_FILE_BYTES:
            raise LimitExceeded(f"{path} has more than {INPUT_FILE_BYTES >> 20} MiB", subject=str(path))
        total += len(content)
        if total > INPUT_FILES_BYTES:
            raise LimitExceeded(
                f"the files to rewrite have more than {INPUT_FILES_BYTES >> 20} MiB", hint="name a part of them"
            )
        if name in files:
            raise UsageError(f"two files are called {name}", subject=str(path), hint="name the folder above them")
        files[name] = InputFile(name=name, content=content)
    return tuple(files.values())


def _named(paths: Sequence[Path]) -> Iterator[tuple[PurePosixPath, Path]]:
    for path in paths:
        if not path.exists():
            raise LocalError(f"there is no file or folder {path}", subject=str(path), hint="check the path")
        if not path.is_dir():
            yield PurePosixPath(path.name), path
            continue
        with local_errors("looking into", path):
            below = sorted(file for file in path.rglob("*") if file.suffix in _SUFFIXES and file.is_file())
        if not below:
            raise LocalError(f"the folder {path} has no YAML or JSON file", subject=str(path), hint="check the path")
        for file in below:
            _check_inside(file, path)
            yield PurePosixPath(file.relative_to(path).as_posix()), file


def _check_inside(file: Path, folder: Path) -> None:
    if file.is_symlink() and not file.resolve().is_relative_to(folder.resolve()):
        raise FolderUnsafe(
            f"{file} is a link out of the folder, which is not followed",
            subject=str(file),
            hint="name what it leads to with --rewrite, or take the link away",
        )
