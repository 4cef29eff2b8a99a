"""What is remembered about registries between runs, for programs: shown and forgotten."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from transload.app.remembered import forget_all, forget_registries, remembered
from transload.app.settings import Environment, read_environment
from transload.registry.known import Finding
from transload.verbs import arguments


def known_registries(*, environment: Environment | None = None) -> Mapping[str, Mapping[str, Finding]]:
    """What earlier runs learnt about registries: for each, `host` or `host:port`, its findings by name.

    `environment` names the state folder; without it, that of the process is used. A run relies on a finding for 30
    days (`Finding.is_fresh`). Nothing is raised for a file that is missing or damaged: then nothing is known.
    """
    return remembered(environment or read_environment())


def forget(registries: str | Iterable[str] | None, *, environment: Environment | None = None) -> tuple[str, ...]:
    """Forget what is known about registries, each `host[:port]`, or about all of them (None). Returns which they were.

    The next run learns it again. Raises `NotFound` if nothing is known about one of them (then none is forgotten),
    `UsageError` and `ReferenceInvalid` for what is no registry, `LocalError` if the state folder cannot be changed.
    """
    surroundings = environment or read_environment()
    if registries is None:
        return forget_all(surroundings)
    return forget_registries(surroundings, arguments.texts("registries", registries))
