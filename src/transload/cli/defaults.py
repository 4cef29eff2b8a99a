"""Defaults for flags from the configuration file. A flag wins over a variable, a variable over the file."""

from __future__ import annotations

import codecs
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from transload.app.answers import QUESTIONS
from transload.app.settings import read_environment
from transload.cli.console import warn
from transload.cli.words import close_match
from transload.errors import DocumentInvalid, LocalError
from transload.files import local_errors, read_file

_FILE_BYTES = 1 << 20
_UNTOUCHED = ("demo",)  # it needs no settings of a site
# Flags that mean something else in this command than in others, or would be dangerous as a default for it: a value for
# them counts only in the section of the command.
_OWN = {
    "apply": ("share", "finish", "of"),
    "check": ("deep",),
    "configure": ("pin", "strict"),
    "history": ("from", "public-key"),
    "keys": ("algorithm", "no-passphrase"),
    "load": ("platform", "namespace"),
    "prune": (
        *("keep", "catalog", "set", "rules", "remove-tags", "untagged", "unused", "keep-tags", "keep-since"),
        *("repository", "allow-empty", "yes"),
    ),
    "repair": ("into",),
    "forget": ("all", "list"),
    "releases": ("image", "releases"),
}


def defaults_from_file(program: click.Group, running: str | None = None) -> dict[str, Any] | None:
    """click's `default_map` for `program`, from the file, whose keys are long flags without the leading dashes.

    Each command (or only the `running` one) gets the keys that it has a flag for. A key that is the name of a command
    has a map of flags, which are for this command only. Keys that the vendor's variables answer are left out, since a
    variable wins over the file. Raises `DocumentInvalid`.
    """
    environment = read_environment()
    path = environment.config
    document = _read(path, environment.config_named) if path else None
    if path is None or document is None:
        return None
    answered = {
        question.flag.removeprefix("--")
        for question in QUESTIONS
        if question.variable in environment.incumbent and question.field != "target_repository"
    }
    commands = _commands(program)
    sections = {key: value for key, value in document.items() if key in commands and isinstance(value, dict)}
    flags = {key: value for key, value in document.items() if key not in sections}
    _check_known(path, flags, sections, commands)
    return {
        name: {
            str(options[flag].name): _value(path, flag, options[flag], value)
            for flag, value in _values_for(name, flags, sections).items()
            if flag in options and flag not in answered
        }
        for name, options in commands.items()
        if running in {None, name}
    }


