"""A bundle that is served: its blobs are sent from the volumes in which they lie, with little memory."""

from __future__ import annotations

import contextlib
import socket
from pathlib import Path

import pytest

from tests.unit.bundle.packing import blobs_of, named, pack
from tests.unit.server.asking import ask, peak_while_nobody_reads
from transload.bundle import BundleStore
from transload.oci import Name
from transload.server import Served, serve
from transload.testing.images import Built, image
from transload.testing.releases import release

MADE = named(release("served", images=3, size=3_000_000))
VOLUME_BYTES = 250_000
HUGE = 8 << 20


def stored_at(folder: Path, made: dict[Name, Built], volume_bytes: int | None) -> BundleStore:
    pack(folder / "all", made, volume_bytes)
    return BundleStore(folder / "all")


def got(served: Served, digest: str, headers: dict[str, str] | None = None) -> tuple[int, bytes]:
    answer = ask(served, "GET", f"/v2/{next(iter(MADE)).repository}/blobs/{digest}", headers=headers or {})
    return answer.status, answer.body


@pytest.mark.parametrize("volume_bytes", [VOLUME_BYTES, None])
def test_every_blob_comes_whole_and_in_part(tmp_path: Path, volume_bytes: int | None) -> None:
    store = stored_at(tmp_path, MADE, volume_bytes)
    most = 0
    with serve(store) as served:
        for digest, content in blobs_of(MADE).items():
            whole = content.read()
            assert got(served, digest) == (200, whole)
            end = len(whole) - 1
            for first, last in {(0, 0), (end, end), (end // 3, end // 2), (1, end)}:
                part = {"Range": f"bytes={first}-{last}"}
                assert got(served, digest, part) == (206, whole[first : last + 1])
            most = max(most, len(whole))
    assert most > 2 * VOLUME_BYTES, "a blob lies in three volumes"


def test_a_blob_whose_volume_is_missing_is_refused_before_its_first_byte(tmp_path: Path) -> None:
    store = stored_at(tmp_path, MADE, VOLUME_BYTES)
    last = max(store.ledger.blobs, key=lambda stored: stored.offset)
    first = min(store.ledger.blobs, key=lambda stored: stored.offset)
    (tmp_path / store.file_name(store.cut.count)).unlink()
    with serve(store) as served:
        assert got(served, last.digest)[0] >= 500
        assert got(served, first.digest)[0] == 200


def test_a_crowd_that_stops_reading_takes_little_memory(tmp_path: Path) -> None:
    """100 such clients once took 363 MiB."""
    huge = image("huge", layers=(HUGE,))
    store = stored_at(tmp_path, {Name("a", "1"): huge}, None)
    digest = huge.manifest.layers[0].digest
    with serve(store) as served, contextlib.ExitStack() as held:
        host, _, port = served.host_port.rpartition(":")
        lines = [held.enter_context(socket.create_connection((host, int(port)), 60)) for _ in range(64)]
        peak = peak_while_nobody_reads(lines, f"/v2/a/blobs/{digest}")
    assert peak < 16 << 20
