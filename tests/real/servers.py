"""Debian's docker-registry as a child process on a free loopback port, in the shapes that tests need."""

from __future__ import annotations

import base64
import contextlib
import json
import re
import socket
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from email.message import Message
from pathlib import Path
from typing import Any

import bcrypt
import trustme
from attrs import field, frozen

from tests.real.token_server import READER, WRITER, TokenServer, User

READY_S = 240.0
_LISTENING = re.compile(rb'msg="listening on 127\.0\.0\.1:(\d+)')
_ACCESS = re.compile(r'\] "([A-Z]+ \S+) HTTP/1\.1" (\d{3})')


@frozen
class Registry:
    """A running docker-registry. `certs` has the form of docker's certs.d: ca.crt, client.cert, client.key."""

    host: str
    root: Path
    log: Path
    certs: Path | None = None
    user: User | None = None
    reader: User | None = None
    tokens: TokenServer | None = None
    process: subprocess.Popen[bytes] = field(kw_only=True, repr=False, eq=False)
    port_taken: contextlib.ExitStack = field(factory=contextlib.ExitStack, kw_only=True, repr=False, eq=False)

    @property
    def url(self) -> str:
        """Scheme and host, without a slash at the end."""
        return f"{'https' if self.certs else 'http'}://{self.host}"

    @property
    def ca_file(self) -> Path:
        """The certificate authority that signed the server's certificate."""
        assert self.certs, f"{self.url} has no TLS"
        return self.certs / "ca.crt"

    @property
    def client_certificate(self) -> Path:
        """A client certificate that the server accepts; demanded only where `client_certificates=True` was asked."""
        assert self.certs, f"{self.url} has no TLS"
        return self.certs / "client.cert"

    @property
    def client_key(self) -> Path:
        """The key of `client_certificate`."""
        return self.client_certificate.with_name("client.key")

    def request(
        self,
        path: str,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        user: User | None = None,
        *,
        certificate: bool = True,
    ) -> tuple[int, Message, bytes]:
        """Ask the server by hand: status, headers, body. Refusals are answers; only a broken connection raises."""
        request = urllib.request.Request(self.url + path, body, dict(headers or {}), method=method)
        if user:
            request.add_header("Authorization", "Basic " + base64.b64encode(f"{user}".encode()).decode())
        handlers: list[urllib.request.BaseHandler] = [urllib.request.ProxyHandler({})]
        if self.certs:
            handlers.append(urllib.request.HTTPSHandler(context=self._tls(certificate)))
        try:
            with urllib.request.build_opener(*handlers).open(request, timeout=240) as answer:
                return answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as refusal:
            with refusal:
                return refusal.code, refusal.headers, refusal.read()

    def _tls(self, certificate: bool) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=str(self.ca_file))
        if certificate:
            context.load_cert_chain(self.client_certificate, self.client_key)
        return context

    def requests(self) -> list[tuple[str, int]]:
        """What was asked so far, from the access log: ("GET /v2/", 200).

        The server writes the line of a large body after its last byte is out: what compares asks `all_requests`.
        """
        return [(line, int(status)) for line, status in _ACCESS.findall(self.log.read_text(errors="replace"))]

    def all_requests(self) -> list[tuple[str, int]]:
        """The same, once the server has ended its side of every connection, which it does after writing its lines."""
        deadline = time.monotonic() + READY_S
        while self._connections():
            assert time.monotonic() < deadline, f"a connection to {self.host} stays open"
            time.sleep(0.01)
        return self.requests()

    def _connections(self) -> int:
        """How many the server has open (proc_net_tcp: states ESTABLISHED and CLOSE_WAIT)."""
        port = f":{int(self.host.rpartition(':')[2]):04X}"
        lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        return sum(line[1].endswith(port) and line[3] in {"01", "08"} for line in lines)

    def stop(self) -> None:
        """End the process, as a server that goes away in the middle of a test does. Nobody else gets its port."""
        self.process.terminate()
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        taken = self.port_taken.enter_context(socket.socket())
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with contextlib.suppress(OSError):  # it is taken already
            taken.bind(("127.0.0.1", int(self.host.rpartition(":")[2])))


StartRegistry = Callable[..., Registry]
"""What the fixture `start_registry` gives."""
Skopeo = Callable[..., "subprocess.CompletedProcess[str]"]
"""What the fixture `skopeo` gives."""


