"""`--to A --to B` on the command line: what people and programs read, and the exit code."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from attrs import frozen

from transload.cli.main import main
from transload.layout import LayoutStore
from transload.memory import MemoryStore
from transload.oci import Name
from transload.server import ServeSettings, serve
from transload.testing.laboratory import ALWAYS, Laboratory, refuses
from transload.testing.releases import fill_release, release

MADE = release(images=3, size=300_000)
DOWN = "127.0.0.1:1"  # nothing listens there


@frozen
class Ran:
    code: int
    out: str
    err: str

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]


Run = Callable[..., Ran]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Run]:
    """Runs a command line, in which SOURCE is a registry with a release, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    for name in ("HOME", "TRANSLOAD_STATE_DIR", "TRANSLOAD_CONFIG"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    store = MemoryStore()
    fill_release(store, MADE, "acme")
    with serve(store) as source:

        def call(line: str) -> Ran:
            capsys.readouterr()
            code = main(line.replace("SOURCE", source.host_port).split())
            return Ran(code, *capsys.readouterr())

        yield call


def holds(folder: str) -> bool:
    store = LayoutStore(Path(folder))
    return all(
        store.fetch(Name(f"acme/{name}", MADE.tag)).raw == made.manifest.raw for name, made in MADE.images.items()
    )


def test_each_target_has_its_result(run: Run) -> None:
    ran = run("mirror --from SOURCE --to oci:one --to oci:two")
    assert ran.code == 0
    assert holds("one")
    assert holds("two")
    lines = ran.out.splitlines()
    assert "oci:one" in lines
    assert "oci:two" in lines
    assert lines[0] == "2 of 2 targets are complete"


def test_each_line_says_its_target(run: Run) -> None:
    ran = run("mirror --from SOURCE --to oci:one --to oci:two")
    for line in ran.err.splitlines():
        assert line.startswith(("oci:one: ", "oci:two: ")), line
    for name in ("oci:one", "oci:two"):
        assert f"{name}: Plan: 3 images to {name}" in ran.err
        assert ran.err.count(f"{name}: [") == 3
        assert f"{name}: done" in ran.err


def test_quiet_is_quiet(run: Run) -> None:
    assert run("mirror --from SOURCE --to oci:one --to oci:two -q").err == ""


@pytest.mark.parametrize("order", [f"--to {DOWN}/x --to oci:two", f"--to oci:two --to {DOWN}/x"])
def test_one_that_is_down_spoils_no_other_and_gives_its_exit_code(run: Run, order: str) -> None:
    ran = run(f"mirror --from SOURCE {order}")
    assert ran.code == 5
    assert holds("two")
    assert "1 of 2 targets is complete" in ran.out
    assert f"{DOWN} refuses connections" in ran.out
    assert "done: 3 copied" in ran.out


def test_two_that_fail_in_two_ways_have_the_mixed_code(run: Run) -> None:
    Path("file").touch()
    assert run(f"mirror --from SOURCE --to {DOWN}/x --to oci:file").code == 1


def test_json_has_an_entry_for_each_target(run: Run) -> None:
    ran = run(f"mirror --from SOURCE --to oci:one --to {DOWN}/x --output json")
    assert ran.code == 5
    assert ran.err == ""
    events = ran.events
    assert events[0]["event"] == "hello"
    last = events[-1]
    assert last["event"] == "result"
    result = last["result"]
    assert (result["format"], result["exit_code"], result["interrupted"]) == (1, 5, False)
    assert result["read_again"] == {"blobs": 0, "bytes": 0}
    one, other = result["targets"]
    assert (one["name"], one["target"], one["exit_code"], one["problem"]) == ("oci:one", "oci:one", 0, None)
    assert one["totals"]["images"]["copied"] == 3
    assert (other["name"], other["target"], other["exit_code"]) == (f"{DOWN}/x", DOWN, 5)
    assert other["problem"]["store"] == DOWN
    for event in events:
        if event["event"] in {"plan", "started", "blob", "image", "finished", "progress"}:
            assert event["target"] == "oci:one"


def test_one_target_has_the_result_that_it_always_had(run: Run) -> None:
    events = run("mirror --from SOURCE --to oci:one --output json").events
    assert not any("target" in event for event in events)
    assert "targets" not in events[-1]["result"]
    assert events[-1]["result"]["target"] == "oci:one"


def test_report_files_have_each_target(run: Run) -> None:
    run(f"mirror --from SOURCE --to oci:one --to {DOWN}/x --report run.json --report run.md")
    assert [target["exit_code"] for target in json.loads(Path("run.json").read_text())["targets"]] == [0, 5]
    page = Path("run.md").read_text()
    assert page.startswith("# transload: 1 of 2 targets complete\n")
    assert "| Target | `oci:one` |" in page
    assert f"| Target | `{DOWN}` |" in page
    assert "## Problem" in page


def test_the_command_for_the_rest_names_its_target_only(run: Run) -> None:
    ran = run("mirror --from SOURCE --to oci:one --to oci:two --max-bytes 1000")
    assert ran.code == 10
    again = [line.strip() for line in ran.out.splitlines() if "transload mirror" in line]
    assert len(again) == 2
    assert [line.count("--to") for line in again] == [1, 1]
    assert "--to oci:one" in again[0]
    assert "--to oci:two" in again[1]


def test_the_command_for_the_rest_keeps_the_files_of_the_run(run: Run) -> None:
    """Not what is told, since reports show the command, and there may be a secret in it."""
    files = "--report run.html --report run.json --log-file run.log --log-format json --metrics-file run.prom"
    bundled = run("pack --from SOURCE -o bundle")
    assert bundled.code == 0
    run("plan --from SOURCE --to oci:applied --out plan.json")
    commands = {
        "mirror": "mirror --from SOURCE --to oci:one",
        "several": "mirror --from SOURCE --to oci:two --to oci:three",
        "pack": "pack --from SOURCE -o rest",
        "push": "push bundle --to oci:pushed",
        "apply": "apply plan.json",
    }
    for name, command in commands.items():
        told = f"--jobs 3 {files} --run-id {name} --notify-command true"
        ran = run(f"{command} --max-bytes 1000 {told}")
        assert ran.code == 10, (name, ran)
        found = re.findall(r'"retry": "(.*?)"', Path("run.json").read_text())
        assert len(found) == max(1, command.count("--to")), name
        for again in found:
            assert files in again, name
            assert "--jobs 3" in again, name
            assert "--max-bytes 1000" in again, name
            assert "--run-id" not in again, name
            assert "notify" not in again, name
            assert main([*shlex.split(again)[1:], "--help"]) == 0


def test_a_plan_for_each_and_what_is_read_once(run: Run) -> None:
    run("mirror --from SOURCE --to oci:two")
    ran = run("plan --from SOURCE --to oci:one --to oci:two --to oci:three")
    assert ran.code == 0
    assert "Plan: 3 images to oci:one" in ran.out
    assert "Plan: 3 images to oci:two" in ran.out
    blobs = len({content.descriptor.digest for content in MADE.contents()})
    assert f"together: {blobs} blobs (313 KiB) are read once, {2 * blobs} blobs (627 KiB) are written" in ran.out
    assert not Path("one").exists()


def test_a_plan_that_cannot_be_made_for_one(run: Run) -> None:
    ran = run(f"plan --from SOURCE --to {DOWN}/x --to oci:one")
    assert ran.code == 5
    assert f"no plan for {DOWN}/x" in ran.out
    assert "Plan: 3 images to oci:one" in ran.out


def test_plans_in_json(run: Run) -> None:
    events = run(f"plan --from SOURCE --to {DOWN}/x --to oci:one --output json").events
    assert [event["event"] for event in events] == ["hello", "no-plan", "plan", "plans"]
    assert (events[1]["target"], events[1]["problem"]["exit_code"]) == (f"{DOWN}/x", 5)
    assert (events[2]["target"], events[2]["plan"]["target"]) == ("oci:one", "oci:one")
    assert events[3]["read_once"] == events[3]["written"][0]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("mirror --from SOURCE --to oci:one --to oci:one", "oci:one is given twice"),
        ("mirror --from SOURCE --to oci:one --to oci:./one", "oci:one is oci:./one, too"),
        ("mirror --from SOURCE --to oci:one --to SOURCE", "is the source, too"),
        ("mirror --from SOURCE --to oci:one --to bundle:b", "transload pack writes bundles"),
        ("mirror --from SOURCE --to oci:one --to archive:b", "transload pack writes bundles"),
        ("mirror --from SOURCE --to oci:one --to /folder", "oci:/folder"),
        ("mirror --from SOURCE --to oci:one --to r.example/x --verify-medium", "--verify-medium"),
        ("plan --from SOURCE --to oci:one --to oci:two -o plan.json", "a saved plan is for one target"),
        ("plan --from SOURCE --to oci:one --to oci:one", "oci:one is given twice"),
        ("push b --to oci:one --to oci:two", "--to is given twice"),
        ("verify SOURCE/a:1 --to oci:one --to oci:two", "--to is given twice"),
        ("pack --from SOURCE -o one -o two", "--out is given twice"),
        ("mirror --from SOURCE --to oci:one --to", "requires an argument"),
    ],
)
def test_what_is_refused(run: Run, line: str, told: str) -> None:
    ran = run(line)
    assert (ran.code, told in ran.err) == (2, True), ran.err
    assert "Traceback" not in ran.err
    assert sorted(path.name for path in Path().iterdir() if path.suffix or path.name in {"one", "two"}) == []


