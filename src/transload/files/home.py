"""Paths as people write them."""

from __future__ import annotations

import os
from pathlib import Path


def expanded(text: str | Path) -> Path:
    """A path with `~` and `~user` as the shell reads them; as it is where there is no such home."""
    return Path(os.path.expanduser(text))  # noqa: PTH111 - pathlib's raises in that case
