"""`transload serve`: serves any store as a registry."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from transload.app.detect import named_place, signature_notes, volume_notes
from transload.app.network import Network
from transload.app.serving import telling
from transload.app.settings import Environment
from transload.app.stores import Carried, Listeners
from transload.app.whole import serving_notes
from transload.cli import completion, options
from transload.cli.command import Command, is_written
from transload.cli.console import paint_on, say_folded, say_notes, telling_hosts, warn
from transload.cli.passwords import piped_password
from transload.cli.prompts import ask_password, is_interactive
from transload.cli.session import open_session
from transload.errors import SettingMissing, UsageError
from transload.report.lines import LineStream
from transload.wording import whole_number

if TYPE_CHECKING:
    from transload.server.pulls import Pulled, Tell

HIGHEST_PORT = 65_535
_UNLIMITED = "--limit-rate holds for what is read from a registry, not for what is sent to clients"


@click.command(cls=Command)
@click.argument("store", shell_complete=completion.stores_and_files)
@click.option(
    "--listen",
    metavar="HOST:PORT",
    envvar="TRANSLOAD_LISTEN",
    default="127.0.0.1:5000",
    show_default=True,
    help="Address to serve at; port 0 takes a free one.",
)
@click.option("--writable", is_flag=True, envvar="TRANSLOAD_WRITABLE", help="Take pushes and deletes too.")
@click.option(
    "--allow-sparse",
    is_flag=True,
    envvar="TRANSLOAD_ALLOW_SPARSE",
    help="Also take images and indexes that lack some layers or platforms.",
)
@click.option(
    "--tls-cert",
    type=options.FILE,
    envvar="TRANSLOAD_TLS_CERT",
    help="Certificate (PEM); the key may be in the same file.",
)
@click.option("--tls-key", type=options.FILE, envvar="TRANSLOAD_TLS_KEY", help="Its key.")
@click.option(
    "--user",
    metavar="NAME",
    envvar="TRANSLOAD_SERVE_USER",
    help="Demand a login as this user; the password comes from a variable or a prompt.",
)
@click.option("--password-stdin", is_flag=True, help="Read that user's password from standard input.")
@click.option("--no-page", is_flag=True, envvar="TRANSLOAD_NO_PAGE", help="Serve no web page at /.")
@click.option(
    "--log-pulls",
    type=click.Choice(["text", "json"]),
    envvar="TRANSLOAD_LOG_PULLS",
    help="Write to standard output which images were pulled: when, by whom, how much.",
)
@options.bundle
@options.network
def serve(
    store: str,
    listen: str,
    writable: bool,
    allow_sparse: bool,
    tls_cert: Path | None,
    tls_key: Path | None,
    user: str | None,
    password_stdin: bool,
    no_page: bool,
    log_pulls: str | None,
    reading: Carried,
    network: Network,
) -> int:
    """Serve STORE (oci:DIR, or a registry as a read-through) as a registry until Ctrl-C; read-only unless --writable.

    STORE can also be the path of a folder, bundle or archive. A bundle is served directly from its volumes; with --key
    only if the key signed it. A browser shows what is served, with the commands that pull it.

    \b
      transload serve oci:folder
      transload serve oci:folder --listen 0.0.0.0:5000 --tls-cert cert.pem
      transload serve oci:folder --writable --user push
    """
    from transload.server import ServeSettings, serve_forever

    with open_session("serve", "text", quiet=False, network=network) as session:
        location = named_place(store, reading)
        reading.demand_signature(location)
        writable = writable and (is_written("writable") or location.kind == "oci")
        host, port = _address(listen)
        settings = ServeSettings(
            host=host,
            port=port,
            writable=writable,
            allow_sparse=allow_sparse,
            tls_certificate=tls_cert,
            tls_key=tls_key,
            users=_users(user, session.environment, password_stdin),
            page=not no_page,
        )
        session.begins()
        with session.stores(carried=reading, listeners=Listeners(warn, hosts=telling_hosts())) as stores:
            served = stores.target(location, kept=True) if writable else stores.source(location)
            bundle = stores.bundle(location) if location.kind == "bundle" else None
            notes = [*signature_notes(bundle), *volume_notes(bundle)] if bundle else []
            notes += serving_notes(served) if location.kind != "registry" else []
            mode = "read and write" if writable else "read-only"
            notes += [_UNLIMITED] if network.limit_rate.lowest else []

            def greet(url: str) -> None:
                say_folded(f"serving {location} at {url}, {mode}; Ctrl-C ends it")
                say_notes(notes)
                if settings.exposure:
                    say_folded(settings.exposure, "warning: ")

            serve_forever(
                served,
                settings,
                greet,
                telling(location, bundle, writable=writable),
                _telling_pulls(log_pulls),
            )
    return 0


def _telling_pulls(form: str | None) -> Tell | None:
    """What writes the pulls that are over to standard output. Its reader may go; the server goes on."""
    if form is None:
        return None
    from transload.report.pulled import pulls_json, pulls_lines  # few servers log pulls

    lines, paint = LineStream(sys.stdout), paint_on(sys.stdout)

    def tell(pulls: Sequence[Pulled], lost: int) -> None:
        if form == "json":
            lines.write(pulls_json(pulls, lost))
        else:
            lines.write(paint(line.trimmed) for line in pulls_lines(pulls, lost, lines.width))

    return tell


def _address(listen: str) -> tuple[str, int]:
    host, _, port = listen.rpartition(":")
    number = whole_number(port)
    if not host or number is None or number > HIGHEST_PORT:
        raise click.BadParameter(f"{listen!r} is not HOST:PORT", param_hint="--listen")
    return host.strip("[]"), number


def _users(user: str | None, environment: Environment, from_stdin: bool) -> dict[str, str]:
    """Refuse a password without a user and an empty user name: neither must give everybody access."""
    if user is None and (from_stdin or environment.serve_password is not None):
        raise SettingMissing(
            "a password was given, but no user",
            hint="add --user NAME, or leave --password-stdin and TRANSLOAD_SERVE_PASSWORD out",
        )
    if user is not None and not user.strip():
        raise UsageError("--user (TRANSLOAD_SERVE_USER) is empty", hint="name a user, or leave it out")
    return {} if user is None else {user: _password(user, environment, from_stdin)}


def _password(user: str, environment: Environment, from_stdin: bool) -> str:
    if from_stdin:
        return piped_password(f"Password for {user}")
    if environment.serve_password is not None:
        return environment.serve_password
    if not is_interactive():
        raise SettingMissing(
            f"user {user!r} has no password, and there is no terminal to ask on",
            hint="set TRANSLOAD_SERVE_PASSWORD, or use --password-stdin",
        )
    return ask_password(f"Password for {user}", twice=True)
