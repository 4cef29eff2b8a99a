"""Runs with what earlier ones learnt: it is used and corrected, and whatever is wrong with the file fails no run."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import transload
from transload import Environment
from transload.memory import MemoryStore
from transload.registry.known import FILE, KnownRegistries, Scalar
from transload.server import Served, ServeSettings, serve
from transload.testing.images import fill, image, signature

APP = image("app", (50_000, 3_000_000))
WRONG: dict[str, Scalar] = {
    "upload_mode": "pieces",
    "piece_bytes": 1 << 20,
    "mounts": False,
    "ranges": False,
    "head": False,
    "head_tells": False,
    "referrers_api": False,
    "resumes": False,
    "put_with_body": False,
}


@pytest.fixture
def vendor() -> Iterator[Served]:
    store = MemoryStore()
    fill(store, APP, "acme/app", "1")
    fill(store, APP, "acme/again", "1")
    fill(store, signature(APP), "acme/app")
    with serve(store) as served:
        yield served


@pytest.fixture
def target(tmp_path: Path) -> Iterator[Served]:
    with serve(MemoryStore(), ServeSettings(writable=True, spool_folder=tmp_path)) as served:
        yield served


def mirrored(vendor: Served, target: Served, state: Path) -> transload.Result:
    names = [f"{vendor.host_port}/acme/{name}:1" for name in ("app", "again")]
    return transload.mirror(names, to=target.host_port, referrers=True, environment=Environment(state=state))


def test_wrong_findings_about_both_sides_are_corrected(vendor: Served, target: Served, tmp_path: Path) -> None:
    state = tmp_path / "state"
    for served in (vendor, target):
        KnownRegistries(state).keep(served.host_port, {}, WRONG)
    result = mirrored(vendor, target, state)
    assert [image.status for image in result.images] == ["copied", "copied"]
    with transload.open_store(target.host_port, environment=Environment()) as store:
        assert len(store.referrers(f"acme/app@{APP.digest}")) == 1
    at_source = KnownRegistries(state).fresh(vendor.host_port)
    at_target = KnownRegistries(state).fresh(target.host_port)
    assert at_source["referrers_api"] is True
    assert (at_target["mounts"], at_target["upload_mode"]) == (True, "pieces")


def newer(path: Path) -> None:
    KnownRegistries(path.parent).keep("a.example", {}, WRONG)
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA user_version = 7")
    database.close()


def locked(path: Path) -> None:
    KnownRegistries(path.parent).keep("a.example", {}, WRONG)
    database = sqlite3.connect(path, isolation_level=None)
    database.execute("BEGIN EXCLUSIVE")
    _HELD.append(database)


_HELD: list[sqlite3.Connection] = []


@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: path.write_bytes(os.urandom(9000)),
        lambda path: path.write_bytes(b""),
        lambda path: path.mkdir(),
        os.mkfifo,
        newer,
        locked,
        lambda path: path.symlink_to("/dev/zero"),
        lambda path: path.symlink_to(path),
    ],
    ids=["damaged", "empty", "folder", "pipe", "newer", "locked", "device", "circle"],
)
def test_whatever_the_file_is_the_run_completes(
    vendor: Served, target: Served, tmp_path: Path, spoil: Callable[[Path], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("transload.registry.knownfile._LOCK_WAIT_S", 0.1)
    (tmp_path / "state").mkdir()
    spoil(tmp_path / "state" / FILE)
    result = mirrored(vendor, target, tmp_path / "state")
    assert [image.status for image in result.images] == ["copied", "copied"]
    while _HELD:
        _HELD.pop().close()
