"""`transload history`: the transfer records of an image, or of all images of a target."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from transload.app.location import Location
from transload.app.network import Network
from transload.cli import completion, options
from transload.cli.command import Command
from transload.cli.console import show_result, width_of
from transload.cli.declaring import option
from transload.cli.flags import LoginFlags
from transload.cli.gather import gather_logins
from transload.cli.output import Output, OutputFormat
from transload.cli.session import open_session
from transload.report.recordfacts import facts_of, gate_facts, short_facts
from transload.report.styled import Meaning, Styled, folded
from transload.report.texts import count

if TYPE_CHECKING:
    from transload.app.histories import Histories

_PROBLEM = 6  # what is there is not what it claims to be


@click.command(cls=Command)
@click.argument("image", metavar="TARGET", shell_complete=completion.stores)
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
    """Show transfer records: when an image came, from where, by whose hand, and what was checked.

    TARGET is an image, a registry or folder with all its images, or a file that --record or --receipt wrote, FILE.json.
    mirror, push and apply attach records with --record-at-target. With --public-key, each must be signed by this key.
    What gates said of an image is shown with its records, also what came along from elsewhere.

    \b
      transload history registry.local/arcdata --public-key site.pub
      transload history registry.local/arcdata/arc-dns:v1 --public-key site.pub
      transload history arcdata/arc-dns:v1 --from oci:folder
      transload history receipt.json --public-key site.pub
    """
    from transload.app.histories import histories_of, target_of
    from transload.app.history import history_of, is_file, place_of
    from transload.bundle.format.keys import load_public_key

    if store is None and is_file(image):
        return _of_file(Path(image), public_key, output, quiet)
    with open_session("history", output, quiet, network) as session:
        origin = Location.parse(store) if store is not None else None
        whole = target_of(image, origin)
        location, name = (whole, None) if whole else place_of(image, origin)
        key = load_public_key(public_key) if public_key is not None else None
        gathered = gather_logins(session, logins, (), str(location))
        with session.stoppable(), session.stores(gathered) as stores:
            target = stores.target(location, create=False)
            if name is None:
                return _tell_all(
                    histories_of(target, location, key, session.cancellation, session.output.working), session.output
                )
            found = history_of(target, name, key, session.cancellation)
        if not session.output.document("history", **found.to_json()):
            width = width_of(sys.stdout)
            show_result(folded("", f"{found.image}, {found.digest}", width))
            show_result(line for record in found.records for line in _lines(facts_of(record), width))
            show_result(line for gate in found.gates for line in _lines(gate_facts(gate), width))
        return _PROBLEM if not found.holds else 0


def _tell_all(found: Histories, reporter: Output) -> int:
    if not reporter.document("histories", **found.to_json()):
        show_result(lines_of_all(found, width_of(sys.stdout)))
    return found.exit_code


def lines_of_all(found: Histories, width: int | None) -> Iterator[Styled]:
    """One line for each record of each image, then what has none or could not be read, and the sum."""
    for history in found.images:
        yield from folded("", f"{history.image}  {history.digest.short}", width)
        for record in history.records:
            meaning: Meaning = "warn" if record.problem is not None else "faint"
            yield from folded("  ", ", ".join(short_facts(record)), width, meaning)
    for name in found.without:
        yield from folded("", f"{name}  no record", width, "warn")
    for name, error in found.unread.items():
        yield from folded("", f"{name}  could not be read: {error.message}", width, "warn")
    yield Styled()
    yield from folded("", _sum_of(found), width)


def _sum_of(found: Histories) -> str:
    parts = {
        "with a record": len(found.images),
        "of these with one that does not count": sum(not history.holds for history in found.images),
        "without": len(found.without),
        "could not be read": len(found.unread),
    }
    total = count(len(found.images) + len(found.without) + len(found.unread), "image")
    return f"{total}: " + ", ".join(f"{number} {what}" for what, number in parts.items() if number)


def _of_file(path: Path, public_key: Path | None, output: OutputFormat, quiet: bool) -> int:
    from transload.app.history import record_in_file
    from transload.bundle.format.keys import load_public_key

    with open_session("history", output, quiet) as session:
        key = load_public_key(public_key) if public_key is not None else None
        found = record_in_file(path, key)
        if not session.output.document("history", file=str(path), digest=found.digest, records=[found.to_json()]):
            width = width_of(sys.stdout)
            show_result([*folded("", f"{path}, {found.digest}", width), *_lines(facts_of(found), width)])
        return _PROBLEM if found.problem is not None else 0


def _lines(facts: Iterable[tuple[str, str]], width: int | None) -> Iterator[Styled]:
    yield Styled()
    for name, text in facts:
        yield from folded(f"{name + ':':<10} ", text, width, "warn" if name == "problem" else "faint")
