"""`transload forget`: removes what transload remembers about registries and bundles that were taken, or shows it."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import click

from transload.app.remembered import forget_all, forget_registries, in_a_sentence, remembered, why_unused
from transload.app.takenbundles import bundles_taken, forget_taken
from transload.cli import options
from transload.cli.command import Command
from transload.cli.console import show_result, width_of
from transload.cli.output import OutputFormat
from transload.cli.session import open_session
from transload.clock import SYSTEM_CLOCK
from transload.errors import UsageError
from transload.report.styled import Styled, folded
from transload.report.texts import digest, instant

if TYPE_CHECKING:
    from transload.app.takenbundles import Entry
    from transload.cli.session import Session
    from transload.registry.known import Finding

    Known = Mapping[str, Mapping[str, Finding]]

_DAY = len("2026-11-26")


@click.command(cls=Command)
@click.argument("places", metavar="[HOST|TARGET]...", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Forget all registries; with --bundles, all bundles.")
@click.option("--bundles", is_flag=True, help="Forget which bundles were taken for TARGET, not what was learnt.")
@click.option("--list", "listing", is_flag=True, help="Show what is known, and forget nothing.")
@options.reporter
def forget(
    places: tuple[str, ...], everything: bool, bundles: bool, listing: bool, output: OutputFormat, quiet: bool
) -> int:
    """Forget what earlier runs learnt about registries: how they take uploads, whether they mount blobs, and so on.

    The next run learns it again. Nothing changes at the registry.

    With --bundles, forget which bundles were taken for a target. push then takes an older one, and does not notice.

    \b
      transload forget registry.local
      transload forget --bundles registry.local/arcdata
      transload forget --list
    """
    with open_session("forget", output, quiet) as session:
        if bool(places) + everything + listing > 1:
            raise UsageError("HOST, --all and --list exclude each other", hint="give only one of them")
        if listing:
            _show(session)
            return 0
        if not (places or everything):
            what = "target" if bundles else "registry"
            raise UsageError(f"no {what} is named", hint="name one, or write --all; --list shows what is known")
        if bundles:
            gone = forget_taken(session.environment.state, places)
            if not session.output.document("forgotten", bundles=[entry.to_json() for entry in gone]) and not quiet:
                show_result([f"forgotten: {_taken(entry)}" for entry in gone] or ["nothing was known"])
            return 0
        names = forget_all(session.environment) if everything else forget_registries(session.environment, places)
        if not session.output.document("forgotten", registries=list(names)) and not quiet:
            show_result([f"forgotten: {name}" for name in names] or ["nothing was known"])
    return 0


def _show(session: Session) -> None:
    known, reason = remembered(session.environment), why_unused(session.environment)
    taken, unreadable = bundles_taken(session.environment.state)
    for why in filter(None, (reason, unreadable)):
        session.output.notice(f"note: {why}")
    if not session.output.document("known", registries=_json(known), bundles=[entry.to_json() for entry in taken]):
        width = width_of(sys.stdout)
        show_result([*_lines(known, width), *_taken_lines(taken, width)])


def _taken_lines(taken: Iterable[Entry], width: int | None) -> Iterator[Styled]:
    by_target: dict[str, list[Entry]] = {}
    for entry in taken:
        by_target.setdefault(entry.place.target, []).append(entry)
    for target, entries in by_target.items():
        yield Styled.of((f"newest bundles taken for {target}", "strong"))
        for entry in entries:
            yield from folded(f"  {entry.bundle.facts.day}  ", _edition(entry), width, "faint")


def _taken(entry: Entry) -> str:
    return f"{entry.place.target}: {_edition(entry)}, taken on {entry.bundle.facts.day}"


def _edition(entry: Entry) -> str:
    signer = f"by {digest(entry.place.signer)}" if entry.place.signer else "(signer not checked)"
    return f"{entry.name} {signer}: {entry.bundle.facts.words}"


def _lines(known: Known, width: int | None) -> Iterator[Styled]:
    if not known:
        yield Styled.of("nothing is known about any registry")
    for registry, findings in known.items():
        yield Styled.of((registry, "strong"))
        for name, finding in findings.items():
            again = "" if finding.is_fresh(SYSTEM_CLOCK.wall_s()) else " (old; it is learnt again)"
            yield from folded(f"  {_day(finding)}  ", in_a_sentence(name, finding) + again, width, "faint")


def _day(finding: Finding) -> str:
    return instant(finding.learnt_s)[:_DAY]


def _json(known: Known) -> list[dict[str, Any]]:
    now_s = SYSTEM_CLOCK.wall_s()
    return [
        {
            "registry": registry,
            "findings": [
                {
                    "name": name,
                    "value": finding.value,
                    "learnt": instant(finding.learnt_s),
                    "version": finding.version,
                    "used": finding.is_fresh(now_s),
                }
                for name, finding in findings.items()
            ],
        }
        for registry, findings in known.items()
    ]
