"""What the shell offers for Tab: what is on this machine and in the program. It never makes a request.

Each function is a `shell_complete` callback of click. Not every shell quotes completed words, so file names with
letters that have a meaning for a shell are left out.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from transload.catalog.builtin import builtin, load_builtin
from transload.expressions import late

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

# The platforms of most publishers' images; users can write any other platform too.
PLATFORMS = (
    *("linux/amd64", "linux/arm64", "linux/arm/v7", "linux/arm/v6", "linux/386", "linux/ppc64le", "linux/riscv64"),
    *("linux/s390x", "windows/amd64"),
)
_LOCAL = ("oci:", "bundle:", "archive:", "charts:")
_SAFE = late(r"\w[\w.+@-]*")
_ENTRIES = 1000


def files(_: click.Context, __: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """Files and folders, which the shell lists itself."""
    from click.shell_completion import CompletionItem

    return [CompletionItem(incomplete or " ", type="file")]  # click's script for zsh loses an empty text


def catalogs(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """The built-in catalogs, and files."""
    from click.shell_completion import CompletionItem

    named = [CompletionItem(name) for name in builtin() if name.startswith(incomplete)]
    return [*files(context, parameter, incomplete), *named]


def stores(_: click.Context, __: click.Parameter, incomplete: str) -> list[str]:
    """Folders as `oci:DIR`; for the other kinds of local store, files and folders on the disk."""
    for scheme in _LOCAL:
        if incomplete.startswith(scheme):
            return [f"{scheme}{path}" for path in _paths(incomplete.removeprefix(scheme), scheme == "oci:")]
    return [f"oci:{path}" for path in _paths("", folders=True)] if "oci:".startswith(incomplete) else []


def stores_and_files(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[str | CompletionItem[str]]:
    """Stores, and paths of stores."""
    return [*files(context, parameter, incomplete), *stores(context, parameter, incomplete)]


def programs(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """What `pack --with-tool` knows by name, and files."""
    from click.shell_completion import CompletionItem

    named = [CompletionItem(word) for word in ("auto", "binary", "pyz") if word.startswith(incomplete)]
    return [*files(context, parameter, incomplete), *named]


def platforms(_: click.Context, __: click.Parameter, incomplete: str) -> list[str]:
    """The common platforms."""
    return [name for name in PLATFORMS if name.startswith(incomplete)]


def releases(context: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """Releases that the built-in catalogs on the command line know, newest first."""
    named = [name for name in context.args if name in builtin()]  # click leaves the words before an open option there
    tags = [release.tag for name in named for release in reversed(load_builtin(name).releases)]
    return [tag for tag in tags if tag.startswith(incomplete)]


def _paths(begun: str, folders: bool) -> Iterator[str]:
    """Entries of the folder in `begun` whose names begin as `begun` ends."""
    folder, slash, name = begun.rpartition("/")
    with contextlib.suppress(OSError), os.scandir(folder + slash or ".") as entries:
        listed = (entry for entry, _ in zip(entries, range(_ENTRIES), strict=False))
        names = [entry.name for entry in listed if entry.is_dir() or not folders]
        yield from (folder + slash + path for path in sorted(names) if path.startswith(name) and _SAFE.fullmatch(path))
