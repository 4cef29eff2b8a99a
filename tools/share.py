"""Writes share/, which the wheel installs: the manual's pages and completions, from the commands; schemas of files.

    python tools/share.py

Our own generator, since click-man writes no page for commands that are loaded when they are called. What it makes is
kept with the sources, so that a build needs nothing but hatchling; tests/docs/test_reference.py says when it is stale.
A page has no date and no version in it: it changes when a command does.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from inspect import cleandoc
from pathlib import Path

import click
from click.shell_completion import BashComplete, FishComplete, ShellComplete, ZshComplete

from tools.schema import schemas
from transload.cli.main import transload

SHARE = Path(__file__).resolve().parents[1] / "share"
ENDINGS = {
    0: "done",
    1: "done, with failures that were told",
    2: "the request itself is wrong, or something is missing and nobody can be asked",
    3: "access was refused",
    4: "something named does not exist",
    5: "the other end cannot be reached, or does not answer as it should",
    6: "content is not what it claims to be",
    7: "refused on principle",
    8: "this machine stands in the way: disk, permission, another process",
    9: "the target lacks what the work assumes",
    10: "nothing failed, and there is more to copy: stopped by --max-bytes, or a release is new (--exit-code)",
    70: "a bug; please report it with the traceback",
    130: "interrupted",
}
_FILES = {
    "~/.config/transload/config.yaml": "Defaults of flags, by their long names without the dashes. The variable "
    "TRANSLOAD_CONFIG names another file.",
    "~/.docker/config.json, containers/auth.json": "The logins of docker login and podman login.",
}
# Completion scripts of click, which ask the program for the next word; and what does not work in them as it is.
_SCRIPTS: dict[str, type[ShellComplete]] = {
    "bash-completion/completions/transload": BashComplete,
    "fish/vendor_completions.d/transload.fish": FishComplete,
    "zsh/site-functions/_transload": ZshComplete,
}


_MENDED = {
    'string split ","': 'string split -m 1 ","',  # what fish shows beside a word may have commas
    "$zsh_eval_context[-1] == loadautofunc": "$funcstack[1] == _transload",  # else every second Tab did nothing
}
# Else a formatter makes typographic signs of them, which cannot be searched for and copied into a shell.
_ESCAPES = str.maketrans({"\\": r"\e", "-": r"\-", "'": r"\(aq", "`": r"\(ga", "^": r"\(ha", "~": r"\(ti"})


def files() -> dict[Path, str]:
    """Every file of share/ with its content."""
    pages = {SHARE / "man" / "man1" / f"{title}.1": "\n".join(page) + "\n" for title, page in _pages()}
    scripts = {SHARE / name: _script(kind) for name, kind in _SCRIPTS.items()}
    return pages | scripts | {SHARE / "schema" / name: text for name, text in schemas().items()}


def write() -> None:
    """Write every file anew."""
    for path, content in files().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")


def _script(kind: type[ShellComplete]) -> str:
    complete = kind(transload, {}, "transload", "_TRANSLOAD_COMPLETE")
    text = complete.source_template % complete.source_vars()
    for theirs, ours in _MENDED.items():
        text = text.replace(theirs, ours)
    return "\n".join(line.rstrip() for line in text.splitlines()) + "\n"


# --- pages of the manual, in the macros of man(7)


def _pages() -> Iterator[tuple[str, list[str]]]:
    context = transload.make_context("transload", [], resilient_parsing=True)
    lines = {str(item.value): item.help or "" for item in transload.shell_complete(context, "")}
    yield "transload", [*_program(context, lines)]
    for name, line in lines.items():
        command = transload.get_command(context, name)
        if command is not None:
            yield f"transload-{name}", [*_command(click.Context(command, context, name), line)]


def _program(context: click.Context, lines: dict[str, str]) -> Iterator[str]:
    yield from _beginning(context, "copy a vendor's release of container images")
    yield from _list("COMMANDS", ((f"transload {name}", line) for name, line in lines.items()))
    yield from _list(
        "EXIT STATUS", ((str(code), f"{meaning[0].upper()}{meaning[1:]}.") for code, meaning in ENDINGS.items())
    )
    yield from _list("FILES", _FILES.items())
    yield ".SH SEE ALSO"
    yield from (f".BR \\%{_escaped(f'transload-{name}')} (1)" for name in lines)


def _command(context: click.Context, line: str) -> Iterator[str]:
    yield from _beginning(context, line)
    variables = [f"\\%{_escaped(each.envvar)}" for each in context.command.params if isinstance(each.envvar, str)]
    if variables:
        yield from (".SH ENVIRONMENT", "Defaults of the options with these names:", f"{', '.join(variables)}.")
    yield from (".SH EXIT STATUS", "0 when it is done.", ".BR transload (1)", "lists the others.")
    yield from (".SH SEE ALSO", ".BR transload (1)")


def _beginning(context: click.Context, line: str) -> Iterator[str]:
    """From the title to the options."""
    command, words = context.command, context.command_path
    title = words.replace(" ", "-")
    yield f'.TH "{_escaped(title.upper())}" 1 "" "transload" "transload manual"'
    yield ".ad l"
    yield from (".SH NAME", f"{_escaped(title)} \\- {_escaped(line.rstrip('.'))}")
    yield from (".SH SYNOPSIS", f".B {_escaped(words)}", _escaped(" ".join(command.collect_usage_pieces(context))))
    yield ".SH DESCRIPTION"
    yield from _paragraphs(cleandoc(command.help or ""))
    options = (each for each in command.get_params(context) if isinstance(each, click.Option))
    records = (each.get_help_record(context) for each in options)
    yield from _list("OPTIONS", filter(None, records))


def _paragraphs(text: str) -> Iterator[str]:
    """Text as click takes it: paragraphs, and examples after a line with a backspace, which keep their lines."""
    for paragraph in text.split("\n\n"):
        if paragraph.startswith("\b\n"):
            lines = paragraph.splitlines()[1:]
            yield from (".P", ".EX", *(_escaped(line) for line in lines), ".EE")
        else:
            yield from (".P", _escaped(" ".join(paragraph.split())))


def _list(title: str, pairs: Iterable[tuple[str, str]]) -> Iterator[str]:
    entries = [(".TP", f"\\fB{_escaped(term)}\\fR", _escaped(" ".join(text.split()))) for term, text in pairs]
    if entries:
        yield f".SH {title}"
        yield from (line for entry in entries for line in entry)


def _escaped(text: str) -> str:
    """Text in which nothing is a command to the formatter."""
    escaped = text.translate(_ESCAPES)
    return f"\\&{escaped}" if escaped.startswith(".") else escaped


if __name__ == "__main__":
    write()
