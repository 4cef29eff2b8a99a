"""Flags about how old images are."""

from __future__ import annotations

import click

from transload.cli.declaring import as_value, option
from transload.planning.ages import Ages

# No variable: each run should say itself that it goes back.
allow_older = click.option(
    "--allow-older", is_flag=True, help="Take also an older bundle, and move tags back to older content."
)


def _limits(min_age: str | None, max_age: str | None) -> Ages:
    return Ages.of(min_age, max_age)


ages = as_value(
    "ages",
    _limits,
    option("--min-age", metavar="AGE", help="Refuse images that were made less than this ago: 7d, 12h, 30m."),
    option("--max-age", metavar="AGE", help="Refuse images that were made longer ago than this."),
)
