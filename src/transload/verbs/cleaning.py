"""What ended runs left behind, for programs."""

from __future__ import annotations

from collections.abc import Iterable

from transload.app import cleaning
from transload.app.cleaning import DAY_S, Leftover
from transload.app.location import Location
from transload.app.settings import Environment, read_environment
from transload.clock import SYSTEM_CLOCK
from transload.verbs import arguments


def clean(
    stores: str | Iterable[str] = (),
    *,
    older_than_s: float = DAY_S,
    dry_run: bool = False,
    environment: Environment | None = None,
) -> tuple[Leftover, ...]:
    """Remove what ended runs left in `stores` (`oci:DIR`, `bundle:NAME`); without any, in the state folder.

    These are halves of blobs and bundles, notes of unfinished runs, locks. What another process holds, or wrote to in
    the last `older_than_s` seconds, stays. With `dry_run`, nothing is removed. Returns what went, or would go.

    Raises `LocalError` for a store that does not exist, `UsageError` for a registry or an archive.
    """
    state = (environment or read_environment()).state
    places: list[Location | None] = [Location.parse(store) for store in arguments.texts("stores", stores)]
    found = (
        leftover
        for place in places or [None]
        for leftover in cleaning.clean(place, state, older_than_s, SYSTEM_CLOCK, dry_run=dry_run)
    )
    return tuple(found)
