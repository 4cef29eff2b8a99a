"""The flags of the transfer record, and what they come to: `--record`, `--recorded-by`, `--sign-key`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from attrs import frozen

from transload.cli import options
from transload.cli.command import is_written
from transload.cli.declaring import as_value, option, stacked
from transload.cli.session import Session
from transload.cli.signing import SigningFlags, load_signer
from transload.errors import UsageError

if TYPE_CHECKING:
    from transload.app.recording import Recording
    from transload.bundle.format.signing import Signer


@frozen(kw_only=True)
class RecordFlags:
    """Where the record is written, and who answers for it."""

    record: Path | None = None
    recorded_by: str | None = None
    record_at_target: bool = False

    @property
    def is_wanted(self) -> bool:
        """Whether any record is written."""
        return self.record is not None or self.record_at_target


_file = stacked(
    option(
        "--record",
        type=options.FILE,
        help="Write a transfer record, FILE.json: which images arrived, from where, when, what was checked.",
    ),
    option("--recorded-by", metavar="NAME", help="With --record: who answers for it. Nobody is named by default."),
)

recorded = as_value("record", RecordFlags, _file)

recorded_at_target = as_value(
    "record",
    RecordFlags,
    _file,
    option("--record-at-target", is_flag=True, help="Attach such a record to each image at the target, as a referrer."),
)

record_key = option(
    "--sign-key",
    type=options.FILE,
    help="With --record: private key (Ed25519 or ECDSA P-256; PEM or OpenSSH) to sign the record with.",
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
    from transload.app.recording import Recording  # few runs write one

    return Recording(path=flags.record, at_target=flags.record_at_target, signer=signer, recorded_by=flags.recorded_by)


def record_signer(flags: RecordFlags, sign_key: Path | None, session: Session) -> Signer | None:
    """The key for a command that signs nothing but its record; not read, and nobody asked, if there is no record.

    Raises `UsageError` for a key without a record, and what `load_signer` raises.
    """
    if flags.is_wanted:
        return load_signer(SigningFlags(sign_key=sign_key), session.environment, session.output.paused)
    if is_written("sign_key"):
        raise UsageError("--sign-key without --record has no effect", hint="add --record FILE, or leave it out")
    return None
