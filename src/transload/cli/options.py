"""Flags that several commands share, and the values they come to."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.core import ParameterSource

from transload.app.stores import Carried, Network
from transload.cli import completion
from transload.errors import LocalError, ReferenceInvalid
from transload.oci.reference import check_registry

if TYPE_CHECKING:
    from transload.bundle.reading.volumefiles import Ask

Command = TypeVar("Command", bound=Callable[..., Any])


class NamedPath(click.Path):
    """A path that has a name: an empty text, as an unset variable of a shell leaves it, would be the folder at hand."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """See click."""
        if not str(value):
            self.fail("it is empty: write the name of a file or folder", param, ctx)
        return super().convert(value, param, ctx)


FILE = NamedPath(path_type=Path, dir_okay=False)
FOLDER = NamedPath(path_type=Path, file_okay=False)
ANY_PATH = NamedPath(path_type=Path)


class Number(click.FloatRange):
    """A number in a range, in which what is not a number (nan) does not lie, and nothing endless."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """See click."""
        found = super().convert(value, param, ctx)
        if not math.isfinite(found):
            self.fail(f"{value!r} is not a number", param, ctx)
        return found


def _option(*names: str, **settings: Any) -> Callable[[Command], Command]:
    """An option that is also a variable: --target-tag is TRANSLOAD_TARGET_TAG."""
    long = next(name for name in names if name.startswith("--")).partition("/")[0]
    variable = "TRANSLOAD_" + long.removeprefix("--").replace("-", "_").upper()
    return click.option(*names, envvar=variable, **settings)


def _stacked(*options: Callable[[Command], Command]) -> Callable[[Command], Command]:
    def decorate(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


to = _option(
    "--to", metavar="STORE", shell_complete=completion.stores, help="The target: HOST[:PORT][/PREFIX] or oci:DIR."
)

platform = _stacked(
    _option(
        "--platform",
        metavar="OS/ARCH",
        multiple=True,
        shell_complete=completion.platforms,
        help="Only this platform (repeatable).",
    ),
    _option(
        "--narrow",
        type=click.Choice(["rewritten", "sparse"]),
        default="rewritten",
        show_default=True,
        help="With --platform: a new index of these platforms, or the published one, sparse.",
    ),
)

selection = _stacked(
    _option(
        "--from", metavar="STORE", shell_complete=completion.stores, help="The source; without a SET, everything in it."
    ),
    _option(
        "--tag",
        metavar="RELEASE",
        shell_complete=completion.releases,
        help="Release of the catalogs, or a range FROM..TO. Default: the newest.",
    ),
    _option("--target-tag", metavar="TAG", help="Tag of the catalogs' images at the target. Default: the same."),
    _option("--image", metavar="NAME", multiple=True, help="Only this image (repeatable)."),
    platform,
    _option("--referrers", is_flag=True, help="Signatures, SBOMs and attestations, too."),
    _option("--foreign-layers", is_flag=True, help="Layers that the publisher keeps elsewhere (foreign layers), too."),
    _option("--allow-missing", is_flag=True, help="Do not fail when the source lacks a listed image."),
    _option("--discover", is_flag=True, help="Take what the source publishes, not what the catalog lists."),
    _option("--flatten", is_flag=True, help="At the target, only the last part of each repository path."),
    _option("--source-registry", metavar="HOST", help="Instead of the catalog's registry."),
    _option("--source-repository", metavar="PREFIX", help="Instead of the catalog's repository prefix."),
)

named = _stacked(
    _option("--to", metavar="STORE", shell_complete=completion.stores, help="The target, which must be the plan's."),
    _option("--from", metavar="STORE", shell_complete=completion.stores, help="The source, which must be the plan's."),
)

compress = _option(
    "--compress", is_flag=True, help="Compress layers that are not compressed, for registries that take no others."
)

wanted = _stacked(
    click.argument("sets", metavar="[SET]...", nargs=-1, shell_complete=completion.catalogs), to, selection
)

source_login = _stacked(
    _option(
        "--source-username", metavar="USER", help="User at the source; the password comes from a variable or a prompt."
    ),
    click.option("--source-password-stdin", is_flag=True, help="Read the source's password from standard input."),
)

target_login = _stacked(
    _option("--target-username", metavar="USER", help="User at the target."),
    click.option("--target-password-stdin", is_flag=True, help="Read the target's password from standard input."),
)

logins = _stacked(source_login, target_login)

bundle = _stacked(
    _option(
        "--key",
        type=FILE,
        help="Public key (PEM or OpenSSH) that must have signed the bundle; what is not signed is refused.",
    ),
    _option(
        "--volumes",
        metavar="DIR",
        type=FOLDER,
        multiple=True,
        help="Look for volumes in this folder too (repeatable).",
    ),
)


def carried(folders: tuple[Path, ...], key: Path | None, ask: Ask | None = None) -> Carried:
    """The flags of `bundle` as a value that remembers who demands a signature: a variable is easily forgotten."""
    source = click.get_current_context().get_parameter_source("key")
    names = {ParameterSource.ENVIRONMENT: "TRANSLOAD_KEY", ParameterSource.DEFAULT_MAP: "the configuration file"}
    return Carried(folders, key, ask, names.get(source, "--key") if source else "--key")


sign_key = _option("--sign-key", type=FILE, help="Private key (Ed25519 or ECDSA P-256; PEM or OpenSSH) to sign with.")

network = _stacked(
    _option("--ca-file", type=FILE, multiple=True, help="Trust these certificate authorities too (PEM)."),
    _option("--client-cert", type=FILE, help="Client certificate (PEM)."),
    _option("--client-key", type=FILE, help="Its key, if in a file of its own."),
    _option("--insecure-tls", metavar="HOST", multiple=True, help="Do not verify this host's certificate."),
    _option("--plain-http", metavar="HOST", multiple=True, help="Speak to this host without TLS."),
    _option("--allow-realm", metavar="HOST", multiple=True, help="Also send the password to this token host."),
    _option(
        "--stall-timeout",
        metavar="SECONDS",
        type=Number(1, 86_400),
        default=60,
        show_default=True,
        help="Give up a connection when nothing moves for this long.",
    ),
    _option(
        "--give-up-after",
        metavar="SECONDS",
        type=Number(1),
        default=120,
        show_default=True,
        help="Give up when a host gives no useful answer for this long.",
    ),
    _option(
        "--min-rate",
        metavar="BYTES",
        type=Number(1),
        default=1024,
        show_default=True,
        help="Give up a connection that is slower than this, in bytes a second over a minute.",
    ),
)

reporter = _stacked(
    _option(
        "--output",
        type=click.Choice(["text", "json"]),
        default="text",
        show_default=True,
        help="What goes to standard output: text, or JSON for programs.",
    ),
    click.option("-q", "--quiet", is_flag=True, help="No progress; results and failures only."),
)

reports = _stacked(
    _option("--report", type=FILE, multiple=True, help="Write a report: FILE.json or FILE.md (repeatable)."),
    _option(
        "--jobs",
        metavar="N",
        type=click.IntRange(1, 64),
        default=8,
        show_default=True,
        help="Blobs to move at the same time.",
    ),
)

_PATIENCE = ("stall_timeout", "give_up_after", "min_rate")
_NETWORK = ("ca_file", "client_cert", "client_key", "insecure_tls", "plain_http", "allow_realm", *_PATIENCE)


def network_of(flags: dict[str, Any]) -> Network:
    """The flags of `network` as a value, taken out of `flags`.

    Raises `LocalError` for a file that is not there, `ReferenceInvalid` for what is no host.
    """
    taken = {name: flags.pop(name) for name in _NETWORK}
    for name in ("insecure_tls", "plain_http", "allow_realm"):
        _check_hosts(f"--{name.replace('_', '-')}", taken[name])
    for path in (*taken["ca_file"], taken["client_cert"], taken["client_key"]):
        if path is not None and not path.is_file():
            raise LocalError(
                f"there is no file {path}", subject=str(path), hint="check --ca-file, --client-cert and --client-key"
            )
    return Network(
        ca_files=taken["ca_file"],
        client_certificate=taken["client_cert"],
        client_key=taken["client_key"],
        insecure_tls=taken["insecure_tls"],
        plain_http=taken["plain_http"],
        realms=taken["allow_realm"],
        stall_timeout_s=taken["stall_timeout"],
        give_up_after_s=taken["give_up_after"],
        min_rate=taken["min_rate"],
    )


def _check_hosts(flag: str, hosts: Iterable[str]) -> None:
    """What is no host would never be met, and so silently mean nothing."""
    for host in hosts:
        try:
            check_registry(host)
        except ReferenceInvalid as error:
            raise ReferenceInvalid(f"{flag}: {error.message}", hint=error.hint) from error
