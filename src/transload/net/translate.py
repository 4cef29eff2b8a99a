"""Turns what urllib3, http.client, ssl and sockets raise into errors of transload."""

from __future__ import annotations

import errno
import http.client
import os
import socket
import ssl
from collections.abc import Iterator

from urllib3 import exceptions

from transload.allowance import no_memory
from transload.errors import (
    AccessDenied,
    HostUnknown,
    Interrupted,
    ProtocolTrouble,
    Stalled,
    TooSlow,
    TransloadError,
    Truncated,
    Unreachable,
)
from transload.expressions import late
from transload.files import local_error
from transload.net.address import Origin
from transload.net.certificate import Ask, untrusted
from transload.net.flight import Verdict
from transload.net.settings import NetSettings

FOREIGN = (exceptions.HTTPError, http.client.HTTPException, OSError)
"""The exceptions that `translated` understands."""
_TUNNEL = late(r"Tunnel connection failed: (\d{3}).*")
_CONNECTION = late(r"^\w+\(host=.*?\): ")  # urllib3 begins its texts with the object that failed
_OURS = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS}  # the trouble is on this machine, not at the host
_UNREACHABLE = {
    errno.ECONNREFUSED: "refuses connections",
    errno.EHOSTUNREACH: "cannot be reached: no route to it",
    errno.ENETUNREACH: "cannot be reached: no network leads to it",
    errno.ECONNRESET: "closed the connection",
    errno.EPIPE: "closed the connection",
    errno.ECONNABORTED: "closed the connection",
}
# Others (EAI_AGAIN, EAI_FAIL) mean that nobody could say. EAI_NODATA: the name is known, but has no address.
_NO_SUCH_NAME = {
    getattr(socket, name) for name in ("EAI_NONAME", "EAI_NODATA", "EAI_ADDRFAMILY") if hasattr(socket, name)
}


def translated(
    error: BaseException,
    origin: Origin,
    doing: str,
    stall_timeout_s: float,
    *,
    ask_certificate: Ask = lambda: None,
    now_s: float = 0,
) -> TransloadError:
    """The error to raise in place of `error`, which happened while `doing` something at `origin`.

    `ask_certificate` fetches the server's certificate where its name or date is the trouble. `now_s` is the time in
    seconds since 1970.
    """
    causes = list(_causes(error))
    host = origin.netloc
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return untrusted(cause, origin, doing, ask_certificate, now_s)
        if isinstance(cause, MemoryError) or (isinstance(cause, ssl.SSLError) and "malloc failure" in str(cause)):
            return no_memory()
        trouble = _certainly(cause, origin, doing)
        if trouble:
            return trouble
    if any(_is_connect_timeout(cause) for cause in causes):
        return Unreachable(
            f"{doing}: {host} does not answer",
            subject=host,
            hint="often the cause is a firewall, or a proxy setting that is missing",
        )
    if any(isinstance(cause, (exceptions.ReadTimeoutError, TimeoutError)) for cause in causes):
        return Stalled(f"{doing}: nothing moved for {stall_timeout_s:g} s at {host}", subject=host)
    if any(isinstance(cause, (exceptions.IncompleteRead, http.client.IncompleteRead)) for cause in causes):
        return Truncated(f"{doing}: the answer of {host} ended before its promised length", subject=host)
    return _broken(causes, origin, doing)


def was_cut(
    verdict: Verdict, origin: Origin, doing: str, window_s: float, settings: NetSettings
) -> TransloadError | None:
    """The error for a connection that we ended; None if the host's budget decides."""
    host = origin.netloc
    if verdict == "slow":
        return TooSlow(
            f"{doing}: less than {settings.min_rate:g} B/s for {window_s:g} s at {host}",
            subject=host,
            hint="if the line is no better, lower --min-rate",
        )
    if verdict == "interrupted":
        return Interrupted("interrupted")
    return Stalled(f"{doing}: {host} does not answer", subject=host)


def _is_connect_timeout(cause: BaseException) -> bool:
    """In urllib3 `NewConnectionError` is a kind of connect timeout, but it also stands for a refusal."""
    return isinstance(cause, exceptions.ConnectTimeoutError) and not isinstance(cause, exceptions.NewConnectionError)


def _certainly(cause: BaseException, origin: Origin, doing: str) -> TransloadError | None:
    host = origin.netloc
    if isinstance(cause, exceptions.ProxyError):
        return _proxy_trouble(cause, host, doing)
    if isinstance(cause, OSError) and cause.errno in _OURS:
        return local_error(cause, doing, host)
    if isinstance(cause, exceptions.NameResolutionError):
        return _unresolved(cause, f"the host name {origin.host}", host, doing)
    return None


def _unresolved(cause: exceptions.NameResolutionError, name: str, host: str, doing: str) -> TransloadError:
    """A name without an address: unknown, or no name server says whether it is known (POSIX, getaddrinfo)."""
    if trouble := _no_free_file():  # a name lookup needs a free file
        return local_error(trouble, doing, host)
    reason = next((reason for reason in _causes(cause) if isinstance(reason, socket.gaierror)), None)
    if reason is None or reason.errno in _NO_SUCH_NAME:
        return HostUnknown(
            f"{doing}: {name} is not known",
            subject=host,
            hint="check the spelling, the name server and the proxy settings",
        )
    return Unreachable(
        f"{doing}: no name server answers for {name}",
        subject=host,
        hint="check the network of this machine and its name servers (/etc/resolv.conf)",
    )


def known_before(error: HostUnknown) -> Unreachable:
    """The error for a name that had an address earlier in this run: it may have one again."""
    return Unreachable(
        f"{error.message} any more",
        subject=error.subject,
        hint="it was known a while ago: check the network of this machine and its name servers",
    )


