"""Asks a credential helper (the program `docker-credential-NAME` of docker's protocol) for one registry's login."""

from __future__ import annotations

import codecs
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from transload.errors import CredentialsUnavailable
from transload.limits import LOGINS_BYTES, LOGINS_VALUES
from transload.login import Login
from transload.oci.reference import DEFAULT_REGISTRY
from transload.programs import run_program
from transload.registry.loginfile import login_of, text_of
from transload.strictjson import read_json
from transload.values import field, frozen

HELPER_TIMEOUT_S = 30.0
_HUB_SERVER = (
    "https://index.docker.io/v1/"  # the key under which `docker login` stores the Hub's login, also in helpers
)
_HELPER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
# docker-credential-helpers, credentials/error.go
_NOT_FOUND = (b"credentials not found in native keychain", b"no credentials server URL", b"no credentials username")


@frozen
class Surroundings:
    """The environment of helpers: where they are looked for (None: the PATH of the process), their variables (None:
    those of the process), and how many seconds one may take.
    """

    path: str | None = None
    variables: Mapping[str, str] | None = field(default=None, repr=False)
    timeout_s: float = HELPER_TIMEOUT_S


def ask_helper(helper: str, host: str, file: Path, surroundings: Surroundings) -> Login | None:
    """The login for `host` that `helper` has; None if it has none. `file` is the file that names the helper.

    It is asked for the host as docker asks, then with `https://` before it, as people and other tools store it.

    Raises `CredentialsUnavailable` if it is missing, fails, gives no valid answer or one that is too long, or does not
    answer in time.
    """
    name = f"docker-credential-{helper}"
    program = shutil.which(name, path=surroundings.path) if _HELPER_NAME.fullmatch(helper) else None
    if program is None:
        raise CredentialsUnavailable(
            f"asking for the login of {host}: {file} names the helper {name}, which is not on the PATH",
            subject=host,
            hint=f"install {name}, or take it out of {file} and log in again",
        )
    for server in _servers(host):
        if login := _ask(program, name, server, host, surroundings):
            return login
    return None


def _ask(program: str, name: str, server: str, host: str, surroundings: Surroundings) -> Login | None:
    try:
        done = _run(program, server, surroundings)
    except subprocess.TimeoutExpired:
        raise _failed(name, host, f"gave no answer for {surroundings.timeout_s:g} s") from None
    except OSError as error:
        raise _failed(name, host, f"cannot be run: {error.strerror or error}") from error
    if len(done.stdout) > LOGINS_BYTES or len(done.stderr) > LOGINS_BYTES:
        raise _failed(name, host, f"wrote more than {LOGINS_BYTES >> 20} MiB")
    if done.returncode == 0:
        return _answered(done.stdout, name, host)
    if any(words in done.stdout + done.stderr for words in _NOT_FOUND):
        return None
    raise _failed(name, host, f"ended with {done.returncode}{_complaint(done)}")


def _run(program: str, server: str, surroundings: Surroundings) -> subprocess.CompletedProcess[bytes]:
    """Run `docker-credential-NAME get` with the server's name on standard input. Nothing secret is in the arguments."""
    return run_program(
        [program, "get"],
        variables=surroundings.variables,
        timeout_s=surroundings.timeout_s,
        limit=LOGINS_BYTES,
        given=server.encode(),
    )


def _servers(host: str) -> tuple[str, ...]:
    """The names under which a helper may have stored a registry's login."""
    return (_HUB_SERVER,) if host == DEFAULT_REGISTRY else (host, f"https://{host}")


def _answered(output: bytes, name: str, host: str) -> Login | None:
    """The login in a helper's answer. The answer is never printed: even an invalid one may hold a secret."""
    try:
        document = read_json(output.removeprefix(codecs.BOM_UTF8), limit=LOGINS_BYTES, values=LOGINS_VALUES, twins=True)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise _failed(name, host, "gave an answer that is not a JSON object")
    return login_of(text_of(document, "Username"), text_of(document, "Secret"))


def _complaint(done: subprocess.CompletedProcess[bytes]) -> str:
    """The first line that a failed helper wrote. Standard output counts only if it cannot be an answer."""
    text = (done.stderr.strip() or done.stdout.strip()).decode("utf-8", "replace")
    return f": {text.splitlines()[0][:200]}" if text and not text.startswith("{") else ""


def _failed(name: str, host: str, what: str) -> CredentialsUnavailable:
    return CredentialsUnavailable(
        f"asking for the login of {host}: the helper {name} {what}",
        subject=host,
        hint=f"try it by hand: echo {_servers(host)[0]} | {name} get",
    )
