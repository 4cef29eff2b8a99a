"""How long the pages of `transload serve` take for a store with many repositories: `python -m benchmarks.pages`.

The times are those of one client on loopback, after each page was asked for once and the list of names has settled.
"""

from __future__ import annotations

import argparse
import http.client
import statistics
import tempfile
import time
from pathlib import Path

from transload.gathers import Put
from transload.layout import LayoutStore
from transload.layout.indexfile import SETTLED_S
from transload.oci import Name
from transload.server import serve
from transload.testing.images import fill, image

ROUNDS = 50
TAGS = 3


def filled(folder: Path, repositories: int) -> LayoutStore:
    """A layout with so many repositories of `TAGS` tags each, which all stand for one small image."""
    store, built = LayoutStore(folder, create=True), image("pages", (1000, 2000))
    fill(store, built, "first/app", "1.0")
    names = (
        Name(f"team-{number % 50:02}/app-{number:05}", f"1.{tag}")
        for number in range(repositories)
        for tag in range(TAGS)
    )
    store.gathers.put_manifests([Put(name=name, manifest=built.manifest) for name in names])
    return LayoutStore(folder)


def times_ms(connection: http.client.HTTPConnection, path: str, rounds: int) -> list[float]:
    """How long each of `rounds` answers took, to its last byte."""
    taken = []
    for _ in range(rounds):
        begin = time.perf_counter()
        connection.request("GET", path, headers={"Accept": "text/html"})
        answer = connection.getresponse()
        answer.read()
        if answer.status != 200:
            raise SystemExit(f"{path}: {answer.status}")
        taken.append(1000 * (time.perf_counter() - begin))
    return taken


def main() -> None:
    """Print a line for each page."""
    parser = argparse.ArgumentParser(description="Time the pages of a served folder.")
    parser.add_argument("--repositories", type=int, default=5000)
    wanted: int = parser.parse_args().repositories
    paths = ("/", f"/?page={wanted // 100}", "/?q=app-49", "/repository/first/app", "/image/first/app:1.0")
    with tempfile.TemporaryDirectory() as folder, serve(filled(Path(folder) / "site", wanted)) as served:
        connection = http.client.HTTPConnection(served.host_port)
        for path in paths:
            times_ms(connection, path, 1)
        time.sleep(SETTLED_S)
        print(f"{wanted} repositories, {TAGS * wanted} tags")
        for path in paths:
            taken = times_ms(connection, path, ROUNDS)
            print(f"{path:28} median {statistics.median(taken):6.1f} ms, longest {max(taken):6.1f} ms")


if __name__ == "__main__":
    main()
