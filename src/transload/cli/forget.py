"""`transload forget`: removes what transload remembers about registries, or shows it."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import click

from transload.app.remembered import forget_all, forget_registries, in_a_sentence, remembered, why_unused
from transload.cli import options
from transload.cli.command import Command
from transload.cli.console import show_result, width_of
from transload.cli.output import OutputFormat
from transload.cli.session import open_session
from transload.clock import SYSTEM_CLOCK
from transload.errors import UsageError
from transload.report.styled import Styled, folded
from transload.report.texts import instant

if TYPE_CHECKING:
    from transload.registry.known import Finding

    Known = Mapping[str, Mapping[str, Finding]]

_DAY = len("2026-11-26")


@click.command(cls=Command)
@click.argument("hosts", metavar="[HOST]...", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Forget all registries.")
@click.option("--list", "listing", is_flag=True, help="Show what is known, and forget nothing.")
@options.reporter
def forget(hosts: tuple[str, ...], everything: bool, listing: bool, output: OutputFormat, quiet: bool) -> int:
    """Forget what earlier runs learnt about registries: how they take uploads, whether they mount blobs, and so on.

    The next run learns it again. Nothing changes at the registry.

    \b
      transload forget registry.local
      transload forget --list
    """
    with open_session("forget", output, quiet) as session:
        if bool(hosts) + everything + listing > 1:
            raise UsageError("HOST, --all and --list exclude each other", hint="give only one of them")
        if listing:
            known, reason = remembered(session.environment), why_unused(session.environment)
            if reason:
                session.output.notice(f"note: {reason}")
            if not session.output.document("known", registries=_json(known)):
                show_result(_lines(known, width_of(sys.stdout)))
            return 0
        if not (hosts or everything):
            raise UsageError("no registry is named", hint="name one, or write --all; --list shows what is known")
        names = forget_all(session.environment) if everything else forget_registries(session.environment, hosts)
        if not session.output.document("forgotten", registries=list(names)) and not quiet:
            show_result([f"forgotten: {name}" for name in names] or ["nothing was known"])
    return 0


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
