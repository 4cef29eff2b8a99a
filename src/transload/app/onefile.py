"""Makes the one-file program: transload and its pure-Python parts in a zip that any Python from 3.11 on runs.

What is put in is what is installed beside this module, so that an installed transload needs no build. The same files
and the same interpreter give the same bytes. Compiled parts are left out; aiohttp and those below it go on without
theirs. Also left out is what the program does without: `cryptography`, which signs.
Bytecode beside the sources halves the time to start.
"""

from __future__ import annotations

import marshal
import re
import zipfile
from collections.abc import Iterable, Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from importlib.util import MAGIC_NUMBER, source_hash
from io import BytesIO
from pathlib import Path, PurePosixPath

from transload.errors import PartMissing
from transload.files import local_errors
from transload.values import frozen

PACKAGE = Path(__file__).resolve().parents[1]
NEEDED = ("attrs", "click", "platformdirs", "pyyaml", "urllib3")
OPTIONAL = {
    "serve": (
        *("aiohappyeyeballs", "aiohttp", "aiosignal", "frozenlist", "idna", "multidict", "propcache"),
        *("typing-extensions", "yarl"),
    ),
    "write HTML": ("jinja2", "markupsafe"),
    "verify signatures": ("ecdsa", "six"),
}
LEFT_OUT = ("async-timeout", "colorama")

# Later versions write down what objects share, which depends on what else this process has loaded.
_MARSHAL = 2
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


@frozen
class OneFile:
    """The program's bytes. `lacks` are the verbs that it cannot do, because a part of them is not installed here."""

    content: bytes
    lacks: tuple[str, ...]


def one_file() -> OneFile:
    """Make the program, which takes a second or two. Raises `PartMissing` if a part that it needs is not installed."""
    parts = [_installed(name) for name in NEEDED]
    lacks = []
    for what, names in OPTIONAL.items():
        try:
            parts += [_installed(name) for name in names]
        except PartMissing:
            lacks.append(what)
    return OneFile(_zipped(_contents(parts)), tuple(lacks))


def undecided() -> set[str]:
    """What the program's parts need, but which is neither put in nor left out on purpose."""
    names = [*NEEDED, *(name for group in OPTIONAL.values() for name in group)]
    needed = {
        form[0].lower().replace("_", "-")
        for name in ("transload", *names)
        for requirement in distribution(name).requires or ()
        if "extra ==" not in requirement and (form := _NAME.match(requirement))
    }
    return needed - {*names, *LEFT_OUT}


def _installed(name: str) -> Distribution:
    """The installed distribution, with the list of its files."""
    try:
        part = distribution(name)
    except PackageNotFoundError:
        part = None
    if part is None or part.files is None:
        raise PartMissing(
            f"{name} is not installed in a way that it can be copied",
            hint="install transload with pip; or name a transload.pyz that is there already",
        )
    return part


def _zipped(files: dict[str, bytes]) -> bytes:
    made = BytesIO()
    made.write(b"#!/usr/bin/env python3\n")
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, content in sorted(files.items()):
            info = zipfile.ZipInfo(name, _WHEN)
            info.create_system, info.external_attr = 3, 0o100644 << 16
            archive.writestr(info, content, zipfile.ZIP_DEFLATED, 9)
    return made.getvalue()


def _contents(parts: Iterable[Distribution]) -> dict[str, bytes]:
    """Every file of the zip: sources, the same compiled for this version of Python, data, licenses."""
    sources = {str(PurePosixPath(path.relative_to(PACKAGE.parent))): path for path in _own_files()}
    for part in parts:
        sources |= _files_of(part)
    files = {"__main__.py": MAIN.encode()}
    for name, path in sources.items():
        with local_errors("reading", path):
            files[name] = path.read_bytes()
    return files | {f"{name}c": _compiled(name, content) for name, content in files.items() if name.endswith(".py")}


def _own_files() -> Iterator[Path]:
    """The package: sources and data."""
    for path in PACKAGE.rglob("*"):
        if path.is_file() and path.suffix not in {".pyc", ".pyi"}:
            yield path


def _files_of(part: Distribution) -> dict[str, Path]:
    """Python sources and licenses of an installed distribution, by their names in the zip."""
    return {
        str(PurePosixPath(path)): Path(str(part.locate_file(path)))
        for path in part.files or ()
        if ".." not in path.parts
        and not path.name.startswith("test_")
        and (path.suffix in {".py", ".typed"} or _LICENSES.search(str(path)))
    }


def _compiled(name: str, source: bytes) -> bytes:
    """Bytecode that this version of Python takes unchecked, and any other passes over for the source (PEP 552)."""
    code = compile(source, name, "exec", dont_inherit=True, optimize=0)
    return MAGIC_NUMBER + (0b01).to_bytes(4, "little") + source_hash(source) + marshal.dumps(code, _MARSHAL)
