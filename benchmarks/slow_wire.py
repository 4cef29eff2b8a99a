"""A long wire in front of a server: every byte comes later, and no connection is faster than its rate.

    python -m benchmarks.slow_wire LISTEN_PORT SERVER_PORT ROUND_TRIP_S BYTES_PER_S

Half of the round trip is added in each direction, and one whole for the handshake of a new connection. Each direction
of each connection has the rate for itself, as long wires behave when loss or a window limits a stream, not the line.
"""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
from collections.abc import Iterator

from benchmarks.servers import free_port, wait_for

PIECE = 64 << 10
DONE = b""


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay_s: float, rate: float) -> None:
    """Bytes from one side to the other, each piece due after its delay and after the piece before it."""
    loop = asyncio.get_running_loop()
    # As much as is on a wire of this length at this rate, and as much again, so that the rate can be reached.
    pieces = max(4, int(4 * delay_s * rate / PIECE))
    wire: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(pieces)

    async def deliver() -> None:
        free_s = loop.time()
        while (arrival := await wire.get())[1] != DONE:
            due_s, piece = arrival
            free_s = max(free_s, due_s)
            if (wait_s := free_s - loop.time()) > 0:
                await asyncio.sleep(wait_s)
            free_s += len(piece) / rate
            writer.write(piece)
            await writer.drain()
        with contextlib.suppress(OSError, RuntimeError):
            writer.write_eof()

    delivering = asyncio.create_task(deliver())
    with contextlib.suppress(OSError):
        while piece := await reader.read(PIECE):
            await wire.put((loop.time() + delay_s, piece))
    await wire.put((loop.time() + delay_s, DONE))
    with contextlib.suppress(OSError):
        await delivering


async def serve(port: int, server_port: int, round_trip_s: float, rate: float) -> None:
    """Accept connections for ever."""

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(round_trip_s)
        there, to_there = await asyncio.open_connection("127.0.0.1", server_port)
        await asyncio.gather(
            pump(reader, to_there, round_trip_s / 2, rate), pump(there, writer, round_trip_s / 2, rate)
        )
        for end in (writer, to_there):
            end.close()

    server = await asyncio.start_server(accept, "127.0.0.1", port, limit=PIECE)
    async with server:
        await server.serve_forever()


@contextlib.contextmanager
def slow_wire(host: str, round_trip_s: float, rate: float) -> Iterator[str]:
    """The same server at the end of a long wire, as `host:port`, in a process of its own."""
    port = free_port()
    words = [port, host.rpartition(":")[2], round_trip_s, rate]
    process = subprocess.Popen([sys.executable, "-m", "benchmarks.slow_wire", *map(str, words)])
    try:
        wait_for(port, process)
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), float(sys.argv[4])))
