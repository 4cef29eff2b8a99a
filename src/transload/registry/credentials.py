"""Logins that other tools left behind: docker's `config.json`, podman's `auth.json`, and credential helpers.

Within one file a helper named for the registry comes first, then a login written in the file, then the helper for
everything (`credsStore`). Between files the first one that has a login wins.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from attrs import field, frozen

from transload.errors import CredentialsUnavailable
from transload.registry.login import Login, Secret

HELPER_TIMEOUT_S = 30.0
HUB = "docker.io"
_HUB_ALIASES = frozenset({"docker.io", "index.docker.io", "registry-1.docker.io"})
_HUB_SERVER = "https://index.docker.io/v1/"  # what `docker login` stores the Hub's login under, also in helpers
_SCHEME = re.compile(r"https?://", re.IGNORECASE)
_HELPER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_NOT_FOUND = "credentials not found in native keychain"  # docker-credential-helpers, credentials/error.go
_TOKEN_USER = "<token>"  # noqa: S105 - the user name that marks an identity token, no secret


@frozen
class CredentialFile:
    """What one file says, its keys in the form that `_place` gives them."""

    path: Path
    entries: Mapping[str, Mapping[str, Any]] = field(factory=dict, repr=False)
    helpers: Mapping[str, str] = field(factory=dict)
    store: str = ""

    @classmethod
    def read(cls, path: Path) -> CredentialFile | None:
        """The file at `path`, or None where there is none. Raises `CredentialsUnavailable`."""
        try:
            text = path.read_text(encoding="utf-8-sig")  # editors of Windows begin files with a byte order mark
            document = json.loads(text) if text.strip() else {}
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise _broken(path, error.strerror or "cannot be read") from error
        except (ValueError, RecursionError):  # without the cause, whose text may show what is in the file
            raise _broken(path, "is not JSON") from None
        if not isinstance(document, dict):
            raise _broken(path, "is not a JSON object")
        return cls(
            path,
            _by_place(_section(path, document, "auths", dict)),
            _by_place(_section(path, document, "credHelpers", str)),
            _text(document, "credsStore"),
        )

    def written(self, host: str, repository: str) -> Login | None:
        """The login that the file itself holds; the key that names most of the repository's path wins."""
        for place in _places(host, repository):
            entry = self.entries.get(place)
            if entry and (login := _written(entry, f"{self.path}: the entry of {place}")):
                return login
        return None


class DockerConfig:
    """Logins by registry. Helpers run at most once per registry; threads that ask meanwhile wait for the answer."""

    def __init__(
        self,
        files: Sequence[CredentialFile] = (),
        *,
        helper_path: str | None = None,
        helper_timeout_s: float = HELPER_TIMEOUT_S,
    ) -> None:
        self._files = tuple(files)
        self._helper_path = helper_path
        self._helper_timeout_s = helper_timeout_s
        self._answers: dict[tuple[str, str], Future[Login | None]] = {}
        self._lock = threading.Lock()

    @classmethod
    def load(cls, paths: Sequence[Path], *, helper_path: str | None = None) -> DockerConfig:
        """Read the files that exist; the first one that has a login for a registry wins.

        `helper_path` is where helpers are looked for, in the form of PATH (None: the PATH of the process). Raises
        `CredentialsUnavailable` for a file that cannot be read.
        """
        return cls([file for path in paths if (file := CredentialFile.read(path))], helper_path=helper_path)

    def login(self, registry: str, repository: str = "") -> Login | None:
        """What to log in with at `registry` (host[:port]) for `repository`; None where nobody has logged in.

        Raises `CredentialsUnavailable` when an entry is broken, or a helper is missing or fails.
        """
        host = _place(registry)
        for file in self._files:
            named = file.helpers.get(host)
            login = self._ask(named, host, file) if named else None
            login = login or file.written(host, repository)
            if login is None and file.store and file.store != named:
                login = self._ask(file.store, host, file)
            if login is not None:
                return login
        return None

    def forget(self, registry: str) -> None:
        """Ask the helper again next time: what it gave may be a token that has expired since."""
        host = _place(registry)
        with self._lock:
            for key in [key for key in self._answers if key[1] == host]:
                del self._answers[key]

    def _ask(self, helper: str, host: str, file: CredentialFile) -> Login | None:
        """The helper's answer, from memory if it was asked before; failures are remembered too, since they are slow."""
        with self._lock:
            answer = self._answers.get((helper, host))
            first = answer is None
            if answer is None:
                answer = self._answers[helper, host] = Future()
        if first:
            try:
                answer.set_result(self._run(helper, host, file))
            except BaseException as error:
                answer.set_exception(error)
                if not isinstance(error, CredentialsUnavailable):  # an interrupt says nothing about the next time
                    self.forget(host)
        return answer.result()

    def _run(self, helper: str, host: str, file: CredentialFile) -> Login | None:
        name = f"docker-credential-{helper}"
        program = shutil.which(name, path=self._helper_path) if _HELPER_NAME.fullmatch(helper) else None
        if program is None:
            raise CredentialsUnavailable(
                f"asking for the login of {host}: {file.path} names the helper {name}, which is not on the PATH",
                subject=host,
                hint=f"install {name}, or take it out of {file.path} and log in again",
            )
        done = _run_helper(program, name, host, self._helper_timeout_s)
        if done.returncode != 0:
            if _NOT_FOUND in done.stdout:
                return None
            raise _helper_failed(name, host, f"ended with {done.returncode}{_complaint(done)}")
        return _answered(done.stdout, name, host)


