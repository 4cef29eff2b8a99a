"""Logins that other tools stored: docker's `config.json`, podman's `auth.json`, and credential helpers.

Within one file a helper named for the registry comes first, then a login written in the file, then the helper for all
registries (`credsStore`). Between files the first one that has a login wins. A file, an entry or a helper that cannot
be used does not hide a login that another one has.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from functools import partial
from pathlib import Path

from transload.errors import CredentialsUnavailable
from transload.login import Login
from transload.registry.keychain import HELPER_TIMEOUT_S, Surroundings, ask_helper
from transload.registry.loginfile import CredentialFile, key_of

DOCKER_AUTH_CONFIG = Path("DOCKER_AUTH_CONFIG")
"""Stands for the file's path in messages about logins from this variable."""


class DockerConfig:
    """Logins by registry. A helper runs at most once per registry; threads that ask meanwhile wait for the answer.

    `troubles` are errors for files that could not be read, and for entries that cannot be used.
    """

    def __init__(
        self,
        files: Sequence[CredentialFile] = (),
        *,
        troubles: Sequence[CredentialsUnavailable] = (),
        helper_path: str | None = None,
        helper_variables: Mapping[str, str] | None = None,
        helper_timeout_s: float = HELPER_TIMEOUT_S,
    ) -> None:
        self.troubles = (*troubles, *(trouble for file in files for trouble in file.troubles))
        self._unread = tuple(troubles)
        self._files = tuple(files)
        self._helpers = Surroundings(helper_path, helper_variables, helper_timeout_s)
        self._answers: dict[tuple[str, str], Future[Login | None]] = {}
        self._lock = threading.Lock()

    @classmethod
    def load(
        cls,
        paths: Sequence[Path],
        *,
        inline: str = "",
        helper_path: str | None = None,
        helper_variables: Mapping[str, str] | None = None,
    ) -> DockerConfig:
        """Read the files that exist; the first one that has a login for a registry wins.

        `inline` is the content of such a file, and comes before all of them. `helper_path` is where helpers are looked
        for, in the form of PATH (None: the PATH of the process). `helper_variables` is their environment (None: that
        of the process). A file that cannot be read is one of the `troubles`.
        """
        files: list[CredentialFile] = []
        troubles: list[CredentialsUnavailable] = []
        content = inline.encode("utf-8", "surrogateescape")
        readings: list[Callable[[], CredentialFile | None]] = [
            lambda: CredentialFile.parse(DOCKER_AUTH_CONFIG, content),
            *(partial(CredentialFile.read, path) for path in dict.fromkeys(paths)),
        ]
        for read in readings:
            try:
                if file := read():
                    files.append(file)
            except CredentialsUnavailable as error:
                troubles.append(error)
        return cls(files, troubles=troubles, helper_path=helper_path, helper_variables=helper_variables)

    def login(self, registry: str, repository: str = "") -> Login | None:
        """The login at `registry` (host[:port]) for `repository`; None if there is none. Raises as `find` does."""
        found = self.find(registry, repository)
        return found[0] if found else None

    def find(self, registry: str, repository: str = "") -> tuple[Login, str] | None:
        """The same login, and in words where it comes from: a file, or a helper.

        Raises `CredentialsUnavailable` if no login is found, and a file, an entry or a helper that might hold one could
        not be used.
        """
        host = key_of(registry)
        troubles: list[CredentialsUnavailable] = []
        for file in self._files:
            for place, look in self._looks(file, host, repository):
                try:
                    if login := look():
                        return login, place
                except CredentialsUnavailable as error:
                    troubles.append(error)
        if troubles or self._unread:
            raise (*troubles, *self._unread)[0]
        return None

    def _looks(
        self, file: CredentialFile, host: str, repository: str
    ) -> Iterator[tuple[str, Callable[[], Login | None]]]:
        """The places where one file may have a login, in order, each with its name."""
        helper = f"a credential helper that {file.path} names"
        yield helper, lambda: self._asked(file.helper_for(host), host, file)
        yield str(file.path), lambda: file.written(host, repository)
        yield helper, lambda: self._asked(file.store, host, file)

    def _asked(self, helper: str | None, host: str, file: CredentialFile) -> Login | None:
        return self._ask(helper, host, file) if helper else None

    def forget(self, registry: str) -> None:
        """Ask the helper again next time: its answer may be a token that has expired."""
        host = key_of(registry)
        with self._lock:
            for key in [key for key in self._answers if key[1] == host]:
                del self._answers[key]

    def _ask(self, helper: str, host: str, file: CredentialFile) -> Login | None:
        """The helper's answer. Answers are remembered; failures too, because they are slow."""
        with self._lock:
            answer = self._answers.get((helper, host))
            first = answer is None
            if answer is None:
                answer = self._answers[helper, host] = Future()
        if first:
            try:
                answer.set_result(ask_helper(helper, host, file.path, self._helpers))
            except BaseException as error:
                answer.set_exception(error)
                if not isinstance(error, CredentialsUnavailable):  # an interrupt does not mean that the next call fails
                    self.forget(host)
        return answer.result()
