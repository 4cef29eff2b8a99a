"""`transload status`: what goes on, what was stopped and why, and the command for the rest; never a secret."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pexpect
import pytest
from attrs import frozen

from transload.app.runid import NOTE_NAME, note_run
from transload.app.runs import noted_runs
from transload.cli.main import main
from transload.memory import MemoryStore
from transload.server import Served, ServeSettings, serve
from transload.testing.faults import FaultyStore, waits
from transload.testing.images import fill, image

LINE = "transload mirror a --to b"


@frozen
class Desk:
    """A source whose second image comes only when `gate` is set, a target, and this user's notes."""

    source: Served
    target: Served
    gate: threading.Event
    notes: Path
    vendor: MemoryStore

    @property
    def words(self) -> list[str]:
        """A mirror of both images."""
        return ["mirror", "images.txt", "--to", f"{self.target.host_port}/site", "--give-up-after", "1"]


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    monkeypatch.chdir(tmp_path)
    for name in ("HOME", "TRANSLOAD_STATE_DIR", "TRANSLOAD_CONFIG"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    vendor, gate = MemoryStore(), threading.Event()
    for name in ("one", "two"):
        fill(vendor, image(name, layers=(3000,)), f"app/{name}", "v1")
    slow = FaultyStore(vendor, [waits("open", gate, skip=2, times=100)])
    with serve(slow) as source, serve(MemoryStore(), ServeSettings(writable=True)) as target:
        names = [f"{source.host_port}/app/{name}:v1\n" for name in ("one", "two")]
        Path("images.txt").write_text("".join(names))
        try:
            notes = tmp_path / "transload_state_dir" / "runs"
            yield Desk(source=source, target=target, gate=gate, notes=notes, vendor=vendor)
        finally:
            gate.set()


@contextlib.contextmanager
def started(*words: str) -> Iterator[subprocess.Popen[str]]:
    """The program as a process of its own."""
    command = [sys.executable, "-m", "transload", *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def status() -> Any:
    return noted_runs(Path(os.environ["TRANSLOAD_STATE_DIR"]))


def until(condition: Callable[[], object]) -> None:
    ends_s = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < ends_s
        threading.Event().wait(0.02)


def told(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    capsys.readouterr()
    code = main(["status", *words])
    return code, *capsys.readouterr()


def killed(desk: Desk, line: str) -> None:
    """The note of a run that was killed: this process has its number, and holds no lock."""
    note = note_run(desk.notes.parent, "mirror", line, "run")
    assert note
    note._file.close()


def again(line: str) -> int:
    """Type a command that `status` printed."""
    return subprocess.run(
        [sys.executable, "-m", *line.split()], capture_output=True, check=False, timeout=60
    ).returncode


def test_nothing_is_said_as_such(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    assert told(capsys) == (0, "no run goes on, and none was stopped\n", "")


def test_a_complete_run_leaves_no_note(desk: Desk) -> None:
    desk.gate.set()
    assert main(desk.words) == 0
    assert list(desk.notes.iterdir()) == []


def test_a_run_goes_on_is_killed_and_is_gone_on_with(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    with started(*desk.words) as process:
        until(lambda: status().going_on)
        code, out, err = told(capsys)
        assert (code, err) == (0, "")
        assert out.startswith("1 run going on\n\nmirror goes on for ")
        assert f"process {process.pid}\n" in out
        assert f"  transload {' '.join(desk.words[:2])}" in out
        process.kill()
        process.wait()
    code, out, _ = told(capsys)
    assert code == 0
    assert out.startswith("no run goes on, 1 stopped\n")
    assert "mirror was killed, or the machine went down; last heard of " in out
    (run,) = status().runs
    assert f"  to go on: {run.again}\n" in out
    desk.gate.set()
    assert again(run.again) == 0
    assert told(capsys)[1] == "no run goes on, and none was stopped\n"


def test_a_run_that_was_asked_to_stop(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    with started(*desk.words) as process:
        until(lambda: status().going_on and desk.source.requests.total > 3)
        process.send_signal(signal.SIGINT)
        threading.Timer(0.5, desk.gate.set).start()
        assert process.wait(30) == 130
    (run,) = status().runs
    assert (run.state, run.ended.exit_code, run.again) == ("stopped", 130, run.line)
    assert "asked to stop (Ctrl-C, or a signal)" in told(capsys)[1]


def test_a_run_that_waits_for_its_hours_says_until_when(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    hour = (time.localtime().tm_hour + 12) % 24
    with started(*desk.words, "--between", f"{hour:02}:00-{hour:02}:30") as process:
        until(lambda: status().going_on and status().going_on[0].far)
        assert f"  waits until {hour:02}:00; nothing is copied yet\n" in told(capsys)[1]
        assert json.loads(told(capsys, "--output", "json")[1].splitlines()[-1])["runs"][0]["far"]["images"] == 0
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 130
    out = told(capsys)[1]
    assert "asked to stop (Ctrl-C, or a signal)" in out
    assert "0 of 0 images" not in out


def test_of_several_targets_it_says_which_is_not_complete_and_why(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    desk.gate.set()
    assert main([*desk.words, "--to", "127.0.0.1:1/other"]) == 5
    assert ": 1 of 2 targets is complete; 127.0.0.1:1/other: connecting to 127.0.0.1:1: " in told(capsys)[1]


def test_only_what_failed_is_tried_again(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    desk.gate.set()
    lost = "app/gone:v1"
    with Path("images.txt").open("a") as file:
        file.write(f"{desk.source.host_port}/{lost}\n")
    assert main(desk.words) != 0
    (run,) = status().runs
    assert run.again == f"{run.line} --image app/gone"
    assert (run.far.images, run.far.images_done, run.far.images_failed) == (3, 3, 1)
    assert "1 of 3 images failed; the first: " in told(capsys)[1]
    assert main(run.again.split()[1:]) != 0  # the same again: one note, which is of the rest
    (run,) = status().runs
    assert run.line.endswith("--image app/gone")
    fill(desk.vendor, image("gone"), "app/gone", "v1")
    assert main(desk.words) == 0
    assert status().runs == ()


def test_two_at_once_and_one_in_another_folder(desk: Desk, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with started(*desk.words) as first, started(*desk.words[:3], "oci:folder") as second:
        until(lambda: len(status().going_on) == 2)
        assert {run.pid for run in status().going_on} == {first.pid, second.pid}
        second.kill()
        second.wait()
        assert told(capsys)[1].startswith("1 run going on, 1 stopped\n")
        os.chdir("/")
        assert f"  to go on: cd {tmp_path} && transload mirror images.txt --to oci:folder\n" in told(capsys)[1]


@pytest.mark.parametrize(
    "line",
    ["mirror images.txt --to oci:a --to oci:b", "pack images.txt -o bundle", "apply plan.json", "mirror images.txt"],
)
def test_each_command_is_noted_and_gone_on_with(desk: Desk, line: str) -> None:
    assert main(["plan", *desk.words[1:4], "-o", "plan.json"]) == 0
    words = desk.words if line == "mirror images.txt" else line.split()
    with started(*words) as process:
        until(lambda: any(run.far for run in status().going_on))
        process.kill()
        process.wait()
    (run,) = status().runs
    assert run.again.startswith(f"transload {line}")
    assert (run.state, run.command, run.far.images_done < run.far.images) == ("stopped", words[0], True)
    desk.gate.set()
    assert again(run.again) == 0
    assert status().runs == ()


def test_a_stopped_run_is_not_shown_while_the_same_command_goes_on(desk: Desk) -> None:
    for _ in range(2):
        with started(*desk.words) as process:
            until(lambda: status().going_on)
            assert [run.pid for run in status().runs] == [process.pid]
            process.kill()
            process.wait()
    desk.gate.set()
    assert main(desk.words) == 0
    assert list(desk.notes.iterdir()) == []


def test_the_number_of_a_process_proves_nothing(desk: Desk) -> None:
    killed(desk, LINE)
    (run,) = status().runs
    assert (run.pid, run.state) == (os.getpid(), "stopped")


def test_the_end_needs_no_room_on_the_disk(desk: Desk) -> None:
    note = note_run(desk.notes.parent, "mirror", LINE, "run")
    assert note
    (path,) = desk.notes.iterdir()
    size = path.stat().st_size
    note.stopped(8, "writing f: there is no space left on the disk", "free some", again=f"{LINE} --image c")
    (path,) = desk.notes.iterdir()
    assert path.stat().st_size == size
    (run,) = status().runs
    assert (run.ended.why, run.again) == ("writing f: there is no space left on the disk", f"{LINE} --image c")


def test_a_very_long_rest_is_the_whole_command(desk: Desk) -> None:
    note = note_run(desk.notes.parent, "mirror", LINE, "run")
    assert note
    note.stopped(5, "w" * 5000, again=LINE + " --image name" * 1000)
    (run,) = status().runs
    assert (run.again, run.ended.why) == (LINE, "w" * 500)


def test_a_state_folder_that_cannot_be_used(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("a-file").touch()
    monkeypatch.setenv("TRANSLOAD_STATE_DIR", "a-file")
    desk.gate.set()
    assert main(desk.words) == 0
    code, out, err = told(capsys)
    assert (code, out) == (1, "no run could be read\n")
    assert err.startswith("warning: a-file")


def test_people_see_the_newest_that_were_stopped(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(13):
        killed(desk, f"{LINE}{number}")
    code, out, _ = told(capsys)
    assert (code, out.count("to go on: ")) == (0, 10)
    assert out.startswith("no run goes on, 13 stopped\n")
    assert out.endswith("\n3 more stopped before these; --output json has all, transload clean removes old ones\n")
    assert told(capsys, "--quiet")[1] == "no run goes on, 13 stopped\n"
    assert len(json.loads(told(capsys, "--output", "json")[1].splitlines()[-1])["runs"]) == 13


@pytest.mark.parametrize(
    "change",
    [
        lambda _: b"",
        lambda raw: raw[:40],
        lambda _: b"\x00\xff{",
        lambda raw: raw.replace(b"mirror a", b"mirror \\u001b[2Ja"),
        lambda raw: raw.replace(b"mirror a", b"mirror a; rm -rf ~"),
        lambda raw: raw.replace(b"mirror a", b"mirror $(id)"),
        lambda raw: raw.replace(b"transload mirror", b"rm mirror"),
        lambda raw: raw.replace(b'"format": 1', b'"format": 2'),
        lambda raw: raw.replace(b'"pid": ', b'"pid": -'),
        lambda raw: raw.replace(b'"began_s": ', b'"began_s": 9e99, "x": '),
        lambda raw: raw + b" " * (1 << 20),
        lambda raw: raw.replace(b'"run_id": "run"', b'"run_id": ' + b"[" * 500 + b"]" * 500),
    ],
)
def test_a_hostile_note_is_told_and_hides_no_other(
    desk: Desk, change: Callable[[bytes], bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    for word in ("good", "a"):
        killed(desk, f"transload mirror {word} --to b")
    path = next(path for path in desk.notes.iterdir() if b"mirror a" in path.read_bytes())
    path.write_bytes(change(path.read_bytes()))
    code, out, err = told(capsys)
    assert code == 1
    assert out.startswith("no run goes on, 1 stopped\n")
    assert err.startswith(f"warning: {path} cannot be read: ")
    assert "\x1b" not in out + err
    assert json.loads(told(capsys, "--output", "json")[1].splitlines()[-1])["unread"][0]["path"] == str(path)


def test_a_link_is_not_followed(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    desk.notes.mkdir(parents=True)
    name = f"20261127T020301Z-4f2a9c.{'0' * 16}.jsonl"
    assert NOTE_NAME.fullmatch(name)
    (desk.notes / name).symlink_to("/etc/passwd")
    assert told(capsys)[0] == 1


def test_what_others_may_not_know(desk: Desk, tmp_path: Path) -> None:
    note = note_run(desk.notes.parent, "mirror", "transload mirror https://ann:secret@r.example/a --to b", "run")
    assert note
    (path,) = desk.notes.iterdir()
    assert path.stat().st_mode & 0o077 == 0
    assert "secret" not in path.read_text()
    note.stopped(5, "w", again="transload mirror https://ann:secret@r.example/a --to b")
    (run,) = status().runs
    assert run.again == run.line == "transload mirror 'https://…@r.example/a' --to b"


def test_typed_words_lose_what_may_hold_a_token(desk: Desk) -> None:
    """`verify` takes its line as it was typed."""
    words = ["verify", "images.txt", "--to", desk.target.host_port, "--notify-command", "true secret"]
    with started(*words[:4], "--notify-command", "true secret", "--notify-on=always") as process:
        until(lambda: status().going_on or process.poll() is not None)
        noted = [run.line for run in status().going_on]
    assert noted in ([], [f"transload {' '.join(words[:4])} --notify-on=always"])


def test_a_check_that_ends_has_nothing_to_go_on_with(desk: Desk) -> None:
    desk.gate.set()
    assert main(["verify", "images.txt", "--to", desk.target.host_port]) != 0
    assert status().runs == ()


def test_clean_takes_old_notes_away(desk: Desk) -> None:
    held = note_run(desk.notes.parent, "mirror", LINE, "run")
    killed(desk, f"{LINE}/c")
    assert main(["clean", "--older-than", "0m"]) == 0
    assert held
    assert [run.line for run in status().runs] == [LINE]
    held.complete()


def test_watching_ends_with_the_last_run(desk: Desk) -> None:
    with started(*desk.words) as process:
        until(lambda: status().going_on)
        with started("status", "--watch", "--output", "json") as watching:
            assert watching.stdout
            lines = iter(watching.stdout)
            assert json.loads(next(lines))["event"] == "hello"
            assert json.loads(next(lines))["going_on"] == 1
            desk.gate.set()
            assert process.wait(30) == 0
            assert json.loads([*lines][-1])["going_on"] == 0
            assert watching.wait(30) == 0


@pytest.mark.parametrize("terminal", ["xterm", "dumb"])
def test_watching_on_a_terminal(desk: Desk, terminal: str) -> None:
    with started(*desk.words) as process:
        until(lambda: status().going_on)
        words = ["-m", "transload", "status", "--watch"]
        environment = {**os.environ, "TERM": terminal, "NO_COLOR": "1"}
        shown = pexpect.spawn(sys.executable, words, env=environment, encoding="utf-8", dimensions=(24, 60))
        if terminal != "dumb":
            shown.expect_exact("1 run going on", timeout=30)
        desk.gate.set()
        assert process.wait(30) == 0
        shown.expect_exact("no run goes on, and none was stopped", timeout=30)
        shown.expect(pexpect.EOF, timeout=30)
        shown.close()
        assert shown.exitstatus == 0
        assert "\x1b[?25h" in (shown.before or "") or terminal == "dumb"  # the cursor is shown again