def test_a_user_is_of_one_target(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRANSLOAD_TARGET_PASSWORD", "secret")
    ran = run("mirror --from SOURCE --to a.example --to b.example --target-username ann")
    assert ran.code == 2
    assert "the target user ann is for one target, and this run has several" in ran.err
    assert "docker login" in ran.err


def test_a_default_target_gives_way_to_written_ones(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """And so does a default user, who is of that target."""
    monkeypatch.setenv("TRANSLOAD_TO", "a.example/with a blank")
    monkeypatch.setenv("TRANSLOAD_TARGET_USERNAME", "ann")
    assert run("mirror --from SOURCE --to oci:one --to oci:two").code == 0


def test_a_variable_is_one_target_also_with_blanks(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRANSLOAD_TO", "oci:my folder")
    assert run("mirror --from SOURCE").code == 0
    assert holds("my folder")


def test_the_file_may_name_several(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("config.yaml").write_text("mirror: {to: ['oci:one', 'oci:two']}\n")
    monkeypatch.setenv("TRANSLOAD_CONFIG", "config.yaml")
    assert run("mirror --from SOURCE").code == 0
    assert holds("one")
    assert holds("two")


def test_medium_read_back_for_each(run: Run) -> None:
    ran = run("mirror --from SOURCE --to oci:one --to oci:two --verify-medium")
    assert ran.code == 0, ran.err
    assert ran.err.count("read back from") == 2


def test_nothing_is_left_of_the_temporary_files(run: Run) -> None:
    run("mirror --from SOURCE --to oci:one --to oci:two")
    state = Path("transload_state_dir")
    assert not [path for path in state.rglob("*") if path.name.startswith("tmp")]


# --- targets that feed others


def test_a_tree_is_told_from_the_first_line_to_the_result(run: Run) -> None:
    ran = run("mirror --from SOURCE --to oci:far --to oci:near --via oci:far=oci:near")
    assert ran.code == 0, ran.err
    assert holds("near")
    assert holds("far")
    assert ran.err.splitlines()[0] == "oci:far: waits for oci:near"
    assert "oci:far, from oci:near" in ran.out.splitlines()


def test_a_tree_in_json_and_in_reports(run: Run, tmp_path: Path) -> None:
    words = "--to oci:near --to oci:far --via oci:far=oci:near --report page.html --report page.json --output json"
    ran = run(f"mirror --from SOURCE {words}")
    assert ran.code == 0, ran.err
    targets = ran.events[-1]["result"]["targets"]
    assert [(target["name"], target["via"]) for target in targets] == [("oci:near", None), ("oci:far", "oci:near")]
    assert targets[1]["sources"] == ["oci:near"]
    assert targets[1]["totals"]["copied"] == targets[0]["totals"]["copied"]
    assert "oci:far, from oci:near" in (tmp_path / "page.html").read_text()
    again = run("report page.json --out again.html")
    assert again.code == 0, again.err
    assert "oci:far, from oci:near" in (tmp_path / "again.html").read_text()


def test_the_command_for_the_rest_names_images_without_the_prefix_of_its_target(run: Run) -> None:
    """The two targets have different prefixes; an image is named as at the one that lacks it."""
    name = next(iter(MADE.images))
    fault = refuses("PUT manifest", 400, "MANIFEST_INVALID", about=f"/{name}/", times=ALWAYS)
    with serve(MemoryStore(), ServeSettings(writable=True)) as site, Laboratory(site.host_port, [fault]) as front:
        near, far = f"{front.host_port}/near", f"{site.host_port}/far"
        ran = run(f"mirror --from SOURCE --to {near} --to {far} --via {far}={near} --report page.md")
    assert ran.code
    command = ran.out.splitlines()[-1].strip()
    assert command.startswith("transload mirror ")
    assert f"--to {near} --via {far}={near} --to {far} " in command
    assert command.endswith(f" --image acme/{name}")
    page = Path("page.md").read_text()
    assert f"# {near}: " in page
    assert f"# {far}, from {near}: 1 of 3 images failed" in page


def test_a_site_that_is_down_in_a_line_of_three(run: Run) -> None:
    ran = run(f"mirror --from SOURCE --to oci:near --to {DOWN} --to oci:far --via {DOWN}=oci:near --via oci:far={DOWN}")
    assert ran.code == 5
    assert holds("near")
    assert not Path("far").exists()
    assert f"error: {DOWN} has nothing to give: " in ran.out
    planned = run("plan --from SOURCE --to oci:near --to oci:far --via oci:far=oci:near")
    assert "its content comes from oci:near, once that has it" in planned.out
    assert "are read once" in planned.out.splitlines()[-1]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("--to oci:one --via oci:one=oci:two", "--via oci:one=oci:two is for several targets, and this run has one"),
        ("--to oci:one --to oci:two --via oci:one", "--via oci:one is not two targets with = between them"),
        (
            "--to oci:one --to oci:two --via oci:one=oci:three",
            "--via names oci:three, which is not a target of this run",
        ),
        ("--to oci:one --to oci:two --via oci:one=oci:two --via oci:two=oci:one", "--via goes in a circle"),
    ],
)
def test_wrong_trees_are_told_before_anything_is_made(run: Run, words: str, told: str) -> None:
    ran = run(f"mirror --from SOURCE {words}")
    assert ran.code == 2
    assert told in ran.err
    assert "hint" in ran.err
    assert not Path("one").exists()


def test_a_tree_of_the_site_in_the_settings_counts_where_its_targets_are(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "settings.yaml"
    config.write_text("mirror: {via: ['oci:far=oci:near', 'oci:other=oci:near']}\n")
    monkeypatch.setenv("TRANSLOAD_CONFIG", str(config))
    assert run("mirror --from SOURCE --to oci:alone").code == 0
    ran = run("mirror --from SOURCE --to oci:near --to oci:far")
    assert ran.code == 0, ran.err
    assert "oci:far, from oci:near" in ran.out
