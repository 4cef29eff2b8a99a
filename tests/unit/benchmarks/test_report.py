"""What the benchmarks write down: tables, JSON and plots; and that a scene which fails does not stop them."""

from __future__ import annotations

import json
import os
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks import __main__ as program
from benchmarks import race as races
from benchmarks import small
from benchmarks.figures import Figure, markdown, table
from benchmarks.plots import draw, themed
from benchmarks.processes import Cost, ProgramFailed, TookTooLong, measured
from benchmarks.race import Bench, Course, Race, Sample, gist, paired
from benchmarks.report import BEGIN, END, GROWTH_BEGIN, GROWTH_END, Part, Report, counts, side_by_side
from benchmarks.room import NoRoom, needs
from benchmarks.slow_wire import Counts

MIB = 1 << 20


def sample(tool: str, wall_s: float, scene: str = "release", stage: str = "cold", images: int = 1) -> Sample:
    cost = Cost(wall_s=wall_s, cpu_s=wall_s / 2, peak_bytes=40 * MIB)
    passed = Counts(connections=3, exchanges=7, in_sequence=4, down_bytes=2_000_000)
    return Sample(scene=scene, stage=stage, tool=tool, cost=cost, images=images, size=10 * images, source=passed)


SAMPLES = [
    *(sample("transload", wall_s) for wall_s in (1.0, 2.0, 3.0)),
    *(sample("skopeo", wall_s) for wall_s in (4.0, 4.0, 4.0)),
    *(
        sample(tool, count / 10, "images", f"{count} images", count)
        for count in (20, 200)
        for tool in ("transload", "skopeo")
    ),
]


def test_a_table_is_markdown() -> None:
    lines = table(
        [Figure("a", "1 s", "b 2 s", ratio=0.5, reach="≤ 0.6 ×", reached=True), Figure("c", "3")]
    ).splitlines()
    assert [len(line) for line in lines] == [len(lines[0])] * 4
    assert lines[2].split("|")[1:-1] == [cell for cell in lines[2].split("|")[1:-1] if cell]
    assert [cell.strip() for cell in lines[2].split("|")[1:-1]] == ["a", "1 s", "b 2 s", "0.500", "≤ 0.6 ×", "yes"]
    assert markdown(["x"], []) == "| x   |\n| --- |"


def test_tools_stand_side_by_side() -> None:
    lines = side_by_side(SAMPLES, lambda cost: cost.wall_s).splitlines()
    assert [cell.strip() for cell in lines[0].split("|")[1:-1]] == ["scene", "transload", "skopeo"]
    assert [cell.strip() for cell in lines[2].split("|")[1:-1]] == ["release: cold", "2", "4"]


def test_what_the_wires_counted() -> None:
    line = counts(SAMPLES[:1]).splitlines()[2]
    expected = ["release: cold", "transload", "source", "3", "0", "0", "7", "4", "0", "2.0"]
    assert [cell.strip() for cell in line.split("|")[1:-1]] == expected


def test_everything_is_written_and_can_be_read(tmp_path: Path) -> None:
    part = Part([Figure("a", "1 s")], SAMPLES, ["far: skopeo:\n  gave up"])
    Report(tmp_path, {"date": "today"}, {"release": part}).write()
    document = json.loads((tmp_path / "results.json").read_text())
    assert document["about"] == {"date": "today"}
    samples = document["scenes"]["release"]["samples"]
    assert [each["tool"] for each in samples].count("transload") == 5
    assert samples[0]["source"]["in_sequence"] == 4
    another = Report(tmp_path, {"date": "tomorrow"})
    another.read()
    assert another.parts == {"release": part}
    told = (tmp_path / "results.md").read_text()
    assert "* far: skopeo: gave up\n" in told
    assert "| release: cold " in told
    assert [figure.name for figure in another.figures] == ["a", "peak memory, the most in any run"]
    assert another.figures[-1].reached is True


