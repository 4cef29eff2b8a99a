"""`transload keys`: makes pairs of keys, shows their fingerprints, changes their passphrases."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from transload.cli import options
from transload.cli.command import Command, is_written
from transload.cli.console import show_result, width_of
from transload.cli.output import OutputFormat
from transload.cli.session import Session, open_session
from transload.cli.signing import asking_passphrase, new_passphrase
from transload.errors import UsageError
from transload.report.styled import folded

if TYPE_CHECKING:
    from transload.bundle.format.keys import Algorithm, PublicKey


@click.command(cls=Command)
@click.argument("action", metavar="ACTION", type=click.Choice(["make", "show", "passphrase"]))
@click.argument("files", metavar="NAME|FILE...", nargs=-1, required=True, type=options.FILE)
@click.option(
    "--algorithm",
    type=click.Choice(["ed25519", "ecdsa-p256"]),
    default="ed25519",
    show_default=True,
    help="make: the kind of the new keys.",
)
@click.option("--no-passphrase", is_flag=True, help="make, passphrase: write the private key without a passphrase.")
@options.reporter
def keys(
    action: str, files: tuple[Path, ...], algorithm: Algorithm, no_passphrase: bool, output: OutputFormat, quiet: bool
) -> int:
    """Make, show and protect the keys that sign bundles and inventories (--sign-key) and verify them (--key).

    make NAME writes the private key NAME.key, for its owner only, and the public key NAME.pub, which goes to the other
    side. It asks for a passphrase, twice, and never overwrites a key.

    show FILE... says of public and private keys of which kind they are, and their fingerprint.

    passphrase FILE changes the passphrase of a private key, or removes it (--no-passphrase).

    Without a terminal, the passphrase is read from TRANSLOAD_SIGN_PASSPHRASE; the new one of the action passphrase
    from TRANSLOAD_NEW_PASSPHRASE.

    \b
      transload keys make site
      transload keys show site.key site.pub
      transload keys passphrase site.key
    """
    with open_session("keys", output, quiet) as session:
        _check(action, files, no_passphrase)
        if action == "make":
            _make(session, files[0], algorithm, no_passphrase, quiet)
        elif action == "passphrase":
            _change(session, files[0], no_passphrase, quiet)
        else:
            _show(session, files)
    return 0


def _check(action: str, files: tuple[Path, ...], no_passphrase: bool) -> None:
    """Raises `UsageError` for what would silently have no effect."""
    if action != "show" and len(files) > 1:
        raise UsageError(f"keys {action} takes one name", hint="call it once for each")
    if action != "make" and is_written("algorithm"):
        raise UsageError(f"--algorithm has no effect with keys {action}", hint="leave it out; keys make takes it")
    if action == "show" and no_passphrase and is_written("no_passphrase"):
        raise UsageError("--no-passphrase has no effect with keys show", hint="leave it out")


def _make(session: Session, name: Path, algorithm: Algorithm, no_passphrase: bool, quiet: bool) -> None:
    from transload.app.keyfiles import check_new_pair, make_pair, pair_paths

    check_new_pair(name)
    private, _ = pair_paths(name)
    value, variable = session.environment.sign_passphrase, "TRANSLOAD_SIGN_PASSPHRASE"
    pair = make_pair(name, algorithm, None if no_passphrase else new_passphrase(private, value, variable))
    told = {"private": str(pair.private), "public": str(pair.public), **_json(pair.key)}
    if session.output.document("key-made", **told, passphrase=not no_passphrase) or quiet:
        return
    locked = "without a passphrase" if no_passphrase else "with a passphrase"
    _tell(f"{pair.private}: ", f"private key, {locked}: keep it here, and a copy in a safe place")
    _tell(f"{pair.public}: ", f"public key: carry it to those who verify; {_fact(pair.key)}")


def _change(session: Session, path: Path, no_passphrase: bool, quiet: bool) -> None:
    from transload.app.keyfiles import change_passphrase

    def asked() -> str:
        return new_passphrase(path, session.environment.new_passphrase, "TRANSLOAD_NEW_PASSPHRASE")

    new: Callable[[], str] | None = None if no_passphrase else asked
    key = change_passphrase(path, asking_passphrase(path, session.environment), new)
    if session.output.document("key-changed", file=str(path), **_json(key), passphrase=not no_passphrase) or quiet:
        return
    _tell(f"{path}: ", "it has no passphrase any more" if no_passphrase else "it has the new passphrase")


def _show(session: Session, paths: tuple[Path, ...]) -> None:
    from transload.app.keyfiles import read_key

    read = [read_key(path, asking_passphrase(path, session.environment)) for path in paths]
    told = [{"file": str(file.path), "kind": file.kind, **_json(file.key)} for file in read]
    if session.output.document("keys", keys=told):
        return
    for file in read:
        _tell(f"{file.path}: ", f"{file.kind} key, {_fact(file.key)}")


def _json(key: PublicKey) -> Mapping[str, str]:
    return {"algorithm": key.algorithm, "fingerprint": key.key_id}


def _fact(key: PublicKey) -> str:
    return f"{key.algorithm} {key.key_id}"


def _tell(name: str, fact: str) -> None:
    show_result(folded(name, fact, width_of(sys.stdout)))
