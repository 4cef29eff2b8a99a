"""The dialogue shown in the guide is the dialogue that a terminal sees."""

from __future__ import annotations

import re
from pathlib import Path

import pexpect
import pytest

from tests.docs.pages import DOCS
from tests.docs.world import registries, world
from transload.oci import Name


def shown(mark: str) -> list[str]:
    """The lines of the block after `<!-- mark -->`."""
    text = (DOCS / "guides" / "mirror-a-release.md").read_text().partition(f"<!-- {mark} -->")[2]
    return text.partition("```text\n")[2].partition("```")[0].splitlines()


def test_the_guided_run_is_as_shown(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> None:
    command, greeting, _, *questions = shown("guided")
    served = registries(tmp_path_factory.mktemp("registries"))
    with served as (authority, ports), world(tmp_path, authority, ports) as here:
        environment = {**here.environment, "TERM": "dumb", "NO_COLOR": "1"}
        terminal = pexpect.spawn(
            command.removeprefix("$ "), cwd=str(tmp_path), env=environment, encoding="utf-8", dimensions=(40, 120)
        )
        terminal.expect_exact(greeting, timeout=240)
        for question in questions:
            prompt, answer = re.split(r":(?: |$)", question, maxsplit=1)
            terminal.expect_exact(f"{prompt}: ", timeout=240)
            terminal.sendline(answer)
        terminal.expect_exact("done: 21 copied", timeout=240)
        terminal.expect(pexpect.EOF, timeout=240)
        said = re.sub(r" --ca-file \S+", "", terminal.before or "")  # what this world needs
        assert "\r\n".join(shown("guided end")) in said
        terminal.close()
        assert terminal.exitstatus == 0
        here.target.resolve(Name("guided/arc-dns", "v1.46.0_2026-05-12"))