def test_what_failed_is_told_without_the_folders_of_this_machine(tmp_path: Path) -> None:
    part = Part(failures=[f"release: skopeo: skopeo {tmp_path}/home/images.yaml ended with 1"])
    Report(tmp_path, {"date": "today"}, {"release": part}).write()
    told = (tmp_path / "results.md").read_text()
    assert "skopeo home/images.yaml ended with 1" in told
    assert str(tmp_path) not in told


def test_plots_are_svg_that_follows_light_and_dark(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="the group `bench` is not installed: make .venv/bench")
    paths = draw(SAMPLES, tmp_path)
    assert [path.name for path in paths] == ["scenes.svg", "images.svg"]
    for path in paths:
        text = path.read_text()
        assert ET.fromstring(text).tag.endswith("svg")  # noqa: S314 - our own file
        assert "prefers-color-scheme:dark" in text
        assert "var(--ink)" in text
        assert "#010203" not in text
        assert "skopeo" in text  # text stays text


def test_a_page_gets_the_figures_between_its_marks(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    Report(tmp_path / "bench", {"date": "today"}, {"release": Part([Figure("a", "1 s")], SAMPLES)}).publish(page)
    told = page.read_text()
    assert told.startswith(f"before\n{BEGIN}\n")
    assert told.endswith(f"{END}\nafter\n")
    assert "\nold\n" not in told
    assert "| a " in told
    for link in re.findall(r"\]\((.*?)\)", told):
        assert (tmp_path / link).exists()


def test_growth_has_a_place_of_its_own_on_the_page_and_either_stays_if_nothing_was_measured(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    marks = f"{BEGIN}\nold\n{END}\nbetween\n{GROWTH_BEGIN}\nolder\n{GROWTH_END}\nafter\n"
    page.write_text(marks)
    grown = Part([Figure("g", "2 s")], [sample("transload", 1.0, "growth", "pack, 10 images", 10)])
    Report(tmp_path / "bench", {"date": "today"}, {"growth": grown}).publish(page)
    told = page.read_text()
    assert told.startswith(f"{BEGIN}\nold\n{END}\nbetween\n{GROWTH_BEGIN}\n\n")
    assert "| g " in told
    assert "older" not in told
    assert told.endswith(f"{GROWTH_END}\nafter\n")
    page.write_text(marks)
    Report(tmp_path / "bench", {"date": "today"}, {"release": Part([Figure("a", "1 s")], SAMPLES)}).publish(page)
    assert f"{GROWTH_BEGIN}\nolder\n{GROWTH_END}" in page.read_text()


def test_growth_is_drawn_with_a_line_for_each_step(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="the group `bench` is not installed: make .venv/bench")
    grown = [
        sample("transload", count / 100, "growth", f"{step}, {count:,} images", count)
        for count in (10, 100, 1000)
        for step in ("pack", "push into a folder")
    ]
    [path] = draw(grown, tmp_path)
    assert path.name == "growth.svg"
    text = path.read_text()
    for told in ("pack", "push into a folder", "in proportion", "1,000", "peak memory (MiB)"):
        assert f">{told}<" in text


def test_the_peak_of_all_runs_leaves_out_growth_which_has_limits_of_its_own(tmp_path: Path) -> None:
    part = Part([], [sample("transload", 1.0, "growth", "pack, 10 images", 10)])
    assert Report(tmp_path, {}, {"growth": part}).figures == []


def test_without_peers_there_is_nothing_to_draw_beside(tmp_path: Path) -> None:
    assert draw(SAMPLES[:3], tmp_path) == []


def test_the_style_is_put_in_once() -> None:
    made = themed('<?xml version="1.0"?>\n<svg a="1"><path style="fill: #010203"/><metadata>now</metadata></svg>')
    assert made.startswith('<svg a="1"><style>')
    assert made.endswith('<path style="fill: var(--ink)"/></svg>')


def test_the_best_peer_is_compared_round_by_round() -> None:
    race = Race(scene="release", samples=SAMPLES[:6])
    assert race.best_peer("cold") == "skopeo"
    figure = race.beside("cold", "cold", "skopeo", 0.6)
    assert (figure.ours, figure.theirs, figure.ratio, figure.reached) == ("2.00 s", "skopeo 4.00 s", 0.5, True)
    assert race.beside("cold", "cold", None, 0.6).reached is None
    assert race.peak("memory").reached is True
    with pytest.raises(ProgramFailed, match="no run of transload"):
        race.beside("next", "next month", "skopeo")
    assert paired([1, 2, 3], [2]) == [0.5, 1, 1.5]
    assert paired([2], [1, 4]) == [2, 0.5]


def test_a_scene_that_fails_is_told_and_the_next_one_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(_: Bench) -> Iterator[Figure]:
        """Breaks."""
        yield Figure("first", "1 s")
        raise ProgramFailed("it broke")

    def fine(_: Bench) -> Iterator[Figure]:
        """Works."""
        yield Figure("last", "2 s")

    monkeypatch.setattr(program, "SCENES", (program.Scene("broken", broken), program.Scene("fine", fine)))
    monkeypatch.setattr(program, "NEEDED", ())
    assert program.main(["--folder", str(tmp_path), "--peers", "none"]) == 1
    document = json.loads((tmp_path / "results.json").read_text())
    named = {name: [figure["name"] for figure in part["figures"]] for name, part in document["scenes"].items()}
    assert named == {"broken": ["first", "broken"], "fine": ["last"]}
    assert document["scenes"]["broken"]["failures"] == ["broken: ProgramFailed: it broke"]
    assert "failed: broken" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--scene", "many"], ["many"]),
        (["--profile", "far"], ["far-source", "far-both", "far-layer"]),
        (["--profile", "satellite", "--profile", "lan"], ["lan", "satellite"]),
    ],
)
def test_scenes_are_chosen_by_name_or_by_wire(words: list[str], expected: list[str]) -> None:
    assert [scene.name for scene in program.chosen(program.parser().parse_args(words))] == expected


