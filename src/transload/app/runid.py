"""The name of a run, by which its output, reports, figures and notifications are found again."""

from __future__ import annotations

import os
import time

from transload.clock import SYSTEM_CLOCK
from transload.errors import UsageError
from transload.expressions import late

_FORM = late(r"[A-Za-z0-9][A-Za-z0-9._:+-]{0,127}")


def new_run_id() -> str:
    """A name that sorts by time, such as `20261127T020301Z-4f2a9c`: the second when it was made, and 24 random bits."""
    moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(SYSTEM_CLOCK.wall_s()))
    return f"{moment}-{os.urandom(3).hex()}"


def checked_run_id(given: str | None) -> str:
    """The name that was `given`, or a new one. Raises `UsageError` for a text that could be taken for something else.

    It stands in lines of logs, labels of metrics and names of files. Raises `TypeError` for what is no text.
    """
    if given is None:
        return new_run_id()
    if not isinstance(given, str):
        raise TypeError(f"run_id must be str, not {type(given).__name__}")
    if not _FORM.fullmatch(given):
        raise UsageError(
            f"{given[:140]!r} cannot be the name of a run",
            hint="take up to 128 letters, digits and . _ : + - after a letter or digit, or leave it out: one is made",
        )
    return given
