"""The file of what was learnt about registries: many processes, damage, newer versions, disks that do not take it."""

from __future__ import annotations

import json
import multiprocessing
import os
import sqlite3
import stat
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from tests.unit.registry.wire import HastyClock
from transload.errors import LocalError, ReferenceInvalid
from transload.registry.known import FILE, FRESH_S, KEPT_S, KnownRegistries, Scalar, registry_key
from transload.version import __version__

HOST = "registry.example:5000"
FOUND: dict[str, Scalar] = {"upload_mode": "pieces", "piece_bytes": 1 << 20, "mounts": False, "referrers_api": True}
JUNK = [b"", b"not a database", b"SQLite format 3\0" + b"\xff" * 5000, os.urandom(20_000)]


def known(folder: Path, clock: HastyClock | None = None) -> KnownRegistries:
    return KnownRegistries(folder, clock or HastyClock())


def test_what_was_learnt_is_there_in_the_next_run_with_its_date_and_version(tmp_path: Path) -> None:
    clock = HastyClock()
    known(tmp_path, clock).keep(HOST, {}, FOUND)
    again = known(tmp_path, clock)
    assert again.fresh(HOST) == FOUND
    assert again.of(HOST)["mounts"].learnt_s == int(clock.wall_s())
    assert again.of(HOST)["mounts"].version == __version__
    assert again.registries() == (HOST,)
    assert again.fresh("registry.example") == again.fresh("registry.example:5001") == {}


def test_only_what_changed_is_written(tmp_path: Path) -> None:
    clock = HastyClock()
    known(tmp_path, clock).keep(HOST, {}, FOUND)
    raw = (tmp_path / FILE).read_bytes()
    clock.sleep_s(1000)
    known(tmp_path, clock).keep(HOST, FOUND, FOUND)
    assert (tmp_path / FILE).read_bytes() == raw
    known(tmp_path, clock).keep(HOST, FOUND, FOUND | {"mounts": True})
    dates = {name: finding.learnt_s for name, finding in known(tmp_path, clock).of(HOST).items()}
    assert dates["mounts"] == dates["piece_bytes"] + 1000


def test_what_was_contradicted_goes(tmp_path: Path) -> None:
    known(tmp_path).keep(HOST, {}, FOUND)
    known(tmp_path).keep(HOST, FOUND, {"mounts": False})
    assert known(tmp_path).fresh(HOST) == {"mounts": False}


def test_old_findings_are_shown_but_not_used_and_one_day_they_go(tmp_path: Path) -> None:
    clock = HastyClock()
    known(tmp_path, clock).keep(HOST, {}, FOUND)
    clock.sleep_s(FRESH_S + 1)
    assert known(tmp_path, clock).fresh(HOST) == {}
    assert set(known(tmp_path, clock).of(HOST)) == set(FOUND)
    clock.sleep_s(KEPT_S)
    known(tmp_path, clock).keep("other.example", {}, {"mounts": True})
    assert known(tmp_path, clock).registries() == ("other.example",)


def test_a_date_in_the_future_is_not_believed(tmp_path: Path) -> None:
    late, clock = HastyClock(), HastyClock()
    late.sleep_s(FRESH_S + 1)
    known(tmp_path, late).keep(HOST, {}, FOUND)
    assert known(tmp_path, clock).fresh(HOST) == {}


def test_other_users_cannot_read_which_registries_are_known(tmp_path: Path) -> None:
    known(tmp_path).keep(HOST, {}, FOUND)
    assert stat.S_IMODE((tmp_path / FILE).stat().st_mode) == 0o600


# --- several processes


def _learn(folder: Path, number: int) -> None:
    for step in range(5):
        known(folder).keep(HOST, {}, {f"finding{number}": step})
        known(folder).keep(f"registry{number}.example", {}, FOUND)


def test_processes_at_the_same_time_lose_nothing_of_each_other(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_learn, args=(tmp_path, number)) for number in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        assert process.exitcode == 0
    assert known(tmp_path).fresh(HOST) == {f"finding{number}": 4 for number in range(4)}
    assert len(known(tmp_path).registries()) == 5