def test_sizes_and_names_are_checked(capsys: pytest.CaptureFixture[str]) -> None:
    assert program.parser().parse_args(["--sizes", "1K,64MiB,10g"]).sizes == (1024, 64 * MIB, 10 << 30)
    for words in (["--sizes", "64X"], ["--sizes", "0M"], ["--peers", "scopio"]):
        with pytest.raises(SystemExit):
            program.parser().parse_args(words)
    assert "scopio is unknown; there are skopeo, crane" in capsys.readouterr().err


def test_a_program_that_takes_too_long_is_stopped(tmp_path: Path) -> None:
    with pytest.raises(ProgramFailed, match="stopped after 0 s"):
        measured(["sleep", "60"], {"PATH": "/usr/bin:/bin"}, tmp_path / "log", 0.2)
    with pytest.raises(ProgramFailed, match="ended with 3"):
        measured(["sh", "-c", "exit 3"], {"PATH": "/usr/bin:/bin"}, tmp_path / "log")
    assert measured(["true"], {"PATH": "/usr/bin:/bin"}, tmp_path / "log").peak_bytes > 0


def test_room_is_asked_for_before(tmp_path: Path) -> None:
    needs(tmp_path, 0)
    with pytest.raises(NoRoom, match="GiB are free"):
        needs(tmp_path, 1 << 60)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--scene", "release", "--profile", "far"], "no scene has this name and is on this wire"),
        (["--rounds", "0"], "--rounds: at least one"),
        (["--quick", "--publish", "page.md"], "figures of a --quick run mean nothing"),
        (["--layout", "nowhere"], "FileNotFoundError"),
        (["--publish", "page.md"], "page.md lacks the marks"),
        (["--publish", "half.md"], "half.md lacks the marks"),
        (["--publish", "absent.md"], "FileNotFoundError"),
        (["--folder", "page.md"], "FileExistsError"),
        (["--add"], "results.json cannot be read"),
    ],
)
def test_what_cannot_work_is_said_before_anything_is_measured(
    words: list[str], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(program, "NEEDED", ())
    monkeypatch.setattr(program, "_ran", lambda *_: pytest.fail("a scene runs"))
    Path("page.md").write_text("no marks")
    Path("half.md").write_text(f"{BEGIN} and all that follows")
    Path(".bench").mkdir()
    Path(".bench/results.json").write_text('{"scenes": {"release": {}}}')
    try:
        status: object = program.main([*words, "--peers", "none"])
    except SystemExit as ended:
        status = ended.code
    assert status == 2
    assert told in capsys.readouterr().err
    assert Path("half.md").read_text().endswith("and all that follows")


def test_two_benchmarks_do_not_share_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with program.only_one(tmp_path), pytest.raises(SystemExit), program.only_one(tmp_path):
        pytest.fail("both run")
    assert "another benchmark runs in" in capsys.readouterr().err


def test_a_benchmark_that_is_stopped_says_so_and_leaves_no_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stopped(bench: Bench) -> Iterator[Figure]:
        """Is stopped."""
        bench.home("here")
        yield Figure("first", "1 s")
        raise KeyboardInterrupt

    monkeypatch.setattr(program, "SCENES", (program.Scene("stopped", stopped),))
    monkeypatch.setattr(program, "NEEDED", ())
    monkeypatch.setattr(os, "getloadavg", lambda: (1000.0, 1.0, 1.0))
    assert program.main(["--folder", str(tmp_path), "--peers", "none"]) == 130
    told = capsys.readouterr()
    assert "stopped; no scene had ended" in told.err
    assert "more is running here than" in told.out
    assert not (tmp_path / "work").exists()


def test_a_tool_that_hung_is_left_out_of_later_scenes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[str] = []

    def hangs(_site: object, course: Course, name: str, _tool: object) -> Iterator[Sample]:
        tried.append(f"{course.scene}: {name}")
        if name == "crane":
            raise TookTooLong("crane was stopped after 900 s")
        yield sample(name, 1.0)

    monkeypatch.setattr(races, "_round", hangs)
    bench = Bench(tmp_path, ("crane",))
    tools = bench.tools()
    for scene in ("one", "two"):
        bench.begin()
        last = bench.race(None, Course(scene=scene, stages={}), tools, 2)  # type: ignore[arg-type] # no site
    assert tried == ["one: transload", "one: crane", "one: transload", "two: transload", "two: transload"]
    assert [figure.theirs for figure in last.told()] == ["left out, since it was stopped in one"]


@pytest.mark.parametrize(
    ("error", "told"),
    [
        ("crane copy ended with 1:\nError: one\n\x1b[2J\x1b[31mError: a | b\x1b[0m\n", "Error: a / b"),
        ("regsync once --config /home/me/x.yaml was ended by signal 9:\n", "was ended by signal 9"),
        ("crane copy was stopped after 900 s", "was stopped after 900 s"),
        ("site/a:v1: v1 is missing at the target (404)", "site/a:v1: v1 is missing at the target (404)"),
        ("x ended with 1:\n" + "word " * 30 + "reset by peer", "… " + "word " * 16 + "reset by peer"),
    ],
)
def test_what_went_wrong_is_told_in_one_harmless_line(error: str, told: str) -> None:
    assert gist(error) == told


def test_every_run_of_the_small_blobs_is_a_sample(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    walls = [7.0, 1.0, 2.0, 5.0, 3.0, 4.0]
    rest = iter(walls)
    monkeypatch.setattr(small, "measured", lambda *_: Cost(wall_s=next(rest), cpu_s=1.0, peak_bytes=MIB))
    monkeypatch.setattr(small, "BLOBS", 100)
    bench = Bench(tmp_path, (), rounds=2)
    assert next(figure.ours for figure in list(small.blobs(bench))) == "6.00 s"
    assert [found.cost.wall_s for found in bench.samples] == [7.0, 5.0, 1.0, 3.0, 2.0, 4.0]
