"""Whether a loopback port speaks TLS, found out without an HTTP request, so that test registries need no flag."""

from __future__ import annotations

import socket
import ssl

from transload.net.address import Origin

_PATIENCE_S = 2.0


def speaks_tls(origin: Origin, connect_timeout_s: float) -> bool:
    """Offer TLS and see. Raises `OSError` where nobody listens, `TimeoutError` where nobody answers.

    The offer carries line ends in its list of protocols, so that a plain HTTP server, which reads lines, answers at
    once that it does not understand, rather than wait for more.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # nothing is said or believed here; the real connection verifies
    context.set_alpn_protocols(["http/1.1", "\r\n\r\n"])
    with socket.create_connection((origin.host, origin.port), timeout=min(connect_timeout_s, _PATIENCE_S)) as plain:
        plain.settimeout(_PATIENCE_S)
        try:
            with context.wrap_socket(plain, server_hostname=origin.host):
                return True
        except ssl.SSLError as error:
            return not _means_plain(error)
        except OSError:  # it hung up, or waits for the end of a line that never comes
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