def test_a_process_that_holds_the_lock_costs_one_wait_and_no_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("transload.registry.knownfile._LOCK_WAIT_S", 0.05)
    known(tmp_path).keep(HOST, {}, FOUND)
    holder = sqlite3.connect(tmp_path / FILE, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    waiting = known(tmp_path)
    assert waiting.fresh(HOST) == {}
    waiting.keep(HOST, {}, {"mounts": True})
    holder.execute("ROLLBACK")
    holder.close()
    assert known(tmp_path).fresh(HOST) == FOUND


def _learn_for_ever(folder: Path, told: Connection) -> None:
    number = 0
    while True:
        number += 1
        known(folder).keep(HOST, {}, {"piece_bytes": number, "finding": "x" * 150})
        told.send(number)


def test_a_process_that_is_killed_while_it_writes_leaves_a_sound_file(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    for written in (1, 2, 3, 5):
        ours, theirs = context.Pipe(duplex=False)
        process = context.Process(target=_learn_for_ever, args=(tmp_path, theirs))
        process.start()
        for _ in range(written):
            ours.recv()
        process.kill()
        process.join()
        assert set(known(tmp_path).fresh(HOST)) == {"piece_bytes", "finding"}
    assert not (tmp_path / f"{FILE}.damaged").exists()


# --- whatever the file is, a run goes on


@pytest.mark.parametrize("junk", JUNK[1:])
def test_a_damaged_file_is_set_aside_and_begun_again(tmp_path: Path, junk: bytes) -> None:
    (tmp_path / FILE).write_bytes(junk)
    assert known(tmp_path).fresh(HOST) == {}
    assert (tmp_path / f"{FILE}.damaged").read_bytes() == junk
    known(tmp_path).keep(HOST, {}, FOUND)
    assert known(tmp_path).fresh(HOST) == FOUND


@pytest.mark.parametrize("junk", JUNK)
def test_a_damaged_file_that_is_only_written_to(tmp_path: Path, junk: bytes) -> None:
    (tmp_path / FILE).write_bytes(junk)
    known(tmp_path).keep(HOST, {}, FOUND)
    assert known(tmp_path).fresh(HOST) == FOUND


@pytest.mark.parametrize("at", range(100, 12_288, 512))
def test_damage_anywhere_fails_nothing(tmp_path: Path, at: int) -> None:
    known(tmp_path).keep(HOST, {}, FOUND)
    raw = bytearray((tmp_path / FILE).read_bytes())
    raw[at : at + 64] = b"\xff" * len(raw[at : at + 64])
    (tmp_path / FILE).write_bytes(raw)
    known(tmp_path).fresh(HOST)
    known(tmp_path).keep(HOST, {}, FOUND)
    known(tmp_path).registries()
    known(tmp_path).state()


def test_the_journal_of_a_damaged_file_does_not_stay_beside_the_new_one(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(JUNK[1])
    (tmp_path / f"{FILE}-journal").write_bytes(os.urandom(5000))
    known(tmp_path).keep(HOST, {}, FOUND)
    assert known(tmp_path).fresh(HOST) == FOUND
    assert not (tmp_path / f"{FILE}-journal").exists()


def test_the_file_of_another_program_is_set_aside(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / FILE) as database:
        database.execute("CREATE TABLE findings (x)")
    database.close()
    known(tmp_path).keep(HOST, {}, FOUND)
    assert known(tmp_path).fresh(HOST) == FOUND


def test_the_file_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    known(tmp_path).keep(HOST, {}, FOUND)
    with sqlite3.connect(tmp_path / FILE) as database:
        database.execute("PRAGMA user_version = 2")
    database.close()
    raw = (tmp_path / FILE).read_bytes()
    assert known(tmp_path).state() == "newer"
    assert known(tmp_path).fresh(HOST) == {}
    known(tmp_path).keep(HOST, {}, {"mounts": True})
    with pytest.raises(LocalError, match="a newer version of transload wrote it"):
        known(tmp_path).forget(HOST)
    assert (tmp_path / FILE).read_bytes() == raw
    assert sorted(path.name for path in tmp_path.iterdir()) == [FILE]


def test_rows_of_nonsense_are_left_out(tmp_path: Path) -> None:
    known(tmp_path).keep(HOST, {}, {"mounts": True})
    rows: list[tuple[object, ...]] = [
        (HOST, "a", "{", 1, "1"),
        (HOST, "b", "[1]", 1, "1"),
        (HOST, "c", '"' + "x" * 900 + '"', 1, "1"),
    ]
    rows += [(HOST, "d", b"\xff", 1, "1"), (HOST, "e", "1", "never", "1"), (HOST, "f", "1e999", 1, "1")]
    with sqlite3.connect(tmp_path / FILE) as database:
        database.executemany("INSERT INTO findings VALUES (?, ?, ?, ?, ?)", rows)
    database.close()
    assert known(tmp_path).fresh(HOST) == {"mounts": True}


@pytest.fixture
def read_only(tmp_path: Path) -> Iterator[Path]:
    known(tmp_path / "state").keep(HOST, {}, FOUND)
    (tmp_path / "state").chmod(0o500)
    (tmp_path / "state" / FILE).chmod(0o400)
    yield tmp_path / "state"
    (tmp_path / "state").chmod(0o700)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_to_is_read(read_only: Path) -> None:
    assert known(read_only).fresh(HOST) == FOUND
    known(read_only).keep(HOST, FOUND, {"mounts": True})
    with pytest.raises(LocalError, match="cannot be changed"):
        known(read_only).forget(HOST)
    assert known(read_only).fresh(HOST) == FOUND


def test_a_folder_that_cannot_be_there(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file" / "below", Path("/proc/nowhere"), None):
        nowhere = KnownRegistries(folder)
        nowhere.keep(HOST, {}, FOUND)
        assert nowhere.fresh(HOST) == {}
        assert nowhere.forget() == ()
        assert nowhere.registries() == ()


def test_a_pipe_in_its_place_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / FILE)
    assert known(tmp_path).fresh(HOST) == {}
    known(tmp_path).keep(HOST, {}, FOUND)
    assert known(tmp_path).state() == "unusable"
    assert stat.S_ISFIFO((tmp_path / FILE).stat().st_mode)


# --- forgetting


def test_one_registry_or_all_of_them_are_forgotten(tmp_path: Path) -> None:
    for host in ("a.example", "b.example", "c.example"):
        known(tmp_path).keep(host, {}, FOUND)
    assert known(tmp_path).forget("b.example") == ("b.example",)
    assert known(tmp_path).forget("b.example") == ()
    assert known(tmp_path).registries() == ("a.example", "c.example")
    assert known(tmp_path).forget() == ("a.example", "c.example")
    assert known(tmp_path).forget() == ()
    assert known(tmp_path).state() == "used"


def test_nothing_is_known_yet(tmp_path: Path) -> None:
    assert known(tmp_path / "state").forget() == ()
    assert known(tmp_path / "state").state() == "none"
    assert not (tmp_path / "state").exists()


# --- names


@pytest.mark.parametrize(
    ("host", "plain", "key"),
    [
        ("registry.example", False, "registry.example"),
        ("Registry.Example:443", False, "registry.example"),
        ("registry.example", True, "registry.example:80"),
        ("registry.example:80", True, "registry.example:80"),
        ("registry.example:443", True, "registry.example"),
        ("registry.example:5000", True, "registry.example:5000"),
        ("registry.example:5000", False, "registry.example:5000"),
        ("[2001:db8::1]:5000", False, "[2001:db8::1]:5000"),
        ("[::1]", False, "[::1]"),
        ("[::1]", True, "[::1]:80"),
    ],
)
def test_a_registry_is_named_by_host_and_port(host: str, plain: bool, key: str) -> None:
    assert registry_key(host, plain=plain) == key


@pytest.mark.parametrize("wrong", ["", "registry/path", "a b", "https://x", "../x"])
def test_what_is_no_registry(wrong: str) -> None:
    with pytest.raises(ReferenceInvalid):
        registry_key(wrong)


# --- what older versions wrote


def test_the_file_of_older_versions_is_taken_over(tmp_path: Path) -> None:
    old = {"registry.example:443": {"upload_mode": "pieces", "piece_bytes": 1 << 20, "mounts_accepted": 3}}
    old |= {HOST: {"upload_mode": "stream", "mounts_accepted": 0, "mounts_refused": 2, "resumes": False}, "?": {}}
    (tmp_path / "registries.json").write_text(json.dumps(old))
    os.utime(tmp_path / "registries.json", (1_700_000_000, 1_700_000_000))
    clock = HastyClock()
    assert known(tmp_path, clock).fresh("registry.example")["mounts"] is True
    known(tmp_path, clock).keep(HOST, {"resumes": False}, {"resumes": True})
    assert not (tmp_path / "registries.json").exists()
    assert known(tmp_path, clock).fresh(HOST) == {"upload_mode": "stream", "mounts": False, "resumes": True}
    assert known(tmp_path, clock).fresh("registry.example")["piece_bytes"] == 1 << 20
    assert known(tmp_path, clock).of("registry.example")["mounts"].learnt_s == 1_700_000_000


@pytest.mark.parametrize("nonsense", ["", "[]", "{", '{"a": 1}', '{"a": {"mounts": 7}}'])
def test_nonsense_of_older_versions_is_nothing(tmp_path: Path, nonsense: str) -> None:
    (tmp_path / "registries.json").write_text(nonsense)
    assert known(tmp_path).fresh("a") == {}
    known(tmp_path).keep(HOST, {}, FOUND)
    assert known(tmp_path).registries() == (HOST,)


def test_what_older_versions_knew_is_forgotten_too(tmp_path: Path) -> None:
    (tmp_path / "registries.json").write_text(json.dumps({HOST: {"ranges": True}}))
    assert known(tmp_path).forget(HOST) == (HOST,)
    assert known(tmp_path).registries() == ()
