"""Similar characters for streams whose encoding lacks ours (Latin-1, ASCII), so that no line is ever lost."""

from __future__ import annotations

import codecs
from typing import Any

LOOKALIKE = "transload-lookalike"
"""The name of the error handler, for `str.encode` and `TextIOWrapper.reconfigure`."""

_NEAR = {"━": "=", "─": "-", "·": "-", "…": "~", "–": "-", "—": "-", "×": "x", "→": ">", "’": "'", "“": '"', "”": '"'}


def _replace(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(_NEAR.get(char, "?") for char in error.object[error.start : error.end]), error.end


codecs.register_error(LOOKALIKE, _replace)


def writable(text: str, stream: Any) -> str:
    """A text that `stream` can take, whatever its encoding; as many characters as before."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return text.encode(encoding, LOOKALIKE).decode(encoding)
