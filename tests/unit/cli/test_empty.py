"""An empty word is refused wherever a text or a path is wanted: it would mean nothing, or the current folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from transload.cli.command import _MAY_BE_EMPTY
from transload.cli.main import main, transload


def _places() -> Iterator[tuple[str, list[str]]]:
    """Each option and argument of each command that takes a text, with words that give it an empty one."""
    with click.Context(transload) as context:
        for name in transload.list_commands(context):
            command = transload.get_command(context, name)
            assert command
            for parameter in command.params:
                takes_text = not getattr(parameter, "is_flag", False) and parameter.name not in _MAY_BE_EMPTY
                if takes_text and isinstance(parameter.type, click.types.StringParamType | click.Path):
                    words = [parameter.opts[-1]] if isinstance(parameter, click.Option) else []
                    needed = [] if isinstance(parameter, click.Argument) else _needed(command)
                    yield f"{name} {parameter.name}", [name, *words, "", *needed]


def _needed(command: click.Command) -> list[str]:
    return ["x" for parameter in command.params if isinstance(parameter, click.Argument) and parameter.required]


PLACES = dict(_places())


@pytest.mark.parametrize("command", sorted({words[0] for words in PLACES.values()}))
def test_it_is_refused(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, command: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TRANSLOAD_CONFIG", str(tmp_path / "none.yaml"))
    for place, words in PLACES.items():
        if words[0] == command:
            assert main(words) == 2, place
            assert "it is empty" in capsys.readouterr().err, place


def test_all_commands_are_looked_at() -> None:
    assert len(PLACES) > 150
    assert {"repair carried", "mirror sets", "check target", "push carried", "forget places"} <= set(PLACES)
