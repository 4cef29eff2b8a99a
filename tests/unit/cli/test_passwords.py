"""Passwords as pipes of every system bring them."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from transload.cli.passwords import decoded
from transload.errors import UsageError

PASSWORD = "p:ässwörd€"
READ = "from transload.cli.passwords import piped_password as p; print(ascii(p()))"


def piped(content: bytes | None, locale: str = "C.UTF-8", mode: str = "1") -> tuple[int, str, str]:
    """What a process makes of `content` on its standard input; None closes it."""
    program = [sys.executable, "-c", READ]
    if content is None:
        program = ["sh", "-c", 'exec "$@" <&-', "sh", *program]
    environment = {**os.environ, "LC_ALL": locale, "PYTHONUTF8": mode}
    done = subprocess.run(program, input=content, capture_output=True, timeout=60, check=False, env=environment)
    return done.returncode, done.stdout.decode().strip(), done.stderr.decode()


@pytest.mark.parametrize("end", ["", "\n", "\r\n", "\nanother line\n", "\r\n\r\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_unicode_of_every_kind(encoding: str, end: str) -> None:
    assert decoded((PASSWORD + end).encode(encoding)) == PASSWORD + end


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_the_first_line_of_a_pipe(encoding: str) -> None:
    assert piped((PASSWORD + "\r\nmore\r\n").encode(encoding))[:2] == (0, ascii(PASSWORD))


def test_line_ends_of_two_bytes_are_not_letters_that_hold_one(  # U+010A is written 0A 01
) -> None:
    assert piped("\ufeffaĊb\nc".encode("utf-16-le"))[:2] == (0, ascii("aĊb"))


@pytest.mark.parametrize(("locale", "mode"), [("C.UTF-8", "1"), ("C", "0")])
def test_latin_1(locale: str, mode: str) -> None:
    assert piped("grün\n".encode("latin-1"), locale, mode)[:2] == (0, ascii("grün"))


@pytest.mark.parametrize("content", [b"a\0b\n", b"\xff\xfea", b"\xff\xfea\0\0\0", b"\xef\xbb\xbf\xff\n"])
def test_what_is_no_text(content: bytes) -> None:
    with pytest.raises(UsageError, match="not text"):
        decoded(content)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "there is no password"),
        (b"\n", "there is no password"),
        (b"\0\n", "there is no password"),
        (None, "closed"),
        (b"x" * 100_000, "more than 64 KiB"),
    ],
)
def test_nothing_or_too_much(content: bytes | None, told: str) -> None:
    code, _, err = piped(content)
    assert code == 1
    assert told in err