def _run_helper(program: str, name: str, host: str, timeout_s: float) -> subprocess.CompletedProcess[str]:
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
        raise _helper_failed(name, host, f"gave no answer for {timeout_s:g} s") from None
    except OSError as error:
        raise _helper_failed(name, host, f"cannot be run: {error.strerror or error}") from error


def _server(host: str) -> str:
    """What helpers know a registry by."""
    return _HUB_SERVER if host == HUB else host


def _answered(output: str, name: str, host: str) -> Login | None:
    """The login in a helper's answer; the answer is never shown, since it may hold a secret even when it is wrong."""
    try:
        document = json.loads(output)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise _helper_failed(name, host, "gave an answer that is not a JSON object")
    username, secret = _text(document, "Username"), Secret(_text(document, "Secret"))
    if username == _TOKEN_USER:
        return Login(identity_token=secret) if secret else None
    return Login(username, secret) if username or secret else None


def _complaint(done: subprocess.CompletedProcess[str]) -> str:
    """What a failed helper said, one line of it; on standard output unless that might be an answer."""
    spoken = done.stderr.strip() or done.stdout.strip()
    return f": {spoken.splitlines()[0][:200]}" if spoken and not spoken.startswith("{") else ""


def _helper_failed(name: str, host: str, what: str) -> CredentialsUnavailable:
    return CredentialsUnavailable(
        f"asking for the login of {host}: the helper {name} {what}",
        subject=host,
        hint=f"try it by hand: echo {_server(host)} | {name} get",
    )


def _broken(path: Path, what: str) -> CredentialsUnavailable:
    return CredentialsUnavailable(
        f"reading logins: {path}: {what}", subject=str(path), hint="mend or move the file, or log in again"
    )


def _section(path: Path, document: Mapping[str, Any], name: str, kind: type) -> Mapping[str, Any]:
    section = document.get(name)
    if section is None:
        return {}
    if not isinstance(section, dict) or not all(isinstance(value, kind) for value in section.values()):
        raise _broken(path, f"{name} does not have the form that docker writes")
    return section


def _by_place(section: Mapping[str, Any]) -> dict[str, Any]:
    """Keys made alike, empty values left out; a key written as it is wins over one with a scheme, as with docker."""
    places: dict[str, Any] = {}
    for key, value in sorted(section.items(), key=lambda item: bool(_SCHEME.match(item[0]))):
        if value:
            places.setdefault(_place(key), value)
    return places


def _place(key: str) -> str:
    """A key as host[:port][/path]. With a scheme the path is that of an API, without one it is podman's namespace."""
    bare = _SCHEME.sub("", key, count=1)
    if bare != key:
        bare = bare.partition("/")[0]
    host, _, path = bare.strip("/").partition("/")
    host = HUB if host.lower() in _HUB_ALIASES else host.lower()
    return host if path in {"", "v1", "v2"} else f"{host}/{path}"


def _places(host: str, repository: str) -> Iterator[str]:
    """`host/a/b`, `host/a`, `host`."""
    parts = [host, *filter(None, repository.split("/"))]
    for length in range(len(parts), 0, -1):
        yield "/".join(parts[:length])


def _written(entry: Mapping[str, Any], where: str) -> Login | None:
    username, password = _text(entry, "username"), _text(entry, "password")
    if encoded := _text(entry, "auth"):
        username, password = _decoded(encoded, where)
    login = Login(username, Secret(password), Secret(_text(entry, "identitytoken")))
    return login if login.username or login.password or login.identity_token else None


def _decoded(encoded: str, where: str) -> tuple[str, str]:
    """User and password of an `auth` field: base64 of both with a colon between; more colons are the password's."""
    try:
        text = base64.b64decode(encoded, validate=True).decode()
    except (binascii.Error, ValueError):
        text = ""
    username, colon, password = text.partition(":")
    if not colon:
        raise CredentialsUnavailable(
            f"{where} has an auth field that is not base64 of user:password", hint="log in again with docker or podman"
        )
    return username, password.rstrip("\0")  # docker pads


def _text(document: Mapping[str, Any], key: str) -> str:
    value = document.get(key)
    return value if isinstance(value, str) else ""
