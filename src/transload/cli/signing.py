"""Who signs: the flags for it, and the passphrases of keys."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

from transload.cli import options
from transload.cli.declaring import as_value, option, stacked
from transload.cli.prompts import ask_password, is_interactive
from transload.errors import SettingMissing, UsageError
from transload.values import frozen

if TYPE_CHECKING:
    from transload.app.settings import Environment
    from transload.bundle.format.signing import Signer


@frozen(kw_only=True)
class SigningFlags:
    """Who signs: a key, or a program and the public key of what it signs with: `signing_options`."""

    sign_key: Path | None = None
    sign_command: str | None = None
    public_key: Path | None = None

    @property
    def words(self) -> list[str]:
        """The same as the words of a command line."""
        named = {"--sign-key": self.sign_key, "--sign-command": self.sign_command, "--public-key": self.public_key}
        return [word for flag, value in named.items() if value for word in (flag, str(value))]


_by_program = stacked(
    option(
        "--sign-command",
        metavar="COMMAND",
        help="Let this program sign: the bytes on its standard input, the signature on its standard output.",
    ),
    option("--public-key", type=options.FILE, help="The public key of what --sign-command signs with."),
)

signing_options = as_value(
    "signing",
    SigningFlags,
    option("--sign-key", type=options.FILE, help="Private key (Ed25519 or ECDSA P-256; PEM or OpenSSH) to sign with."),
    _by_program,
)

record_signing = as_value(
    "signing",
    SigningFlags,
    option(
        "--sign-key",
        type=options.FILE,
        help="Private key (Ed25519 or ECDSA P-256; PEM or OpenSSH) to sign the record with, and what gates say.",
    ),
    _by_program,
)


def load_signer(
    signing: SigningFlags, environment: Environment, paused: Callable[[], AbstractContextManager[None]]
) -> Signer | None:
    """Who signs, if anybody; the passphrase of a key comes from a variable or a question.

    `paused` hides moving lines while a program signs. Raises `UsageError` for flags that contradict each other,
    `SettingMissing` if there is a passphrase and nobody can be asked, and what `load_private_key` and `command_signer`
    raise.
    """
    key, command, public_key = signing.sign_key, signing.sign_command, signing.public_key
    if command is not None:
        if key is not None:
            raise UsageError("--sign-key and --sign-command are two ways to sign", hint="give one of them")
        if public_key is None:
            raise UsageError(
                "--sign-command needs the public key that its signatures are checked with", hint="add --public-key FILE"
            )
        from transload.app.signing import command_signer

        return command_signer(command, public_key, environment, paused)
    if public_key is not None:
        raise UsageError("--public-key without --sign-command has no effect", hint="leave it out")
    if key is None:
        return None
    from transload.bundle.format.signing import load_private_key

    return load_private_key(key, asking_passphrase(key, environment))


def asking_passphrase(path: Path, environment: Environment) -> Callable[[], str]:
    """A function that gives the passphrase of the key at `path`: from the variable, or by asking."""

    def passphrase() -> str:
        if environment.sign_passphrase is not None:
            return environment.sign_passphrase
        if not is_interactive():
            raise SettingMissing(
                f"the key {path} has a passphrase, and there is no terminal to ask for it on",
                hint="set TRANSLOAD_SIGN_PASSPHRASE",
            )
        return ask_password(f"Passphrase of {path}")

    return passphrase


def new_passphrase(path: Path, value: str | None, variable: str) -> str:
    """The passphrase that the key at `path` gets: the `value` of a variable, or asked for twice.

    Raises `SettingMissing` if nobody can be asked.
    """
    if value is not None:
        return value
    if not is_interactive():
        raise SettingMissing(
            f"{path} needs a new passphrase, and there is no terminal to ask for it on",
            hint=f"set {variable}, or write the key without one: --no-passphrase",
        )
    return ask_password(f"New passphrase of {path}", twice=True)
