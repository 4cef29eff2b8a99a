"""Images to build on, made of this machine's Python and what it needs, since no registry of images is reached."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterable
from pathlib import Path

_LEFT = (
    "test",
    "tests",
    "idlelib",
    "tkinter",
    "turtledemo",
    "site-packages",
    "dist-packages",
    "config-*",
    "__pycache__",
)
_TOOLS = ("sh", "mkdir")


def with_python(folder: Path, *, shell: bool) -> None:
    """Python with its library, its C library and, for a build, pip, the shell and mkdir, in an empty folder."""
    executable, library = (
        Path(sys.executable).resolve(),
        Path(sysconfig.get_path("stdlib", vars={"base": sys.base_prefix})),
    )
    _copy(folder, executable)
    shutil.copytree(library, _place(folder, library), ignore=shutil.ignore_patterns(*_LEFT), symlinks=True)
    if shell:
        pip = Path(sysconfig.get_path("purelib"), "pip")
        shutil.copytree(pip, _place(folder, library) / "site-packages" / "pip")
    extensions = [*library.glob("lib-dynload/*.so"), *Path(sysconfig.get_path("platlib")).rglob("*.so")]
    tools = [Path("/bin", name) for name in _TOOLS if shell]
    for path in (*tools, *_libraries([executable, *extensions, *tools])):
        _copy(folder, path)
    _place(folder, Path("/usr/bin")).mkdir(parents=True, exist_ok=True)
    for name in ("python3", executable.name):
        if not _place(folder, Path("/usr/bin", name)).exists():
            _place(folder, Path("/usr/bin", name)).symlink_to(executable)
    _place(folder, Path("/tmp")).mkdir(mode=0o777)
    for path in [folder, *folder.rglob("*")]:
        if path.is_dir():
            path.chmod(0o755)
    _place(folder, Path("/tmp")).chmod(0o1777)


def _libraries(files: Iterable[Path]) -> set[Path]:
    """What the loader loads for them, and the loader itself, under the names that it looks for."""
    told = subprocess.run(["ldd", *map(str, files)], capture_output=True, text=True, check=False).stdout
    return {Path(name) for name in re.findall(r"(?:=> |^\t)(/\S+)", told, re.MULTILINE) if "site-packages" not in name}


def _place(folder: Path, path: Path) -> Path:
    return folder / path.relative_to("/")


def _copy(folder: Path, path: Path) -> None:
    there = _place(folder, path)
    there.parent.mkdir(parents=True, exist_ok=True)
    if not there.exists():
        shutil.copy(path, there)
