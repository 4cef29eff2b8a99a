"""A token server of the kind docker-registry sends its clients to: checks Basic credentials, signs ES256 tokens.

The protocol is distribution's `docs/spec/auth`: GET with Basic credentials (token.md), POST as OAuth2 (oauth.md), and
the claims of jwt.md. The registry trusts the certificate that travels in the token's `x5c` header.
"""

from __future__ import annotations

import base64
import datetime
import json
import secrets
import threading
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, urlsplit

from attrs import frozen
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

# distribution takes a token this long after it expired (registry/auth/token, Leeway); taken off what is signed, so
# that the registry refuses a token at the moment that `expires_in` announced.
LEEWAY_S = 60


@frozen
class User:
    """Somebody the servers know; `str()` is the form that Basic credentials and skopeo's --creds take."""

    name: str
    password: str
    actions: frozenset[str]

    def __str__(self) -> str:
        return f"{self.name}:{self.password}"


WRITER = User("writer", "w:rite r€", frozenset({"pull", "push", "delete", "*"}))
READER = User("reader", "read-only", frozenset({"pull"}))
ANONYMOUS = User("", "", frozenset())


@frozen
class TokenRequest:
    """What one client asked: the method, the user it proved to be ("" for anonymous), the scopes, what was answered."""

    method: str
    user: str
    scopes: tuple[str, ...]
    status: int


class TokenServer:
    """Serves tokens at `realm` while its block lasts.

    WRITER may do everything, READER may pull, anybody may pull from repositories that begin with `public`.
    Tests may change: `expiry_s` (what new tokens live), `oauth` (False: POST answers 404, as old servers do).
    """

    service = "registry.test"
    issuer = "tokens.test"
    public = "public/"

    def __init__(self, certificate: Path) -> None:
        self.expiry_s = 300
        self.oauth = True
        self.requests: list[TokenRequest] = []
        self.refresh_tokens: dict[str, User] = {}
        self._signer = _Signer(certificate)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.tokens = self  # type: ignore[attr-defined]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="tokens", daemon=True)

    @property
    def realm(self) -> str:
        """Where clients ask for tokens."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/token"

    @property
    def configuration(self) -> dict[str, str]:
        """The `auth.token` part of docker-registry's configuration."""
        return {
            "realm": self.realm,
            "service": self.service,
            "issuer": self.issuer,
            "rootcertbundle": str(self._signer.certificate),
        }

    def __enter__(self) -> TokenServer:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    def answer(self, method: str, user: User | None, scopes: list[str], extra: Mapping[str, Any]) -> tuple[int, Any]:
        """Status and document for one request; `user` is None when the credentials were wrong."""
        status = 401 if user is None else 200
        self.requests.append(TokenRequest(method, user.name if user else "?", tuple(scopes), status))
        if user is None:
            return status, {"errors": [{"code": "UNAUTHORIZED", "message": "wrong user name or password"}]}
        token = self.token(user, scopes)
        return status, {"token": token, "access_token": token, "expires_in": self.expiry_s, **extra}

    def token(self, user: User, scopes: list[str]) -> str:
        """A token for what `user` may do within `scopes`."""
        now = int(time.time())
        return self._signer.sign(
            {
                "iss": self.issuer,
                "sub": user.name,
                "aud": self.service,
                "iat": now,
                "nbf": now - 10,
                "exp": now + self.expiry_s - LEEWAY_S,
                "jti": secrets.token_hex(8),
                "access": [self._granted(user, scope) for part in scopes for scope in part.split()],
            }
        )

    def _granted(self, user: User, scope: str) -> dict[str, Any]:
        kind, _, rest = scope.partition(":")
        name, _, actions = rest.rpartition(":")
        allowed = user.actions | ({"pull"} if name.startswith(self.public) else set())
        return {"type": kind, "name": name, "actions": [each for each in actions.split(",") if each in allowed]}

    def user(self, name: str, password: str) -> User | None:
        """Whom these credentials belong to."""
        return next((user for user in (WRITER, READER) if (user.name, user.password) == (name, password)), None)

    def refresh_token(self, user: User) -> str:
        """An identity token, as `docker login` stores it when the server offers one."""
        token = secrets.token_urlsafe(24)
        self.refresh_tokens[token] = user
        return token


class _Handler(BaseHTTPRequestHandler):
    """Reads the two forms of the request; `server.tokens` decides."""

    @property
    def tokens(self) -> TokenServer:
        return self.server.tokens  # type: ignore[attr-defined,no-any-return]

    def do_GET(self) -> None:
        scheme, _, encoded = self.headers.get("Authorization", "").partition(" ")
        user: User | None = ANONYMOUS
        if scheme.lower() == "basic":
            name, _, password = base64.b64decode(encoded).decode().partition(":")
            user = self.tokens.user(name, password)
        query = parse_qs(urlsplit(self.path).query)
        offline = user and user is not ANONYMOUS and query.get("offline_token") == ["true"]
        extra = {"refresh_token": self.tokens.refresh_token(user)} if user and offline else {}
        self._send(*self.tokens.answer("GET", user, query.get("scope", []), extra))

    def do_POST(self) -> None:
        form = parse_qs(self.rfile.read(int(self.headers.get("Content-Length", 0))).decode())
        first = {key: values[0] for key, values in form.items()}
        if not self.tokens.oauth:
            self._send(404, {})
            return
        extra: dict[str, str] = {}
        if first.get("grant_type") == "refresh_token":
            user = self.tokens.refresh_tokens.get(first.get("refresh_token", ""))
        else:
            user = self.tokens.user(first.get("username", ""), first.get("password", ""))
            if user and first.get("access_type") == "offline":
                extra["refresh_token"] = self.tokens.refresh_token(user)
        self._send(*self.tokens.answer("POST", user, form.get("scope", []), extra))

    def _send(self, status: int, document: Any) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Silence; `TokenServer.requests` tells more."""


class _Signer:
    """An ES256 key and its self-signed certificate, written where the registry can read it."""

    def __init__(self, certificate: Path) -> None:
        self.certificate = certificate
        self._key = ec.generate_private_key(ec.SECP256R1())
        made = self._certificate()
        certificate.write_bytes(made.public_bytes(Encoding.PEM))
        self._chain = [base64.b64encode(made.public_bytes(Encoding.DER)).decode()]

    def _certificate(self) -> x509.Certificate:
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "token signer")])
        now = datetime.datetime.now(datetime.UTC)
        builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(self._key.public_key())
        builder = builder.serial_number(x509.random_serial_number())
        builder = builder.not_valid_before(now - datetime.timedelta(hours=1))
        builder = builder.not_valid_after(now + datetime.timedelta(days=1))
        return builder.sign(self._key, hashes.SHA256())

    def sign(self, claims: Mapping[str, Any]) -> str:
        """A JSON web token (RFC 7519); ES256 wants the two numbers side by side, 32 bytes each (RFC 7518, 3.4)."""
        header = {"typ": "JWT", "alg": "ES256", "x5c": self._chain}
        signed = f"{_encoded(json.dumps(header).encode())}.{_encoded(json.dumps(claims).encode())}"
        r, s = decode_dss_signature(self._key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
        return f"{signed}.{_encoded(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


def _encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
