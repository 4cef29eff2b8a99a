"""Killed at any moment, the same command completes: nothing that was finished is moved again, and nothing is left."""

from __future__ import annotations

import signal
from collections.abc import Callable

import pytest

from tests.kills.conftest import BLOCK
from tests.kills.rounds import Passed, Rounds
from tests.kills.scenes import SCENES, TOTAL

MIB = 1 << 20
ASKED = 5  # rounds for each signal that asks a run to end
TOO_EARLY = 3 * MIB  # of a blob in parts, behind one that was just asked for
UNREAD = MIB + 256 * 1024  # of each blob, what waits in this process and the system on a line with others
UNSTORED = 256 * 1024  # of each upload, what is between the line and the registry when the connection ends
RATE = 30 * MIB  # bytes per second, so that little is on its way when the signal comes


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "block" in metafunc.fixturenames:
        blocks = -(-metafunc.config.getoption("rounds", BLOCK) // BLOCK)
        metafunc.parametrize("block", range(blocks))


@pytest.mark.parametrize("scene", SCENES)
def test_kill_9(
    rounds: Rounds, scene: str, block: int, pytestconfig: pytest.Config, record_property: Callable[..., None]
) -> None:
    seed: str = pytestconfig.getoption("seed", "1")
    for number in range(block * BLOCK, (block + 1) * BLOCK):
        passed = rounds.killed(scene, f"{seed}/{number}")
        record_property("passed", passed.told)
        check_bytes(passed)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("scene", SCENES)
def test_asked_to_end(
    rounds: Rounds, scene: str, number: int, pytestconfig: pytest.Config, record_property: Callable[..., None]
) -> None:
    """At most a hundredth is sent again; what was read and could not be handed on is read again, parts too."""
    seed: str = pytestconfig.getoption("seed", "1")
    for count in range(ASKED):
        passed = rounds.killed(scene, f"{seed}/{number}/{count}", number, rate=RATE)
        record_property("passed", passed.told | {"scene": f"{scene}, asked to end"})
        lost = scene.endswith("docker-registry")
        read_again = passed.begun if lost else (min(size, UNREAD) for size in passed.begun)
        assert passed.fetched <= 1.01 * TOTAL + sum(read_again) + TOO_EARLY, passed
        sent_again = passed.halves if lost else (min(size, UNSTORED) for size in passed.halves)
        assert passed.received <= 1.01 * TOTAL + sum(sent_again), passed


def check_bytes(passed: Passed) -> None:
    """Only halves are sent again; to a registry that can resume, at most 8 MiB of each."""
    halves = passed.halves
    if passed.scene.endswith("-resuming"):
        halves = tuple(min(half, 8 * MIB) for half in halves)
    assert passed.sent_again <= sum(halves), passed
