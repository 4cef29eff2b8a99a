"""What ended runs left behind, for programs."""

from __future__ import annotations

from collections.abc import Iterable

from transload.app import cleaning
from transload.app.cleaning import DAY_S, Leftover
from transload.app.location import Location
from transload.app.settings import Environment, read_environment
from transload.clock import SYSTEM_CLOCK
from transload.errors import UsageError
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
    if isinstance(older_than_s, bool) or not isinstance(older_than_s, int | float):
        raise TypeError(f"older_than_s must be float, not {type(older_than_s).__name__}")
    if not older_than_s >= 0:
        raise UsageError(f"older_than_s must be 0 or more seconds, not {older_than_s}")
    state = (environment or read_environment()).state
    places: list[Location | None] = [cleaning.place_of(store) for store in arguments.texts("stores", stores)]
    found = (
        leftover
        for place in places or [None]
        for leftover in cleaning.clean(place, state, older_than_s, SYSTEM_CLOCK, dry_run=dry_run)
    )
    return tuple(found)
