"""Why a certificate was not trusted, in words: each cause with a hint that fits it."""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from transload.errors import CertificateUntrusted
from transload.net.address import Origin
from transload.values import frozen

# X509_V_ERR_… of OpenSSL (openssl/x509_vfy.h); the ssl module passes the numbers on, but has no names for them.
_NOT_YET_VALID, _EXPIRED = 9, 10
_SELF_SIGNED = 18
_UNKNOWN_AUTHORITY = frozenset({2, 19, 20, 21, 27})
_WRONG_NAME = frozenset({62, 64})
_WEAK = frozenset({66, 67, 68})
_WRONG_PURPOSE = frozenset({24, 26, 79})
_NO_CHECK_TIME = 0x200000  # X509_V_FLAG_NO_CHECK_TIME, the ssl module has no name for it either

_NAMES = 5
_NAME_LENGTH = 253  # of a host name (RFC 1035)


@frozen
class Certificate:
    """For which hosts a server's certificate is, who issued it, and when it is valid, in seconds since 1970."""

    names: tuple[str, ...] = ()
    issuer: str = ""
    not_before_s: float = 0
    not_after_s: float = float("inf")


Ask = Callable[[], Certificate | None]


def shown_by(origin: Origin, context: ssl.SSLContext, timeout_s: float) -> Certificate | None:
    """The server's certificate, read without a check of name and date; None if it cannot be read.

    `context` is changed for that. It still verifies who issued the certificate. Only the handshake is sent.
    """
    context.check_hostname = False
    context.verify_flags |= _NO_CHECK_TIME
    with contextlib.suppress(OSError, ValueError), socket.create_connection((origin.host, origin.port), timeout_s) as s:
        s.settimeout(timeout_s)
        with context.wrap_socket(s, server_hostname=origin.host) as secured:
            return _read(secured.getpeercert() or {})
    return None


def _read(shown: Mapping[str, object]) -> Certificate:
    listed = shown.get("subjectAltName")
    pairs = listed if isinstance(listed, tuple) else ()
    names = tuple(str(value)[:_NAME_LENGTH] for kind, value in pairs if kind in {"DNS", "IP Address"})
    before, after = (str(shown[key]) for key in ("notBefore", "notAfter"))
    issuer = _named(shown.get("issuer"))
    return Certificate(names, issuer, ssl.cert_time_to_seconds(before), ssl.cert_time_to_seconds(after))


def _named(issuer: object) -> str:
    """The common name of an issuer as `getpeercert` gives it, else its organization; may be empty."""
    parts = {part[0][0]: str(part[0][1]) for part in issuer if part} if isinstance(issuer, tuple) else {}
    return (parts.get("commonName") or parts.get("organizationName") or "")[:_NAME_LENGTH]


def untrusted(
    cause: ssl.SSLCertVerificationError, origin: Origin, doing: str, ask: Ask, now_s: float
) -> CertificateUntrusted:
    """The error for a certificate that is not trusted. `ask` fetches it where the cause is its name or its date."""
    host, code = origin.netloc, cause.verify_code
    unverified = f"skip the check for this host with --insecure-tls {host}"
    if code in _WRONG_NAME:
        problem, hint = _wrong_name(origin, ask())
    elif code in {_EXPIRED, _NOT_YET_VALID}:
        problem, hint = _wrong_date(host, code, ask(), now_s)
    elif code == _SELF_SIGNED:
        problem = f"the certificate of {host} is signed by itself, not by an authority"
        hint = "if it is yours, name the certificate itself with --ca-file FILE"
    elif code in _UNKNOWN_AUTHORITY:
        problem = f"the certificate of {host} is not trusted: no authority known here has issued it ({_reason(cause)})"
        hint = "name the authority with --ca-file FILE; if you did, the server lacks the intermediate: add it to FILE"
        if not system_has_authorities():
            problem += "; this system has no list of certificate authorities"
            hint = "install the system's package ca-certificates, or name the authority with --ca-file FILE"
    elif code in _WEAK:
        problem = f"the certificate of {host} is too weak to be trusted ({_reason(cause)})"
        hint = "have it issued again, with a key of 2048 bits or more and SHA-256"
    elif code in _WRONG_PURPOSE:
        problem = f"the certificate of {host}, or its authority's, is not made for this use ({_reason(cause)})"
        hint = "have it issued again for server authentication"
    else:
        problem, hint = f"the certificate of {host} is not trusted: {_reason(cause)}", f"correct it on {host}"
    return CertificateUntrusted(f"{doing}: {problem}", subject=host, hint=f"{hint}, or {unverified}")


def system_has_authorities() -> bool:
    """Whether there is anything where OpenSSL looks for the system's certificate authorities."""
    paths = ssl.get_default_verify_paths()
    with contextlib.suppress(OSError):
        return paths.cafile is not None or (paths.capath is not None and any(Path(paths.capath).iterdir()))
    return False


def _reason(cause: ssl.SSLCertVerificationError) -> str:
    return (cause.verify_message or cause.reason or "no reason given").rstrip(".")


def _wrong_name(origin: Origin, shown: Certificate | None) -> tuple[str, str]:
    problem = f"the certificate of {origin.netloc} is not for {origin.host}"
    if shown is None or not shown.names:
        problem += "" if shown is None else "; it names no host at all in subjectAltName, the only place that counts"
        return problem, f"have it issued for {origin.host}, or use the name that it is for"
    names = [name for name in shown.names if name.isprintable()][:_NAMES]
    more = ", …" if len(shown.names) > len(names) else ""
    hint = f"use one of its names instead of {origin.host}, or have it issued for {origin.host} too"
    return f"{problem}, but for {', '.join(names)}{more}", hint


def _wrong_date(host: str, code: int, shown: Certificate | None, now_s: float) -> tuple[str, str]:
    expired = code == _EXPIRED
    clock = f"the clock of this machine, which says {_date(now_s)}"
    hint = f"renew it on {host}, or check {clock}" if expired else f"check {clock}"
    if shown is not None and expired and shown.not_after_s < now_s:
        return f"the certificate of {host} expired on {_date(shown.not_after_s)}", hint
    if shown is not None and not expired and shown.not_before_s > now_s:
        return f"the certificate of {host} is not valid before {_date(shown.not_before_s)}", hint
    problem = "is out of date" if expired else "is not valid yet"
    whose = f"the certificate of {host}" if shown is None else f"a certificate of the authorities of {host}"
    return f"{whose} {problem}", hint


def _date(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(seconds))
