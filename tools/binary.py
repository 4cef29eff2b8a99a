"""Builds the native executable: transload, all its parts and the interpreter that runs this script, in one file.

    python tools/binary.py [-o dist/transload]

It is made by PyInstaller from the wheel, in an environment with nothing else in it, in the versions of constraints.txt.
It runs where the C library is as new as the newest that any part asks for; so build it on the oldest system that it has
to run on. The Python must have been built with a shared library (`--enable-shared`), as those of distributions are.
"""

from __future__ import annotations

import argparse
import ast
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MAIN = ROOT / "tools" / "binary_main.py"
# Loaded by name at run time, so that PyInstaller does not see it; and what it sees but the program does without.
HIDDEN = ("transload",)
UNUSED = ("_yaml", "yaml._yaml", "pydoc", "test", "tkinter", "unittest", "xmlrpc")
_GLIBC = re.compile(rb"GLIBC_(\d+)\.(\d+)\b")


def build(target: Path) -> tuple[int, int]:
    """Write the executable to `target`, and return the least version of glibc that it runs with."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        python = environment(Path(scratch))
        words = [word for name in HIDDEN for word in ("--collect-submodules", name, "--collect-data", name)]
        words += [word for name in UNUSED for word in ("--exclude-module", name)]
        folders = ("--distpath", scratch, "--workpath", f"{scratch}/work", "--specpath", scratch)
        options = ("--onefile", "--strip", "--noupx", "--log-level", "ERROR", "--name", "made")
        # Sets are ordered by hashes, and the time goes into the file: both the same for the same bytes.
        steady = {"PYTHONHASHSEED": "1", "SOURCE_DATE_EPOCH": "315532800"}
        _run(python, "-m", "PyInstaller", *options, *folders, *words, str(MAIN), env={**os.environ, **steady})
        least = least_glibc(parts(Path(scratch) / "work" / "made"))
        beside = target.with_name(f".{target.name}.part")
        beside.write_bytes((Path(scratch) / "made").read_bytes())
    beside.chmod(0o755)
    beside.replace(target)
    return least


def environment(scratch: Path) -> str:
    """The Python of an environment that has the wheel with its extras, and PyInstaller."""
    _run(sys.executable, "-m", "build", "--quiet", "--wheel", "--outdir", str(scratch), str(ROOT))
    (wheel,) = scratch.glob("transload-*.whl")
    _run(sys.executable, "-m", "venv", str(scratch / "venv"))
    python = str(scratch / "venv" / "bin" / "python")
    install = (python, "-m", "pip", "install", "--quiet", "--constraint", str(ROOT / "constraints.txt"))
    _run(*install, f"{wheel}[html,serve,sign,trust,sigstore]", "pyinstaller")
    return python


def parts(work: Path) -> Iterator[Path]:
    """The files with machine code that PyInstaller put in, by its own list."""
    listed = ast.literal_eval((work / "PKG-00.toc").read_text())
    for _, path, kind in next(entry for entry in listed if isinstance(entry, list)):
        if kind in {"BINARY", "EXTENSION"}:
            yield Path(path)


def least_glibc(files: Iterable[Path]) -> tuple[int, int]:
    """The newest version of glibc's symbols that any of these files asks for."""
    return max((int(major), int(minor)) for path in files for major, minor in _GLIBC.findall(path.read_bytes()))


def _run(*words: str, env: dict[str, str] | None = None) -> None:
    subprocess.run(words, check=True, env=env)  # noqa: S603 - our own words


def main() -> None:
    """Build, and say how large it became and where it runs."""
    parser = argparse.ArgumentParser(description="Build the native executable.")
    parser.add_argument("-o", "--out", type=Path, default=ROOT / "dist" / "transload")
    target: Path = parser.parse_args().out
    major, minor = build(target)
    system = f"{os.uname().sysname} on {os.uname().machine}, glibc {major}.{minor} or newer"
    sys.stdout.write(f"{target}: {target.stat().st_size:,} bytes, for {system}\n")


if __name__ == "__main__":
    main()
