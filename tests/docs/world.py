"""The world in which the documentation's commands run: the registries it names, at loopback, under their own names.

A proxy leads `mcr.microsoft.com`, `quay.io`, `registry.local` and `registry.bank.example` to served stores, and
`charts.example.org` to a chart repository; their certificate is signed by an authority of the test. So a command runs
to the letter as it is written, and what it prints is compared with what is shown.
"""

from __future__ import annotations

import contextlib
import os
import socket
import socketserver
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

import trustme
from attrs import field, frozen
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from tests.docs import chartrepository, signedimages
from tests.docs.signedimages import publish_signed
from tests.unit.engines.smallengine import small_engine
from transload.catalog.builtin import load_builtin
from transload.memory import MemoryStore
from transload.oci import Name
from transload.server import ServeSettings, serve
from transload.testing.images import artifact, fill, image, multi_platform, signature
from transload.testing.releases import release

OPEN_REGISTRIES = ("mcr.microsoft.com", "quay.io", "registry.local")
CLOSED_REGISTRY = "registry.bank.example"
USER, PASSWORD = "mirror", "correct horse"
RELEASES = ("v1.44.0_2026-02-10", "v1.45.0_2026-04-14", "v1.46.0_2026-05-12")
RELEASE_BYTES = 24 << 20


