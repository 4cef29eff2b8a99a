"""Builds the one-file program: transload and its pure-Python parts in a zip that any Python from 3.11 on runs.

    python tools/pyz.py [-o dist/transload.pyz]

What is put in comes from the environment that runs this script, so that it is what the tests ran with. Two builds with
the same interpreter from the same files are the same bytes. Left out are compiled parts, and what the program does
without: rich (lines instead of bars), and the optional extras. Bytecode beside the sources halves the time to start.
"""

from __future__ import annotations

import argparse
import marshal
import re
import sys
import zipfile
from collections.abc import Iterator
from importlib.metadata import Distribution, distribution, requires
from importlib.util import MAGIC_NUMBER, source_hash
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).resolve().parents[1]
VENDORED = ("attrs", "click", "ecdsa", "platformdirs", "pyyaml", "six", "urllib3")
LEFT_OUT = ("colorama", "rich")


_WHEN = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip can say
_NAME = re.compile(r"[A-Za-z0-9._-]+")
_LICENSES = re.compile(r"\.dist-info/(?:licenses/|LICENSE|LICENCE|NOTICE|AUTHORS|COPYING)")
MAIN = """\
import sys

if sys.version_info < (3, 11):
    sys.exit("transload needs Python 3.11 or newer, this is %d.%d" % sys.version_info[:2])

from transload.__main__ import run

run()
"""


def build(target: Path) -> None:
    """Write the program to `target`, executable; a half-written one never has its name."""
    check_dependencies()
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = target.with_name(f".{target.name}.part")
    with beside.open("wb") as file:
        file.write(b"#!/usr/bin/env python3\n")
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
            for name, content in sorted(contents().items()):
                info = zipfile.ZipInfo(name, _WHEN)
                info.create_system, info.external_attr = 3, 0o100644 << 16
                archive.writestr(info, content, zipfile.ZIP_DEFLATED, 9)
    beside.chmod(0o755)
    beside.replace(target)


def check_dependencies() -> None:
    """Ends with a sentence when something is needed about which nothing has been decided here."""
    needed = {
        form[0].lower()
        for name in ("transload", *VENDORED)
        for each in requires(name) or ()
        if "extra ==" not in each and (form := _NAME.match(each))
    }
    undecided = needed - {*VENDORED, *LEFT_OUT}
    if undecided:
        sys.exit(f"tools/pyz.py: put {', '.join(sorted(undecided))} into VENDORED or LEFT_OUT")


def contents() -> dict[str, bytes]:
    """Every file of the zip: sources, the same compiled for this version of Python, data, licenses."""
    sources = {str(PurePosixPath(path.relative_to(ROOT / "src"))): path for path in own_files()}
    for name in VENDORED:
        sources |= vendored_files(distribution(name))
    files = {name: path.read_bytes() for name, path in sources.items()} | {"__main__.py": MAIN.encode()}
    return files | {f"{name}c": compiled(name, content) for name, content in files.items() if name.endswith(".py")}


def own_files() -> Iterator[Path]:
    """The package: sources and data."""
    for path in (ROOT / "src" / "transload").rglob("*"):
        if path.is_file() and path.suffix not in {".pyc", ".pyi"}:
            yield path


def vendored_files(found: Distribution) -> dict[str, Path]:
    """Python sources and licenses of an installed distribution, by their names in the zip."""
    return {
        str(PurePosixPath(each)): Path(str(found.locate_file(each)))
        for each in found.files or ()
        if ".." not in each.parts
        and not each.name.startswith("test_")
        and (each.suffix in {".py", ".typed"} or _LICENSES.search(str(each)))
    }


def compiled(name: str, source: bytes) -> bytes:
    """Bytecode that this version of Python takes unchecked, and any other passes over for the source (PEP 552)."""
    code = compile(source, name, "exec", dont_inherit=True, optimize=0)
    return MAGIC_NUMBER + (0b01).to_bytes(4, "little") + source_hash(source) + marshal.dumps(code)


def main() -> None:
    """Build, and say how large it became."""
    parser = argparse.ArgumentParser(description="Build the one-file program.")
    parser.add_argument("-o", "--out", type=Path, default=ROOT / "dist" / "transload.pyz")
    target: Path = parser.parse_args().out
    build(target)
    sys.stdout.write(f"{target}: {target.stat().st_size:,} bytes\n")


if __name__ == "__main__":
    main()
