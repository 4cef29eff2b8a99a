"""Which plans this user made here: only for these, the plan alone decides which registry gets a password."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable
from pathlib import Path

from transload.app.location import Location
from transload.errors import LocalError, Side, UsageError
from transload.files import read_file, replace_file
from transload.limits import SMALL_JSON_BYTES, SMALL_JSON_VALUES
from transload.oci import Digest
from transload.strictjson import NotJson, read_json

_FILE = "plans.json"
_KEPT = 200  # plans; older ones need --to again


def remember(plan: Digest, state: Path | None) -> None:
    """Note that the plan with this digest was made here. If that fails, `apply` needs the registry's name."""
    if state is None:
        return
    digests = [*(known for known in _known(state) if known != plan.encoded), plan.encoded][-_KEPT:]
    with contextlib.suppress(OSError, LocalError):
        state.mkdir(parents=True, exist_ok=True)
        replace_file(state / _FILE, json.dumps(digests).encode())


def is_own(plan: Digest, state: Path | None) -> bool:
    """Whether exactly the plan with this digest was made here."""
    return state is not None and plan.encoded in _known(state)


def check_named(side: Side, hosts: Iterable[str], named: Iterable[str | None], user: str) -> None:
    """Raises `UsageError` if a registry among `hosts`, the stores of a plan from elsewhere, is not in `named`."""
    registries = {host for host in hosts if Location.parse(host).kind == "registry"}
    unknown = sorted(registries - set(named))
    if unknown:
        flag = "--to" if side == "target" else "--from"
        raise UsageError(
            f"the plan was not made here, and only the plan says that {unknown[0]} is the {side}: "
            f"the password of {user} is not sent there",
            subject=unknown[0],
            hint=f"if that is the right registry, say so: {flag} {unknown[0]}",
        )


def _known(state: Path) -> list[str]:
    with contextlib.suppress(OSError, LocalError, NotJson):  # without this file, users only have to name the registry
        raw = read_file(state / _FILE, SMALL_JSON_BYTES + 1)
        document = read_json(raw, limit=SMALL_JSON_BYTES, values=SMALL_JSON_VALUES)
        if isinstance(document, list):
            return [digest for digest in document if isinstance(digest, str)]
    return []
