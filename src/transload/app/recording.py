"""Writes the transfer record of a run (docs/formats/transfer-record.md): checked before the run, written after it."""

from __future__ import annotations

from pathlib import Path

from attrs import frozen

from transload.app.mirror import Prepared
from transload.bundle.format.signing import Signer
from transload.errors import UsageError
from transload.files import check_replaceable, local_errors, replace_file
from transload.planning import planfile
from transload.report.result import Result
from transload.report.transferrecord import Check, record_of
from transload.trust.dsse import IN_TOTO, Envelope, EnvelopeSignature, pae
from transload.trust.statement import Statement

_NAME = 200  # characters of who answers for a record


@frozen(kw_only=True)
class Recording:
    """Where the record of a run is written, who signs it, and who answers for it, as they wrote it.

    Raises `UsageError` for a `recorded_by` that cannot be shown, `LocalError` for a file that cannot be written.
    """

    path: Path
    signer: Signer | None = None
    recorded_by: str | None = None

    def __attrs_post_init__(self) -> None:
        by = self.recorded_by
        if by is not None and not (by.strip() and by.isprintable() and len(by) <= _NAME):
            raise UsageError(
                f"{by[:40]!r} does not say who recorded the run",
                hint=f"write a name of at most {_NAME} printable characters, or leave it out",
            )
        check_replaceable(self.path)

    def write(self, prepared: Prepared, result: Result) -> bool:
        """Write the record of a run; False if no image is at the target, so that there is nothing to record.

        A file that is there is replaced, as a report is. Raises `LocalError`, `DiskFull`.
        """
        statement = record_of(
            prepared.plan,
            result,
            prepared.plan_digest or planfile.digest(prepared.plan),
            (*_own_checks(prepared), *prepared.checks),
            self.recorded_by,
        )
        if statement is None:
            return False
        with local_errors("writing", self.path):
            replace_file(self.path, encoded(statement, self.signer))
        return True


def encoded(statement: Statement, signer: Signer | None) -> bytes:
    """The statement as it is kept: in a DSSE envelope if somebody signs it, else as plain JSON."""
    content = statement.encode()
    if signer is None:
        return content
    signature = EnvelopeSignature(signer.sign(pae(IN_TOTO, content)), signer.key_id)
    return Envelope(IN_TOTO, content, (signature,)).encode()


def _own_checks(prepared: Prepared) -> tuple[Check, ...]:
    """What every run checks of what it copies; not where an engine copied in our place."""
    if prepared.instead is not None:
        return ()
    return (Check(name="content-digests", result="passed", detail="all content that this run copied has its digest"),)
