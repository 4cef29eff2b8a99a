"""The flags of the transfer record, and what they come to: `--record`, `--recorded-by`, `--sign-key`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from transload.cli import options
from transload.cli.command import is_written
from transload.cli.declaring import as_value, option, stacked
from transload.cli.signing import SigningFlags, load_signer
from transload.clock import SYSTEM_CLOCK
from transload.errors import UsageError
from transload.values import frozen

if TYPE_CHECKING:
    from transload.app.bundlerecord import InBundle
    from transload.app.recording import Recording
    from transload.bundle.format.signing import Signer
    from transload.cli.flags import GateFlags
    from transload.cli.session import Session


Retry = Callable[[tuple[str, ...]], str]
"""Gives the command line for the images of these names; without names, for all."""


@frozen(kw_only=True)
class RecordFlags:
    """Where the record is written, and who answers for it."""

    record: Path | None = None
    recorded_by: str | None = None
    record_at_target: bool = False
    record_in_bundle: bool = False
    receipt: Path | None = None

    @property
    def is_wanted(self) -> bool:
        """Whether any record is written."""
        return self._is_file or self.record_at_target or self.record_in_bundle

    @property
    def _is_file(self) -> bool:
        return self.record is not None or self.receipt is not None

    @property
    def words(self) -> list[str]:
        """The same as the words of a command line."""
        words = [word for flag, value in self._named.items() if value is not None for word in (flag, str(value))]
        words += ["--record-at-target"] if self.record_at_target else []
        return words + (["--record-in-bundle"] if self.record_in_bundle else [])

    @property
    def _named(self) -> dict[str, object]:
        by = self.recorded_by if self.is_wanted else None
        return {"--record": self.record, "--receipt": self.receipt, "--recorded-by": by}

    def again(self, command: Retry) -> Retry:
        """The command that repeats a run: the whole of it if it writes a file, which must not lose what it has."""
        return (lambda _names: command(())) if self._is_file else command


_file = stacked(
    option(
        "--record",
        type=options.FILE,
        help="Write a transfer record, FILE.json: which images arrived, from where, when, what was checked.",
    ),
    option("--recorded-by", metavar="NAME", help="With --record: who answers for it. Nobody is named by default."),
)

recorded = as_value(
    "record",
    RecordFlags,
    _file,
    option("--record-in-bundle", is_flag=True, help="Put such a record into the bundle; transload list shows it."),
)

_at_target = option(
    "--record-at-target", is_flag=True, help="Attach such a record to each image at the target, as a referrer."
)

recorded_at_target = as_value("record", RecordFlags, _file, _at_target)

receipted = as_value(
    "record",
    RecordFlags,
    _file,
    _at_target,
    option(
        "--receipt",
        type=options.FILE,
        help="Write a receipt, FILE.json: what arrived, and what the target holds of it. transload pack --against FILE "
        "leaves that out of the next bundle.",
    ),
)


def recording(flags: RecordFlags, signer: Signer | None, *, several: bool = False) -> Recording | None:
    """What writes the record of this run; None if none is wanted.

    Raises `UsageError` for flags without effect or for a record of `several` targets, and what `Recording` raises.
    """
    if not flags.is_wanted:
        if is_written("recorded_by"):
            raise UsageError("--recorded-by without --record has no effect", hint="add --record FILE, or leave it out")
        return None
    if several:
        flag = "--record" if flags.record is not None else "--record-at-target"
        raise UsageError(f"{flag} is for one target, and --to names several", hint="run it for each of them")
    if flags.record is None and flags.receipt is None and not flags.record_at_target:
        return None  # the bundle alone gets one
    from transload.app.recording import Recording  # few runs write one

    return Recording(
        path=flags.record,
        receipt=flags.receipt,
        at_target=flags.record_at_target,
        signer=signer,
        recorded_by=flags.recorded_by,
    )


def record_in_bundle(flags: RecordFlags, run_id: str) -> InBundle | None:
    """The record that the bundle carries, of the run that begins now; None if none is wanted. Raises `UsageError`."""
    if not flags.record_in_bundle:
        return None
    from transload.app.bundlerecord import InBundle

    return InBundle(run_id=run_id, began_wall_s=SYSTEM_CLOCK.wall_s(), recorded_by=flags.recorded_by)


def record_signer(
    flags: RecordFlags, signing: SigningFlags, session: Session, gating: GateFlags | None = None
) -> Signer | None:
    """Who signs for a command that signs its record, and what gates say; no key is read, nobody asked, without both.

    Raises `UsageError` for a signer without anything to sign, and what `load_signer` raises.
    """
    if flags.is_wanted or (gating is not None and gating.gate and not gating.no_gate_attestations):
        return load_signer(signing, session.environment, session.output.paused)
    for name in ("sign_key", "sign_command", "public_key"):
        if is_written(name):
            flag = f"--{name.replace('_', '-')}"
            wanted = "--record" if gating is None else "--record or --gate"
            raise UsageError(f"{flag} without {wanted} has no effect", hint="add --record FILE, or leave it out")
    return None
