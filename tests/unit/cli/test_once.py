"""An option that takes one value is not given two of them, of which one would silently win."""

from __future__ import annotations

import pytest

from transload.cli.main import main


@pytest.mark.parametrize(
    ("words", "flag"),
    [
        (("mirror", "a/b:1", "--to", "one.example/x", "--to", "two.example/x"), "--to"),
        (("plan", "a/b:1", "--to=one.example/x", "--to=two.example/x"), "--to"),
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
