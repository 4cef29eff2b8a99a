"""`transload releases`: lists what a catalog's source publishes, newest first, and what the target has."""

from __future__ import annotations

import sys

import click

from transload.app.answers import Answers
from transload.app.job import Job
from transload.app.location import Location
from transload.app.naming import load_catalog
from transload.app.network import Network
from transload.app.offers import Question, list_releases
from transload.app.stores import Logins
from transload.catalog.catalog import Catalog
from transload.catalog.offer import ReleaseList
from transload.cli import completion, options
from transload.cli.command import Command, is_written
from transload.cli.commandline import connection_words, retry_command
from transload.cli.console import say, show_result, width_of
from transload.cli.output import OutputFormat
from transload.cli.session import Session, open_session
from transload.errors import UsageError
from transload.report.exitcodes import of_releases
from transload.report.offers import news, release_json, release_lines, trouble_json, trouble_lines
from transload.report.styled import Styled
from transload.values import evolve


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
    "--source-registry",
    metavar="HOST",
    envvar="TRANSLOAD_SOURCE_REGISTRY",
    help="Where images are published, if not where the catalog says.",
)
@click.option(
    "--source-repository",
    metavar="PREFIX",
    envvar="TRANSLOAD_SOURCE_REPOSITORY",
    help="Instead of the catalog's prefix.",
)
@click.option("--known", is_flag=True, help="List what the catalog knows, without asking the source.")
@click.option(
    "--releases",
    "only",
    metavar="RELEASE",
    shell_complete=completion.releases,
    help="Only this release, or a range FROM..TO.",
)
@click.option("--image", metavar="NAME", multiple=True, help="Count only this image (repeatable).")
@click.option("--digests", is_flag=True, help="Compare what the target has with the source, by digests.")
@click.option("--flatten", is_flag=True, help="At the target, only the last part of each repository path.")
@click.option("--exit-code", is_flag=True, help="End with 10 if a release is new to the target, with 0 if none is.")
@options.network
@options.reporter
def releases(
    catalog: str,
    to: str | None,
    source_registry: str | None,
    source_repository: str | None,
    known: bool,
    only: str | None,
    image: tuple[str, ...],
    digests: bool,
    flatten: bool,
    exit_code: bool,
    network: Network,
    output: OutputFormat,
    quiet: bool,
) -> int:
    """List the releases of CATALOG (arcdata, bdc, or a file), newest first, as the source has them now.

    With --to, it says how much of each the target has. A release is new if the target has neither it nor a newer one
    as a whole.

    \b
      transload releases arcdata
      transload releases arcdata --to registry.local/arcdata
      transload releases arcdata --to registry.local/arcdata --exit-code
    """
    with open_session("releases", output, quiet, network) as session:
        # --known makes no request, unless a target is asked for in this very command
        target = Location.parse(to) if to and (not known or is_written("to")) else None
        if exit_code and target is None:
            raise UsageError("--exit-code says whether a release is new to a target", hint="name it: --to STORE")
        asked = load_catalog(catalog, session.environment.set_variables)
        flags = Answers(source_registry=source_registry, source_repository=source_repository)
        answers = _answers(session, flags, target)
        question = Question(
            catalog=asked,
            origin=_origin(asked, answers),
            target=target,
            releases=only,
            images=image,
            known=known,
            digests=digests,
            flatten=flatten,
        )
        logins = Logins(answers.source_login(), answers.target_login())
        with session.stoppable(), session.stores(logins) as stores:
            listed = list_releases(question, stores, session.cancellation)
        _show(session, listed, quiet, only_new=exit_code)
        if target is not None and session.output.speaks and not quiet:
            job = Job(sets=(catalog,), target=target, images=image, flatten=flatten)
            job = evolve(job, source_registry=source_registry, source_repository=source_repository, tag=_tag(listed))
            session.output.notice(news(listed, retry_command(job, connection_words(network, logins))(())))
        return of_releases(listed, news=exit_code)


def _answers(session: Session, answers: Answers, target: Location | None) -> Answers:
    """The answers of flags, over those of variables."""
    if target is not None and target.kind == "registry":
        answers = evolve(answers, target_registry=target.value)
    return answers.over(Answers.from_variables(session.environment.incumbent)).checked()


def _origin(catalog: Catalog, answers: Answers) -> Location:
    """Where the catalog's vendor publishes, or where to look instead. Raises `UsageError` where that does nothing."""
    if catalog.is_set and (is_written("source_registry") or is_written("source_repository")):
        raise UsageError(
            f"the images of {catalog.name} name their registries themselves",
            hint="leave --source-registry and --source-repository out",
        )
    repository = catalog.repository if answers.source_repository is None else answers.source_repository
    return Location("registry", answers.source_registry or catalog.registry, repository)


def _tag(listed: ReleaseList) -> str | None:
    """What is new, as one release or a range; the newest alone, if the target has none as a whole."""
    tags = [release.tag for release in listed.new]
    if not tags:
        return None
    return tags[0] if len(tags) in {1, len(listed.releases)} else f"{tags[-1]}..{tags[0]}"


def _show(session: Session, listed: ReleaseList, quiet: bool, *, only_new: bool) -> None:
    fields = {
        "catalog": listed.catalog,
        "source": listed.source,
        "target": listed.target,
        "releases": list(map(release_json, listed.releases)),
        "troubles": trouble_json(listed),
    }
    if session.output.document("releases", **fields):
        return
    if quiet:
        show_result(Styled.of(offer.release.tag) for offer in listed.releases if offer.is_new or not only_new)
    else:
        show_result(release_lines(listed, width_of(sys.stdout)))
    say(trouble_lines(listed, width_of(sys.stderr)))
