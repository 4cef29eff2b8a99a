"""Flags about how old images are."""

from __future__ import annotations

import click

# No variable: each run should say itself that it goes back.
allow_older = click.option(
    "--allow-older", is_flag=True, help="Move tags also back to content that is older than what they stand for."
)
