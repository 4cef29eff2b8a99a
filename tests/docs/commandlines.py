"""Command lines and variables that stand in pages and in files for other programs, held against the real command."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

import click

from transload.app.settings import INCUMBENT
from transload.cli.main import transload


def group() -> click.Context:
    """The context in which commands are made; with the program's own settings, since commands remember them."""
    return transload.make_context("transload", ["mirror"])


def parse(words: list[str]) -> None:
    """Let click read the words after `transload`, without running anything. Raises `click.UsageError`."""
    with group() as context:
        _, command, rest = transload.resolve_command(context, list(words))
        assert command is not None
        command.make_context(words[0], rest, parent=context)


def transload_commands(text: str) -> Iterator[list[str]]:
    """The words of each transload command of a script, without what the shell takes away."""
    for line in text.replace("\\\n", " ").splitlines():
        words = shlex.split(re.split(r" [|&>;2]+[>&|]* ?", line)[0], comments=True)
        if "transload" in words:
            yield words[words.index("transload") + 1 :]


def variables() -> set[str]:
    """Every variable that transload reads."""
    with group() as context:
        commands = [transload.get_command(context, name) for name in transload.list_commands(context)]
    of_flags = {str(option.envvar) for command in commands if command for option in command.params if option.envvar}
    told = {
        f"TRANSLOAD_{name}" for name in ("SOURCE_PASSWORD", "TARGET_PASSWORD", "SERVE_PASSWORD", "STATE_DIR", "CONFIG")
    }
    proxies = {"HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY"}
    return of_flags | told | proxies | set(INCUMBENT) | {"DOCKER_CONFIG", "REGISTRY_AUTH_FILE"}
