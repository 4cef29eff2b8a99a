"""Taking lists of other tools."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from transload.app.converting import Converted, convert_lists
from transload.app.namedfiles import STANDARD_INPUT
from transload.errors import UsageError
from transload.verbs import arguments


def convert(files: str | Path | Iterable[str | Path]) -> Converted:
    """Read lists of other tools as one image set: `transload convert` of the command line.

    Every verb takes such files as they are, too. `image_set` of the result is what they list; its notes say what they
    ask for and no run does. `Converted.set_text()` is the same as a file. docs/formats/other-lists.md says what is
    understood of each tool.

    Raises `SelectionEmpty` if the files list nothing, `DocumentInvalid` with file, line and path, `TargetConflict`,
    `LocalError`, `UsageError`, `TypeError`.
    """
    words = arguments.texts("files", files)
    if STANDARD_INPUT in words:
        raise UsageError("a program's standard input is not read", hint="write what it holds to a file")
    if not words:
        raise UsageError("nothing was named to convert", hint="name files of other tools")
    return convert_lists(words)
