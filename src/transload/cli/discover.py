"""`transload discover`: says which images files name, and writes them as an image set."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from transload.app.network import Network
from transload.cli import completion, options
from transload.cli.command import Command
from transload.cli.console import say, show_result, width_of
from transload.cli.flags import LoginFlags
from transload.cli.gather import gather_logins
from transload.cli.output import OutputFormat
from transload.cli.session import Session, open_session
from transload.errors import SelectionEmpty, UsageError
from transload.files import check_replaceable, replace_file
from transload.report.texts import count
from transload.values import frozen

if TYPE_CHECKING:
    from transload.app.charts.rendering import ChartOptions
    from transload.app.discovering import Discovery
    from transload.discovery.fieldpath import FieldPath


@frozen
class Asked:
    """What the command line asks for."""

    paths: tuple[str, ...]
    fields: tuple[FieldPath, ...]
    charts: ChartOptions
    logins: LoginFlags
    out: Path | None
    pin: bool


@click.command(cls=Command)
@click.argument("paths", metavar="PATH...", nargs=-1, required=True, shell_complete=completion.files)
@click.option("-o", "--out", type=options.FILE, metavar="SET", help="Write an image set (.yaml) of what was found.")
@click.option(
    "--field",
    "fields",
    metavar="FIELD",
    multiple=True,
    help="This field of your own kinds is an image: spec.image, spec.workers[].image (repeatable).",
)
@click.option(
    "-f",
    "--values",
    type=options.FILE,
    multiple=True,
    help="Values for charts (.yaml), over their own, as helm takes them (repeatable).",
)
@click.option("--set", "sets", metavar="KEY=VALUE", multiple=True, help="One value for charts (repeatable).")
@click.option("--kube-version", metavar="VERSION", help="The Kubernetes version that helm renders charts for.")
@click.option("--api-versions", metavar="API", multiple=True, help="An API that helm renders charts for (repeatable).")
@click.option("--no-helm", is_flag=True, help="Do not render charts with helm, even if it is on the PATH.")
@click.option(
    "--pin",
    is_flag=True,
    help="Write digests too: those that nodes run, or else what the registries have under the tags.",
)
@click.option("--strict", is_flag=True, help="Fail if a question is open.")
@options.source_login
@options.network
@options.reporter
def discover(
    paths: tuple[str, ...],
    out: Path | None,
    fields: tuple[str, ...],
    values: tuple[Path, ...],
    sets: tuple[str, ...],
    kube_version: str | None,
    api_versions: tuple[str, ...],
    no_helm: bool,
    pin: bool,
    strict: bool,
    logins: LoginFlags,
    network: Network,
    output: OutputFormat,
    quiet: bool,
) -> int:
    """List the images that files name. PATH is a file, a folder with everything below it, a chart, or - for stdin.

    Read are Kubernetes manifests and dumps of clusters, Helm charts, Compose files, Dockerfiles, bills of materials,
    and bundles and catalogs of operators. Charts may have an address: oci://HOST/PATH/NAME:VERSION or
    https://HOST/PATH/NAME. What cannot be decided (a template, no tag) is a question. The image set with both is for
    the other commands.

    \b
      transload discover manifests/ -o set.yaml
      transload discover oci://registry.example/charts/web:1.2.3 -f mine.yaml
      kubectl get pods,deployments -A -o json | transload discover - -o set.yaml
      transload mirror set.yaml --to registry.local/site
    """
    from transload.app.charts.reading import unused
    from transload.app.charts.rendering import ChartOptions
    from transload.discovery.fieldpath import FieldPath
    from transload.discovery.listing import without_use

    with open_session("discover", output, quiet, network) as session:
        if logins.source_password_stdin and "-" in paths:
            raise UsageError(
                "standard input cannot be both what is read and the password", hint="set TRANSLOAD_SOURCE_PASSWORD"
            )
        if out is not None:
            _check_is_set(out)
            check_replaceable(out)
        chart_options = ChartOptions(
            values=values, sets=sets, kube_version=kube_version, api_versions=api_versions, helm=not no_helm
        )
        asked = Asked(paths, tuple(FieldPath.parse(field) for field in fields), chart_options, logins, out=out, pin=pin)
        found = _found(session, asked)
        if out is not None:
            replace_file(out, found.set_text().encode())
        _show(session, found, out, quiet)
        for sentence in unused(chart_options, found.charts):
            session.output.notice(f"note: {sentence}")
        for path in without_use(found.listing, asked.fields):
            session.output.notice(f"note: no document has the field {path.text}")
        if not found.listing.images:
            raise SelectionEmpty(
                f"no image could be decided: {count(len(found.listing.questions), 'question')} open",
                hint="answer them: render templates, write tags",
            )
        return int(bool(found.listing.unread or found.unpinned or (strict and found.listing.questions)))


def _check_is_set(out: Path) -> None:
    """Raises `UsageError` for a file that no command would read as an image set."""
    if out.suffix.lower() not in {".yaml", ".yml"}:
        raise UsageError(
            f"an image set ends in .yaml, and {out.name} does not", subject=str(out), hint=f"write {out.stem}.yaml"
        )


def _found(session: Session, asked: Asked) -> Discovery:
    """What is found, with the stores open only if something is to be fetched or asked for."""
    from transload.app.charts.reading import chart_reader
    from transload.app.discovering import discover_images, pinned
    from transload.app.namedfiles import is_remote

    with ExitStack() as stack:
        stores, addresses = None, list(filter(is_remote, asked.paths))
        if asked.pin or addresses:
            logins = gather_logins(session, asked.logins, (), None)
            stack.enter_context(session.stoppable())
            stores = stack.enter_context(session.stores(logins))
        charts = chart_reader(asked.charts, session.environment, stores, addresses)
        found = discover_images(
            asked.paths, fields=asked.fields, standard_input=sys.stdin.buffer, charts=charts, written=asked.out
        )
        return pinned(found, stores, session.cancellation) if asked.pin and stores else found


def _show(session: Session, found: Discovery, out: Path | None, quiet: bool) -> None:
    from transload.report.discovered import chart_lines, listing_json, listing_lines, open_lines, totals_text

    fields = listing_json(found.listing, found.pins, found.unpinned)
    fields["charts"] = [
        {name: getattr(chart, name) for name in ("file", "name", "version", "rendered")} for chart in found.charts
    ]
    if session.output.document(
        "discover", **fields, files=found.files, hidden=found.hidden, set=str(out) if out else None
    ):
        return
    if quiet:
        show_result(str(entry.reference) for entry in found.listing.images)
        say(open_lines(found.listing, width_of(sys.stderr)))
        say(f"not pinned: {reference}: {error}" for reference, error in found.unpinned.items())
        return
    show_result(listing_lines(found.listing, found.pins, found.unpinned, width_of(sys.stdout)))
    show_result(chart_lines(found.charts))
    written = f"; written to {out}" if out else ""
    show_result([f"{totals_text(found.listing, found.files, found.hidden)}{written}"])
