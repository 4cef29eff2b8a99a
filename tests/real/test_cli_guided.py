"""The guided run at a real terminal: the questions in their order, a masked password, bars, colours that can be off."""

from __future__ import annotations

import re
from pathlib import Path

import pexpect
import pytest

from tests.real.servers import Registry, StartRegistry
from tests.real.vendor import CHART, IMAGES, NEW, Shell, command, held, publish

IMAGE = "arc-dns"


def at_terminal(*arguments: object, columns: int = 100) -> pexpect.spawn:
    """`transload arguments…` at a terminal of its own."""
    program, *words = command(*arguments)
    return pexpect.spawn(program, words, encoding="utf-8", timeout=20, dimensions=(40, columns))


def answer(terminal: pexpect.spawn, question: str, text: str = "") -> None:
    """Wait for a question and answer it; nothing else may have been asked before."""
    terminal.expect(re.escape(question))
    assert not re.search(r": \r?$", terminal.before, re.MULTILINE)
    terminal.sendline(text)


def ended(terminal: pexpect.spawn) -> tuple[int, str]:
    """The exit code, and all that came since the last question."""
    terminal.expect(pexpect.EOF)
    terminal.close()
    return terminal.exitstatus, terminal.before


def test_the_questions_of_the_vendors_script(shell: Shell, vendor: Registry, htpasswd_registry: Registry) -> None:
    user = htpasswd_registry.user
    assert user
    terminal = at_terminal("mirror", "--image", IMAGE)
    answer(terminal, "Registry to copy from [mcr.microsoft.com]: ", vendor.host)
    answer(terminal, "Repository prefix there [arcdata]: ")
    answer(terminal, "User there (empty for none): ")
    answer(terminal, f"Release tag [{NEW}]: ")  # without a user no password is asked for
    answer(terminal, "Registry to copy to (host or host:port): ")  # no default
    answer(terminal, "please answer\r\nRegistry to copy to (host or host:port): ", htpasswd_registry.host)
    answer(terminal, "Repository prefix there (empty for none): ", "Guided")
    answer(terminal, "Repository prefix there (empty for none): ", "guided")
    answer(terminal, "User there (empty for none): ", user.name)
    answer(terminal, "Password there: ", user.password)
    answer(terminal, f"Tag there [{NEW}]: ", "v-here")
    code, told = ended(terminal)
    assert code == 0, told
    assert user.password not in told  # the terminal did not echo it
    assert f"Plan: 1 image to {htpasswd_registry.host}" in re.sub(r"\x1b\[[0-9;]*m", "", told)
    assert held(htpasswd_registry, "guided", user) == {f"{IMAGE}:v-here"}


def test_what_variables_answer_is_not_asked(shell: Shell, vendor: Registry, registry: Registry) -> None:
    shell.set(
        SOURCE_DOCKER_REGISTRY=vendor.host,
        SOURCE_DOCKER_REPOSITORY="",
        SOURCE_DOCKER_USERNAME="",
        SOURCE_DOCKER_TAG=NEW,
        TARGET_DOCKER_REGISTRY=registry.host,
        TARGET_DOCKER_REPOSITORY="partly",
        TARGET_DOCKER_PASSWORD="",
        TARGET_DOCKER_TAG="",
    )
    terminal = at_terminal("mirror", "--image", IMAGE)
    answer(terminal, "passwords are not shown.\r\n\r\nUser there (empty for none): ")
    code, told = ended(terminal)
    assert code == 0, told
    assert held(registry, "partly") == {f"{IMAGE}:{NEW}"}


def test_a_source_that_does_not_tell_its_releases_is_no_end(shell: Shell, registry: Registry) -> None:
    shell.set(SOURCE_DOCKER_REGISTRY="127.0.0.1:1", SOURCE_DOCKER_REPOSITORY="", SOURCE_DOCKER_USERNAME="")
    terminal = at_terminal("mirror", "--to", registry.host)
    answer(terminal, "does not tell its releases")
    terminal.expect(r"Release tag \[v1\.\d+\.\d_\d{4}-\d\d-\d\d\]: ")
    terminal.sendcontrol("c")
    if terminal.expect(["interrupted", pexpect.TIMEOUT], timeout=3):  # it came while Python was about to wait for a key
        terminal.sendcontrol("c")
        terminal.expect("interrupted")
    code, _ = ended(terminal)
    assert code == 130


def test_bars_move_at_a_terminal_and_leave_the_results(shell: Shell, vendor: Registry, registry: Registry) -> None:
    terminal = at_terminal(
        *("mirror", "arcdata", "--source-registry", vendor.host, "--tag", NEW, "--to", f"{registry.host}/bars"),
        columns=80,
    )
    code, told = ended(terminal)
    assert code == 0, told
    assert "\x1b[?25l" in told  # the cursor is hidden while bars move
    assert told.rindex("\x1b[?25h") > told.rindex("\x1b[?25l")
    shown = [re.sub(r"\x1b\[\??[0-9;]*[a-zA-Z]", "", line) for line in re.split(r"[\r\n]+", told)]
    assert max(map(len, shown)) <= 80
    assert any(line.startswith("done: 20 copied, 1 missing (1 allowed)") for line in shown)


@pytest.mark.parametrize(("variable", "colourful"), [("NO_COLOR", False), ("FORCE_COLOR", True)])
def test_colours(
    shell: Shell, vendor: Registry, monkeypatch: pytest.MonkeyPatch, variable: str, colourful: bool, tmp_path: Path
) -> None:
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv(variable, "1")
    words = ("mirror", f"{vendor.host}/arcdata/{IMAGE}:{NEW}", "--to", f"oci:{tmp_path / variable}")
    _, told = ended(at_terminal(*words))
    assert ("\x1b[32m" in told) == colourful
    done = shell.start(*words)  # pipes
    out, err = done.communicate(timeout=20)
    assert ("\x1b[" in out) == colourful


def test_the_whole_guided_run_with_a_source_that_wants_a_password(
    shell: Shell, start_registry: StartRegistry, registry: Registry
) -> None:
    source = start_registry("htpasswd")
    user = source.user
    assert user
    publish(source, (NEW,), images=IMAGES[:3], user=user)
    terminal = at_terminal("mirror", "--to", f"{registry.host}/whole", "--allow-missing")
    answer(terminal, "[mcr.microsoft.com]: ", source.host)
    answer(terminal, "[arcdata]: ")
    answer(terminal, "User there (empty for none): ", user.name)
    answer(terminal, "Password there: ", user.password)
    answer(terminal, f"Release tag [{NEW}]: ")
    answer(terminal, "User there (empty for none): ")
    answer(terminal, f"Tag there [{NEW}]: ")
    code, told = ended(terminal)
    assert code == 0, told
    assert user.password not in told
    assert held(registry, "whole") == {f"{name}:{NEW}" for name in IMAGES[:3]}
    assert CHART in told
