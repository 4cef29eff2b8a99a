"""Paths as people write them."""

from __future__ import annotations

import os
from pathlib import Path


def expanded(text: str | Path) -> Path:
    """The path with `~` and `~user` expanded, as in the shell; unchanged if there is no such home."""
    return Path(os.path.expanduser(text))  # noqa: PTH111 - pathlib's raises in that case