@frozen
class World:
    """`folder` is where commands run; `proxy` is host:port of the way to all registries, `docker` an engine."""

    folder: Path
    proxy: str
    target: MemoryStore
    docker: str
    program: Path | None = field(default=None, kw_only=True)
    """A command that is run as `transload`, in place of the installed one."""

    @property
    def environment(self) -> dict[str, str]:
        """Variables for a command: nobody's own settings, the proxy, the authority."""
        own = [self.program.parent] if self.program else []
        places = map(str, [*own, Path(sys.executable).parent, os.environ.get("PATH", os.defpath)])
        return {
            "PATH": os.pathsep.join(places),
            "HOME": str(self.folder),
            "TRANSLOAD_STATE_DIR": str(self.folder / ".state"),
            "TRANSLOAD_CONFIG": str(self.folder / "config.yaml"),
            "TRANSLOAD_CA_FILE": str(self.folder / "site-ca.pem"),
            "DOCKER_HOST": self.docker,
            "HTTPS_PROXY": f"http://{self.proxy}",
            "SSL_CERT_FILE": os.devnull,  # those of the system are not needed, and take 34 ms to read
            "LANG": "C.UTF-8",
        }

    def session(self, commands: list[str]) -> list[tuple[str, int]]:
        """Run commands one after the other in one shell; what each printed, and its exit code."""
        mark = "--- end of command"
        lines = [f"{command}\ncode=$?; echo '{mark}' $code; (exit $code)" for command in commands]
        done = subprocess.run(
            ["bash", "-c", "exec 2>&1\n" + "\n".join(lines)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            cwd=self.folder,
            env=self.environment,
            timeout=240,
            check=False,
        )
        printed: list[tuple[str, int]] = []
        rest = done.stdout
        while mark in rest:
            text, _, rest = rest.partition(mark)
            code, _, rest = rest.partition("\n")
            printed.append((text, int(code)))
        assert len(printed) == len(commands), f"the shell ended early:\n{done.stdout}\n{done.stderr}"
        return printed


class _Way(socketserver.ThreadingTCPServer):
    """An HTTP proxy that knows CONNECT, and only the hosts it was given."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, ports: Mapping[str, int]) -> None:
        super().__init__(("127.0.0.1", 0), _Connect)
        self.ports = ports


class _Connect(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            if not (piece := self.request.recv(4096)):
                return
            head += piece
        host = head.split()[1].decode().rpartition(":")[0]
        assert isinstance(self.server, _Way)
        if host not in self.server.ports:
            self.request.sendall(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
            return
        with socket.create_connection(("127.0.0.1", self.server.ports[host])) as upstream:
            self.request.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            back = threading.Thread(target=_pour, args=(upstream, self.request), daemon=True)
            back.start()
            _pour(self.request, upstream)
            back.join()


def _pour(origin: socket.socket, destination: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while piece := origin.recv(1 << 16):
            destination.sendall(piece)
    with contextlib.suppress(OSError):
        destination.shutdown(socket.SHUT_WR)


@contextlib.contextmanager
def registries(folder: Path) -> Iterator[tuple[Path, Mapping[str, int]]]:
    """The registries that every document reads from, served for the block: authority and certificate files, ports."""
    authority = trustme.CA()
    issued = authority.issue_cert(*OPEN_REGISTRIES, CLOSED_REGISTRY, chartrepository.HOST)
    authority.cert_pem.write_to_path(str(folder / "site-ca.pem"))
    issued.private_key_and_cert_chain_pem.write_to_path(str(folder / "server.pem"))
    settings = ServeSettings(tls_certificate=folder / "server.pem")
    vendor, quay = MemoryStore(), MemoryStore()
    _publish_arcdata(vendor)
    _publish_others(quay)
    publish_signed(vendor, quay, folder)
    charts = chartrepository.chart_repository(folder / "server.pem")
    with serve(vendor, settings) as first, serve(quay, settings) as second, charts as third:
        ports = {"mcr.microsoft.com": _port(first.host_port), "quay.io": _port(second.host_port)}
        yield folder, ports | {chartrepository.HOST: third}


@contextlib.contextmanager
def world(folder: Path, authority: Path, ports: Mapping[str, int], program: Path | None = None) -> Iterator[World]:
    """Fresh targets for the block, and the way to everything."""
    for name in ("site-ca.pem", *signedimages.FILES):
        (folder / name).write_bytes((authority / name).read_bytes())
    _write_keys(folder)
    open_target, closed_target = MemoryStore(), MemoryStore()
    plain = ServeSettings(tls_certificate=authority / "server.pem", writable=True, spool_folder=folder)
    closed = ServeSettings(
        tls_certificate=authority / "server.pem", writable=True, spool_folder=folder, users={USER: PASSWORD}
    )
    with contextlib.ExitStack() as stack:
        targets = {
            "registry.local": stack.enter_context(serve(open_target, plain)),
            CLOSED_REGISTRY: stack.enter_context(serve(closed_target, closed)),
        }
        way = stack.enter_context(
            _Way({**ports, **{host: _port(served.host_port) for host, served in targets.items()}})
        )
        thread = threading.Thread(target=way.serve_forever, daemon=True)
        thread.start()
        stack.callback(thread.join)
        stack.callback(way.shutdown)
        sockets = stack.enter_context(tempfile.TemporaryDirectory())  # whose path is short enough
        engine = stack.enter_context(small_engine(Path(sockets) / "docker.sock"))
        yield World(folder, f"127.0.0.1:{way.server_address[1]}", open_target, engine.address, program=program)


def _port(host_port: str) -> int:
    return int(host_port.rpartition(":")[2])


def _write_keys(folder: Path) -> None:
    """What the openssl commands of the guide to bundles write."""
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "site.key").write_bytes(private)
    (folder / "site.pub").write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))


def _publish_arcdata(vendor: MemoryStore) -> None:
    """Three releases under the names of the built-in catalog, and the chart beside each."""
    catalog = load_builtin("arcdata")
    for version, tag in enumerate(RELEASES, start=1):
        (wanted,) = catalog.releases_in(tag)
        made = release("docs", len(wanted.images), RELEASE_BYTES, version)
        for name, built in zip(wanted.images, made.images.values(), strict=True):
            fill(vendor, built, f"arcdata/{name}", tag)
        fill(vendor, artifact(f"chart {version}"), "arcdata/arcdataservices-extension", wanted.facts["chart"])


def _publish_others(quay: MemoryStore) -> None:
    """cert-manager: images for two platforms; the controller is signed twice, the index and one of its children."""
    controller = multi_platform("controller", (2000, 30_000))
    fill(quay, controller, "jetstack/cert-manager-controller", "v1.14.0")
    for subject in (controller, controller.children[0]):
        signed = signature(subject, f"signature of {subject.digest}")
        fill(quay, signed, "jetstack/cert-manager-controller", None)
    fill(quay, multi_platform("webhook", (2000, 20_000)), "jetstack/cert-manager-webhook", "v1.14.0")
    fill(quay, image("startupapicheck", (2000, 10_000)), "jetstack/cert-manager-startupapicheck", "v1.14.0")
    assert quay.resolve(Name("jetstack/cert-manager-controller", "v1.14.0")).digest == controller.digest
