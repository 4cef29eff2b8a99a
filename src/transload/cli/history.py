"""`transload history`: the transfer records of an image at a target."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from transload.app.location import Location
from transload.app.network import Network
from transload.cli import completion, options
from transload.cli.command import Command
from transload.cli.console import show_result, width_of
from transload.cli.declaring import option
from transload.cli.flags import LoginFlags
from transload.cli.gather import gather_logins
from transload.cli.output import OutputFormat
from transload.cli.session import open_session
from transload.report.styled import Styled, folded

if TYPE_CHECKING:
    from transload.app.history import FoundRecord

_PROBLEM = 6  # what is there is not what it claims to be


@click.command(cls=Command)
@click.argument("image", metavar="IMAGE")
@click.option(
    "--from",
    "store",
    metavar="STORE",
    shell_complete=completion.stores,
    help="Where the image is, if its name has no registry: oci:DIR, or HOST[:PORT][/PREFIX].",
)
@option(
    "--public-key", type=options.FILE, help="Public key (PEM or OpenSSH) that must have signed each of the records."
)
@options.target_login
@options.network
@options.reporter
def history(
    image: str,
    store: str | None,
    public_key: Path | None,
    logins: LoginFlags,
    network: Network,
    output: OutputFormat,
    quiet: bool,
) -> int:
    """Show the transfer records of an image: when it came, from where, by whose hand, and what was checked.

    mirror and push attach them with --record-at-target. With --public-key, each must be signed by this key.

    \b
      transload history registry.local/arcdata/arc-dns:v1 --public-key site.pub
      transload history arcdata/arc-dns:v1 --from oci:folder
    """
    from transload.app.history import history_of, place_of
    from transload.bundle.format.keys import load_public_key

    with open_session("history", output, quiet, network) as session:
        location, name = place_of(image, Location.parse(store) if store is not None else None)
        key = load_public_key(public_key) if public_key is not None else None
        gathered = gather_logins(session, logins, (), str(location))
        with session.stoppable(), session.stores(gathered) as stores:
            found = history_of(stores.target(location, create=False), name, key, session.cancellation)
        if not session.output.document("history", **found.to_json()):
            width = width_of(sys.stdout)
            show_result(folded("", f"{found.image}, {found.digest}", width))
            show_result(line for record in found.records for line in _lines(record, width))
        return _PROBLEM if not found.holds else 0


def _lines(found: FoundRecord, width: int | None) -> Iterator[Styled]:
    yield Styled()
    for name, text in _facts(found):
        yield from folded(f"{name + ':':<10} ", text, width, "warn" if name == "problem" else "faint")


def _facts(found: FoundRecord) -> Iterator[tuple[str, str]]:
    record = found.record
    image = _first(record.get("images"))
    yield "finished", _text(record.get("finishedOn")) or "not known"
    if image:
        yield "status", _text(image.get("status"))
        yield "from", _text(image.get("published")) or _text(image.get("source"))
    if record.get("recordedBy") is not None:
        yield "recorded", f"by {_text(record.get('recordedBy'))}"
    tool = record.get("tool")
    version = f", transload {_text(tool.get('version'))}" if isinstance(tool, dict) else ""
    yield "run", f"{_text(record.get('runId'))}{version}"
    checks = record.get("checks")
    for check in checks if isinstance(checks, list) else ():
        if isinstance(check, dict):
            by = f", {_text(check.get('by'))}" if check.get("by") else ""
            yield "checked", f"{_text(check.get('name'))}: {_text(check.get('result'))}{by}"
    yield "signed", _signed(found)
    if found.problem is not None:
        yield "problem", found.problem


def _signed(found: FoundRecord) -> str:
    if not found.signed_by:
        return "no"
    by = f"by {', '.join(key or 'a key without a name' for key in found.signed_by)}"
    if found.verified is None:
        return f"{by} (not verified, give the key with --public-key)"
    return f"{by} ({'verified' if found.verified else 'this does not hold'})"


def _first(entries: Any) -> dict[str, Any]:
    return entries[0] if isinstance(entries, list) and entries and isinstance(entries[0], dict) else {}


def _text(value: Any) -> str:
    """A value of a record as text; nobody knows yet whether it is one."""
    return value[:300] if isinstance(value, str) else ""
