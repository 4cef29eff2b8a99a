"""Writes the transfer record of a run (docs/formats/transfer-record.md): checked before the run, written after it."""

from __future__ import annotations

from pathlib import Path

from transload.app.attaching import Attached, attach, check_takes_records
from transload.app.mirror import Prepared
from transload.app.signedrecord import Opened, encoded
from transload.bundle.format.signing import Signer
from transload.errors import DocumentInvalid, FileExists, LocalError, UsageError
from transload.files import check_replaceable, local_errors, read_file, replace_file
from transload.limits import RECEIPT_BYTES, RECEIPT_VALUES
from transload.oci import Digest
from transload.planning import planfile
from transload.report.foundrecord import FoundRecord
from transload.report.result import Result
from transload.report.transferrecord import Check, has_arrived, record_of
from transload.threads import Cancellation
from transload.trust.statement import Statement
from transload.values import frozen

_NAME = 200  # characters of who answers for a record


@frozen(kw_only=True)
class Recorded:
    """What became of a run's record: its file, and how many images got one at the target; and the file of its receipt.

    `arrived` of the `wanted` images are at the target, as the receipt says. `found` is what the record says, without
    its images, for the report of the run.
    """

    path: Path | None = None
    attached: Attached | None = None
    receipt: Path | None = None
    arrived: int = 0
    wanted: int = 0
    found: FoundRecord | None = None

    @property
    def is_nothing(self) -> bool:
        """Whether no record was written, since no image is at the target."""
        attached = self.attached is not None and bool(self.attached.new or self.attached.had)
        return self.path is None and self.receipt is None and not attached


@frozen(kw_only=True)
class Recording:
    """Where the record of a run is written, who signs it, and who answers for it, as they wrote it.

    With `at_target`, each image that arrives gets a record of its own, which refers to it. `receipt` is the file of a
    push's receipt.

    Raises `UsageError` for a `recorded_by` that cannot be shown, a name without `.json` or one name for two files,
    `LocalError` for a file that cannot be written, `FileExists` for one that is something else.
    """

    path: Path | None = None
    receipt: Path | None = None
    at_target: bool = False
    signer: Signer | None = None
    recorded_by: str | None = None

    def __attrs_post_init__(self) -> None:
        check_recorded_by(self.recorded_by)
        if self.path is not None and self.receipt is not None and self.path.resolve() == self.receipt.resolve():
            raise UsageError(f"{self.path} would be the record and the receipt", hint="name two files")
        for path, what in ((self.path, "transfer record"), (self.receipt, "receipt")):
            if path is not None:
                _check_free(path, what)

    def check(self, prepared: Prepared) -> None:
        """Raises `Refused` before anything is copied, if the target takes no records."""
        if self.at_target:
            check_takes_records(prepared.target)

    def write(self, prepared: Prepared, result: Result, cancellation: Cancellation | None = None) -> Recorded:
        """Write the record of a run, after its images are there, and its receipt. An image that failed gets none.

        A record or receipt that is there is replaced, as a report is. Raises `LocalError`, `DiskFull`, and the first
        error of a target that does not take a record, when all others are attached.
        """
        if not any(map(has_arrived, result.images)):
            return Recorded()
        digest = prepared.plan_digest or planfile.digest(prepared.plan)
        checks = (*_own_checks(prepared, result), *prepared.checks)

        def said(only: int | None = None) -> Statement:
            plan, by, carrier = prepared.plan, self.recorded_by, prepared.carrier
            return record_of(plan, result, digest, checks, recorded_by=by, only=only, carrier=carrier)

        attached = None
        if self.at_target:  # first: what fails here keeps no file from being written
            key_id = self.signer.key_id if self.signer is not None else None
            attached = attach(prepared, result, lambda only: encoded(said(only), self.signer), key_id=key_id)
        whole = said()
        content = encoded(whole, self.signer)
        if self.path is not None:
            _write(self.path, content)
        if self.receipt is not None:
            from transload.app.receipts import receipt_content  # few runs write one

            _write(self.receipt, receipt_content(prepared, result, whole, self.signer, cancellation))
        if attached is not None:
            attached.check()
        return Recorded(
            path=self.path,
            attached=attached,
            receipt=self.receipt,
            arrived=sum(map(has_arrived, result.images)),
            wanted=max(len(result.images), prepared.carrier.images if prepared.carrier else 0),
            found=FoundRecord(
                digest=Digest.of(content),
                signed_by=() if self.signer is None else (self.signer.key_id,),
                verified=None if self.signer is None else True,
                record={key: value for key, value in whole.predicate.items() if key != "images"},
            ),
        )


def _check_free(path: Path, what: str) -> None:
    """Check that a record can be written there: no slip may replace a key, a bundle or another file."""
    if path.suffix.lower() != ".json":
        raise UsageError(
            f"a {what} named {path.name!r} has no known format", subject=str(path), hint="let the name end in .json"
        )
    check_replaceable(path)
    with local_errors("reading", path):
        there = read_file(path, RECEIPT_BYTES + 1) if path.is_file() else b""
    try:
        if there.strip():
            Opened.of(there, what, limit=RECEIPT_BYTES, values=RECEIPT_VALUES).statement()
    except DocumentInvalid as error:
        raise FileExists(
            f"{path} is there already, and it is no {what}", subject=str(path), hint="write another name"
        ) from error


def _write(path: Path, content: bytes) -> None:
    try:
        with local_errors("writing", path):
            replace_file(path, content)
    except LocalError as error:
        error.hint = f"the images are at the target; the same command writes this file{_and(error.hint)}"
        raise


def _and(hint: str | None) -> str:
    return f" ({hint})" if hint else ""


def check_recorded_by(by: str | None) -> None:
    """Raises `UsageError` for what cannot be shown as who answers for a record."""
    if by is not None and not (by.strip() and by.isprintable() and len(by) <= _NAME):
        raise UsageError(
            f"{by[:40]!r} does not say who recorded the run",
            hint=f"write a name of at most {_NAME} printable characters, or leave it out",
        )


def _own_checks(prepared: Prepared, result: Result) -> tuple[Check, ...]:
    """What every run checks of what it copies; not where an engine copied in our place."""
    if prepared.instead is not None and prepared.location.kind != "bundle":
        return ()
    if not (result.share("copied").bytes or any(image.status in {"copied", "updated"} for image in result.images)):
        return (Check(name="content-digests", result="not-made", detail="this run copied nothing"),)
    return (Check(name="content-digests", result="passed", detail="all content that this run copied has its digest"),)
