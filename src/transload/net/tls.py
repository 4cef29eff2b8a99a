"""Whom to trust: TLS contexts from the system's authorities, the user's own, and the hosts named as insecure."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from transload.errors import DocumentInvalid, TransloadError
from transload.files import local_errors, open_file
from transload.net.address import Origin
from transload.net.certsd import HostCertificates, certificates_for
from transload.net.lookup import as_asked
from transload.net.settings import NetSettings
from transload.values import frozen

_PROBE_S = 2.0


@frozen
class Circle:
    """Hosts that share one TLS context: whether certificates go unchecked, and the folders of docker and podman.

    `shown`: whether these hosts get the client certificate in the folders.
    """

    blind: bool = False
    folder: HostCertificates | None = None
    shown: bool = True


class Trust:
    """Makes each context once and only when it is needed, because reading the system's authorities takes time.

    `notice` is called with a sentence for each file in docker's and podman's folders that cannot be used.
    """

    def __init__(self, settings: NetSettings, notice: Callable[[str], None] = lambda _: None) -> None:
        self._settings = settings
        self._notice = notice
        self._lock = threading.Lock()
        self._contexts: dict[Circle, ssl.SSLContext] = {}
        self._circles: dict[tuple[Origin, Origin], Circle] = {}

    def circle(self, origin: Origin, registry: Origin | None = None) -> Circle:
        """The circle of `origin`, when it is asked for `registry` (None: for itself).

        A registry's authorities also count for its token server and its storage, as in docker and podman. Its client
        certificate is shown to its own host only.
        """
        registry = registry or origin
        known = self._circles.get((origin, registry))
        if known is None:
            folder = certificates_for(registry, self._settings.certificate_folders)
            known = Circle(self._settings.trusts_blindly(origin), folder, shown=origin.host == registry.host)
            self._circles[origin, registry] = known
        return known

    def context(self, circle: Circle) -> ssl.SSLContext:
        """The context of a circle.

        Raises `LocalError` if a file cannot be read, `DocumentInvalid` if it is not PEM.
        """
        with self._lock:
            if circle not in self._contexts:
                self._contexts[circle] = self.make(circle)
            return self._contexts[circle]

    def make(self, circle: Circle) -> ssl.SSLContext:
        """A new context, which the caller may change."""
        context = ssl.create_default_context()
        # Since Python 3.13, authorities without key identifiers are refused. Private ones often lack them; curl, Go and
        # every registry client accept them.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        # Trust what the user names, also where it is not a root: an intermediate authority or the server's own
        # certificate. curl and Go do the same.
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        # RFC 9525 and docker ignore the common name; OpenSSL uses it where there is no alternative name.
        context.hostname_checks_common_name = False
        if circle.blind:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        else:
            for path in self._settings.ca_files:
                _load_authorities(context, path)
        if circle.folder:
            self._add(circle.folder, circle, context)
        certificate = self._settings.client_certificate
        if certificate:
            _load_pair(context, certificate, self._settings.client_key or certificate)
        return context

    def _add(self, folder: HostCertificates, circle: Circle, context: ssl.SSLContext) -> None:
        """Load what the folders hold, as far as possible. A client certificate that the user named goes first."""
        troubles = list(folder.troubles)
        loads: list[Callable[[], None]] = []
        if not circle.blind:
            loads += [partial(_load_authorities, context, path) for path in folder.authorities]
        if circle.shown and not self._settings.client_certificate:
            # of several pairs with the same kind of key, OpenSSL keeps the last
            loads += [partial(_load_pair, context, *pair) for pair in reversed(folder.pairs)]
        for load in loads:
            try:
                load()
            except TransloadError as error:
                troubles.append(str(error))
        for trouble in troubles:
            self._notice(trouble)


def _load_authorities(context: ssl.SSLContext, path: Path) -> None:
    _load(path, "holds no certificate authority in PEM form", context.load_verify_locations)


def _load_pair(context: ssl.SSLContext, certificate: Path, key: Path) -> None:
    def passphrase() -> str:  # without this, OpenSSL would ask for it on the terminal
        hint = f"write it without: openssl pkey -in {key.name} -out NEW"
        raise DocumentInvalid(f"{key} has a passphrase", subject=str(key), hint=hint)

    with local_errors("reading", key):
        open_file(key).close()
    both = "is no" if key == certificate else f"and {key.name} are no"
    _load(
        certificate,
        f"{both} client certificate in PEM form with its key",
        lambda path: context.load_cert_chain(path, key, passphrase),
    )


def _load(path: Path, wrong: str, load: Callable[[Path], object]) -> None:
    with local_errors("reading", path):
        open_file(path).close()  # ssl does not say which file it could not read
    try:
        load(path)
    except ssl.SSLError as error:
        raise DocumentInvalid(f"{path} {wrong}: {error.reason or error}", subject=str(path)) from error


def speaks_tls(origin: Origin, connect_timeout_s: float) -> bool:
    """Whether the server speaks TLS. Raises `OSError` if nothing listens, `TimeoutError` if there is no answer.

    The list of protocols in the offer contains line ends. A plain HTTP server reads lines, so it answers at once that
    it does not understand, and does not wait for more.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # nothing is sent or trusted here; the real connection verifies
    context.set_alpn_protocols(["http/1.1", "\r\n\r\n"])
    host = as_asked(origin.host)
    place: Any = host, origin.port  # type checkers know only texts
    with socket.create_connection(place, min(connect_timeout_s, _PROBE_S)) as plain:
        plain.settimeout(_PROBE_S)
        try:
            with context.wrap_socket(plain, server_hostname=host):
                return True
        except ssl.SSLError as error:
            return not _means_plain(error)
        except OSError:  # it closed the connection, or waits for the end of a line
            return False


def _means_plain(error: ssl.SSLError) -> bool:
    if isinstance(error, (ssl.SSLEOFError, ssl.SSLZeroReturnError)):
        return True
    return error.reason in {
        "WRONG_VERSION_NUMBER",
        "HTTP_REQUEST",
        "UNEXPECTED_EOF_WHILE_READING",
        "RECORD_LAYER_FAILURE",
    }
