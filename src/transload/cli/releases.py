"""`transload releases`: what a catalog's source publishes, newest first, and what the target has of it."""

from __future__ import annotations

import sys
from typing import Any

import click

from transload.app.answers import Answers
from transload.app.location import Location
from transload.app.selection import list_releases, load_catalog
from transload.app.settings import read_environment
from transload.app.stores import Logins, Stores
from transload.catalog.catalog import Catalog
from transload.catalog.release import Offer
from transload.cli import completion, options
from transload.cli.command import Command
from transload.cli.console import show_result, width_of
from transload.cli.output import Output, OutputFormat
from transload.report.styled import Styled, beside
from transload.report.texts import count
from transload.threads import Cancellation

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
def releases(catalog: str, to: str | None, known: bool, output: OutputFormat, quiet: bool, **flags: Any) -> int:
    """List the releases of CATALOG (arcdata, bdc, or a file), newest first, as the source has them now.

    \b
      transload releases arcdata
      transload releases arcdata --to registry.local/arcdata
    """
    with Output("releases", output, quiet) as reporter:
        found, origin, offers = _offers(catalog, to, known, flags, reporter)
        told = {"catalog": found.name, "source": str(origin), "releases": list(map(_json, offers))}
        if not reporter.document("releases", **told):
            width = width_of(sys.stdout)
            show_result(line for offer in offers for line in _lines(offer, quiet, width))
    return 0


def _offers(
    name: str, to: str | None, known: bool, flags: dict[str, Any], reporter: Output
) -> tuple[Catalog, Location, tuple[Offer, ...]]:
    network = options.network_of(flags)
    environment = read_environment()
    found = load_catalog(name)
    target = Location.parse(to) if to else None
    answers = Answers(
        source_registry=flags["source_registry"],
        source_repository=flags["source_repository"],
        target_registry=target.value if target and target.kind == "registry" else None,
    )
    answers = answers.over(Answers.from_variables(environment.incumbent)).checked()
    origin = Location(
        "registry", answers.source_registry or found.registry, answers.source_repository or found.repository
    )
    logins = Logins(answers.source_login(), answers.target_login(), frozenset({origin.value}))
    if known:
        return found, origin, tuple(Offer(release) for release in reversed(found.releases_in("..")))
    with Stores(environment, network, logins, Cancellation(), ears=reporter.ears) as stores:
        return found, origin, list_releases(found, origin, target, stores)


def _lines(offer: Offer, quiet: bool, width: int | None) -> list[Styled]:
    release = offer.release
    if quiet:
        return [Styled.of(release.tag)]
    facts = [count(len(release.images), "image")]
    if not release.known:
        facts.append(release.note or "not in the catalog")
    elif release.basis == "inferred":
        facts.append("list inferred")
    there = {None: [], True: ["at the target"], False: [" " * len("at the target")]}[offer.at_target]
    text = "  ".join([f"{release.date or '':<10}", *there, ", ".join(facts)])
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
