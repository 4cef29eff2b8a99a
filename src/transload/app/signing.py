"""Signs through the site's own program: that of a smart card, an HSM or a key service."""

from __future__ import annotations

import base64
import binascii
import contextlib
import signal
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from transload.app.commandtext import how_it_ended, words_of_command
from transload.app.settings import Environment
from transload.bundle.format.keys import PublicKey, load_public_key
from transload.bundle.format.signing import Signer
from transload.errors import Interrupted, KeyInvalid, LocalError
from transload.files import expanded
from transload.limits import OWN_PROGRAM_OUTPUT_BYTES
from transload.oci.reference import shown
from transload.programs import run_program

TIMEOUT_S = 300.0
"""How long the program may take: a person may have to type a PIN, or to touch a key."""

_INTERRUPTED = (-signal.SIGINT, 128 + signal.SIGINT)
_FORMS = "it writes the signature alone to standard output: 64 bytes for Ed25519, DER for ECDSA, or these in base64"


def command_signer(
    command: str,
    public_key: Path,
    environment: Environment,
    paused: Callable[[], AbstractContextManager[None]] = contextlib.nullcontext,
    timeout_s: float = TIMEOUT_S,
) -> Signer:
    """A signer that gives the bytes to a program, and checks the signature that it writes with `public_key`.

    `paused` hides moving lines while the program runs, since it may ask for a PIN. Raises `UsageError` and `LocalError`
    for a command that cannot be run, `KeyInvalid` for what is no public key; the signer raises what `_signature` does.
    """
    words = words_of_command("--sign-command", command, environment)
    key = load_public_key(expanded(public_key))

    def sign(message: bytes) -> bytes:
        with paused():
            return _signature(words, key, message, environment, timeout_s)

    return Signer(key, sign)


def _signature(
    words: Sequence[str], key: PublicKey, message: bytes, environment: Environment, timeout_s: float
) -> bytes:
    """What the program signs. Raises `LocalError` if it fails or takes too long, `KeyInvalid` for a wrong signature.

    It stays in our session of the terminal, so that it can ask there.
    """
    written = _run(words, message, environment, timeout_s)
    for signature in _readings(written):
        if key.verify(message, signature):
            return signature
    name = shown(words[0])
    if not written.strip():
        raise KeyInvalid(f"--sign-command: {name} wrote no signature", subject=words[0], hint=_FORMS)
    raise KeyInvalid(
        f"--sign-command: what {name} wrote is no signature by the key {key.key_id}",
        subject=words[0],
        hint=f"check that --public-key is the key that it signs with; {_FORMS}",
    )


def _run(words: Sequence[str], message: bytes, environment: Environment, timeout_s: float) -> bytes:
    try:
        done = run_program(
            words,
            variables=environment.helper_variables,
            timeout_s=timeout_s,
            limit=OWN_PROGRAM_OUTPUT_BYTES,
            given=message,
        )
    except subprocess.TimeoutExpired as error:
        raise _failed(words, f"it was ended after {timeout_s:g} s") from error
    except OSError as error:
        raise _failed(words, f"it could not be started: {error.strerror or error}") from error
    if max(len(done.stdout), len(done.stderr)) > OWN_PROGRAM_OUTPUT_BYTES:
        raise _failed(words, f"it was ended, since it wrote more than {OWN_PROGRAM_OUTPUT_BYTES >> 10} KiB")
    if done.returncode in _INTERRUPTED:
        raise Interrupted(f"interrupted while {shown(words[0])} signed")
    if done.returncode != 0:
        raise _failed(words, how_it_ended(done))
    return done.stdout


def _failed(words: Sequence[str], why: str) -> LocalError:
    return LocalError(
        f"--sign-command: {shown(words[0])} did not sign: {why}",
        subject=words[0],
        hint="nothing was written; run the program by hand with a file on its standard input",
    )


def _readings(written: bytes) -> Iterator[bytes]:
    """What the output may mean: the bytes of a signature, or the same in base64."""
    yield written
    with contextlib.suppress(binascii.Error):
        yield base64.b64decode(b"".join(written.split()), validate=True)
