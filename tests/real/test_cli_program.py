"""The program as such: help, versions, pipes that close, the configuration file, the demonstration."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

from tests.real.servers import Registry
from tests.real.vendor import NEW, OLD, Shell, command, held
from transload import __version__
from transload.cli.main import transload

with click.Context(transload) as _context:
    COMMANDS = transload.list_commands(_context)


@pytest.mark.parametrize("name", ["", *COMMANDS])
def test_help_is_readable_at_80_columns(shell: Shell, name: str) -> None:
    shell.set(COLUMNS=80)
    ran = shell(*filter(None, [name]), "--help")
    assert ran.code == 0
    assert ran.out.startswith(f"Usage: transload {name}".rstrip())
    assert max(map(len, ran.out.splitlines())) <= 80
    assert "FLOAT" not in ran.out
    assert "INTEGER" not in ran.out


def test_as_a_module_and_as_a_command(shell: Shell) -> None:
    done = subprocess.run(command("--version"), capture_output=True, text=True, check=True)
    assert done.stdout == f"transload {__version__}\n"
    script = Path(sys.executable).with_name("transload")
    done = subprocess.run([script, "nothing"], capture_output=True, text=True, check=False)
    assert (done.returncode, "there is no command 'nothing'" in done.stderr) == (2, True)


def test_help_and_version_read_no_more_than_they_need(shell: Shell) -> None:
    for argument in ("--version", "--help"):
        code = f"import sys; from transload.cli.main import main; main(['{argument}']); print(*sys.modules)"
        loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
        assert not {"urllib3", "yaml", "aiohttp", "transload.registry"} & set(loaded)


def piped_to_head(*arguments: object, lines: int = 1) -> tuple[int, str, str]:
    """The command with a reader that leaves after some lines."""
    reading, writing = os.pipe()
    process = subprocess.Popen(command(*arguments), stdout=writing, stderr=subprocess.PIPE, text=True)
    os.close(writing)
    with os.fdopen(reading) as out:
        read = "".join(out.readline() for _ in range(lines))
    _, err = process.communicate(timeout=240)
    return process.returncode, read, err


def test_a_reader_that_leaves_is_no_bug(shell: Shell, vendor: Registry, registry: Registry, tmp_path: Path) -> None:
    source = ("arcdata", "--source-registry", vendor.host, "--tag", NEW)
    words = (*source, "--to", f"{registry.host}/head")
    for arguments in (
        ("releases", "arcdata", "--known"),
        ("plan", *words),
        ("mirror", *words, "--output", "json", "--report", tmp_path / "r.json"),
        ("verify", *words),
    ):
        _, read, err = piped_to_head(*arguments)
        assert read
        assert "Traceback" not in err
        assert "BrokenPipe" not in err
    assert len(held(registry, "head")) == 20  # nobody listened, and the run was done all the same
    assert (tmp_path / "r.json").is_file()


def test_the_configuration_file_is_below_variables_and_flags(
    shell: Shell, vendor: Registry, registry: Registry
) -> None:
    (shell.home / "config.yaml").write_text(
        f"to: {registry.host}/from-file\nsource-registry: {vendor.host}\ntag: '1.39'\nimage: arc-dns\nquiet: true\n"
    )
    assert shell("mirror", "arcdata").code == 0
    assert held(registry, "from-file") == {f"arc-dns:{OLD}"}
    shell.set(TRANSLOAD_TO=f"{registry.host}/from-variable", SOURCE_DOCKER_TAG=NEW)
    assert shell("mirror", "arcdata").code == 0
    assert held(registry, "from-variable") == {f"arc-dns:{NEW}"}
    ran = shell("mirror", "arcdata", "--to", f"{registry.host}/from-flag", "--tag", OLD, "--image", "arc-sqlmi")
    assert ran.code == 0
    assert held(registry, "from-flag") == {f"arc-sqlmi:{OLD}"}
    assert ran.err == ""


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("too: x\n", "too: no command has this flag; did you mean 'to'?"),
        ("tag: 1.40\n", "tag: 1.4 is not text"),
        ("tag: [a, b]\n", "tag: takes one value, not a list"),
        ("source-password: x\n", "secrets do not belong into this file"),
        ("- to\n", "expected a map of flags to values"),
        ("to: [\n", "not valid YAML"),
    ],
)
def test_a_configuration_file_with_an_error(shell: Shell, text: str, sentence: str) -> None:
    (shell.home / "config.yaml").write_text(text)
    ran = shell("plan", "arcdata")
    assert ran.code == 2
    assert sentence in ran.err
    assert "config.yaml" in ran.err
    assert shell("--version").code == 0


def test_the_demonstration(shell: Shell, tmp_path: Path) -> None:
    ran = shell("demo", "--size", "4", "--keep", tmp_path / "kept")
    assert ran.code == 0, ran.told
    assert "20 of 20 images identical" in ran.out
    assert "nothing to do: 20 unchanged" in ran.out
    assert re.search(r"^nothing new +20 +0 B +0 +0 ", ran.out, re.MULTILINE)
    assert (tmp_path / "kept" / "shop.yaml").is_file()
    assert not list(shell.home.rglob("*.jsonl"))  # what it learnt is its own


def test_a_bug_keeps_its_traceback_and_has_an_exit_code(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("transload.app.mirror.select")
    ran = shell("plan", "arcdata", "--to", "127.0.0.1:1/x")
    assert ran.code == 70
    assert "NameError" in ran.err
    assert f"this is a bug in transload {__version__}; please report it" in ran.err
