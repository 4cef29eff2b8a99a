"""Round trips in sequence: all messages of a client cross the wires together, and the crossings are counted.

A round: everything that the client has sent goes to the servers, and when they have nothing left to do, everything that
they have sent goes to the client, until the client has nothing left to do. So the number of rounds is the length of the
longest chain of requests of which each needs the answer to the one before, and no clock takes part: on a slow machine a
round only takes longer. A new connection needs a round before its first request, as on a real wire. Bodies of any size
cross at once: only delay is counted, not bytes.

    python -m benchmarks.roundtrips [cold|unchanged|next] [IMAGES]    what goes in which round, for a mirror
"""

from __future__ import annotations

import contextlib
import re
import selectors
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from attrs import define, field, frozen

_STEP_S = 0.002
_QUIET = 4  # looks in a row that find nobody at work
_THING = re.compile(r"/(manifests|uploads|blobs|tags|referrers|_catalog)(/|$|\?)")
_REQUEST = re.compile(rb"([A-Z]+) (\S+) HTTP/1\.1\r\n")


@frozen
class Sent:
    """A request, or the opening of a connection (`what` is then empty), in its round, counted from 1."""

    round: int
    side: str
    connection: int
    what: str

    def __str__(self) -> str:
        return f"{self.round:3} {self.side:6} c{self.connection:<3} {self.what or 'connects'}"


@define(eq=False)
class _Line:
    """A connection and what waits for the next crossing on it."""

    side: str
    number: int
    client: socket.socket
    server: socket.socket
    established: bool = False
    to_server: bytearray = field(factory=bytearray)
    to_client: bytearray = field(factory=bytearray)
    ended: set[socket.socket] = field(factory=set)

    def close(self) -> None:
        """Close both ends."""
        self.client.close()
        self.server.close()


class RoundTrips:
    """Wires to `servers` (a port by the name of its side) for a client process; `ports` are where the client asks.

    Linux only: whether a process has something to do is read from /proc. `processes` are those of the servers.
    """

    def __init__(self, servers: Mapping[str, int], processes: Iterable[int]) -> None:
        self.sent: list[Sent] = []
        self.rounds = 0
        self._servers = dict(servers)
        self._processes = tuple(processes)
        self._client: int | None = None
        self._selector = selectors.DefaultSelector()
        self._lines: list[_Line] = []
        self._over = threading.Event()
        self._opened = 0
        self.ports: dict[str, int] = {}
        self._listening: list[socket.socket] = []
        for side in servers:
            listening = socket.create_server(("127.0.0.1", 0), backlog=128)
            self.ports[side] = listening.getsockname()[1]
            self._listening.append(listening)
            self._selector.register(listening, selectors.EVENT_READ, side)

    def __enter__(self) -> RoundTrips:
        self._thread = threading.Thread(target=self._carry, name="round trips")
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        self._selector.close()
        for listening in self._listening:
            listening.close()
        for line in self._lines:
            line.close()

    def run(self, words: Iterable[object], environment: Mapping[str, str]) -> tuple[int, str]:
        """Run a client; its exit code and what it wrote."""
        with tempfile.TemporaryFile() as output:
            process = subprocess.Popen(
                list(map(str, words)), env=dict(environment), stdout=output, stderr=subprocess.STDOUT
            )
            self._client = process.pid
            code = process.wait()
            self._client = None
            output.seek(0)
            return code, output.read().decode(errors="replace")

    def _carry(self) -> None:
        while not self._over.is_set():
            self._wait_until_quiet()
            is_round = self._cross()
            self._wait_until_quiet()
            for line in self._lines:
                _deliver(line.client, line.to_client, line.server in line.ended)
            self.rounds += is_round
            for line in [line for line in self._lines if len(line.ended) == 2]:
                self._lines.remove(line)
                line.close()

    def _wait_until_quiet(self) -> None:
        quiet = 0
        while quiet < _QUIET and not self._over.is_set():
            quiet = 0 if self._take() or self._is_busy() else quiet + 1
            time.sleep(_STEP_S)

    def _take(self) -> bool:
        """Take what has come since the last look. Whether anything has."""
        events = self._selector.select(0)
        for key, _ in events:
            end = key.fileobj
            assert isinstance(end, socket.socket)
            if isinstance(key.data, str):
                self._accept(end, key.data)
                continue
            line: _Line = key.data
            piece = b""
            with contextlib.suppress(ConnectionError):
                piece = end.recv(1 << 20)
            (line.to_server if end is line.client else line.to_client).extend(piece)
            if not piece:
                self._selector.unregister(end)
                line.ended.add(end)
        return bool(events)

    def _accept(self, listening: socket.socket, side: str) -> None:
        client, _ = listening.accept()
        self._opened += 1
        line = _Line(side, self._opened, client, socket.create_connection(("127.0.0.1", self._servers[side])))
        self._lines.append(line)
        for end in (line.client, line.server):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._selector.register(end, selectors.EVENT_READ, line)

    def _cross(self) -> bool:
        """Bring what the client has sent to the servers. Whether there was anything."""
        some = False
        for line in self._lines:
            if not line.established:
                line.established = some = True
                self.sent.append(Sent(self.rounds + 1, line.side, line.number, ""))
                continue
            if line.to_server:
                some = True
                found = _REQUEST.match(line.to_server)
                what = b" ".join(found.groups()).decode("ascii", "replace") if found else f"{len(line.to_server)} bytes"
                self.sent.append(Sent(self.rounds + 1, line.side, line.number, what))
            _deliver(line.server, line.to_server, line.client in line.ended)
        return some

    def _is_busy(self) -> bool:
        client = () if self._client is None else (self._client,)
        return any(_is_busy(process) for process in (*client, *self._processes))