def _values_for(command: str, flags: Mapping[str, Any], sections: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The values for a command: those for all that have the flag; those of its section go before."""
    own = _OWN.get(command, ())
    return {**{flag: value for flag, value in flags.items() if flag not in own}, **sections.get(command, {})}


def _check_known(
    path: Path,
    flags: Mapping[str, Any],
    sections: Mapping[str, Mapping[str, Any]],
    commands: Mapping[str, Mapping[str, click.Option]],
) -> None:
    """Raises `DocumentInvalid` for a flag that no command has, or not the one in whose section it is."""
    hint = "keys are long flags without the dashes, for example to: registry.local/arcdata"
    known = {flag for name, options in commands.items() for flag in options if flag not in _OWN.get(name, ())}
    for given in (flags, *sections.values()):
        _check_once(path, given, commands)
    for flag in flags:
        if flag in known:
            continue
        owner = next((name for name, own in _OWN.items() if flag in own), None)
        if owner is not None:
            raise DocumentInvalid(
                f"{path}: {flag}: this flag is only of the command {owner}",
                subject=str(path),
                hint=f"write it in a section of this name: {owner}: {{{flag}: {_in_yaml(flags[flag])}}}",
            )
        raise DocumentInvalid(
            f"{path}: {flag}: no command has this flag{close_match(flag, known)}", subject=str(path), hint=hint
        )
    for name, section in sections.items():
        for flag in section:
            if flag not in commands[name]:
                raise DocumentInvalid(
                    f"{path}: {name}: {flag}: this command has no such flag{close_match(flag, commands[name])}",
                    subject=str(path),
                    hint=hint,
                )


def _check_once(path: Path, flags: Mapping[str, Any], commands: Mapping[str, Mapping[str, click.Option]]) -> None:
    """Raises `DocumentInvalid` if two of the flags are names of the same one."""
    for options in commands.values():
        first: dict[str, str] = {}
        for flag in flags:
            other = first.setdefault(str(options[flag].name), flag) if flag in options else flag
            if other != flag:
                raise DocumentInvalid(
                    f"{path}: {other} and {flag} are the same flag", subject=str(path), hint="leave one of them out"
                )


def _in_yaml(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else "…"


def _read(path: Path, named: bool) -> dict[str, Any] | None:
    """The file's flags and values; None if there is no file, or the usual one cannot be read.

    Raises `LocalError` if TRANSLOAD_CONFIG names a file that cannot be read, `DocumentInvalid`.
    """
    content = _content(path, named)
    if content is None:
        return None
    import yaml

    from transload.documents.yamltree import parse

    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):  # PowerShell writes UTF-16
        content = content.decode("utf-16", "replace").encode()
    parse(content, str(path), empty=True)  # this parser has limits, the next one has none
    try:
        document = yaml.safe_load(content) or {}
    except (yaml.YAMLError, ValueError, OverflowError) as error:  # the last two for invalid numbers and dates
        raise DocumentInvalid(f"{path}: not YAML: {' '.join(str(error).split())}", subject=str(path)) from error
    except RecursionError:
        raise DocumentInvalid(f"{path}: is nested too deeply", subject=str(path)) from None
    if not isinstance(document, dict) or not all(isinstance(key, str) for key in document):
        raise DocumentInvalid(
            f"{path}: expected a map of flags to values",
            subject=str(path),
            hint="for example: to: registry.local/arcdata",
        )
    return _flags(path, document)


def _flags(path: Path, document: Mapping[str, Any]) -> dict[str, Any]:
    """The flags of the file or of a section, without secrets. Raises `DocumentInvalid`."""
    for key, value in document.items():
        if "password" in str(key):
            raise DocumentInvalid(
                f"{path}: {key}: secrets do not belong into this file", subject=str(path), hint="use docker login"
            )
        if isinstance(value, dict) and not all(isinstance(inner, str) for inner in value):
            raise DocumentInvalid(f"{path}: {key}: expected a map of flags to values", subject=str(path))
    return {
        key.replace("_", "-"): _flags(path, value) if isinstance(value, dict) else value
        for key, value in document.items()
    }


def _content(path: Path, named: bool) -> bytes | None:
    try:
        with local_errors("TRANSLOAD_CONFIG: reading" if named else "reading", path):
            content = b"" if str(path) == os.devnull else read_file(path, _FILE_BYTES + 1)
    except LocalError as error:
        if isinstance(error.__cause__, FileNotFoundError | NotADirectoryError):
            return None
        if named:
            error.hint = "the variable TRANSLOAD_CONFIG names this file; correct the variable, or unset it"
            raise
        warn(f"warning: {error}")  # another user's home, as in a container with HOME=/root and a user that is not root
        return None
    if len(content) > _FILE_BYTES:
        raise DocumentInvalid(f"{path}: larger than {_FILE_BYTES >> 20} MiB", subject=str(path))
    return content


def _commands(program: click.Group) -> Mapping[str, Mapping[str, click.Option]]:
    """Each command's options by long flag without dashes."""
    commands: dict[str, dict[str, click.Option]] = {}
    with click.Context(program) as context:
        for name in program.list_commands(context):
            command = program.get_command(context, name) if name not in _UNTOUCHED else None
            options = [option for option in command.params if isinstance(option, click.Option)] if command else []
            commands[name] = {flag[2:]: option for option in options for flag in option.opts if flag.startswith("--")}
    return commands


def _value(path: Path, flag: str, option: click.Option, value: Any) -> Any:
    """A value for click: a list if the flag is repeatable, and never a number if the flag takes text."""
    values = value if isinstance(value, list) else [value]
    if isinstance(value, dict):
        raise DocumentInvalid(f"{path}: {flag}: takes one value, not a map", subject=str(path))
    if isinstance(value, list) and not option.multiple:
        raise DocumentInvalid(f"{path}: {flag}: takes one value, not a list", subject=str(path))
    if isinstance(option.type, click.types.StringParamType):
        for text in values:
            if not isinstance(text, str):
                raise DocumentInvalid(
                    f"{path}: {flag}: {text!r} is not text", subject=str(path), hint=f"write it in quotes: '{text}'"
                )
    return values if option.multiple else value
