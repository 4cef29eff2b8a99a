"""`kill -9` of a server under load, again and again: what it acknowledged is there, and uploads go on."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from benchmarks.crowd import MIB, Client
from benchmarks.soak import crowding, free_port, serving, total

KILLS, MOST_KILLS = 20, 100
BETWEEN = 25  # actions of all clients
# On a slow machine few large pushes end between two kills: what counts is that each of these was under way.
WANTED = ("push_in_pieces", "push_large", "resume", "tag", "break_off")


def test_nothing_that_was_acknowledged_is_lost(tmp_path: Path) -> None:
    port, pause = free_port(), threading.Event()
    child = serving(tmp_path / "site", port, tmp_path / "log")
    clients = [Client(child.address, number, seed=7, largest=6 * MIB) for number in range(8)]

    def done() -> int:
        return sum(client.account.done.total() - client.account.done["broken"] for client in clients)

    def tried(action: str) -> bool:
        return any(client.account.tried[action] for client in clients)

    try:
        with crowding(clients, 0.01):
            for kills in range(MOST_KILLS):
                if kills >= KILLS and all(map(tried, WANTED)):
                    break
                enough = done() + BETWEEN
                while done() < enough and child.process.poll() is None:
                    pause.wait(0.01)
                child.process.kill()
                child.process.wait()
                child = serving(tmp_path / "site", port, tmp_path / "log")
        accounts = [client.check() for client in clients]
    finally:
        child.process.kill()
        child.process.wait()
    assert [sentence for account in accounts for sentence in account.wrong] == []
    acts = total(accounts)
    assert acts["broken"] >= KILLS, "no client noticed"
    assert [action for action in WANTED if not tried(action)] == []
    assert sum(account.kept_bytes for account in accounts) > MIB, "uploads went on from where they were"
    assert "Traceback" not in (tmp_path / "log").read_text()


@pytest.mark.parametrize("arrived", [2, 5 * MIB])
def test_an_upload_goes_on_after_a_kill(tmp_path: Path, arrived: int) -> None:
    """The least case, without chance."""
    port = free_port()
    child = serving(tmp_path / "site", port, tmp_path / "log")
    client = Client(child.address, 1)
    try:
        location = client.begin(6 * MIB)
        client.patch(location, 0, arrived)
        child.process.kill()
        child.process.wait()
        client.leave()
        child = serving(tmp_path / "site", port, tmp_path / "log")
        assert client.standing(location) == arrived
        assert (tmp_path / "state").is_dir(), "what was killed is noted in the user's own folder"
        assert client.check().wrong == []
    finally:
        child.process.kill()
        child.process.wait()
