"""The program for the far side: what `pack --with-tool` puts beside the volumes, with a page about its use."""

from __future__ import annotations

import contextlib
import hashlib
import io
import shlex
import sys
import zipfile
from pathlib import Path
from typing import Any

from transload import extras
from transload.bundle.writing.sums import SUMS, write_sums
from transload.errors import LocalError, PartMissing
from transload.files import expanded, is_plain_name, local_errors, replace_file
from transload.values import frozen

ONE_FILE, BINARY, README = "transload.pyz", "transload", "README.txt"
_HEAD = "transload: container images on this medium, and the program that copies them to a registry\n"
_PAGE = """\
{head}
In this folder:

  {volumes:<24} the images
  {tool:<24} the program; {needs}
  SHA256SUMS               checksums of all these files

1. Is everything as it was written?

     sha256sum -c SHA256SUMS
     {run} verify bundle:{bundle}{key}

2. Copy the images into your registry:

     {run} push {bundle} --to REGISTRY/PATH{key}

{serve}{more}"{run} --help" shows the rest. Nothing needs to be installed, and nothing is fetched from the internet.
"""
_SERVE = """\
3. Or use the bundle itself as a registry, read-only, at 127.0.0.1:5000:

     {run} serve bundle:{bundle}{key}

"""
_SIGNED = """\
The bundle is signed. FILE is the public key of whoever packed it; take it from another place than this medium.

"""
_PYTHON = """\
If python3 is older than 3.11: Red Hat Enterprise Linux 8 and 9 have the package python3.11, also on their installation
media (dnf install python3.11); then write python3.11 for python3.

"""
_MACHINE = """\
If it cannot be started from here, copy it: cp {tool} ~/ && chmod +x ~/{tool}. It unpacks itself into the folder
$TMPDIR, else /tmp; where programs may not be started from there, name another folder: TMPDIR=~ {run} --help

"""


@frozen
class Tool:
    """A program that travels with a bundle: its file name and content, and the verbs that it cannot do (`lacks`)."""

    name: str
    content: bytes
    lacks: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """Its SHA-256 in hexadecimal, as in SHA256SUMS."""
        return hashlib.sha256(self.content).hexdigest()

    def to_json(self) -> dict[str, Any]:
        """The `tool` object of docs/formats/json-output.md."""
        return {
            "name": self.name,
            "size": len(self.content),
            "digest": f"sha256:{self.digest}",
            "lacks": list(self.lacks),
        }


def tool_for(word: str) -> Tool:
    """The program that `word` asks for: `pyz`, `binary`, `auto` (what this program can give), or the path of a file.

    Raises `LocalError` if there is no such file, or this program cannot give what is asked for; `PartMissing`.
    """
    if word == "auto":
        word = "binary" if extras.is_executable() else "pyz"
    if word == "binary":
        return _binary()
    if word == "pyz":
        return _one_file()
    path = expanded(word)
    if not path.is_file():
        wrong = f"{word!r} is not a file" if not word or path.exists() else f"there is no file {path}"
        raise LocalError(wrong, subject=str(path), hint="name the program's file, or write pyz, binary or auto")
    if path.suffix == ".tar" or path.name in {README, SUMS} or not is_plain_name(path.name):
        raise LocalError(
            f"{path.name!r} is not a name for a program beside a bundle", subject=str(path), hint="rename the file"
        )
    return Tool(path.name, _read(path))


def put_tool(tool: Tool, bundle: Path, *, signed: bool) -> list[Path]:
    """Write the program beside `bundle` (a path without suffix) with its README.txt, and add both to SHA256SUMS.

    A README.txt of somebody else stays. The program is made executable where the medium can keep that. Returns the
    files that were written. Raises `LocalError`.
    """
    folder = bundle.absolute().parent
    files = {tool.name: tool.content}
    page = _page(tool, bundle.name, signed)
    if page and _is_ours(folder / README):
        files[README] = page.encode()
    for name, content in files.items():
        with local_errors("writing", folder / name):
            replace_file(folder / name, content)
    with contextlib.suppress(OSError):  # FAT keeps no permissions, and some mounts refuse to be asked
        (folder / tool.name).chmod(0o755)
    write_sums(folder, {name: hashlib.sha256(content).hexdigest() for name, content in files.items()})
    return [folder / name for name in files]


def _binary() -> Tool:
    if not extras.is_executable():
        raise LocalError(
            "this transload is not the native executable, so it cannot put that on the medium",
            hint="name the file that make binary wrote, or write --with-tool pyz",
        )
    return Tool(BINARY, _read(Path(sys.executable)))


def _one_file() -> Tool:
    """The one-file program: itself if that is what runs, else made from what is installed."""
    if running := extras.one_file():
        return Tool(ONE_FILE, _read(running))
    if extras.is_executable():
        raise PartMissing(
            "the native executable cannot make transload.pyz",
            hint="write --with-tool binary, or name a transload.pyz that is there already",
        )
    from transload.app.onefile import one_file

    made = one_file()
    return Tool(ONE_FILE, made.content, made.lacks)


def _read(path: Path) -> bytes:
    with local_errors("reading", path):
        return path.read_bytes()


def _is_ours(path: Path) -> bool:
    """Whether the page may be written: nothing is there, or a page of ours."""
    with local_errors("reading", path):
        if not path.is_symlink() and not path.exists():
            return True
        return path.is_file() and path.read_bytes().startswith(_HEAD.encode())


def _page(tool: Tool, bundle: str, signed: bool) -> str:
    """The text of README.txt; empty for a program of a kind that it could not explain."""
    if zipfile.is_zipfile(io.BytesIO(tool.content)):
        run, needs, more = f"python3 {shlex.quote(tool.name)}", "it runs with Python 3.11 or newer", _PYTHON
    elif tool.content.startswith(b"\x7fELF"):
        run, needs, more = f"./{shlex.quote(tool.name)}", "it needs no Python", _MACHINE
    else:
        return ""
    words = {"run": run, "bundle": shlex.quote(bundle), "key": " --key FILE" if signed else ""}
    return _PAGE.format(
        **words,
        head=_HEAD,
        volumes=f"{bundle}*.tar",
        tool=tool.name,
        needs=needs,
        serve="" if "serve" in tool.lacks else _SERVE.format(**words),
        more=(_SIGNED if signed else "") + more.format(tool=shlex.quote(tool.name), run=run),
    )
