"""The file `.helmignore` of a chart's folder: which of its files are no part of the chart.

The rules are those of Helm's `pkg/ignore`: one pattern in a line, as in `.gitignore`, but without `**`. A pattern with
a slash is about the whole path, one without about the name alone; a slash at the end means folders only, and `!` keeps
only what the pattern matches.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from fnmatch import translate

from transload.values import frozen

LIMIT_BYTES = 64 << 10
_PATTERNS = 1000


@frozen
class Pattern:
    """One line. `parts` are matched with the parts of a path, or a single one with a name."""

    parts: tuple[re.Pattern[str], ...]
    whole_path: bool
    keeps: bool
    folders_only: bool

    def matches(self, path: tuple[str, ...]) -> bool:
        """Whether it is about a path."""
        parts = path if self.whole_path else path[-1:]
        return len(parts) == len(self.parts) and all(
            pattern.fullmatch(part) for pattern, part in zip(self.parts, parts, strict=True)
        )


def patterns_in(text: str) -> list[Pattern]:
    """The patterns in a `.helmignore`; comments, empty lines and what Helm refuses are left out."""
    lines = (line.strip() for line in text.splitlines()[:_PATTERNS])
    return [_pattern(line) for line in lines if line.strip("!/") and not line.startswith("#") and "**" not in line]


def _pattern(line: str) -> Pattern:
    keeps = line.startswith("!")
    line = line[1:] if keeps else line
    folders_only = line.endswith("/")
    line = line.rstrip("/")
    return Pattern(
        parts=tuple(re.compile(translate(part)) for part in line.lstrip("/").split("/")),
        whole_path="/" in line,
        keeps=keeps,
        folders_only=folders_only,
    )


def is_ignored(path: Sequence[str], patterns: Sequence[Pattern], *, folder: bool) -> bool:
    """Whether a file or folder is no part of the chart."""
    for pattern in patterns:
        if pattern.keeps:
            if (pattern.folders_only and not folder) or not pattern.matches(tuple(path)):
                return True
        elif (folder or not pattern.folders_only) and pattern.matches(tuple(path)):
            return True
    return False
