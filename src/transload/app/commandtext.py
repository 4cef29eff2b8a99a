"""The command of a site's own program, given in one text: split into words as a shell does, but without a shell."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Sequence

from transload.app.settings import Environment
from transload.errors import LocalError, UsageError
from transload.oci.reference import shown
from transload.report.texts import one_line

_SHELL_SIGNS = {"|", "||", "&&", "&", ">", ">>", "<"}
_OWN_VARIABLE = re.compile(r"\$(?:TRANSLOAD_[A-Z_]+|\{TRANSLOAD_[A-Z_]+\})")
_LINE_FOLLOWS = re.compile(r"-[a-z]*c")  # sh -c, bash -ec, su -c


def words_of_command(option: str, text: str, environment: Environment) -> list[str]:
    """The words of a command; no shell is used. Checks that the program is there. `option` is named in errors.

    Raises `UsageError` for a text that is empty or unfinished, or that only a shell would understand; `LocalError` for
    a program that does not exist.
    """
    try:
        words = shlex.split(text, posix=os.name != "nt")
    except ValueError as error:
        raise UsageError(
            f"{option} {shown(text)!r} cannot be split into words: {error}", hint="close the quotes"
        ) from error
    if not words:
        raise UsageError(f"{option} is empty", hint="name a program, or leave the option out")
    if (part := _for_a_shell(words)) is not None:
        raise UsageError(
            f"{option}: no shell reads it, so {part!r} would be an ordinary word",
            hint="write it as a line of the shell: sh -c '...'",
        )
    if shutil.which(words[0], path=environment.helper_path) is None:
        raise LocalError(
            f"{option}: there is no program {shown(words[0])!r} that can be run",
            subject=words[0],
            hint="check the name and its permissions; a line of the shell is written sh -c '...'",
        )
    return words


def how_it_ended(done: subprocess.CompletedProcess[bytes]) -> str:
    """How a program ended that failed, with the last line that it wrote."""
    said = done.stderr.decode("utf-8", "replace").strip() or done.stdout.decode("utf-8", "replace").strip()
    ended = f"exit code {done.returncode}" if done.returncode >= 0 else f"signal {-done.returncode}"
    return f"it ended with {ended}" + (f": {one_line(said.splitlines()[-1])}" if said else "")


def _for_a_shell(words: Sequence[str]) -> str | None:
    """The part of a command that only a shell gives its meaning, and that is not in a line for one."""
    for position, word in enumerate(words):
        if word in _SHELL_SIGNS:
            return word
        variable = _OWN_VARIABLE.search(word)
        if variable and not any(map(_LINE_FOLLOWS.fullmatch, words[:position])):
            return variable.group()
    return None
