"""The gates of a call, as it was given them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from transload.app.settings import read_environment
from transload.errors import UsageError
from transload.transfer.limits import Limits
from transload.verbs import arguments
from transload.verbs.means import Means

if TYPE_CHECKING:
    from transload.app.gates import Gates
    from transload.bundle.format.signing import Signer


def gates_of(
    commands: str | Iterable[str],
    timeout_s: float | None,
    output: str | Path | None,
    means: Means,
    limits: Limits,
    *,
    attest: bool = True,
    signer: Signer | None = None,
) -> Gates | None:
    """The gates; None without any. Raises `TypeError`, and what `Gates.parse` and `check_limits` raise."""
    texts = arguments.texts("gates", commands)
    if not texts:
        if output is not None or timeout_s is not None:
            raise UsageError("gate_output and gate_timeout_s are for gates, and there is none", hint="give gates, too")
        return None
    from transload.app.gates import TIMEOUT_S, Gates, check_limits  # few runs have gates

    check_limits(limits)
    return Gates.parse(
        texts,
        means.environment or read_environment(),
        timeout_s=TIMEOUT_S if timeout_s is None else _seconds(timeout_s),
        output=arguments.path_if_any("gate_output", output),
        attest=attest,
        signer=signer,
    )


def _seconds(value: float) -> float:
    if not isinstance(value, (int, float)):
        raise TypeError(f"gate_timeout_s must be float, not {type(value).__name__}")
    if not 0 < value < float("inf"):
        raise UsageError(f"gate_timeout_s is {value}, and must be more than 0")
    return value
