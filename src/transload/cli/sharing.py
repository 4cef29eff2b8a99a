"""`apply --share` and `--finish`: the options, what goes with them, and how a run with them begins."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from transload.cli.command import is_written
from transload.cli.declaring import as_value
from transload.errors import UsageError
from transload.limits import SHARES
from transload.values import frozen

if TYPE_CHECKING:
    from transload.app.mirror import Prepared
    from transload.app.stores import Stores
    from transload.cli.session import Session
    from transload.planning import Plan
    from transload.planning.shares import ShareNumber

_OF_IMAGES = ("record", "recorded_by", "record_at_target", "gate", "policy", "sign_key", "sign_command")


@frozen(kw_only=True)
class ShareFlags:
    """Which part of a plan is done: `--share`, `--finish`, `--of`; without them, all of it."""

    share: str | None = None
    finish: bool = False
    of: int | None = None

    def words(self, which: ShareNumber | None) -> list[str]:
        """The same as the words of a command line, for any machine: `which` is the share by its number."""
        if which is not None:
            return ["--share", str(which)]
        return (["--finish"] if self.finish else []) + (["--of", str(self.of)] if self.of else [])


shares = as_value(  # no variables: what one machine does is no default
    "sharing",
    ShareFlags,
    click.option(
        "--share",
        metavar="I/N",
        help="Only bring the blobs of share I of N, counted from 1, such as 3/8; point no tag. With /N, the number "
        "comes from JOB_COMPLETION_INDEX, which Kubernetes sets and counts from 0.",
    ),
    click.option(
        "--finish",
        is_flag=True,
        help="When all shares are done: check that every blob is there, then point manifests and tags.",
    ),
    click.option(
        "--of",
        type=click.IntRange(1, SHARES),
        metavar="N",
        help="With --finish: how many shares there are, to name those that are not done.",
    ),
)


def share_wanted(flags: ShareFlags, session: Session, dask: str | None) -> ShareNumber | None:
    """The share to do; None for all, or the finish. Raises `UsageError` for options that contradict each other.

    What images must pass belongs to the finish, which points them: on the command line of a share it is an error, and a
    default for it does not count.
    """
    if flags.of is not None and not flags.finish:
        raise UsageError("--of without --finish has no effect", hint="write --share 3/8, or add --finish")
    if dask is not None and (flags.share is not None or flags.finish):
        raise UsageError(
            f"--dask and {'--share' if flags.share is not None else '--finish'} are two ways to use many machines",
            hint="leave one of them out: with --dask, the workers do the whole plan",
        )
    if flags.share is None:
        return None
    if flags.finish:
        raise UsageError(
            "--share and --finish are two runs: one for each share, and one when all of them are done",
            hint="leave one of them out",
        )
    for name in _OF_IMAGES:
        if is_written(name):
            raise UsageError(
                f"--{name.replace('_', '-')} is about images, and a share brings only blobs", hint="give it to --finish"
            )
    from transload.app.shares import share_number  # most plans are done by one machine

    return share_number(flags.share, session.environment)


def prepared_share(decided: Plan, which: ShareNumber, stores: Stores, again: str) -> Prepared:
    """The run of one share. `again` is the command for the whole plan."""
    from transload.app.shares import prepare_share  # most plans are done by one machine

    return prepare_share(decided, which, stores, f"{again} --finish --of {which.of}")


def prepared_finish(
    prepared: Prepared, decided: Plan, flags: ShareFlags, stores: Stores, session: Session, again: str
) -> Prepared:
    """The run that points what all shares have brought. `again` is the command without `--finish`.

    Raises `SharesMissing`, after a notice for each share that is not done.
    """
    from transload.app.shares import finished, not_brought  # most plans are done by one machine

    undone = not_brought(prepared.plan, decided, flags.of, stores, session.cancellation)
    if undone.blobs:
        for notice in undone.notices(flags.of or 0, again):
            session.output.notice(notice)
        raise undone.error(prepared.plan.target, flags.of, again)
    return finished(prepared)
