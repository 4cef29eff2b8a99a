"""--min-age and --max-age: what is too young or too old is refused, everything else goes on."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import transload
from transload import AgeRefused, UsageError
from transload.bundle import BundleStore
from transload.cli.main import main
from transload.layout import LayoutStore
from transload.planning.ageing import CREATED
from transload.testing.images import artifact, fill, image


def made(ago: timedelta) -> str:
    return (datetime.now(UTC) - ago).isoformat()


@pytest.fixture(autouse=True)
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with an image of 2024, one of this hour, one of tomorrow, and one that does not say it."""
    monkeypatch.chdir(tmp_path)
    for name in ("HOME", "TRANSLOAD_STATE_DIR", "TRANSLOAD_CONFIG"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    store = LayoutStore(tmp_path / "source", create=True)
    fill(store, image("old", (100,)), "old", "1")
    fill(store, image("young", (100,), annotations={CREATED: made(timedelta(hours=1))}), "young", "1")
    fill(store, image("ahead", (100,), annotations={CREATED: made(-timedelta(days=1))}), "ahead", "1")
    fill(store, artifact("undated"), "undated", "1")
    return tmp_path


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict[str, tuple[str, str | None]]]:
    """The exit code, and of each image its status and what is wrong with it."""
    capsys.readouterr()
    code = main([*words, "--output", "json"])
    result = json.loads(capsys.readouterr().out.splitlines()[-1])["result"]
    return code, {
        entry["name"]: (entry["status"], entry["problem"] and entry["problem"]["message"]) for entry in result["images"]
    }


def test_the_young_the_undated_and_those_of_tomorrow_are_refused(
    source: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, images = run(capsys, "mirror", "--from", "oci:source", "--to", "oci:target", "--min-age", "7d")
    assert code == 7
    assert {name: status for name, (status, _) in images.items()} == {
        "ahead:1": "failed",
        "old:1": "copied",
        "undated:1": "failed",
        "young:1": "failed",
    }
    told = {name: message or "" for name, (_, message) in images.items()}
    assert "by its created field, which its builder wrote: it is younger than 7d" in told["young:1"]
    assert "after this machine's clock" in told["ahead:1"]
    assert told["undated:1"] == "undated:1 does not say when it was made"
    assert list(LayoutStore(source / "target").repositories()) == ["old"]


def test_the_old_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    code, images = run(
        capsys, "mirror", "--from", "oci:source", "--to", "oci:target", "--max-age", "30d", "--image", "old:1",
        "--image", "young:1",
    )  # fmt: skip
    assert code == 7
    assert "it is older than 30d" in (images["old:1"][1] or "")
    assert images["young:1"][0] == "copied"


def test_pack_leaves_them_out_and_packs_the_others(source: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("pack", "--from", "oci:source", "-o", "disk", "--min-age", "7d")
    code, images = run(capsys, *words)
    assert (code, images["old:1"][0], images["young:1"][0]) == (7, "copied", "failed")
    assert [str(entry.image.name) for entry in BundleStore(source / "disk").ledger.images] == ["old:1"]
    assert run(capsys, *words)[0] == 7
    assert main(["pack", "--from", "oci:source", "-o", "other", "--min-age", "7d", "--image", "young:1"]) == 7
    assert not list(source.glob("other*"))


def test_push_and_plan_know_it_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["push", "source", "--to", "oci:target", "--min-age", "7d"]) == 7
    assert main(["plan", "--from", "oci:source", "--to", "oci:target", "--min-age", "7d"]) == 7
    assert "younger than 7d" in " ".join("".join(capsys.readouterr()).split())


def test_several_targets_and_a_saved_plan_keep_to_it(source: Path) -> None:
    words = ("--from", "oci:source", "--min-age", "7d")
    assert main(["mirror", *words, "--to", "oci:one", "--to", "oci:two"]) == 7
    assert main(["plan", *words, "--to", "oci:three", "-o", "plan.json"]) == 7
    main(["apply", "plan.json"])
    for target in ("one", "two", "three"):
        assert list(LayoutStore(source / target).repositories()) == ["old"]


def test_what_is_there_already_is_not_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["mirror", "--from", "oci:source", "--to", "oci:target"]) == 0
    code, images = run(capsys, "mirror", "--from", "oci:source", "--to", "oci:target", "--min-age", "7d")
    assert (code, {status for status, _ in images.values()}) == (0, {"unchanged"})


def test_the_time_that_is_given_counts_as_now(source: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("--from", "oci:source", "--min-age", "7d", "--image", "young:1", "--image", "old:1")
    assert main(["mirror", *words, "--to", "oci:target", "--at", "2001-01-01T00:00:00Z"]) == 7
    told = " ".join("".join(capsys.readouterr()).split())
    assert "which its builder wrote: after the time of --at" in told
    assert "hint: check that time" in told
    assert main(["mirror", *words, "--to", "oci:target", "--at", "2999-01-01T00:00:00Z"]) == 0
    assert main(["push", "source", "--to", "oci:pushed", "--max-age", "30d", "--at", "2999-01-01T00:00:00Z"]) == 7
    made = transload.mirror(["young:1"], origin="oci:source", to="oci:lib", min_age="7d", at="2999-01-01T00:00:00Z")
    assert not made.failures
    with pytest.raises(UsageError, match="there is no policy"):
        transload.mirror(["young:1"], origin="oci:source", to="oci:lib", at="2999-01-01T00:00:00Z")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--min-age", "seven days"), "'seven days' is not a length of time"),
        (("--min-age", "-7d"), "'-7d' is not a length of time"),
        (("--max-age", ""), "'--max-age': it is empty"),
        (("--min-age", "7"), "'7' is not a length of time"),
        (("--min-age", "7d", "--max-age", "12h"), "no image is at least 7d and at most 12h old"),
        (("--min-age", "7d", "--through", "docker"), "limits of age do not go with an engine"),
    ],
)
def test_what_makes_no_sense_is_told(words: tuple[str, ...], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["mirror", "quay.example/app:1", "--to", "registry.example", *words]) == 2
    assert told in " ".join(capsys.readouterr().err.split())


def test_the_library_has_it(source: Path) -> None:
    with pytest.raises(AgeRefused, match="younger than 12h"):
        transload.mirror(["young:1"], origin="oci:source", to="oci:target", min_age="12h")
    assert not transload.mirror(["old:1"], origin="oci:source", to="oci:target", min_age="12h").failures
    with pytest.raises(UsageError):
        transload.mirror(["old:1"], origin="oci:source", to="oci:target", min_age="soon")
    with pytest.raises(TypeError):
        transload.mirror(["old:1"], origin="oci:source", to="oci:target", min_age=7)  # type: ignore[call-overload]
