"""An option that takes one value is not given two of them, of which one would silently win."""

from __future__ import annotations

import re
from collections.abc import Iterator

import click
import pytest

from transload.cli.main import main, transload


def every_option() -> Iterator[tuple[str, click.Option]]:
    """Each option of each command, with the command's name."""
    with click.Context(transload) as context:
        for name in transload.list_commands(context):
            command = transload.get_command(context, name)
            assert command is not None
            yield from ((name, option) for option in command.params if isinstance(option, click.Option))


VALUES = {"--referrers": ("new", "refresh")}  # after it, any other word is a set
ONE_VALUE = [(name, option) for name, option in every_option() if not (option.multiple or option.is_flag)]


def test_no_option_has_a_form_that_the_test_below_does_not_see() -> None:
    assert len(ONE_VALUE) > 100
    for name, option in every_option():
        assert not option.count, (name, option.opts)
        assert option.nargs == 1, (name, option.opts)
        assert not option.secondary_opts, (name, option.opts)  # --this/--not-this, of which the last would win


@pytest.mark.parametrize("command", sorted({name for name, _ in ONE_VALUE}))
@pytest.mark.parametrize("joined", [True, False])
def test_each_option_that_takes_one_value_refuses_a_second(
    capsys: pytest.CaptureFixture[str], command: str, joined: bool
) -> None:
    """Through every spelling that it has, and before anything is read or written."""
    for option in (option for name, option in ONE_VALUE if name == command):
        first, last, values = option.opts[0], option.opts[-1], VALUES.get(option.opts[-1], ("value-a", "value-b"))
        words = [first, values[0], f"{last}={values[1]}"] if joined else [first, values[0], last, values[1]]
        assert main([command, *words]) == 2, words
        told = capsys.readouterr().err
        flag = " or ".join(name for name in option.opts if name.startswith("--"))
        assert f"{flag} is given twice, with two values" in told
        assert f"leave one {flag} out" in told
        assert not any(re.search(rf"\b{value}\b", told) for value in values)  # one of them may be a secret


@pytest.mark.parametrize(
    ("words", "flag"),
    [
        (("push", "b", "--to", "one.example/x", "--to", "two.example/x"), "--to"),
        (("verify", "a/b:1", "--to=one.example/x", "--to=two.example/x"), "--to"),
        (("pack", "a/b:1", "-o", "one", "--out", "two"), "--out"),
        (("push", "b", "--key", "one.pub", "--key", "two.pub", "--to", "one.example"), "--key"),
        (("verify", "b", "--output", "text", "--output", "json"), "--output"),
        (("inventory", "one.example", "-o", "a", "-oelse"), "--out"),
        (("serve", "oci:folder", "--listen", "a:1", "--listen", "b:1"), "--listen"),
        (("releases", "arcdata", "--to", "one.example", "--to", "two.example"), "--to"),
        (("demo", "--size", "1", "--size", "2"), "--size"),
    ],
)
def test_two_values_are_refused(capsys: pytest.CaptureFixture[str], words: tuple[str, ...], flag: str) -> None:
    assert main(list(words)) == 2
    told = capsys.readouterr().err
    assert f"{flag} is given twice, with two values" in told
    assert "one.example" not in told


def test_the_same_value_twice_is_one_value(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "absent", "--output", "text", "--output", "text"]) == 8
    assert "given twice" not in capsys.readouterr().err


def test_what_may_be_repeated_may_be(capsys: pytest.CaptureFixture[str]) -> None:
    words = ("mirror", "--from", "oci:absent", "--to", "oci:x", "--image", "a", "--image", "b", "--platform", "amd64")
    assert main([*words, "--platform", "arm64"]) != 0
    assert "given twice" not in capsys.readouterr().err


def test_a_variable_and_an_option_are_not_two_values(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRANSLOAD_TO", "one.example/x")
    assert main(["mirror", "--from", "oci:absent", "--to", "oci:x"]) == 8
    assert "given twice" not in capsys.readouterr().err
