"""`transload prune`: deletes old releases and tags from a target, and what nothing else there needs."""

from __future__ import annotations

import re
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from transload.app.detect import named_place
from transload.app.network import Network
from transload.cli import completion, options
from transload.cli.command import Command
from transload.cli.console import say_notes, show_result, width_of
from transload.cli.flags import LoginFlags, RunFlags
from transload.cli.gather import gather_logins
from transload.cli.output import OutputFormat
from transload.cli.session import open_session
from transload.clock import SYSTEM_CLOCK
from transload.errors import DocumentInvalid
from transload.report.styled import folded
from transload.report.texts import count, size

if TYPE_CHECKING:
    from transload.app.deleting import PruneResult
    from transload.report.conclusion import Conclusion

_AGE = re.compile(r"([0-9]{1,5})\s*d(?:ays?)?")


def _patterns(_: click.Context, __: click.Parameter, texts: tuple[str, ...]) -> tuple[re.Pattern[str], ...]:
    from transload.catalog.tagpattern import check_pattern

    try:
        return tuple(check_pattern(text) for text in texts)
    except DocumentInvalid as error:
        raise click.BadParameter(f"{error.message}; {error.hint}" if error.hint else error.message) from error


def _day(_: click.Context, __: click.Parameter, text: str | None) -> date | None:
    """A day, or so many days before today."""
    form = _AGE.fullmatch(text.strip()) if text else None
    if form:
        return datetime.fromtimestamp(SYSTEM_CLOCK.wall_s(), UTC).date() - timedelta(days=int(form[1]))
    try:
        return date.fromisoformat(text) if text else None
    except ValueError as error:
        raise click.BadParameter("write a day or an age: 2026-01-31, 90d") from error


_NOT_YET = "nothing was deleted yet; to do it, add --yes"


@click.command(cls=Command)
@click.argument("target", metavar="TARGET", shell_complete=completion.stores)
@click.option("--keep", type=int, metavar="N", help="Keep the newest N releases, or tags; older ones go.")
@click.option(
    "--catalog",
    metavar="CATALOG",
    shell_complete=completion.catalogs,
    help="What --keep counts: arcdata, bdc, or a file of a catalog or of an image set with releases.",
)
@click.option(
    "--set",
    "sets",
    metavar="SET",
    multiple=True,
    shell_complete=completion.catalogs,
    help="Keep exactly what mirror SET would copy; every other tag goes (repeatable).",
)
@click.option(
    "--rules",
    type=options.FILE,
    help="Keep what the rules of this image set take of the tags that are there; its repositories only.",
)
@click.option(
    "--remove-tags",
    metavar="PATTERN",
    multiple=True,
    callback=_patterns,
    help="Tags go that match this regular expression as a whole (repeatable).",
)
@click.option("--untagged", is_flag=True, help="Images without a tag go, where the target lists them (folders do).")
@click.option("--unused", is_flag=True, help="Content of a folder goes that no image needs, and that is a day old.")
@click.option(
    "--keep-tags",
    metavar="PATTERN",
    multiple=True,
    callback=_patterns,
    help="Tags stay that match this, whatever the other rules say (repeatable).",
)
@click.option(
    "--keep-since", metavar="DAY", callback=_day, help="Images stay that were made since: 2026-01-31, or 90d."
)
@click.option(
    "--repository",
    metavar="PATH",
    multiple=True,
    help="Look at this repository only, relative to TARGET (repeatable).",
)
@click.option("--flatten", is_flag=True, help="At the target, only the last part of each repository path.")
@click.option("--allow-empty", is_flag=True, help="Repositories may lose every image.")
@click.option("--yes", is_flag=True, help="Delete. Without it, prune only shows what would go.")
@options.target_login
@options.network
@options.recorded
@options.reporter
def prune(
    target: str,
    keep: int | None,
    catalog: str | None,
    sets: tuple[str, ...],
    rules: Path | None,
    remove_tags: tuple[re.Pattern[str], ...],
    untagged: bool,
    unused: bool,
    keep_tags: tuple[re.Pattern[str], ...],
    keep_since: date | None,
    repository: tuple[str, ...],
    flatten: bool,
    allow_empty: bool,
    yes: bool,
    logins: LoginFlags,
    network: Network,
    run: RunFlags,
    output: OutputFormat,
    quiet: bool,
) -> int:
    """Show which images a rule lets go from TARGET, and what that frees. With --yes, delete them.

    TARGET is HOST[:PORT][/PREFIX] or oci:DIR. What no rule speaks of stays, and so does what anything that stays needs.
    Signatures go and stay with their image.

    \b
      transload prune registry.local/arcdata --catalog arcdata --keep 3
      transload prune registry.local/arcdata --catalog arcdata --keep 3 --yes
      transload prune oci:/srv/mirror --set images.yaml
      transload prune registry.local/ci --remove-tags 'nightly-.*' --keep 5
    """
    from transload.app.pruning import Wish, check_target, prune_store
    from transload.report.pruned import left_lines, plan_lines

    with open_session("prune", output, quiet, network, run) as session:
        location = named_place(target)
        check_target(location)
        wish = Wish(
            keep=keep,
            catalog=catalog,
            sets=sets,
            rules=rules,
            remove_tags=remove_tags,
            keep_tags=keep_tags,
            keep_since=keep_since,
            untagged=untagged,
            unused=unused,
            flatten=flatten,
            repositories=repository,
            allow_empty=allow_empty,
        )
        if yes:
            session.begins()
        width, shows = width_of(sys.stdout), session.output.speaks and not (quiet and yes)
        gathered = gather_logins(session, logins, (), target)
        with session.stoppable(), session.stores(gathered) as stores:
            result = prune_store(
                location,
                wish,
                stores,
                session.cancellation,
                apply=yes,
                shown=lambda plan: show_result(plan_lines(plan, width)) if shows else None,
            )
        if run.has_afterwards:
            session.output.conclude(_conclusion(result, session.output.run_id))
        if not session.output.document("prune", **result.to_json()):
            if result.applied and not result.plan.is_empty:
                show_result(left_lines(result.stayed, width))
                show_result(folded("", _done(result), width))
            say_notes(() if quiet else result.notes)
            if not result.applied and not result.plan.is_empty:
                show_result(folded("", _NOT_YET, width))
        if result.ended_by is not None:
            raise result.ended_by
        return result.exit_code


def _conclusion(result: PruneResult, run_id: str) -> Conclusion:
    """What figures and notifications say of it."""
    from transload.report.conclusion import Conclusion  # few runs have them

    summary = _done(result) if result.applied else _NOT_YET
    return Conclusion(
        exit_code=result.exit_code,
        summary="nothing to delete" if result.plan.is_empty else summary,
        document={"run_id": run_id, "exit_code": result.exit_code, **result.to_json()},
        changed=bool(
            result.deleted or result.manifests or (result.applied and not result.plan.names and result.plan.bytes)
        ),
    )


def _done(result: PruneResult) -> str:
    if not result.plan.names:
        return f"deleted: {size(result.plan.bytes)} that no image needs"
    left = f"; {count(len(result.left) + len(result.errors), 'name')} left" if result.left or result.errors else ""
    return f"deleted: {count(len(result.deleted), 'name')}, {count(result.manifests, 'manifest')}{left}"
