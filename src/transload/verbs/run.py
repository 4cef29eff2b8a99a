"""How a verb ends: a typed result, or an error that says what is missing."""

from __future__ import annotations

from transload.app.mirror import Prepared, carry_out
from transload.app.outcome import StartTime, result_of
from transload.app.recording import Recording
from transload.app.room import check_limit, check_room
from transload.errors import HostGivenUp, ImagesFailed, Interrupted, OutOfBytes, TransloadError
from transload.report.result import Result
from transload.report.tally import Tally, together
from transload.report.texts import count, size
from transload.transfer import Outcome
from transload.transfer.limits import Limits
from transload.verbs.means import Work
from transload.wording import told_of

_NAMED = 3  # images named in one sentence


def carried_out(
    prepared: Prepared,
    work: Work,
    began: StartTime,
    jobs: int,
    limits: Limits,
    *,
    check: bool,
    recording: Recording | None = None,
) -> Result:
    """Run a plan that was prepared, and write its record. With `check`, raises what `check_result` raises."""
    if recording is not None:
        recording.check(prepared)
    check_room(prepared)
    check_limit(prepared, limits)
    tally = Tally(prepared.plan)
    outcome = carry_out(prepared, work.stores, together(tally, work.listen), work.cancellation, jobs, limits)
    result = result_of(prepared, work.stores, tally, outcome, began)
    if recording is not None:
        recording.write(prepared, result)
    if check:
        check_result(result, prepared, outcome)
    return result


def check_result(result: Result, prepared: Prepared, outcome: Outcome) -> None:
    """Raise what went wrong, if anything did.

    `Interrupted` when the run was cancelled; `OutOfBytes`, with the result, when it left something; the error itself
    when one image was wanted, when a host was given up, or when only an attestation could not be attached; else
    `ImagesFailed`, which names the images and carries `result`.
    """
    if result.interrupted:
        raise Interrupted("interrupted")
    failed = [
        (image, ended.error)
        for image, ended in zip(prepared.plan.images, outcome.images, strict=True)
        if ended.error is not None and not image.excused
    ]
    if not failed and result.out_of_bytes:
        raise _out_of_bytes(result)
    if not failed and outcome.attached.error is not None:
        raise outcome.attached.error
    if not failed:
        return
    errors = [error for _, error in failed]
    if len(prepared.plan.images) == 1:
        raise errors[0]
    for error in errors:
        if isinstance(error, HostGivenUp):
            raise error
    named = "; ".join(told_of(image.label, str(error)) for image, error in failed[:_NAMED])
    more = f"; and {len(failed) - _NAMED} more" if len(failed) > _NAMED else ""
    raise _failed(f"{len(failed)} of {count(len(prepared.plan.images), 'image')} failed: {named}{more}", result, errors)


def _out_of_bytes(result: Result) -> OutOfBytes:
    left = f"{count(result.counts['left'], 'image')}, {size(result.left_bytes)}"
    error = OutOfBytes(f"the run has moved the bytes that it may; left: {left}", hint="run the same again to go on")
    error.result = result
    return error


def _failed(message: str, result: Result, errors: list[TransloadError]) -> ImagesFailed:
    error = ImagesFailed(message, hint="run the same again: what is there already is not sent again")
    error.result, error.errors = result, tuple(errors)
    return error
