"""How many rounds, from which seed, and a table of what they came to."""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.kills.rounds import Rounds
from tests.kills.scenes import made_world
from tests.real.programs import program
from tests.real.servers import running_registry

BLOCK = 10  # rounds in one test


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--rounds", type=int, default=BLOCK, help="kills of each scene (%(default)s)")
    parser.addoption("--seed", default="1", help="what moments are drawn from (%(default)s)")


@pytest.fixture(autouse=True)
def surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody's logins, settings and state."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("TRANSLOAD_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("TRANSLOAD_CONFIG", str(tmp_path / "config.yaml"))


@pytest.fixture(scope="session")
def rounds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rounds]:
    """Runs rounds against servers that end with the session."""
    with contextlib.ExitStack() as stack:
        registry = stack.enter_context(
            running_registry(program("docker-registry"), tmp_path_factory.mktemp("registry"))
        )
        world = stack.enter_context(made_world(registry, tmp_path_factory.mktemp("bundle")))
        yield Rounds(world, tmp_path_factory.mktemp("rounds"))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """A line for each scene: how many kills, how far the runs had come, and the bytes in all."""
    config, passed = terminalreporter.config, defaultdict[str, list[dict[str, Any]]](list)
    if hasattr(config.option, "rounds"):
        terminalreporter.write_line(
            f"kills: {config.option.rounds} of each scene, from the seed {config.option.seed!r}"
        )
    for report in terminalreporter.stats.get("passed", []):
        for name, value in report.user_properties:
            if name == "passed":
                passed[value["scene"]].append(value)
    for scene, values in sorted(passed.items()):
        shares = [value["share"] for value in values if value["share"] is not None]
        ended = f", ended after {min(shares):.0%} to {max(shares):.0%}" if shares else ""
        read, sent = (max(value[name] for value in values) for name in ("read", "sent"))
        terminalreporter.write_line(f"{scene}: {len(values)}{ended}; read at most {read:.1%}, sent at most {sent:.1%}")
