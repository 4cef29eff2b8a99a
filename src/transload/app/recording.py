"""Writes the transfer record of a run (docs/formats/transfer-record.md): checked before the run, written after it."""

from __future__ import annotations

from pathlib import Path

from attrs import frozen

from transload.app.attaching import Attached, attach, check_takes_records
from transload.app.mirror import Prepared
from transload.app.signedrecord import encoded
from transload.bundle.format.signing import Signer
from transload.errors import UsageError
from transload.files import check_replaceable, local_errors, replace_file
from transload.planning import planfile
from transload.report.result import Result
from transload.report.transferrecord import Check, has_arrived, record_of

_NAME = 200  # characters of who answers for a record


@frozen(kw_only=True)
class Recorded:
    """What became of a run's record: its file, and how many images got one at the target."""

    path: Path | None = None
    attached: Attached | None = None

    @property
    def is_nothing(self) -> bool:
        """Whether no record was written, since no image is at the target."""
        return self.path is None and (self.attached is None or not (self.attached.new or self.attached.had))


@frozen(kw_only=True)
class Recording:
    """Where the record of a run is written, who signs it, and who answers for it, as they wrote it.

    With `at_target`, each image that arrives gets a record of its own, which refers to it.

    Raises `UsageError` for a `recorded_by` that cannot be shown or a name without `.json`, `LocalError` for a file that
    cannot be written.
    """

    path: Path | None = None
    at_target: bool = False
    signer: Signer | None = None
    recorded_by: str | None = None

    def __attrs_post_init__(self) -> None:
        check_recorded_by(self.recorded_by)
        if self.path is not None:
            if self.path.suffix.lower() != ".json":  # so that a slip replaces no key and no bundle
                raise UsageError(
                    f"a transfer record named {self.path.name!r} has no known format",
                    subject=str(self.path),
                    hint="let the name end in .json",
                )
            check_replaceable(self.path)

    def check(self, prepared: Prepared) -> None:
        """Raises `Refused` before anything is copied, if the target takes no records."""
        if self.at_target:
            check_takes_records(prepared.target)

    def write(self, prepared: Prepared, result: Result) -> Recorded:
        """Write the record of a run, after its images are there. An image that failed gets none.

        A file that is there is replaced, as a report is. Raises `LocalError`, `DiskFull`, and the first error of a
        target that does not take a record, when all others are attached.
        """
        if not any(map(has_arrived, result.images)):
            return Recorded()
        digest = prepared.plan_digest or planfile.digest(prepared.plan)
        checks = (*_own_checks(prepared), *prepared.checks)

        def content(only: int | None = None) -> bytes:
            said = record_of(
                *(prepared.plan, result, digest, checks),
                recorded_by=self.recorded_by,
                only=only,
                carrier=prepared.carrier,
            )
            return encoded(said, self.signer)

        if self.path is not None:
            with local_errors("writing", self.path):
                replace_file(self.path, content())
        attached = None
        if self.at_target:
            attached = attach(prepared, result, content, signed=self.signer is not None)
            attached.check()
        return Recorded(path=self.path, attached=attached)


def check_recorded_by(by: str | None) -> None:
    """Raises `UsageError` for what cannot be shown as who answers for a record."""
    if by is not None and not (by.strip() and by.isprintable() and len(by) <= _NAME):
        raise UsageError(
            f"{by[:40]!r} does not say who recorded the run",
            hint=f"write a name of at most {_NAME} printable characters, or leave it out",
        )


def _own_checks(prepared: Prepared) -> tuple[Check, ...]:
    """What every run checks of what it copies; not where an engine copied in our place."""
    if prepared.instead is not None and prepared.location.kind != "bundle":
        return ()
    return (Check(name="content-digests", result="passed", detail="all content that this run copied has its digest"),)
