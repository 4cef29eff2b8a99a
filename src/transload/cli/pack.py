"""`transload pack`: a release on a medium."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from transload.app.packing import Packing, prepare_pack
from transload.app.place import Place
from transload.app.settings import Environment, read_environment
from transload.app.stores import Stores
from transload.cli import options
from transload.cli.again import command_line, command_words, connection_words
from transload.cli.carrying import Began, carry
from transload.cli.guide import gather, is_interactive
from transload.cli.progress import Output, Telling
from transload.cli.stopping import stoppable
from transload.errors import SettingMissing
from transload.files import local_errors
from transload.nursery import Cancellation
from transload.report.result import exit_code

if TYPE_CHECKING:
    from transload.bundle.signing import Signer

_FILE = click.Path(path_type=Path, dir_okay=False)
_NO_TARGET = dict.fromkeys(("to", "target_username", "target_password_stdin"))


@click.command()
@click.argument("sets", metavar="[SET]...", nargs=-1)
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    required=True,
    metavar="NAME",
    help="The bundle: a path without suffix.",
)
@click.option(
    "--volume-size", metavar="SIZE", default="none", show_default=True, envvar="TRANSLOAD_VOLUME_SIZE",
    help="Cut into volumes: 4GiB, 700MB, fat32, cd, dvd, bd.",
)  # fmt: skip
@click.option(
    "--against",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Leave out what the far side has: its inventory, or the bundle it got before.",
)
@click.option("--also", type=_FILE, multiple=True, metavar="FILE", help="Carry this file too (repeatable).")
@click.option(
    "--sign-key",
    type=_FILE,
    envvar="TRANSLOAD_SIGN_KEY",
    help="Private key (Ed25519 or ECDSA P-256; PEM or OpenSSH) to sign with.",
)
@click.option("--with-tool", type=_FILE, metavar="PYZ", help="Put this transload.pyz beside the volumes.")
@options.selection
@options.source_login
@options.network
@options.reports
@options.telling
def pack(
    out: Path,
    volume_size: str,
    against: Path | None,
    also: tuple[Path, ...],
    sign_key: Path | None,
    with_tool: Path | None,
    output: Output,
    quiet: bool,
    report: tuple[Path, ...],
    **flags: Any,
) -> int:
    """Pack images into a bundle that crosses an air gap on a disk: NAME.tar, or volumes NAME.001.tar and so on.

    Every blob is written once, at its place; the same command goes on after an interruption, and the same content
    gives the same bytes. transload push brings it into a registry on the other side.

    \b
      transload pack arcdata -o /media/usb/arcdata-2026-11
      transload pack arcdata -o arcdata --volume-size fat32 --sign-key key.pem --against site.json
    """
    from transload.bundle.volumes import parse_volume_size

    network = options.network_of(flags)
    environment = read_environment()
    with Telling("pack", output, quiet, report) as telling:
        given = gather({**flags, **_NO_TARGET}, environment, network, Place("bundle", str(out)))
        packing = Packing(out, parse_volume_size(volume_size), against, also, _signer(sign_key, environment))
        cancellation = Cancellation()
        words = _words(out, volume_size, against, also, sign_key)
        more = [*words, *connection_words(network, given.logins)]
        images = [word for image in given.job.images for word in ("--image", image)]
        began = Began.now(command_line(["pack", *command_words(given.job, more), *images]))
        with (
            stoppable(cancellation, telling.notice),
            Stores(environment, network, given.logins, cancellation) as stores,
        ):
            prepared = prepare_pack(given.job, packing, stores, cancellation)
            result = carry(prepared, stores, telling, cancellation, began, lambda _: began.asked, given.job.bodies)
        code = exit_code(result)
        if with_tool is not None and code == 0:
            _put_tool(with_tool, out.absolute().parent)
        return code


def _words(
    out: Path, volume_size: str, against: Path | None, also: tuple[Path, ...], sign_key: Path | None
) -> list[str]:
    words = ["-o", str(out)]
    words += ["--volume-size", volume_size] if volume_size != "none" else []
    words += ["--against", str(against)] if against else []
    words += [word for path in also for word in ("--also", str(path))]
    return words + (["--sign-key", str(sign_key)] if sign_key else [])


def _signer(path: Path | None, environment: Environment) -> Signer | None:
    if path is None:
        return None
    from transload.bundle.signing import load_private_key

    def passphrase() -> str:
        if environment.sign_passphrase is not None:
            return environment.sign_passphrase
        if not is_interactive():
            raise SettingMissing(
                f"the key {path} has a passphrase, and nobody can be asked", hint="set TRANSLOAD_SIGN_PASSPHRASE"
            )
        answer: str = click.prompt(f"Passphrase of {path}", hide_input=True, err=True)
        return answer

    return load_private_key(path, passphrase)


def _put_tool(tool: Path, folder: Path) -> None:
    with local_errors("copying", tool):
        shutil.copyfile(tool, folder / tool.name)