def _deliver(end: socket.socket, waiting: bytearray, over: bool) -> None:
    with contextlib.suppress(OSError):  # it has gone away meanwhile
        if waiting:
            end.sendall(waiting)
        if over:
            end.shutdown(socket.SHUT_WR)
    waiting.clear()


def _is_busy(process: int) -> bool:
    """Whether any thread runs, wants to run, or waits for a disk (proc(5), stat: state)."""
    with contextlib.suppress(OSError):  # threads end
        for thread in Path(f"/proc/{process}/task").iterdir():
            with contextlib.suppress(OSError):
                if (thread / "stat").read_text().rpartition(") ")[2][:1] in {"R", "D"}:
                    return True
    return False


def timeline(sent: Iterable[Sent]) -> Iterator[str]:
    """What goes in which round, alike requests of a round on one line."""
    kinds: dict[tuple[int, str, str], list[Sent]] = {}
    for one in sent:
        kinds.setdefault((one.round, one.side, _kind(one.what)), []).append(one)
    for (round_, side, kind), several in kinds.items():
        first = several[0].what[:100] if several[0].what else ""
        yield f"{round_:3} {side:6} {len(several):3} x {kind:16} {first}"


def _kind(what: str) -> str:
    if not what:
        return "connects"
    method, _, path = what.partition(" ")
    if "mount=" in path:
        return f"{method} mount"
    found = _THING.search(path.replace("blobs/uploads", "uploads"))
    return f"{method} {found[1] if found else path}"


def main(scene: str, images: int) -> None:
    """Mirror a small release between two registries and print the timeline."""
    from benchmarks.contenders import Errand, transload
    from benchmarks.content import seeded
    from benchmarks.site import Site

    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        goods = seeded(folder, images << 18, images)
        old, new = goods.tags
        with Site.filled(folder / "site", goods).pair() as pair:
            if scene != "cold":
                pair.run(transload, goods.of(old))
            hosts = {"source": pair.source.host, "target": pair.target.host}
            servers = {side: int(host.rpartition(":")[2]) for side, host in hosts.items()}
            with RoundTrips(servers, (pair.source.process, pair.target.process)) as wires:
                chosen = goods.of(new if scene == "next" else old)
                at = {side: f"127.0.0.1:{port}" for side, port in wires.ports.items()}
                command = transload(Errand(chosen, at["source"], at["target"], home=pair.home))
                code, said = wires.run(command.words, command.environment)
            print("\n".join(timeline(wires.sent)), said, f"exit {code}, {wires.rounds} rounds", sep="\n")


if __name__ == "__main__":
    main((sys.argv[1:2] or ["cold"])[0], int((sys.argv[2:3] or ["18"])[0]))
