"""Asking a credential helper, the program `docker-credential-NAME` of docker's protocol, for one registry's login."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

from transload.errors import CredentialsUnavailable
from transload.limits import LOGINS_BYTES, LOGINS_VALUES
from transload.registry.login import Login
from transload.registry.loginfile import HUB, login_of, text_of
from transload.strictjson import read_json

HELPER_TIMEOUT_S = 30.0
_HUB_SERVER = "https://index.docker.io/v1/"  # what `docker login` stores the Hub's login under, also in helpers
_HELPER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
# docker-credential-helpers, credentials/error.go
_NOT_FOUND = ("credentials not found in native keychain", "no credentials server URL", "no credentials username")


def ask_helper(helper: str, host: str, file: Path, path: str | None, timeout_s: float) -> Login | None:
    """What `helper`, named in `file` and looked for on `path`, knows of `host`; None where that is nothing.

    Raises `CredentialsUnavailable` where it is missing, fails, says what is no answer, or says nothing in time.
    """
    name = f"docker-credential-{helper}"
    program = shutil.which(name, path=path) if _HELPER_NAME.fullmatch(helper) else None
    if program is None:
        raise CredentialsUnavailable(
            f"asking for the login of {host}: {file} names the helper {name}, which is not on the PATH",
            subject=host,
            hint=f"install {name}, or take it out of {file} and log in again",
        )
    done = _run(program, name, host, timeout_s)
    if done.returncode == 0:
        return _answered(done.stdout, name, host)
    if any(words in f"{done.stdout} {done.stderr}" for words in _NOT_FOUND):
        return None
    raise _failed(name, host, f"ended with {done.returncode}{_complaint(done)}")


def _run(program: str, name: str, host: str, timeout_s: float) -> subprocess.CompletedProcess[str]:
    """`docker-credential-NAME get`, the server's name on standard input and nothing secret in the arguments."""
    try:
        return subprocess.run(  # noqa: S603 - the program that the user's own configuration names
            [program, "get"],
            input=_server(host),
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise _failed(name, host, f"gave no answer for {timeout_s:g} s") from None
    except OSError as error:
        raise _failed(name, host, f"cannot be run: {error.strerror or error}") from error


def _server(host: str) -> str:
    """What helpers know a registry by."""
    return _HUB_SERVER if host == HUB else host


def _answered(output: str, name: str, host: str) -> Login | None:
    """The login in a helper's answer; the answer is never shown, since it may hold a secret even when it is wrong."""
    try:
        raw = output.removeprefix("\ufeff").encode()
        document = read_json(raw, limit=LOGINS_BYTES, values=LOGINS_VALUES, twins=True)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise _failed(name, host, "gave an answer that is not a JSON object")
    return login_of(text_of(document, "Username"), text_of(document, "Secret"))


def _complaint(done: subprocess.CompletedProcess[str]) -> str:
    """What a failed helper said, one line of it; on standard output unless that might be an answer."""
    spoken = done.stderr.strip() or done.stdout.strip()
    return f": {spoken.splitlines()[0][:200]}" if spoken and not spoken.startswith("{") else ""


def _failed(name: str, host: str, what: str) -> CredentialsUnavailable:
    return CredentialsUnavailable(
        f"asking for the login of {host}: the helper {name} {what}",
        subject=host,
        hint=f"try it by hand: echo {_server(host)} | {name} get",
    )
