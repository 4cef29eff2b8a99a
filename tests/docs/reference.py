"""Writes docs/reference and share/ from the program itself: `python -m tests.docs.reference`."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import click

from tests.docs.pages import DOCS, ROOT
from tools import share
from tools.share import ENDINGS
from transload import errors, limits
from transload.cli.main import transload
from transload.wording import in_words

WIDTH = 100


def command_line() -> str:
    """docs/reference/cli.md"""
    context = transload.make_context("transload", [], resilient_parsing=True, terminal_width=WIDTH)
    parts = [
        "# Command line",
        "",
        "What `--help` says, of every command. Many a flag `--like-this` is a variable `TRANSLOAD_LIKE_THIS` too, as",
        "listed below its command, and a key `like-this` of the configuration file; a flag wins over the variable, the",
        "variable over the file. [Mirror a release](../guides/mirror-a-release.md) shows them at work.",
        "",
        *_help("transload", transload.get_help(context)),
    ]
    for name in transload.list_commands(context):
        command = transload.get_command(context, name)
        assert command is not None
        inner = command.make_context(name, [], parent=context, resilient_parsing=True, terminal_width=WIDTH)
        parts += _help(f"transload {name}", command.get_help(inner))
        parts += [f"[A worked example](../verbs/{name}.md)", ""] if page_of(name).exists() else []
        parts += _variables(command)
    return "\n".join(parts).rstrip() + "\n"


def page_of(verb: str) -> Path:
    """The page of a verb, with a worked example."""
    return DOCS / "verbs" / f"{verb}.md"


def _help(title: str, text: str) -> list[str]:
    return [f"## {title}", "", "```text", *(line.rstrip() for line in text.splitlines()), "```", ""]


def _variables(command: click.Command) -> list[str]:
    options = [one for one in command.params if isinstance(one, click.Option)]
    named = [f"`{one.envvar}`" for one in options if one.envvar]
    if not named:
        return []
    return ["Variables: " + ", ".join(named) + ".", ""]


def families() -> Iterator[tuple[type[errors.TransloadError], list[type[errors.TransloadError]]]]:
    """Every family of errors with its members, itself first, in the order of the source."""
    for family in errors.TransloadError.__subclasses__():
        yield family, [family, *_below(family)]


def _below(kind: type[errors.TransloadError]) -> Iterator[type[errors.TransloadError]]:
    for one in kind.__subclasses__():
        if one.__module__ == errors.__name__:
            yield one
            yield from _below(one)


def error_table() -> str:
    """docs/reference/errors.md"""
    parts = [
        "# Errors and exit codes",
        "",
        "A message on standard error says what was being done and what was found; below it stand the side, and a hint.",
        "`--output json` and the JSON report give the same as an object with `code`, the name in this table. Names and",
        "numbers stay what they are. [Troubleshooting](../guides/troubleshooting.md) goes from symptom to remedy.",
        "",
        "## Exit codes",
        "",
        "| code | meaning |",
        "|---|---|",
        *(f"| {code} | {meaning} |" for code, meaning in ENDINGS.items()),
        "",
        "When some images fail and others do not, the code is 1. When all fail alike, it is that of their error.",
        "",
        "## Errors",
        "",
        "*Again* says that the same call may succeed later without anybody changing anything; transload has tried it",
        "several times by itself when it tells such an error.",
        "",
        "| code | exit | again | meaning |",
        "|---|---|---|---|",
    ]
    for _, members in families():
        parts += [
            f"| `{one.code}` | {one.exit_code} | {'yes' if one.retryable else ''} | {_meaning(one)} |"
            for one in members
        ]
    return "\n".join(parts) + "\n"


def _meaning(kind: type[errors.TransloadError]) -> str:
    return " ".join((kind.__doc__ or "").split("\n\n")[0].split()).replace("|", "\\|")


def limits_table() -> str:
    """docs/reference/limits.md"""
    source = (ROOT / "src" / "transload" / "limits.py").read_text()
    parts = ["# Limits", "", *_paragraphs(ast.get_docstring(ast.parse(source)) or "")]
    for section in source.split("\n# --- ")[1:]:
        title, _, rest = section.partition("\n")
        parts += ["", f"## {title[0].upper()}{title[1:]}", "", "| limit | | why |", "|---|---|---|"]
        body = ast.parse(rest).body
        for assigned, told in zip(body[::2], body[1::2], strict=True):
            assert isinstance(assigned, ast.Assign)
            assert isinstance(told, ast.Expr)
            (name,) = (each.id for each in assigned.targets if isinstance(each, ast.Name))
            reason = " ".join(str(ast.literal_eval(told.value)).split())
            parts.append(f"| `{name}` | {_amount(name, getattr(limits, name))} | {reason} |")
    return "\n".join(parts) + "\n"


def _amount(name: str, value: int) -> str:
    return in_words(value) if name.endswith("_BYTES") else f"{value:,}"


def _paragraphs(text: str) -> list[str]:
    return text.replace(" (docs/reference/limits.md shows them)", "").splitlines()


PAGES = {
    DOCS / "reference" / "cli.md": command_line,
    DOCS / "reference" / "errors.md": error_table,
    DOCS / "reference" / "limits.md": limits_table,
}


def write() -> None:
    """Write every page anew."""
    for path, make in PAGES.items():
        path.write_text(make(), encoding="utf-8")
    share.write()


if __name__ == "__main__":
    write()
