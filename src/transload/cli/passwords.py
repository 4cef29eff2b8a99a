"""Reads passwords from standard input, in any encoding of the pipe."""

from __future__ import annotations

import codecs
import locale
import sys
from typing import BinaryIO

from transload.cli.prompts import ask_password, is_interactive
from transload.errors import SettingMissing, UsageError

_BYTES = 64 << 10
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


def piped_password(text: str = "Password") -> str:
    """The password in the first line of standard input; at a terminal, the user is asked.

    Raises `SettingMissing` if nothing comes, `UsageError` for a text that cannot be a password.
    """
    if sys.stdin is None:
        raise SettingMissing("there is no password on standard input: it is closed", hint="pipe the password in")
    if is_interactive():
        return ask_password(text)
    try:
        content = _first_line(sys.stdin.buffer)
    except OSError as error:
        raise SettingMissing(f"there is no password on standard input: {error.strerror or error}") from error
    if len(content) > _BYTES:
        raise UsageError(f"standard input has more than {_BYTES >> 10} KiB, which is too long for a password")
    password = decoded(content).split("\n", 1)[0].rstrip("\r")
    if not password:
        raise SettingMissing("there is no password on standard input", hint="look at the file or command it comes from")
    return password


def _first_line(stream: BinaryIO) -> bytes:
    """Read only one line, since the other end of the pipe may stay open."""
    content = stream.readline(_BYTES + 1)
    while _is_wide(content) and len(content) % 2 and len(content) <= _BYTES:  # a line end of two bytes was cut in half
        half = stream.read(1)
        content += half + (stream.readline(_BYTES + 1) if half != b"\0" else b"")
        if not half:
            break
    return content


def _is_wide(content: bytes) -> bool:
    return content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or b"\0" in content


def decoded(content: bytes) -> str:
    """Text of a pipe: UTF-8, UTF-16 as PowerShell writes it, else what the locale says, or Latin-1.

    Raises `UsageError` for bytes that are no text.
    """
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            text = _strictly(content[len(mark) :], encoding)
            break
    else:
        text = _unmarked(content)
    if text is None or "\0" in text:
        raise UsageError(
            "standard input is not text, so it cannot be a password", hint="write it as UTF-8, in one line"
        )
    return text


def _unmarked(content: bytes) -> str | None:
    zeros = content.count(b"\0")
    if zeros:  # in UTF-16, most Latin letters have a zero byte
        wide = 4 * zeros > len(content)
        return _strictly(content, "utf-16-le" if content[1:2] == b"\0" else "utf-16-be") if wide else None
    for encoding in ("utf-8", locale.getpreferredencoding(False)):
        if (text := _strictly(content, encoding)) is not None:
            return text
    return content.decode("latin-1")


def _strictly(content: bytes, encoding: str) -> str | None:
    try:
        return content.decode(encoding)
    except (UnicodeDecodeError, LookupError):
        return None
