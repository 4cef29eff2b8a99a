"""`apply --share` and `--finish`: one plan on many machines. A share moves blobs; the finish points what names them."""

from __future__ import annotations

from transload.app.location import Location
from transload.app.mirror import Prepared
from transload.app.saved import check_has_images, open_saved
from transload.app.settings import Environment
from transload.app.stores import Stores
from transload.errors import SharesMissing, UsageError, at_side
from transload.events import Counting
from transload.gathers import exist_in
from transload.planning import BlobStep, Plan
from transload.planning.planner import THREADS
from transload.planning.shares import Lacking, ShareNumber, finishing, lacking_by_share, share_of
from transload.report.texts import count, size
from transload.threads import Cancellation, in_parallel
from transload.trust.doubt import shown
from transload.values import evolve, frozen

INDEX = "JOB_COMPLETION_INDEX"
"""Which pod of an Indexed Job this is, counted from 0; Kubernetes sets it."""

_DIGITS = 9
_NAMED = 3  # blobs that are named of one share
_SHARES_NAMED = 20


def share_number(text: str, environment: Environment) -> ShareNumber:
    """The share that `--share` names: `3/8`, or `/8` with the number in `JOB_COMPLETION_INDEX`. Raises `UsageError`."""
    number, slash, of = text.strip().partition("/")
    if not slash or not _is_number(of) or (number and not _is_number(number)):
        raise UsageError(
            f"--share {shown(text)} does not say which share of how many",
            hint=f"write --share 3/8, counted from 1, or --share /8 where {INDEX} has the number",
        )
    if number:
        return ShareNumber(int(number), int(of))
    index = environment.job_index.strip()
    if not index:
        raise UsageError(
            f"--share /{of} takes the number of the share from {INDEX}, which is not set",
            hint=f"an Indexed Job of Kubernetes sets it; elsewhere name the share: --share 1/{of}",
        )
    if not _is_number(index):
        raise UsageError(f"{INDEX} is {shown(index)}, which is no number", hint=f"name the share: --share 1/{of}")
    if int(index) >= int(of):
        raise UsageError(
            f"{INDEX} is {index}, and the last of {of} shares has the index {int(of) - 1}",
            hint="give the Job as many completions as --share has shares",
        )
    return ShareNumber(int(index) + 1, int(of))


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= _DIGITS


def prepare_share(decided: Plan, which: ShareNumber, stores: Stores, finish: str) -> Prepared:
    """Open what one share of a plan needs. `finish` is the command for when all shares are done. Asks nothing.

    Raises `SelectionEmpty` for a plan without images, and as opening stores does.
    """
    others = "it is the only one" if which.of == 1 else f"when all {which.of} are done"
    notes = (f"share {which} brings blobs and points no tag; {others}: {finish}",)
    check_has_images(decided)
    return evolve(open_saved(share_of(decided, which), stores), notes=notes)


@frozen(kw_only=True)
class Undone:
    """Blobs of the plan that are not at the target, by share if it is known how many shares there are."""

    blobs: tuple[BlobStep, ...]
    shares: tuple[Lacking, ...] = ()

    def notices(self, of: int, command: str) -> list[str]:
        """A sentence for each share that is not done, with the command that does it; of many, the first."""
        told = [
            f"share {each.number}/{of} is not done: {_amount(each.steps)} missing, such as {_such_as(each.steps)}; "
            f"to do it: {command} --share {each.number}/{of}"
            for each in self.shares[:_SHARES_NAMED]
        ]
        more = len(self.shares) - _SHARES_NAMED
        return [*told, f"and {count(more, 'more share')}"] if more > 0 else told

    def error(self, target: str, of: int | None, command: str) -> SharesMissing:
        """Why nothing was pointed."""
        missing = f"{_amount(self.blobs)} missing at {target}"
        if of is None:
            return SharesMissing(
                f"not all shares are done: {missing}, such as {_such_as(self.blobs)}",
                hint=f"with --of N, it names the shares; to bring all that is missing from here: {command}",
                side="target",
            )
        numbers = [f"{each.number}/{of}" for each in self.shares[:_SHARES_NAMED]]
        numbers += ["…"] if len(self.shares) > _SHARES_NAMED else []
        undone = f"{len(self.shares)} of {count(of, 'share')} {'is' if len(self.shares) == 1 else 'are'} not done"
        return SharesMissing(
            f"{undone}: {missing}",
            hint=f"no tag was pointed; do {', '.join(numbers)}, and then this again",
            side="target",
        )


def not_brought(plan: Plan, decided: Plan, of: int | None, stores: Stores, cancellation: Cancellation) -> Undone:
    """Ask the target for every blob that `plan` brings; `decided` is the whole plan, which shares are cut from.

    A blob is missing only if the target says so: raises the first error of any other answer.
    """
    target = stores.target(Location.parse(plan.target))
    by_place = {
        (step.repository if target.blobs_per_repository else "", step.descriptor.digest): step
        for step in plan.blob_steps()
    }
    steps = list(by_place.values())
    counting = Counting(stores.working, "searching", len(steps))
    many = exist_in(target)

    def exists(step: BlobStep) -> bool:
        return target.exists(step.repository, step.descriptor)

    with at_side("target"):
        if many is not None:
            held = many([step.descriptor for step in steps])
        else:
            held = in_parallel(counting.around(exists), steps, THREADS, cancellation)
    missing = tuple(step for step, there in zip(steps, held, strict=True) if not there)
    return Undone(blobs=missing, shares=() if of is None else lacking_by_share(decided, missing, of))


def finished(prepared: Prepared) -> Prepared:
    """The same run, once every blob of it is known to be at the target: manifests, and tags last."""
    return evolve(prepared, plan=finishing(prepared.plan))


def _amount(steps: tuple[BlobStep, ...]) -> str:
    blobs = {step.descriptor.digest: step.descriptor.size for step in steps}
    return f"{count(len(blobs), 'blob')} ({size(sum(blobs.values()))}) {'is' if len(blobs) == 1 else 'are'}"


def _such_as(steps: tuple[BlobStep, ...]) -> str:
    biggest = sorted(steps, key=lambda step: (-step.descriptor.size, step.id))
    return ", ".join(step.label for step in biggest[:_NAMED])
