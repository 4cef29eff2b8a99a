"""Processes in odd surroundings: what cannot be had is told in a sentence, and never with a traceback."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from transload.layout import LayoutStore
from transload.testing.images import fill, image

PROGRAM = (sys.executable, "-m", "transload")
ODD = "b\udcff"  # a byte that is no UTF-8, as Python gives and takes it


def run(
    *words: str, cwd: Path | None = None, before: str = "", **variables: str | None
) -> subprocess.CompletedProcess[str]:
    """Run a command; `before` is what a shell does first."""
    environment = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", **variables}
    shell = ["/bin/sh", "-c", f'{before}\nexec "$@"', "sh", *PROGRAM, *words]
    return subprocess.run(
        [os.fsencode(word) for word in shell],
        cwd=cwd,
        env={name: value for name, value in environment.items() if value is not None},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=240,
        check=False,
    )


def check(done: subprocess.CompletedProcess[str], code: int, told: str = "") -> None:
    assert "Traceback" not in done.stderr, done.stderr
    assert done.returncode == code, done.stderr
    assert told in done.stderr


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    fill(LayoutStore(tmp_path / "folder", create=True), image("one", (1000,)), "app", "v1")
    return tmp_path / "folder"


LOCALES: list[Mapping[str, str]] = [
    {"LC_ALL": "C.UTF-8"},
    {"LC_ALL": "C"},
    {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    {"LC_ALL": "xx_YY.ISO-8859-1", "PYTHONUTF8": "0"},
]


@pytest.mark.parametrize("locale", LOCALES, ids=str)
def test_names_that_are_no_text(folder: Path, tmp_path: Path, locale: Mapping[str, str]) -> None:
    check(run("mirror", "--from", f"oci:{folder}", "--to", f"oci:{ODD}", cwd=tmp_path, **locale), 0)
    assert (tmp_path / ODD / "oci-layout").is_file()
    check(run("pack", "--from", f"oci:{ODD}", "-o", f"ü{ODD}", cwd=tmp_path, **locale), 0)
    check(run("verify", f"ü{ODD}", "-q", cwd=tmp_path, **locale), 0)
    check(run("list", "ünknown", cwd=tmp_path, **locale), 8)


@pytest.mark.parametrize(
    "variables",
    [
        {"HOME": None},
        {"HOME": ""},
        {"HOME": "relative"},
        {"HOME": "/"},
        {"HOME": "/dev/null"},
        {"HOME": ODD},
        {"XDG_STATE_HOME": "relative", "XDG_CONFIG_HOME": "relative", "XDG_RUNTIME_DIR": "relative"},
        {"XDG_STATE_HOME": "/dev/null", "XDG_CONFIG_HOME": "/dev/null", "XDG_RUNTIME_DIR": "/dev/null"},
        {"TRANSLOAD_STATE_DIR": "/dev/null"},
        {"TZ": ODD, "TMPDIR": "/nonexistent", "COLUMNS": "x", "LINES": "-1"},
        {"REGISTRY_AUTH_FILE": "/", "DOCKER_CONFIG": ODD, "DOCKER_AUTH_CONFIG": "{"},
        {"PATH": ""},
        {"HUGE": "x" * 100_000},
    ],
    ids=lambda variables: ",".join(variables),
)
def test_variables(folder: Path, tmp_path: Path, variables: dict[str, Any]) -> None:
    before = set(tmp_path.iterdir())
    check(run("mirror", "--from", f"oci:{folder}", "--to", "oci:copy", cwd=tmp_path, **variables), 0)
    assert {path.name for path in set(tmp_path.iterdir()) - before} <= {"copy"}  # no folder called ~ or relative


GONE = 'mkdir gone; cd gone; rmdir "$PWD"'


@pytest.mark.parametrize(
    "words",
    [
        ("mirror", "--from", "oci:{}", "--to", "oci:copy"),
        ("mirror", "--from", "oci:{}", "--to", "oci:copy", "--report", "r.md"),
        ("pack", "--from", "oci:{}", "-o", "bundle"),
        ("inventory", "oci:{}", "-o", "x.json"),
        ("plan", "--from", "oci:{}", "--to", "oci:copy", "-o", "plan.json"),
    ],
    ids=" ".join,
)
def test_a_folder_that_is_gone_meanwhile(folder: Path, tmp_path: Path, words: tuple[str, ...]) -> None:
    check(run(*(word.format(folder) for word in words), cwd=tmp_path, before=GONE), 8)


def test_but_it_matters_only_to_what_is_there(folder: Path, tmp_path: Path) -> None:
    check(run("verify", f"oci:{folder}", cwd=tmp_path, before=GONE), 0)


@pytest.mark.parametrize(
    "words",
    [
        ("list", "z" * 5000),
        ("push", "z" * 5000, "--to", "oci:copy"),
        ("mirror", "z" * 5000 + ".yaml", "--to", "oci:copy"),
        ("mirror", "~nobody-here/x.yaml", "--to", "oci:copy"),
        ("list", "~nobody-here/x"),
        ("mirror", "--from", "oci:{}", "--to", "oci:copy", "--report", "z" * 5000 + ".md"),
        ("apply", "z" * 5000),
    ],
    ids=lambda words: " ".join(words)[:20],
)
def test_names_that_can_be_no_files(folder: Path, tmp_path: Path, words: tuple[str, ...]) -> None:
    check(run(*(word.format(folder) for word in words), cwd=tmp_path), 8)


def test_closed_standard_input(tmp_path: Path) -> None:
    check(run("mirror", before="exec <&-", cwd=tmp_path), 2, "no terminal to ask on")
    login = ("--target-username", "ann", "--target-password-stdin")
    words = ("mirror", "r.invalid/a:1", "--to", "r.invalid", *login)
    check(run(*words, before="exec <&-", cwd=tmp_path), 2, "there is no password")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="root may become somebody with a limit")
@pytest.mark.skipif(sys.platform != "linux", reason="prlimit and setpriv are Linux programs")
def test_no_thread_to_be_had(folder: Path, tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    for parent in list(tmp_path.parents)[:3]:
        parent.chmod(parent.stat().st_mode | 0o555)
    limited = "exec prlimit --nproc=1 setpriv --reuid=54321 --regid=54321 --clear-groups"
    words = ("mirror", "--from", f"oci:{folder}", "--to", f"oci:{tmp_path}/copy")
    done = subprocess.run(
        ["sh", "-c", f'{limited} "$@"', "sh", *PROGRAM, *words],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"]},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    check(done, 0)


def test_ctrl_c_while_the_program_is_being_loaded(tmp_path: Path) -> None:
    (tmp_path / "click.py").write_text(
        "import os, signal\nos.kill(os.getpid(), signal.SIGINT)\nwhile True: signal.pause()\n"
    )
    program = [sys.executable, "-c", "from transload.__main__ import run; run()", "--version"]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(program, capture_output=True, text=True, env=environment, timeout=240, check=False)
    assert (done.returncode, done.stderr.strip()) == (130, "interrupted")


def test_ctrl_c_that_the_caller_wants_ignored_stays_so(tmp_path: Path) -> None:
    code = "from transload.__main__ import run; run()"
    ignoring = ["/bin/sh", "-c", 'trap "" INT; exec "$@"', "sh"]
    (tmp_path / "click.py").write_text(
        "import os, signal, sys\nos.kill(os.getpid(), signal.SIGINT)\nprint('still here', flush=True)\nos._exit(0)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(
        [*ignoring, sys.executable, "-c", code, "--version"],
        capture_output=True,
        text=True,
        env=environment,
        timeout=240,
        check=False,
    )
    assert (done.returncode, done.stdout.strip()) == (0, "still here")
