"""The guided run at a real terminal: the questions in their order, a masked password, bars, colours that can be off."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path

import pexpect
import pytest

from tests.real.servers import Registry, StartRegistry
from tests.real.vendor import CHART, IMAGES, NEW, OLD, Shell, command, held, publish
from transload.layout import LayoutStore
from transload.testing.images import fill, image

IMAGE = "arc-dns"


def at_terminal(*arguments: object, columns: int = 100) -> pexpect.spawn[str]:
    """`transload arguments…` at a terminal of its own."""
    program, *words = command(*arguments)
    return pexpect.spawn(program, words, encoding="utf-8", timeout=240, use_poll=True, dimensions=(40, columns))


def before(terminal: pexpect.spawn[str]) -> str:
    """All that came before what was expected last."""
    return terminal.before or ""


def answer(terminal: pexpect.spawn[str], question: str, text: str = "") -> None:
    """Wait for a question and answer it; nothing else may have been asked before."""
    terminal.expect(re.escape(question))
    assert not re.search(r": \r?$", before(terminal), re.MULTILINE)
    terminal.sendline(text)


def ended(terminal: pexpect.spawn[str]) -> tuple[int | None, str]:
    """The exit code, and all that came since the last question."""
    terminal.expect(pexpect.EOF)
    terminal.close()
    return terminal.exitstatus, before(terminal)


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
    answer(terminal, f"copy 1 image, 25 KiB, to {htpasswd_registry.host}/guided? [Y/n]: ")
    planned = before(terminal)
    code, told = ended(terminal)
    told = planned + told
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
    answer(terminal, f"to {registry.host}/partly? [Y/n]: ")
    code, told = ended(terminal)
    assert code == 0, told
    assert held(registry, "partly") == {f"{IMAGE}:{NEW}"}


def test_a_source_that_does_not_tell_its_releases_is_no_end(shell: Shell, registry: Registry) -> None:
    shell.set(SOURCE_DOCKER_REGISTRY="127.0.0.1:1", SOURCE_DOCKER_REPOSITORY="", SOURCE_DOCKER_USERNAME="")
    terminal = at_terminal("mirror", "--to", registry.host)
    terminal.expect("could not list its releases")
    terminal.expect(r"Release tag \[v1\.\d+\.\d_\d{4}-\d\d-\d\d\]: ")
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
    assert any(line.startswith("done: 20 copied, 1 missing as allowed") for line in shown)


@pytest.mark.parametrize(("variable", "colourful"), [("NO_COLOR", False), ("FORCE_COLOR", True)])
def test_colours(
    shell: Shell, vendor: Registry, monkeypatch: pytest.MonkeyPatch, variable: str, colourful: bool, tmp_path: Path
) -> None:
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv(variable, "1")
    words = ("mirror", f"{vendor.host}/arcdata/{IMAGE}:{NEW}", "--to", f"oci:{tmp_path / variable}")
    _, told = ended(at_terminal(*words))
    assert ("\x1b[38;5;28m" in told) == colourful
    done = shell.start(*words)  # pipes
    out, err = done.communicate(timeout=240)
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
    answer(terminal, f"copy 3 images, 31 KiB, to {registry.host}/whole? [Y/n]: ")
    told = before(terminal)
    code, rest = ended(terminal)
    told += rest
    assert code == 0, told
    assert user.password not in told
    assert held(registry, "whole") == {f"{name}:{NEW}" for name in IMAGES[:3]}
    assert CHART in told


def said(terminal: pexpect.spawn[str]) -> str:
    """All that came before what was expected last, without colours, in one line."""
    return " ".join(re.sub(r"\x1b\[[0-9;]*m", "", before(terminal)).split())


def up_to_the_target(shell: Shell, vendor: Registry, to: str) -> pexpect.spawn[str]:
    """At the question for the release, everything else answered but the tag at the target."""
    shell.set(SOURCE_DOCKER_REGISTRY=vendor.host, SOURCE_DOCKER_REPOSITORY="arcdata", SOURCE_DOCKER_USERNAME="")
    odd = shell.home / "it's odd.pem"  # has to be quoted
    odd.touch()
    terminal = at_terminal("mirror", "--image", IMAGE, "--to", to, "--ca-file", odd)
    terminal.expect(re.escape(f"Release tag [{NEW}]: "))
    return terminal


def test_a_release_named_by_a_part_keeps_its_whole_tag_and_the_line_afterwards_does_the_same(
    shell: Shell, vendor: Registry, registry: Registry
) -> None:
    terminal = up_to_the_target(shell, vendor, f"{registry.host}/short")
    terminal.sendline("v9.9")
    answer(terminal, f"Release tag [{NEW}]: ", "v1.39")
    assert "v9.9" in said(terminal)
    answer(terminal, "User there (empty for none): ")
    assert f"v1.39 is the release {OLD}" in said(terminal)
    answer(terminal, f"Tag there [{OLD}]: ")
    answer(terminal, f"to {registry.host}/short? [Y/n]: ", "Y")
    terminal.expect("the same without questions:\\s+(transload [^\\r\\n]+)")
    assert isinstance(terminal.match, re.Match)
    line = terminal.match.group(1)
    assert ended(terminal)[0] == 0
    assert held(registry, "short") == {f"{IMAGE}:{OLD}"}
    for name in ("SOURCE_DOCKER_REGISTRY", "SOURCE_DOCKER_REPOSITORY", "SOURCE_DOCKER_USERNAME"):
        shell.unset(name)
    again = shell(*shlex.split(line)[1:])
    assert again.code == 0, again.told
    assert "1 unchanged" in again.told


def test_several_releases_keep_their_own_tags(shell: Shell, vendor: Registry, registry: Registry) -> None:
    terminal = up_to_the_target(shell, vendor, f"{registry.host}/several")
    terminal.sendline(f"{OLD}..{NEW}")
    answer(terminal, "User there (empty for none): ")
    assert f"means 2 releases: {OLD}, {NEW}" in said(terminal)
    answer(terminal, "Tag there (empty for the same): ")
    answer(terminal, "copy 2 images")
    assert ended(terminal)[0] == 0
    assert held(registry, "several") == {f"{IMAGE}:{OLD}", f"{IMAGE}:{NEW}"}


def test_a_no_copies_nothing(shell: Shell, vendor: Registry, registry: Registry) -> None:
    terminal = up_to_the_target(shell, vendor, f"{registry.host}/no")
    terminal.sendline("")
    answer(terminal, "User there (empty for none): ")
    answer(terminal, f"Tag there [{NEW}]: ")
    answer(terminal, "[Y/n]: ", "perhaps")
    answer(terminal, "please answer y or n", "n")
    code, told = ended(terminal)
    assert code == 130
    assert "nothing was copied" in told
    assert held(registry, "no") == set()


def test_a_wrong_password_is_asked_for_again_but_not_for_ever(
    shell: Shell, vendor: Registry, htpasswd_registry: Registry
) -> None:
    user = htpasswd_registry.user
    assert user
    for tries, code in ((["wrong-1", user.password], 0), (["wrong-1", "wrong-2", "wrong-3"], 3)):
        terminal = up_to_the_target(shell, vendor, f"{htpasswd_registry.host}/again")
        terminal.sendline("")
        answer(terminal, "User there (empty for none): ", user.name)
        answer(terminal, "Password there: ", tries[0])
        for each in tries[1:]:
            answer(terminal, "Password there: ", each)
            assert f"does not accept the credentials of {user.name}; please write the password again" in said(terminal)
        if code == 0:
            answer(terminal, f"Tag there [{NEW}]: ")
            answer(terminal, "[Y/n]: ")
        ending, told = ended(terminal)
        assert ending == code, told
        assert not any(each in told for each in tries)
        assert code or f"the password of {user.name} in the variable TRANSLOAD_TARGET_PASSWORD" in told


@pytest.mark.parametrize("key", ["c", "d"])
@pytest.mark.parametrize(
    ("answers", "question"),
    [
        ((), "Registry to copy from [mcr.microsoft.com]: "),
        (("127.0.0.1:1", "", "ann"), "Password there: "),
        (("127.0.0.1:1", "", ""), "Release tag ["),
    ],
)
def test_leaving_at_a_question(shell: Shell, key: str, answers: tuple[str, ...], question: str) -> None:
    terminal = at_terminal("mirror", "--to", "127.0.0.1:1")
    for each in answers:
        terminal.expect(": $")
        terminal.sendline(each)
    terminal.expect(re.escape(question))
    terminal.sendcontrol(key)
    code, told = ended(terminal)
    assert code == 130, told
    assert "interrupted" in told
    assert "Traceback" not in told


@pytest.mark.parametrize("key", ["c", "d"])
def test_leaving_at_the_request_for_a_medium(shell: Shell, registry: Registry, tmp_path: Path, key: str) -> None:
    fill(LayoutStore(tmp_path / "folder", create=True), image("one", (3 << 20,)), "app", "v1")
    assert shell("pack", "--from", f"oci:{tmp_path}/folder", "-o", tmp_path / "cut", "--volume-size", "1MiB").code == 0
    missing = sorted(tmp_path.glob("cut*.tar"))[1]
    missing.unlink()
    terminal = at_terminal("push", tmp_path / "cut", "--to", f"{registry.host}/medium")
    terminal.expect(re.escape("Where is it ["))
    terminal.sendcontrol(key)
    code, told = ended(terminal)
    assert code == 130, told
    assert "Traceback" not in told


def test_the_same_when_the_signal_comes_before_the_terminal_is_read(shell: Shell) -> None:
    """The handler of a signal that comes just before a read would only run after it."""
    program = (
        "import os, signal, select\n"
        "from transload.cli import prompts\n"
        "class Early:\n"
        "    @staticmethod\n"
        "    def select(*given):\n"
        "        import _thread, threading\n"
        "        threading.Thread(target=lambda: os.kill(os.getpid(), signal.SIGINT)).start()\n"
        "        return select.select(*given)\n"
        "prompts.select = Early\n"
        "import click\n"
        "try:\n"
        "    prompts.ask('Name')\n"
        "except click.Abort:\n"
        "    print('left')\n"
    )
    terminal = pexpect.spawn(sys.executable, ["-c", program], encoding="utf-8", timeout=240, use_poll=True)
    terminal.expect("left")
