"""The program that is told of a run: it cannot hold the run up, nor start another one."""

from __future__ import annotations

import contextlib
import os
import select
import sys
from pathlib import Path

import pytest

from transload.app.notifying import Notifier
from transload.app.settings import read_environment
from transload.report.conclusion import Conclusion

LARGE = Conclusion(exit_code=0, summary="done", document={"text": "x" * 4_000_000})


def test_a_program_that_hangs_is_ended_with_what_it_started(tmp_path: Path) -> None:
    """It does not read a result that no pipe holds, and its own child keeps the pipes open."""
    script = tmp_path / "hang.sh"
    noted = tmp_path / "child"
    script.write_text(f"sleep 600 & echo $! > {noted}; wait\n")
    environment = read_environment()
    notifier = Notifier.parse(f"sh {script}", "always", environment)
    assert notifier.notify(LARGE, "one", environment, timeout_s=2) == "it was ended after 2 s"
    if noted.exists() and (child := noted.read_text().strip()):
        with contextlib.suppress(ProcessLookupError):  # it has gone already
            ended = select.poll()
            ended.register(os.pidfd_open(int(child)), select.POLLIN)
            assert ended.poll(60_000), "the child still runs"


def test_a_program_that_reads_nothing_of_a_large_result() -> None:
    environment = read_environment()
    assert Notifier.parse("true", "always", environment).notify(LARGE, "one", environment) is None


def test_it_does_not_notify_in_its_turn(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("TRANSLOAD_NOTIFY_COMMAND", "TRANSLOAD_METRICS_FILE", "TRANSLOAD_SIGN_PASSPHRASE"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("TRANSLOAD_CA_FILE", "kept")
    out = tmp_path / "out"
    environment = read_environment()
    script = f"import os; open({str(out)!r}, 'w').write(' '.join(sorted(os.environ)))"
    notifier = Notifier((sys.executable, "-c", script), "always")
    assert notifier.notify(LARGE, "one", environment) is None
    names = out.read_text().split()
    assert "TRANSLOAD_CA_FILE" in names
    assert {"TRANSLOAD_RUN_ID", "TRANSLOAD_EXIT_CODE", "TRANSLOAD_STATUS", "TRANSLOAD_SUMMARY"} <= set(names)
    assert not {"TRANSLOAD_NOTIFY_COMMAND", "TRANSLOAD_METRICS_FILE", "TRANSLOAD_SIGN_PASSPHRASE"} & set(names)
    assert os.environ["TRANSLOAD_SIGN_PASSPHRASE"] == "x"
