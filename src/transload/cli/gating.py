"""`--gate`: the options for it, and how it gets into the job."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from transload.cli.declaring import as_value
from transload.cli.flags import GateFlags
from transload.cli.kinds import NamedPath, Number
from transload.errors import UsageError
from transload.values import evolve

if TYPE_CHECKING:
    from transload.app.gates import Gates
    from transload.bundle.format.signing import Signer
    from transload.cli.gather import Gathered
    from transload.cli.session import Session
    from transload.transfer.limits import Limits


def _gates(**flags: Any) -> GateFlags:
    gates = GateFlags(**flags)
    given = click.get_current_context().get_parameter_source("gate_output")
    if gates.gate_output and not gates.gate and given is ParameterSource.COMMANDLINE:
        raise UsageError(
            "--gate-output keeps what gates write, and there is no gate", hint="add --gate 'PROGRAM {image}'"
        )
    return gates


gates = as_value(  # no variables: click would cut a command at its blanks
    "gating",
    _gates,
    click.option(
        "--gate",
        metavar="COMMAND",
        multiple=True,
        help="Run this on each new image, {image} being its OCI layout folder: only exit 0 lets it pass (repeatable).",
    ),
    click.option(
        "--gate-timeout",
        metavar="SECONDS",
        type=Number(1, 86_400),
        default=1800,
        show_default=True,
        help="End a gate that takes longer for an image, and refuse the image.",
    ),
    click.option(
        "--gate-output",
        type=NamedPath(path_type=Path, file_okay=False),
        metavar="DIR",
        help="Keep what gates write there, in files.",
    ),
    click.option(
        "--no-gate-attestations",
        is_flag=True,
        help="Do not attach what gates say to the images that they let pass.",
    ),
)


def with_gates(
    gathered: Gathered, gating: GateFlags, session: Session, limits: Limits, signer: Signer | None = None
) -> Gathered:
    """The same job with its gates. Raises what `gates_of` raises."""
    gates = gates_of(gating, session, limits, signer)
    return gathered if gates is None else evolve(gathered, job=evolve(gathered.job, gates=gates))


def gates_of(gating: GateFlags, session: Session, limits: Limits, signer: Signer | None = None) -> Gates | None:
    """The gates, None without any; `signer` signs what they say. Raises what `Gates.parse` raises, `UsageError`."""
    if not gating.gate:
        return None
    from transload.app.gates import Gates, check_limits  # few runs have gates

    check_limits(limits)
    return Gates.parse(
        gating.gate,
        session.environment,
        timeout_s=gating.gate_timeout,
        output=gating.gate_output,
        attest=not gating.no_gate_attestations,
        signer=signer,
    )
