"""Whom to believe: TLS contexts from the system's authorities, the user's own, and the hosts named as insecure."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable
from pathlib import Path

from transload.errors import DocumentInvalid
from transload.files import local_errors
from transload.net.settings import NetSettings


class Trust:
    """Makes each context once and only when it is needed, since reading the system's authorities takes a while."""

    def __init__(self, settings: NetSettings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._contexts: dict[bool, ssl.SSLContext] = {}

    def context(self, *, blind: bool) -> ssl.SSLContext:
        """The context that verifies, or with `blind` the one that does not.

        Raises `LocalError` where a file cannot be read, `DocumentInvalid` where it is not PEM.
        """
        with self._lock:
            if blind not in self._contexts:
                self._contexts[blind] = self.make(blind=blind)
            return self._contexts[blind]

    def make(self, *, blind: bool) -> ssl.SSLContext:
        """A context of one's own, to be changed."""
        context = ssl.create_default_context()
        # Python 3.13 began to refuse authorities without key identifiers, which private ones often lack; curl, Go and
        # every registry client take them.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        if blind:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        else:
            for path in self._settings.ca_files:
                _load(path, "holds no certificate authority in PEM form", context.load_verify_locations)
        certificate, key = self._settings.client_certificate, self._settings.client_key
        if certificate:
            _load(
                certificate,
                "is no client certificate in PEM form with its key, or the key is another one's",
                lambda p: context.load_cert_chain(p, key),
            )
        return context


def _load(path: Path, wrong: str, load: Callable[[Path], object]) -> None:
    with local_errors("reading", path):
        path.open("rb").close()  # ssl does not say which file it could not read
    try:
        load(path)
    except ssl.SSLError as error:
        raise DocumentInvalid(f"{path} {wrong}: {error.reason or error}", subject=str(path)) from error
