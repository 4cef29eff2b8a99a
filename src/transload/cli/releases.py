"""`transload releases`: lists what a catalog's source publishes, newest first, and what the target has."""

from __future__ import annotations

import sys
from typing import Any

import click
from attrs import evolve

from transload.app.answers import Answers
from transload.app.location import Location
from transload.app.network import Network
from transload.app.releases import list_releases
from transload.app.selection import load_catalog
from transload.app.stores import Logins
from transload.catalog.catalog import Catalog
from transload.catalog.release import Offer
from transload.cli import completion, options
from transload.cli.command import Command
from transload.cli.console import show_result, width_of
from transload.cli.output import OutputFormat
from transload.cli.session import Session, open_session
from transload.report.styled import Styled, beside
from transload.report.texts import count

_TAG = 26  # letters


@click.command(cls=Command)
@click.argument("catalog", shell_complete=completion.catalogs)
@click.option(
    "--to",
    metavar="STORE",
    envvar="TRANSLOAD_TO",
    shell_complete=completion.stores,
    help="Say which releases this target has.",
)
@click.option(
    "--source-registry", metavar="HOST", envvar="TRANSLOAD_SOURCE_REGISTRY", help="Instead of the catalog's registry."
)
@click.option(
    "--source-repository",
    metavar="PREFIX",
    envvar="TRANSLOAD_SOURCE_REPOSITORY",
    help="Instead of the catalog's prefix.",
)
@click.option("--known", is_flag=True, help="List what the catalog knows, without asking the source.")
@options.network
@options.reporter
def releases(
    catalog: str,
    to: str | None,
    source_registry: str | None,
    source_repository: str | None,
    known: bool,
    network: Network,
    output: OutputFormat,
    quiet: bool,
) -> int:
    """List the releases of CATALOG (arcdata, bdc, or a file), newest first, as the source has them now.

    \b
      transload releases arcdata
      transload releases arcdata --to registry.local/arcdata
    """
    with open_session("releases", output, quiet, network) as session:
        asked = load_catalog(catalog)
        answers = Answers(source_registry=source_registry, source_repository=source_repository)
        origin, offers = _offers(session, asked, answers, Location.parse(to) if to else None, known)
        fields = {"catalog": asked.name, "source": str(origin), "releases": list(map(_json, offers))}
        if not session.output.document("releases", **fields):
            width = width_of(sys.stdout)
            show_result(line for offer in offers for line in _lines(offer, quiet, width))
    return 0


def _offers(
    session: Session, catalog: Catalog, answers: Answers, target: Location | None, known: bool
) -> tuple[Location, tuple[Offer, ...]]:
    """Where the releases of `catalog` come from, and these releases, newest first."""
    if target is not None and target.kind == "registry":
        answers = evolve(answers, target_registry=target.value)
    answers = answers.over(Answers.from_variables(session.environment.incumbent)).checked()
    origin = Location(
        "registry", answers.source_registry or catalog.registry, answers.source_repository or catalog.repository
    )
    if known:
        return origin, tuple(Offer(release) for release in reversed(catalog.releases_in("..")))
    logins = Logins(answers.source_login(), answers.target_login(), frozenset({origin.value}))
    with session.stores(logins) as stores:
        return origin, list_releases(catalog, origin, target, stores)


def _lines(offer: Offer, quiet: bool, width: int | None) -> list[Styled]:
    release = offer.release
    if quiet:
        return [Styled.of(release.tag)]
    facts = [count(len(release.images), "image")]
    if not release.known:
        facts.append(release.note or "not in the catalog")
    elif release.basis == "inferred":
        facts.append("list inferred")
    mark = {None: [], True: ["at the target"], False: [" " * len("at the target")]}[offer.at_target]
    text = "  ".join([f"{release.date or '':<10}", *mark, ", ".join(facts)])
    return beside(Styled.of(release.tag), text, _TAG, width)


def _json(offer: Offer) -> dict[str, Any]:
    release = offer.release
    return {
        "tag": release.tag,
        "date": release.date,
        "known": release.known,
        "basis": release.basis,
        "images": list(release.images),
        "facts": dict(release.facts),
        "at_target": offer.at_target,
    }