@contextlib.contextmanager
def running_registry(
    program: str,
    folder: Path,
    *,
    auth: str | None = None,
    tls: bool = False,
    client_certificates: bool = False,
    config: Mapping[str, Any] | None = None,
) -> Iterator[Registry]:
    """A fresh, empty registry for the block. `config` is merged over its configuration file, key by key."""
    with contextlib.ExitStack() as stack:
        settings = _settings(folder)
        known: dict[str, Any] = {}
        if auth == "htpasswd":
            settings["auth"] = {"htpasswd": {"realm": "test", "path": str(write_htpasswd(folder / "htpasswd", WRITER))}}
            known = {"user": WRITER}
        elif auth == "token":
            tokens = stack.enter_context(TokenServer(folder / "token.pem"))
            settings["auth"] = {"token": tokens.configuration}
            known = {"user": WRITER, "reader": READER, "tokens": tokens}
        elif auth is not None:
            raise ValueError(f"auth {auth!r} is none of htpasswd, token")
        if tls or client_certificates:
            known["certs"] = certs = write_certificates(folder / "certs")
            settings["http"]["tls"] = _tls_settings(certs, client_certificates)
        yield stack.enter_context(_serve(program, folder, merged(settings, config or {}), known))


@contextlib.contextmanager
def _serve(program: str, folder: Path, settings: Mapping[str, Any], known: Mapping[str, Any]) -> Iterator[Registry]:
    (folder / "config.yml").write_text(json.dumps(settings, indent=1))  # JSON is YAML
    log = folder / "registry.log"
    with log.open("wb") as out:
        # Nobody's environment, since docker-registry reads REGISTRY_… variables over its file. It collects its garbage
        # seldom, which took a fifth of its time.
        process = subprocess.Popen(
            [program, "serve", str(folder / "config.yml")], stdout=out, stderr=subprocess.STDOUT, env={"GOGC": "400"}
        )
    registry = Registry("127.0.0.1:0", folder / "storage", log, process=process, **known)
    try:
        registry = Registry(f"127.0.0.1:{_port(registry)}", folder / "storage", log, process=process, **known)
        status, _, _ = registry.request("/v2/")
        assert status in {200, 401}, f"docker-registry answers {status} at {registry.url}/v2/"
        yield registry
    finally:
        registry.stop()
        registry.port_taken.close()
        subprocess.run(["rm", "-rf", str(registry.root)], check=False)  # thousands of files: pytest would take seconds


def _port(registry: Registry) -> int:
    """The port that the kernel chose, as the server logs it once it listens."""
    deadline = time.monotonic() + READY_S
    while time.monotonic() < deadline and registry.process.poll() is None:
        if found := _LISTENING.search(registry.log.read_bytes()):
            return int(found[1])
        time.sleep(0.02)
    raise AssertionError(f"docker-registry did not start:\n{registry.log.read_text(errors='replace')[-2000:]}")


def _settings(folder: Path) -> dict[str, Any]:
    return {
        "version": "0.1",
        "log": {"level": "info", "accesslog": {"disabled": False}},
        "storage": {
            "filesystem": {"rootdirectory": str(folder / "storage")},
            "delete": {"enabled": True},
            "maintenance": {"uploadpurging": {"enabled": False}},
        },
        "http": {"addr": "127.0.0.1:0", "secret": "shared"},
    }


def _tls_settings(certs: Path, client_certificates: bool) -> dict[str, Any]:
    settings: dict[str, Any] = {"certificate": str(certs / "server.cert"), "key": str(certs / "server.key")}
    if client_certificates:
        settings["clientcas"] = [str(certs / "ca.crt")]
    return settings


def write_certificates(folder: Path) -> Path:
    """A certificate authority, a server certificate for loopback and a client certificate, all made anew."""
    folder.mkdir()
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.crt"))
    for name, identities in {"server": ("127.0.0.1", "localhost"), "client": ("client@example.org",)}.items():
        issued = authority.issue_cert(*identities)
        issued.private_key_pem.write_to_path(str(folder / f"{name}.key"))
        (folder / f"{name}.cert").write_bytes(b"".join(part.bytes() for part in issued.cert_chain_pems))
    return folder


def write_htpasswd(path: Path, *users: User) -> Path:
    """Only bcrypt, the one hash that docker-registry takes, at its lowest cost since every request pays it."""
    lines = (f"{user.name}:{bcrypt.hashpw(user.password.encode(), bcrypt.gensalt(4)).decode()}\n" for user in users)
    path.write_text("".join(lines))
    return path


def merged(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`over` laid over `under`, maps key by key; a value of None takes the key away."""
    result = dict(under)
    for key, value in over.items():
        if isinstance(value, Mapping) and isinstance(result.get(key), Mapping):
            result[key] = merged(result[key], value)
        elif value is None:
            result.pop(key, None)
        else:
            result[key] = value
    return result
