"""Ctrl-C and `kill -9` in the middle of a mirror: the run ends orderly, and the next one does only the rest."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import shlex
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from attrs import frozen

from tests.real.servers import Registry
from tests.real.vendor import Shell, command, digest_at, held
from transload.layout import LayoutStore
from transload.memory import MemoryStore
from transload.oci import Name
from transload.server import Served, serve
from transload.testing.faults import FaultyStore, waits
from transload.testing.images import fill, image
from transload.testing.layers import layer

SMALL, LARGE = layer("small", 400_000), layer("large", 3_000_000)
FIRST, SECOND = image("first", [SMALL, 1000]), image("second", [LARGE, 1000])
BLOBS = len(list(FIRST.walk_blobs())) + len(list(SECOND.walk_blobs()))


SURVIVOR = """
import pathlib, signal, subprocess, sys
process = subprocess.Popen(sys.argv[2:])
signal.signal(signal.SIGHUP, lambda number, _: process.send_signal(number))
pathlib.Path(sys.argv[1]).write_text(str(process.wait()))
"""
"""Runs a command on the terminal that it is started on, and passes its end on, as a shell does."""


@frozen
class Held:
    """A served source that keeps its largest blob back until `gate` is set."""

    served: Served
    store: FaultyStore
    gate: threading.Event

    @property
    def words(self) -> list[str]:
        """Both images."""
        return [f"{self.served.host_port}/app/{name}:v1" for name in ("first", "second")]


@pytest.fixture
def source() -> Iterator[Held]:
    memory, gate = MemoryStore(), threading.Event()
    fill(memory, FIRST, "app/first", "v1")
    fill(memory, SECOND, "app/second", "v1")
    store = FaultyStore(memory, [waits("open", gate, subject=LARGE.descriptor.digest, times=99)])
    with serve(store) as served:
        yield Held(served, store, gate)
        gate.set()


@contextlib.contextmanager
def stuck(shell: Shell, source: Held, *words: str, targets: int = 1) -> Iterator[subprocess.Popen[str]]:
    """A mirror that has brought everything but the blob that is held back to so many targets."""
    process = shell.start("mirror", *source.words, "--output", "json", *words)
    assert process.stdout
    try:
        seen: Counter[str] = Counter()
        while not (seen["image"] == targets and seen["blob"] == targets * (BLOBS - 1)):
            seen[json.loads(process.stdout.readline())["event"]] += 1
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_a_run_orderly_and_says_how_to_go_on(
    shell: Shell, source: Held, registry: Registry, number: int
) -> None:
    prefix = f"signal-{number}"
    with stuck(shell, source, "--to", f"{registry.host}/{prefix}") as process:
        process.send_signal(number)
        out, err = process.communicate(timeout=240)
    assert process.returncode == 130
    assert "Traceback" not in err
    events = [json.loads(line) for line in out.splitlines()]
    assert any(one["event"] == "notice" and "stopping" in one["text"] for one in events)
    result = events[-1]["result"]
    assert (result["interrupted"], result["exit_code"]) == (True, 130)
    assert [image["status"] for image in result["images"]] == ["copied", "interrupted"]
    assert held(registry, prefix) == {"app/first:v1"}
    source.gate.set()
    again = shell(*shlex.split(result["retry"])[1:], "--output", "json")
    assert again.code == 0
    totals = again.events[-1]["result"]["totals"]
    assert totals["images"]["unchanged"] == 1
    assert digest_at(registry, f"{prefix}/app/second:v1") == SECOND.digest


def test_a_signal_ends_a_run_to_several_targets_which_each_go_on(
    shell: Shell, source: Held, registry: Registry, tmp_path: Path
) -> None:
    """One of them waits for the source, the other for what comes of it."""
    folder = tmp_path / "folder"
    to = ("--to", f"{registry.host}/stopped-several", "--to", f"oci:{folder}")
    with stuck(shell, source, *to, targets=2) as process:
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=240)
    assert process.returncode == 130
    assert "Traceback" not in err
    result = json.loads(out.splitlines()[-1])["result"]
    assert (result["interrupted"], result["exit_code"]) == (True, 130)
    for target in result["targets"]:
        assert [image["status"] for image in target["images"]] == ["copied", "interrupted"]
    source.gate.set()
    opened = source.store.calls["open"]
    again = shell("mirror", *source.words, *to, "--output", "json")
    assert again.code == 0
    assert source.store.calls["open"] == opened + 1
    assert [target["totals"]["images"]["unchanged"] for target in again.events[-1]["result"]["targets"]] == [1, 1]
    assert digest_at(registry, "stopped-several/app/second:v1") == SECOND.digest
    assert LayoutStore(folder).resolve(Name("app/second", "v1")).digest == SECOND.digest


def test_a_hangup_comes_twice_and_once_is_enough(shell: Shell, source: Held, registry: Registry) -> None:
    with stuck(shell, source, "--to", f"{registry.host}/hung-up") as process:
        process.send_signal(signal.SIGHUP)
        assert process.stdout
        while json.loads(process.stdout.readline())["event"] != "notice":
            pass
        process.send_signal(signal.SIGHUP)
        out, _ = process.communicate(timeout=240)
    assert process.returncode == 130
    assert json.loads(out.splitlines()[-1])["result"]["interrupted"]


@pytest.mark.parametrize("program", ["nohup", "trap"])
def test_a_hangup_that_is_to_be_ignored_is(shell: Shell, source: Held, registry: Registry, program: str) -> None:
    ignoring = ["nohup"] if program == "nohup" else ["bash", "-c", "trap '' HUP; exec \"$@\"", "bash"]
    words = command("mirror", *source.words, "--to", f"{registry.host}/{program}", "--output", "json")
    process = subprocess.Popen([*ignoring, *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    while json.loads(process.stdout.readline())["event"] != "image":
        pass
    process.send_signal(signal.SIGHUP)
    source.gate.set()
    out, _ = process.communicate(timeout=240)
    assert process.returncode == 0
    assert json.loads(out.splitlines()[-1])["result"]["totals"]["images"]["copied"] == 2


def test_a_terminal_that_is_closed_ends_a_run_orderly(
    shell: Shell, source: Held, registry: Registry, tmp_path: Path
) -> None:
    """All three streams are on it. Whoever is left to read the exit code and the report learns what came of the run."""
    report, code = tmp_path / "r.json", tmp_path / "code"
    words = command("mirror", *source.words, "--to", f"{registry.host}/closed", "--report", report)
    child, terminal = pty.fork()
    if child == 0:
        os.execvpe(sys.executable, [sys.executable, "-c", SURVIVOR, str(code), *words], {**os.environ, "TERM": "xterm"})
    seen = b""
    while b"copied" not in seen:
        seen += os.read(terminal, 4096)
    os.close(terminal)
    os.waitpid(child, 0)
    assert code.read_text() == "130"
    result = json.loads(report.read_text())
    assert (result["interrupted"], result["exit_code"]) == (True, 130)
    assert held(registry, "closed") == {"app/first:v1"}


def test_after_kill_9_what_arrived_is_not_sent_again(shell: Shell, source: Held, registry: Registry) -> None:
    with stuck(shell, source, "--to", f"{registry.host}/killed") as process:
        process.kill()
        process.communicate(timeout=240)
    assert held(registry, "killed") == {"app/first:v1"}
    source.gate.set()
    before = source.store.calls["open"]
    again = shell("mirror", *source.words, "--to", f"{registry.host}/killed", "--output", "json")
    assert again.code == 0, again.told
    result = again.events[-1]["result"]
    second = next(image for image in result["images"] if image["name"].startswith("killed/app/second"))
    assert second["present"]["blobs"] == 2  # the registry lists no such repository yet; the journal knew
    assert second["copied"] == {"blobs": 1, "bytes": LARGE.descriptor.size}
    assert source.store.calls["open"] == before + 1
    assert digest_at(registry, "killed/app/second:v1") == SECOND.digest


def test_a_second_signal_leaves_at_once(shell: Shell, source: Held, registry: Registry) -> None:
    with stuck(shell, source, "--to", f"{registry.host}/twice") as process:
        process.send_signal(signal.SIGINT)
        assert process.stdout
        while json.loads(process.stdout.readline())["event"] != "notice":
            pass
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=240)
    assert process.returncode == 130


def test_interrupted_while_it_plans(shell: Shell, registry: Registry) -> None:
    memory, gate = MemoryStore(), threading.Event()
    fill(memory, FIRST, "app/first", "v1")
    asked = threading.Event()

    class Output(FaultyStore):
        def fetch(self, name):  # type: ignore[no-untyped-def]
            asked.set()
            return super().fetch(name)

    store = Output(memory, [waits("fetch", gate, times=99)])
    with serve(store) as served:
        process = shell.start("mirror", f"{served.host_port}/app/first:v1", "--to", f"{registry.host}/planning")
        assert asked.wait(240)
        process.send_signal(signal.SIGINT)
        gate.set()
        out, err = process.communicate(timeout=240)
    assert process.returncode == 130
    assert "interrupted" in err
    assert "Traceback" not in err
    assert held(registry, "planning") == set()