def sent_on(error: TransloadError, asked: Origin, origin: Origin) -> TransloadError:
    """The error with a note that `asked` sent us to this host, by a redirect or as the address of an upload."""
    if not isinstance(error, Unreachable):
        return error
    return type(error)(
        f"{error.message} ({asked.netloc} sent us to {origin.netloc})",
        subject=error.subject,
        hint=f"if only {asked.netloc} can reach {origin.netloc}, let it give an address that works from here"
        f", or use a proxy; otherwise: {error.hint or 'try again'}",
        retry_after_s=error.retry_after_s,
    )


def _no_free_file() -> OSError | None:
    try:
        os.close(os.open(os.devnull, os.O_RDONLY))
    except OSError as error:
        return error
    return None


def proxy_refusal(doing: str) -> AccessDenied:
    """The error for a 407, an answer that only a proxy gives (RFC 9110, section 15.5.8)."""
    return AccessDenied(
        f"{doing}: the proxy asks for credentials (407), or does not accept those it got",
        hint="write them into its URL: http://user:password@proxy:3128",
    )


def _proxy_trouble(cause: exceptions.ProxyError, host: str, doing: str) -> TransloadError:
    answered = _TUNNEL.search(str(cause.original_error))
    if isinstance(cause.original_error, exceptions.NameResolutionError):
        return _unresolved(cause.original_error, "the host name of the proxy", host, doing)
    if answered is None:
        reason = _last(cause.original_error)
        return Unreachable(f"{doing}: the proxy cannot be used: {reason}", hint="check the proxy URL")
    status, line = int(answered[1]), answered[0].partition(": ")[2][:120]
    if status == 407:
        return proxy_refusal(doing)
    if status in {502, 503, 504}:
        return Unreachable(
            f"{doing}: the proxy cannot reach {host} ({line})",
            subject=host,
            hint=f"check the name {host}, or name it in NO_PROXY if it can be reached without the proxy",
        )
    return AccessDenied(
        f"{doing}: the proxy does not let the connection to {host} through ({line})",
        subject=host,
        hint=f"have the proxy allow {host}, or name it in NO_PROXY if it can be reached without the proxy",
    )


def _broken(causes: list[BaseException], origin: Origin, doing: str) -> TransloadError:
    host = origin.netloc
    for cause in causes:
        if isinstance(cause, http.client.RemoteDisconnected):
            return Unreachable(f"{doing}: {host} closed the connection without an answer", subject=host)
        if isinstance(cause, (ssl.SSLZeroReturnError, ssl.SSLEOFError)):
            return Unreachable(f"{doing}: {host} closed the connection", subject=host)
        if isinstance(cause, ssl.SSLError):
            return _tls_trouble(cause, origin, doing)
        if isinstance(cause, (http.client.HTTPException, exceptions.LocationParseError)):
            return ProtocolTrouble(
                f"{doing}: {host} does not answer in HTTP: {type(cause).__name__} {str(cause)[:120]}".rstrip(),
                subject=host,
                hint="is this the registry's address and port",
            )
    for cause in causes:
        if isinstance(cause, OSError) and cause.errno in _UNREACHABLE:
            return Unreachable(
                f"{doing}: {host} {_UNREACHABLE[cause.errno]}",
                subject=host,
                hint="check host and port; the server may be down, or a firewall or proxy in between",
            )
    return Unreachable(f"{doing}: the connection to {host} broke: {_last(causes[-1])}", subject=host)


def _tls_trouble(cause: ssl.SSLError, origin: Origin, doing: str) -> TransloadError:
    host, reason = origin.netloc, cause.reason or ""
    message = f"{doing}: {host} refuses the TLS connection ({reason.lower().replace('_', ' ')})"
    if reason in {"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE"}:
        return ProtocolTrouble(
            f"{doing}: {host} does not speak TLS",
            subject=host,
            hint=f"if this registry works without TLS, add --plain-http {host}",
        )
    if any(sign in reason for sign in ("PROTOCOL_VERSION", "UNSUPPORTED_PROTOCOL", "TOO_SMALL", "TOO_WEAK")):
        return ProtocolTrouble(
            f"{doing}: the TLS that {host} speaks is too old or too weak ({reason.lower().replace('_', ' ')})",
            subject=host,
            hint=f"have {host} speak TLS 1.2 or newer with keys of 2048 bits or more",
        )
    if any(sign in reason for sign in ("UNKNOWN_CA", "BAD_CERTIFICATE", "CERTIFICATE_EXPIRED", "CERTIFICATE_UNKNOWN")):
        return AccessDenied(
            message, subject=host, hint="it does not take the client certificate: check --client-cert and --client-key"
        )
    if "UNRECOGNIZED_NAME" in reason:
        return ProtocolTrouble(message, subject=host, hint=f"the server knows no host {origin.host}: check the name")
    if "CERTIFICATE_REQUIRED" in reason or "HANDSHAKE_FAILURE" in reason:
        return AccessDenied(
            message, subject=host, hint="it may ask for a client certificate: --client-cert FILE --client-key FILE"
        )
    return Unreachable(f"{doing}: TLS with {host} fails: {reason or cause}", subject=host)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """An exception, then all that it wraps. urllib3 keeps causes as arguments too, not only as `__cause__`."""
    seen: set[int] = set()
    waiting = [error]
    while waiting:
        current = waiting.pop(0)
        if current is None or id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        waiting += [argument for argument in current.args if isinstance(argument, BaseException)]
        waiting += [getattr(current, "original_error", None), current.__cause__, current.__context__]


def _last(error: BaseException) -> str:
    text = (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
    return _CONNECTION.sub("", text)[:160]
