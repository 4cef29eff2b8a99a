"""`--to A --to B`: mirror and plan for several targets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from transload.app.halfway import unknown_half_notes
from transload.app.job import Job
from transload.app.location import Location
from transload.app.outcome import StartTime
from transload.app.several import SeveralRuns, jobs_for, plan_each, read_once
from transload.app.targettree import Feeds, feeds_of, givers, line_to, pairs_of, words_of
from transload.cli.command import is_written
from transload.cli.commandline import command_line, command_words, retry_command
from transload.cli.flags import WantedFlags
from transload.cli.gather import Gathered
from transload.cli.session import Session
from transload.errors import TransloadError, UsageError
from transload.planning import Plan
from transload.report.exitcodes import of_plan
from transload.report.several import Results, worst
from transload.transfer.limits import Limits


def jobs_of(gathered: Gathered, also: tuple[str, ...]) -> tuple[Job, ...]:
    """The job for each target: the gathered one's, and those of the further `--to`.

    Raises `UsageError` for a target user, who is of one target, and what `jobs_for` raises.
    """
    if gathered.logins.target is not None:
        raise UsageError(
            f"the target user {gathered.logins.target.username} is for one target, and this run has several",
            hint="log in to each of them with docker login or podman login instead",
        )
    return jobs_for(gathered.job, (gathered.job.target, *map(Location.parse, also)))


def tree_of(texts: tuple[str, ...], jobs: Sequence[Job]) -> Feeds:
    """Who feeds whom, as --via says. From a file or a variable, what names no target of this run does not count."""
    targets = [job.target for job in jobs]
    return feeds_of(pairs_of(texts, targets), targets, is_default=not is_written("via"))


def mirror_to_all(
    session: Session, gathered: Gathered, wanted: WantedFlags, more: list[str], limits: Limits, *, verify_medium: bool
) -> int:
    """Copy to each target, and write the result of each. `more` are words of the command that are not in a job."""
    from transload.app.readback import check_on_medium, with_read_back  # it imports bundles

    jobs = jobs_of(gathered, wanted.also_to)
    feeds = tree_of(wanted.via, jobs)
    for job in jobs:
        if verify_medium:
            check_on_medium(job.target)
    names = tuple(str(job.target) for job in jobs)
    line = ["mirror", *command_words(jobs[0], more), *_further(names), *words_of(range(len(jobs)), feeds, names)]
    asked = command_line(line)
    began = StartTime.now(asked, session.output.run_id)
    session.begins(command_line([*line, *_images(jobs[0])]), began, *(job.target for job in jobs))
    with session.stoppable(), session.stores(gathered.logins) as stores, session.output.following(names) as following:
        session.wait(limits)
        read_back = partial(with_read_back, stores=stores, cancellation=session.cancellation)
        runs = SeveralRuns(
            jobs=jobs,
            stores=stores,
            cancellation=session.cancellation,
            began=began,
            limits=limits,
            following=following,
            retry=lambda number: _again(number, jobs, feeds, more),
            finishing=read_back if verify_medium else lambda prepared: prepared,
            feeds=feeds,
        )
        ended, read_again = runs.run()
    parts = tuple(target.result for target in ended)
    results = Results(targets=names, results=parts, read_again=read_again, via=givers(feeds, names))
    session.output.result(results)
    return results.exit_code


def plan_for_all(session: Session, gathered: Gathered, wanted: WantedFlags, *, explained: bool) -> int:
    """Write the plan for each target, and what is read once for all.

    What a target gets from another one cannot be asked there yet, so its plan is made of what the source says.
    """
    jobs = jobs_of(gathered, wanted.also_to)
    feeds = tree_of(wanted.via, jobs)
    codes: list[int] = []
    plans: dict[int, Plan] = {}
    with session.stoppable(), session.stores(gathered.logins) as stores:
        prepared = plan_each(jobs, stores, session.cancellation, lambda _: session.output.working)
    for number, (job, of_target) in enumerate(zip(jobs, prepared, strict=True)):
        if isinstance(of_target, TransloadError):
            session.output.no_plan(str(job.target), of_target)
            codes.append(of_target.exit_code)
        else:
            fed = (fed_note(str(jobs[giver].target)),) if (giver := feeds[number]) is not None else ()
            notes = (*fed, *of_target.notes, *unknown_half_notes(of_target.plan, of_target.target))
            decided, choices, additions = of_target.plan, of_target.choices, of_target.additions
            session.output.whole_plan(
                decided,
                notes,
                choices,
                additions,
                explained=explained,
                of=str(job.target),
                verdicts=of_target.verdicts,
            )
            codes.append(of_plan(of_target.plan))
            plans[number] = of_target.plan
    from_source = [plan for number, plan in plans.items() if feeds[number] is None]
    session.output.read_once(read_once(from_source), [plan.copied for plan in plans.values()])
    return worst(codes)


def fed_note(giver: str) -> str:
    """What is to be known of the plan for a target that another one feeds."""
    return f"its content comes from {giver}, once that has it"


def _again(number: int, jobs: Sequence[Job], feeds: Feeds, more: list[str]) -> Callable[[tuple[str, ...]], str]:
    """The command that copies images to a target again, by way of those that feed it."""
    line = line_to(number, feeds)
    names = tuple(str(job.target) for job in jobs)
    further = [word for each in line[:-1] for word in ("--to", names[each])]
    return retry_command(jobs[number], [*more, *further, *words_of(line, feeds, names)])


def _further(names: tuple[str, ...]) -> list[str]:
    return [word for name in names[1:] for word in ("--to", name)]


def _images(job: Job) -> list[str]:
    return [word for image in job.images for word in ("--image", image)]
