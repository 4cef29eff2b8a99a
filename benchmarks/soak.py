"""`python -m benchmarks.soak --minutes 60`: a served folder under load; prints its memory every half minute."""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from attrs import frozen

from benchmarks.crowd import MIB, Account, Client


@frozen
class Child:
    """A process that serves a folder."""

    process: subprocess.Popen[bytes]
    address: tuple[str, int]

    def resident(self) -> int:
        """Bytes of memory that it has now (proc(5), statm)."""
        return int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def threads(self) -> int:
        """Its threads."""
        return len(list(Path(f"/proc/{self.process.pid}/task").iterdir()))

    def files(self) -> int:
        """Files and connections that it has open."""
        return len(list(Path(f"/proc/{self.process.pid}/fd").iterdir()))


def free_port() -> int:
    """A port of loopback that nobody listens on, and that no system gives to a program that asks for any.

    So it is still free when a killed server is started again, whatever else runs on the machine.
    """
    for port in random.SystemRandom().sample(range(20_000, 32_000), 100):
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
    raise OSError("no free port between 20000 and 32000")


def serving(folder: Path, port: int, log: Path, *options: str) -> Child:
    """Start `transload serve --writable`, with a state folder beside its log, and wait until it answers."""
    address = ("127.0.0.1", port)
    command = [sys.executable, "-m", "transload", "serve", f"oci:{folder}", "--writable"]
    command += ["--listen", f"{address[0]}:{port}", *options]
    environment = os.environ | {"TRANSLOAD_STATE_DIR": str(log.parent / "state")}  # not the user's: it is killed
    with log.open("ab") as file:
        process = subprocess.Popen(command, stdout=file, stderr=file, stdin=subprocess.DEVNULL, env=environment)
    while process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(address, timeout=60):
            return Child(process, address)
        time.sleep(0.02)
    raise RuntimeError(f"transload serve ended with {process.returncode}:\n{log.read_text(errors='replace')}")


@contextlib.contextmanager
def crowding(clients: list[Client], pause_s: float) -> Iterator[None]:
    """Let the clients work during the block, each in a thread."""
    stop = threading.Event()
    threads = [threading.Thread(target=client.run, args=(stop, pause_s)) for client in clients]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def total(accounts: list[Account]) -> Counter[str]:
    """What all clients did."""
    return sum((account.done for account in accounts), Counter())


def main() -> int:
    options = _options()
    shutil.rmtree(options.folder, ignore_errors=True)
    options.folder.mkdir(parents=True)
    child = serving(options.folder / "site", free_port(), options.folder / "log")
    clients = [Client(child.address, number, seed=options.seed) for number in range(options.clients)]
    began_s = time.monotonic()
    try:
        with crowding(clients, options.pause):
            while (passed_s := time.monotonic() - began_s) < 60 * options.minutes:
                done = total([client.account for client in clients]).total()
                uploads = sum(len(client.account.sessions) for client in clients)
                print(
                    f"{passed_s / 60:6.1f} min  {child.resident() / MIB:6.1f} MiB  {child.threads():3} threads  "
                    f"{child.files():4} files  {done:8} actions  {uploads:4} unfinished uploads",
                    flush=True,
                )
                time.sleep(options.every)
        accounts = [client.check() for client in clients]
        print(f"at the end {child.resident() / MIB:.1f} MiB; {dict(total(accounts))}")
    finally:
        child.process.terminate()
        child.process.wait(60)
    wrong = [sentence for account in accounts for sentence in account.wrong]
    print(f"{len(wrong)} wrong", *wrong[:20], sep="\n")
    return 1 if wrong else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--clients", type=int, default=24)
    parser.add_argument("--pause", type=float, default=0.1, help="seconds between two actions of a client, on average")
    parser.add_argument("--every", type=float, default=30, help="seconds between two lines")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, default=Path(".bench/soak"))
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
