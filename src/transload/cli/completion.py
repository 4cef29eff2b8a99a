"""What the shell offers when somebody presses Tab: what is on this machine and in the program, never a request.

Each function has click's form of a `shell_complete` callback. What completes a command line is not quoted by every
shell, so names of files with letters that a shell understands are left out.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from transload.catalog.builtin import builtin, load_builtin

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

# What the images of most publishers are built for; any other platform can be written too.
PLATFORMS = (
    *("linux/amd64", "linux/arm64", "linux/arm/v7", "linux/arm/v6", "linux/386", "linux/ppc64le", "linux/riscv64"),
    *("linux/s390x", "windows/amd64"),
)
_LOCAL = ("oci:", "bundle:", "archive:")
_SAFE = re.compile(r"\w[\w.+@-]*")
_ENTRIES = 1000


def files(_: click.Context, __: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """Files and folders, which the shell lists itself."""
    from click.shell_completion import CompletionItem

    return [CompletionItem(incomplete or " ", type="file")]  # click's script for zsh would lose an empty text


def catalogs(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """The built-in catalogs, and files."""
    from click.shell_completion import CompletionItem

    named = [CompletionItem(name) for name in builtin() if name.startswith(incomplete)]
    return [*files(context, parameter, incomplete), *named]


def stores(_: click.Context, __: click.Parameter, incomplete: str) -> list[str]:
    """Folders as `oci:DIR`, and what is on the disk after the word for another kind of local store."""
    for scheme in _LOCAL:
        if incomplete.startswith(scheme):
            return [f"{scheme}{path}" for path in _paths(incomplete.removeprefix(scheme), scheme == "oci:")]
    return [f"oci:{path}" for path in _paths("", folders=True)] if "oci:".startswith(incomplete) else []


def stores_and_files(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[str | CompletionItem[str]]:
    """What may be served or read: a store, or the path of one."""
    return [*files(context, parameter, incomplete), *stores(context, parameter, incomplete)]


def platforms(_: click.Context, __: click.Parameter, incomplete: str) -> list[str]:
    """Platforms by the names that are common."""
    return [name for name in PLATFORMS if name.startswith(incomplete)]


def releases(context: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """Releases that the built-in catalogs on the command line know, newest first."""
    named = [name for name in context.args if name in builtin()]  # where click leaves words before an open option
    tags = [release.tag for name in named for release in reversed(load_builtin(name).releases)]
    return [tag for tag in tags if tag.startswith(incomplete)]


def _paths(begun: str, folders: bool) -> Iterator[str]:
    """What is in the folder that `begun` names, if its name goes on as `begun` does."""
    folder, slash, name = begun.rpartition("/")
    with contextlib.suppress(OSError), os.scandir(folder + slash or ".") as entries:
        listed = (entry for entry, _ in zip(entries, range(_ENTRIES), strict=False))
        names = [entry.name for entry in listed if entry.is_dir() or not folders]
        yield from (folder + slash + path for path in sorted(names) if path.startswith(name) and _SAFE.fullmatch(path))
