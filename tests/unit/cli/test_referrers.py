"""--referrers and --no-referrers: with and without a word, in variables and in the file, and which one wins."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from transload.cli.main import main
from transload.layout import LayoutStore
from transload.testing.images import artifact, fill, image, signature

ONE = image("one")
TAG = f"sha256-{ONE.digest.encoded}.sig"


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with an image, its referrer, and its tag of cosign."""
    monkeypatch.chdir(tmp_path)
    for name in ("HOME", "TRANSLOAD_STATE_DIR", "TRANSLOAD_CONFIG"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    store = LayoutStore(tmp_path / "source", create=True)
    fill(store, ONE, "app", "1")
    fill(store, signature(ONE), "app")
    fill(store, artifact("cosign"), "app", TAG)
    return tmp_path


def brought(*words: str) -> bool:
    """Whether the signatures came along to a new folder."""
    out = f"out{len(list(Path().glob('out*')))}"
    assert main(["mirror", "app:1", "--from", "oci:source", "--to", f"oci:{out}", *words]) == 0
    store = LayoutStore(Path(out))
    found = [bool(store.refers.referrers("app", ONE.digest)), TAG in set(store.tags("app"))]
    assert found in ([True, True], [False, False])
    return found[0]


@pytest.mark.usefixtures("desk")
@pytest.mark.parametrize(
    ("words", "come"),
    [
        ((), True),
        (("--referrers",), True),
        (("--referrers", "new"), True),
        (("--referrers=refresh",), True),
        (("--referrers", "leave"), False),
        (("--no-referrers",), False),
    ],
)
def test_on_the_command_line(words: tuple[str, ...], come: bool) -> None:
    assert brought(*words) is come


@pytest.mark.usefixtures("desk")
def test_a_set_after_the_bare_flag_is_a_set() -> None:
    assert main(["mirror", "--referrers", "app:1", "--from", "oci:source", "--to", "oci:out"]) == 0
    assert main(["mirror", "--referrers", "refresh", "app:1", "--from", "oci:source", "--to", "oci:out"]) == 0


@pytest.mark.usefixtures("desk")
@pytest.mark.parametrize(
    ("variable", "words", "come"),
    [
        ("1", (), True),
        ("true", (), True),
        ("refresh", (), True),
        ("0", (), False),
        ("leave", (), False),
        ("leave", ("--referrers",), True),
        ("refresh", ("--no-referrers",), False),
    ],
)
def test_in_a_variable(monkeypatch: pytest.MonkeyPatch, variable: str, words: tuple[str, ...], come: bool) -> None:
    monkeypatch.setenv("TRANSLOAD_REFERRERS", variable)
    assert brought(*words) is come


@pytest.mark.parametrize(
    ("text", "variable", "words", "come"),
    [
        ("referrers: true\n", "", (), True),
        ("referrers: false\n", "", (), False),
        ("referrers: leave\n", "", (), False),
        ("no-referrers: true\n", "", (), False),
        ("no-referrers: true\n", "", ("--referrers",), True),
        ("no-referrers: true\n", "new", (), True),
    ],
)
def test_in_the_file(
    desk: Path, monkeypatch: pytest.MonkeyPatch, text: str, variable: str, words: tuple[str, ...], come: bool
) -> None:
    (desk / "transload_config").write_text(text)
    if variable:
        monkeypatch.setenv("TRANSLOAD_REFERRERS", variable)
    assert brought(*words) is come


@pytest.mark.usefixtures("desk")
def test_what_excludes_each_other_and_what_is_no_mode(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["mirror", "app:1", "--from", "oci:source", "--to", "oci:out"]
    assert main([*words, "--referrers", "new", "--no-referrers"]) == 2
    assert "--referrers and --no-referrers exclude each other" in capsys.readouterr().err
    assert main([*words, "--referrers=sometimes"]) == 2
    assert "'sometimes' is none of new, refresh, leave" in capsys.readouterr().err
    monkeypatch.setenv("TRANSLOAD_REFERRERS", "maybe")
    assert main(words) == 2
    assert "this comes from the variable TRANSLOAD_REFERRERS" in capsys.readouterr().err


@pytest.mark.usefixtures("desk")
def test_a_bundle_brings_all_that_it_has_or_none(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["pack", "app:1", "--from", "oci:source", "-o", "b"]) == 0
    assert main(["push", "b", "--to", "oci:all"]) == 0
    assert TAG in set(LayoutStore(Path("all")).tags("app"))
    capsys.readouterr()
    assert main(["push", "b", "--to", "oci:bare", "--no-referrers", "--output", "json"]) == 0
    (one,) = json.loads(capsys.readouterr().out.splitlines()[-1])["result"]["images"]
    assert one["notes"] == ["2 signatures or other referrers of an image stay at the source"]
    assert set(LayoutStore(Path("bare")).tags("app")) == {"1"}


@pytest.mark.usefixtures("desk")
def test_a_bundle_without_companions_is_pushed_as_before() -> None:
    assert main(["pack", "app:1", "--from", "oci:source", "-o", "plain", "--no-referrers"]) == 0
    assert main(["push", "plain", "--to", "oci:plain-out"]) == 0
    assert set(LayoutStore(Path("plain-out")).tags("app")) == {"1"}
