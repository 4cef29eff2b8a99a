"""`transload configure`: writes what nodes and clusters need, so that they pull from the private registry."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from transload.app.location import Location
from transload.app.network import Network
from transload.app.stores import Carried
from transload.cli import completion, options
from transload.cli.command import Command
from transload.cli.console import say_notes, show_result
from transload.cli.flags import LoginFlags
from transload.cli.gather import gather_logins
from transload.cli.output import OutputFormat
from transload.cli.session import Session, open_session
from transload.configuration.kinds import KINDS, kind_named
from transload.errors import LocalError, LoginMissing, UsageError

if TYPE_CHECKING:
    from transload.app.relocations import Sources
    from transload.app.stores import Stores
    from transload.configuration import Configuration, Reach


@click.command(cls=Command)
@click.argument("kind", metavar="KIND", type=click.Choice(list(KINDS)))
@click.argument("sources", metavar="[FROM]...", nargs=-1, shell_complete=completion.stores_and_files)
@click.option("-o", "--out", type=options.FOLDER, metavar="DIR", help="Write the files below this folder.")
@click.option("--force", is_flag=True, help="Replace files that are there with other content.")
@options.configured
@click.option(
    "--rewrite",
    metavar="PATH",
    multiple=True,
    shell_complete=completion.files,
    help="A file, or a folder of files, to rewrite; for helm-values a chart: .tgz, folder or address (repeatable).",
)
@click.option("--name", metavar="NAME", help="Name of the Kubernetes object.")
@click.option("--namespace", metavar="NAME", help="Its namespace.")
@click.option("--pin", is_flag=True, help="Write digests, so that a moved tag changes nothing.")
@click.option("--no-fallback", is_flag=True, help="Nodes never ask the registry that pods name.")
@click.option("--strict", is_flag=True, help="Write nothing if an image in the rewritten files stays as it was.")
@click.option("--with-login", is_flag=True, help="Write the registry's login, too: into files for their owner only.")
@click.option("--node-ca-file", metavar="PATH", help="Where the registry's certificate authority lies on the nodes.")
@options.bundle
@options.target_login
@options.network
@options.reporter
def configure(
    kind: str,
    sources: tuple[str, ...],
    out: Path | None,
    force: bool,
    sought: Any,
    rewrite: tuple[str, ...],
    name: str | None,
    namespace: str | None,
    pin: bool,
    no_fallback: bool,
    strict: bool,
    with_login: bool,
    node_ca_file: str | None,
    reading: Carried,
    logins: LoginFlags,
    network: Network,
    output: OutputFormat,
    quiet: bool,
) -> int:
    """Write what nodes and clusters need, so that they pull from your registry.

    FROM says where the images are: the JSON report of the run, a saved plan, an inventory, a bundle, or the image set
    or catalog. Nothing is applied: files are written, and it is said where they go. Without -o, a single file goes to
    standard output.

    \b
      transload configure kustomize run.json -o site
    """
    from transload.app.configuring import Wanted, make_configuration, write_configuration
    from transload.configuration import Wishes

    with open_session("configure", output, quiet, network) as session:
        chosen = kind_named(kind)
        gathered = gather_logins(session, logins, (), sought["to"] or sought["pull_from"])
        with session.stoppable(), session.stores(gathered, reading) as stores:
            with_logins = stores if with_login else None
            is_said = gathered.target is None or sought["to"] or sought["pull_from"]
            wanted = Wanted(
                kind=chosen,
                sources=_sources(sources, **sought),
                wishes=Wishes(
                    name=name,
                    namespace=namespace,
                    pin=pin,
                    no_fallback=no_fallback,
                    strict=strict,
                ),
                rewrite=rewrite,
                reach=lambda registry: _reach(registry, network, node_ca_file, with_logins, is_said=bool(is_said)),
            )
            configuration = make_configuration(wanted, stores, session.cancellation)
        paths = write_configuration(configuration, out, replace=force) if out is not None else None
        _show(session, configuration, paths, quiet)
    return 0


def _sources(words: tuple[str, ...], **sought: Any) -> Sources:
    from transload.app.relocations import Sources

    to, pull_from = (sought.pop(name) for name in ("to", "pull_from"))
    return Sources(
        words=words,
        to=Location.parse(to) if to else None,
        pull_from=Location.parse(pull_from) if pull_from else None,
        registry=sought.pop("source_registry"),
        repository=sought.pop("source_repository") or "",
        **sought,
    )


def _reach(host: str, network: Network, node_ca_file: str | None, stores: Stores | None, *, is_said: bool) -> Reach:
    """How nodes reach the registry: as this program does, with the login that `stores` has for it.

    Raises `LoginMissing`; `UsageError` unless `is_said` for which registry a login was given: a file may name any.
    """
    from transload.configuration import Reach

    login = None
    if stores is not None:
        if not is_said:
            raise UsageError(
                f"a login is given, and only the files say that it would be for {host}",
                subject=host,
                hint=f"add --to {host} if it is for that registry",
            )
        login = stores.login("target", host)
        if login is None:
            raise LoginMissing(
                f"there is no login for {host}", subject=host, hint="log in with docker login, or add --target-username"
            )
    return Reach(
        plain_http=host in network.plain_http,
        insecure_tls=host in network.insecure_tls,
        ca_file=node_ca_file,
        ca=b"".join(_read(path) for path in network.ca_files) or None,
        login=login,
    )


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise LocalError(f"{path} cannot be read: {error.strerror}", subject=str(path)) from error


def _show(session: Session, configuration: Configuration, paths: tuple[Path, ...] | None, quiet: bool) -> None:
    """Tell what was written; without a folder, write the only file to the output. Raises `UsageError`."""
    files = configuration.files
    if paths is None and session.output.speaks and (len(files) != 1 or files[0].secret):
        what = (
            "the file has a secret, so it needs" if len(files) == 1 else f"there are {len(files)} files, so they need"
        )
        raise UsageError(f"{what} a folder", hint="add -o DIR")
    listed = [
        {
            "path": str(file.path),
            "written": str(paths[number]) if paths else None,
            "secret": file.secret,
            "base64": None if file.secret else b64encode(file.content).decode(),  # byte for byte, line ends too
        }
        for number, file in enumerate(files)
    ]
    if session.output.document("configuration", files=listed, notes=list(configuration.notes)):
        return
    if not quiet:
        say_notes(list(configuration.notes))
    if paths is None:
        click.echo(files[0].content, nl=False)  # byte for byte
    else:
        show_result([f"written: {path}" for path in paths])
