"""`transload check` as people and programs see it: the screen wide and narrow, quiet, JSON, wrong words."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from transload.cli.main import main
from transload.errors import UsageError
from transload.memory import MemoryStore
from transload.report.checkup import CheckPoint, Checkup, checkup_lines
from transload.server import Served, ServeSettings, serve
from transload.testing.images import fill, image

APP = image("app", (100_000,))


@pytest.fixture(autouse=True)
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("HOME", "TRANSLOAD_STATE_DIR", "TRANSLOAD_CONFIG"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Served]:
    store = MemoryStore()
    fill(store, APP, "acme/app", "1")
    with serve(store, ServeSettings(writable=True, spool_folder=tmp_path)) as served:
        yield served


def told(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    capsys.readouterr()
    code = main(["check", *words])
    out, err = capsys.readouterr()
    return code, out, err


def test_a_line_for_each_point(registry: Served, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = told(capsys, f"{registry.host_port}/in", f"{registry.host_port}/acme/app:1")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0] == registry.host_port
    assert "  ok         push            uploads can begin in 1 repository (in/acme/app)" in lines
    assert (
        "  not known  mounts, ranges, manifests, sparse: only --deep tries it, with tiny images that it deletes" in out
    )
    assert lines[-1].startswith("a run would work; ")


def test_quiet_says_only_what_is_wrong(registry: Served, capsys: pytest.CaptureFixture[str]) -> None:
    assert told(capsys, registry.host_port, "-q") == (0, "a run would work\n", "")
    code, out, _ = told(capsys, registry.host_port, f"{registry.host_port}/acme/nobody:9", "-q")
    assert code == 4
    assert [line.split()[0] for line in out.splitlines()[:1]] == ["problem"]
    assert out.splitlines()[-1] == "a run would fail: 1 problem"


def test_json_has_every_point(registry: Served, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = told(capsys, registry.host_port, "--deep", "--output", "json")
    events = [json.loads(line) for line in out.splitlines()]
    check = events[-1]["check"]
    assert (code, events[-1]["event"], check["works"]) == (0, "check", True)
    assert set(check) == {"target", "works", "points", "images", "bytes", "estimate_s"}
    for point in check["points"]:
        assert set(point) == {"aspect", "verdict", "store", "found", "advice", "facts", "code"}
    assert {point["aspect"] for point in check["points"]} >= {"login", "push", "body", "manifests", "upload speed"}


def test_a_body_is_really_sent(registry: Served, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = told(capsys, registry.host_port, "--probe-size", "3MB")
    assert code == 0
    assert "2.9 MiB were really sent" in out


def test_a_body_is_as_large_as_was_asked_for_also_where_the_set_has_smaller_ones(
    registry: Served, capsys: pytest.CaptureFixture[str]
) -> None:
    words = (f"{registry.host_port}/in", f"{registry.host_port}/acme/app:1", "--probe-size", "3MB", "--output", "json")
    code, out, _ = told(capsys, *words)
    points = json.loads(out.splitlines()[-1])["check"]["points"]
    (body,) = [point for point in points if point["aspect"] == "body" and point["verdict"] == "ok"]
    assert (code, body["facts"]) == (0, {"wanted_bytes": 3_000_000, "taken_bytes": 3_000_000, "sent_bytes": 3_000_000})


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["x"], "names no registry"),
        (["registry.local", "--probe-size", "much"], "is not a size"),
        (["registry.local", "--probe-size", "0"], "is not a size"),
        (["registry.local", "--timeout", "0"], "--timeout"),
        (["registry.local", "--target-username", "ann"], "no password"),
        ([], "TARGET"),
    ],
)
def test_wrong_words(capsys: pytest.CaptureFixture[str], words: list[str], sentence: str) -> None:
    code, out, err = told(capsys, *words)
    assert (code, out) == (UsageError.exit_code, "")
    assert sentence in err


def test_other_tools_check_is_still_explained(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare"]) == 2
    assert "transload verify" in capsys.readouterr().err


# --- the screen


def point(aspect: str, verdict: str, found: str, advice: str | None = None) -> CheckPoint:
    return CheckPoint(aspect=aspect, verdict=verdict, store="r.example", found=found, advice=advice)  # type: ignore[arg-type]


SEEN = Checkup(
    target="r.example/x",
    points=(
        point("name", "ok", "r.example is 10.0.0.1"),
        point("certificate", "warning", "trusted, for r.example, until 2026-12-01 (5 days left)", "have it renewed"),
        point("push", "problem", "2 of 3 repositories cannot be written to: a, b: denied\x1b[31m", "create them first"),
        point("mounts", "unknown", "only --deep tries it"),
        point("ranges", "unknown", "only --deep tries it"),
    ),
)


def test_a_wide_screen() -> None:
    assert [str(line) for line in checkup_lines(SEEN, 100)] == [
        "r.example",
        "  ok         name            r.example is 10.0.0.1",
        "  warning    certificate     trusted, for r.example, until 2026-12-01 (5 days left)",
        "                             hint: have it renewed",
        "  problem    push            2 of 3 repositories cannot be written to: a, b: denied?[31m",
        "                             hint: create them first",
        "  not known  mounts, ranges: only --deep tries it",
        "",
        "a run would fail: 1 problem, 1 warning",
    ]


def test_a_narrow_screen() -> None:
    lines = [str(line) for line in checkup_lines(SEEN, 44)]
    assert max(map(len, lines)) <= 44
    assert lines[1:3] == ["  ok  name", "    r.example is 10.0.0.1"]


def test_what_could_not_be_found_out_is_no_yes() -> None:
    checkup = Checkup(target="r.example", points=(point("push", "unknown", "no time"),))
    assert str(list(checkup_lines(checkup))[-1]) == "it is not known whether a run would work"
    assert (checkup.works, checkup.exit_code) == (False, 1)


def test_only_the_verdict_has_a_colour() -> None:
    (line,) = (line for line in checkup_lines(SEEN, 100) if "push" in str(line))
    assert [meaning for _, meaning in line.parts] == ["bad", ""]
