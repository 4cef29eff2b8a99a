"""What is shown in pictures of terminals: each scene runs the program in a world of its own."""

from __future__ import annotations

import shutil
import socket
import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from tests.docs.world import World, registries, world
from tests.pictures.terminals import Terminal, picture

NEEDED = "".join(
    f"quay.io/jetstack/cert-manager-{name}:v1.14.0\n" for name in ("controller", "startupapicheck", "webhook")
)
_BYTES_PER_S = 3 << 20
_PIECE = 16 << 10


class _SlowLine(socketserver.ThreadingTCPServer):
    """Leads to a proxy, over a line that has so many bytes a second."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, proxy: str) -> None:
        super().__init__(("127.0.0.1", 0), _Slow)
        host, _, port = proxy.rpartition(":")
        self.proxy = (host, int(port))
        self.lock = threading.Lock()
        self.free_s = 0.0

    def take_turn(self, size: int) -> None:
        """Wait until the line has carried so many bytes more."""
        with self.lock:
            now_s = time.monotonic()
            self.free_s = max(self.free_s, now_s) + size / _BYTES_PER_S
            wait_s = self.free_s - now_s
        time.sleep(wait_s)


class _Slow(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        line = self.server
        assert isinstance(line, _SlowLine)
        with socket.create_connection(line.proxy) as upstream:
            forth = threading.Thread(target=_pour, args=(self.request, upstream), daemon=True)
            forth.start()
            _pour(upstream, self.request, line.take_turn)


def _pour(origin: socket.socket, destination: socket.socket, turn: Callable[[int], None] = lambda _: None) -> None:
    with suppress(OSError):
        while piece := origin.recv(_PIECE):
            turn(len(piece))
            destination.sendall(piece)
    with suppress(OSError):
        destination.shutdown(socket.SHUT_WR)


@contextmanager
def slow_line(here: World) -> Iterator[dict[str, str]]:
    """The variables of a command that is to be looked at while it runs."""
    with _SlowLine(here.proxy) as line:
        threading.Thread(target=line.serve_forever, daemon=True).start()
        yield {"HTTPS_PROXY": f"http://127.0.0.1:{line.server_address[1]}"}
        line.shutdown()


@contextmanager
def desk() -> Iterator[tuple[World, Terminal]]:
    """A fresh folder, with the list that the commands name."""
    with ExitStack() as stack:
        places = [Path(stack.enter_context(TemporaryDirectory(prefix="pictures-"))) for _ in range(2)]
        authority, ports = stack.enter_context(registries(places[0]))
        here = stack.enter_context(world(places[1], authority, ports))
        (here.folder / "needed.txt").write_text(NEEDED)
        key = Ed25519PrivateKey.from_private_bytes(b"pictures" * 4)  # the same signature each time
        (here.folder / "site.key").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        (here.folder / "site.pub").write_bytes(public)
        for host in ("quay.io", "mcr.microsoft.com", "registry.local"):  # no path of this machine in any command
            trusted = here.folder / ".config" / "containers" / "certs.d" / host
            trusted.mkdir(parents=True)
            shutil.copy(here.folder / "site-ca.pem", trusted / "ca.crt")
        yield here, Terminal(here)


def draw_terminals(folder: Path) -> None:
    """Draw all of them."""
    for scene in (_plan, _mirror, _failed, _bundle, _status):
        with desk() as (here, terminal):
            scene(here, terminal, folder)


def _ran(terminal: Terminal, command: str, code: int = 0, **variables: str) -> tuple[str, str]:
    with terminal.running(command, **variables):
        ended = terminal.wait()
        screen = terminal.screen()
    assert ended == code, f"{command} ended with {ended}:\n{screen}"
    return command, screen


def _plan(_: World, terminal: Terminal, folder: Path) -> None:
    command = "transload plan needed.txt --to registry.local/tools"
    picture(folder / "plan.svg", f"A terminal: {command}", _ran(terminal, command))


def _mirror(here: World, terminal: Terminal, folder: Path) -> None:
    command = "transload mirror arcdata --to registry.local/arcdata"
    with slow_line(here) as slow, terminal.running(command, **slow):
        terminal.until(r"\b1[5-9](\.\d)? of 24 MiB .*MiB/s")
        moving = terminal.screen()
        assert terminal.wait() == 0
        done = terminal.screen()
    picture(folder / "mirror-running.svg", f"A terminal while it copies: {command}", (command, moving))
    picture(folder / "mirror-done.svg", f"A terminal when all is copied: {command}", (command, done))


def _failed(here: World, terminal: Terminal, folder: Path) -> None:
    (here.folder / "needed.txt").write_text(NEEDED + "quay.io/jetstack/cert-manager-cainjector:v1.14.0\n")
    command = "transload mirror needed.txt --to registry.local/tools"
    picture(folder / "failed.svg", f"A terminal after a run that failed: {command}", _ran(terminal, command, 1))


def _bundle(_: World, terminal: Terminal, folder: Path) -> None:
    for name, command in (
        ("pack", "transload pack needed.txt -o tools --sign-key site.key"),
        ("list", "transload list tools"),
        ("verify", "transload verify tools --key site.pub"),
    ):
        picture(folder / f"{name}.svg", f"A terminal: {command}", _ran(terminal, command))


def _status(here: World, terminal: Terminal, folder: Path) -> None:
    other, command = Terminal(here), "transload status"
    with slow_line(here) as slow:
        with other.running("transload mirror arcdata --to registry.local/arcdata", **slow):
            other.until(r"1\d(\.\d)? of 24 MiB .*MiB/s")
        with other.running("transload pack arcdata -o arcdata", **slow):
            other.until(r"\b1[2-9](\.\d)? of 24 MiB .*MiB/s")
            picture(folder / "status.svg", f"A terminal: {command}", _ran(terminal, command))
