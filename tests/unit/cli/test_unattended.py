"""What is done when a run is over: figures for Prometheus, a program that is told, and the run's name everywhere."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from attrs import frozen
from prometheus_client.parser import text_string_to_metric_families

from transload.cli.main import main
from transload.memory import MemoryStore
from transload.report.log import Log, file_writer
from transload.server import Served, serve
from transload.testing.images import fill, image

NAMED = re.compile(r"[0-9]{8}T[0-9]{6}Z-[0-9a-f]{6}")
DAY_S = 86_400
TAG = "v1.46.0_2026-05-12"


@frozen
class Ran:
    code: int
    out: str
    err: str


Run = Callable[..., Ran]


@pytest.fixture
def source() -> Iterator[Served]:
    store = MemoryStore()
    for name in ("one", "two"):
        fill(store, image(name, layers=(3000,)), f"acme/{name}", TAG)
    with serve(store) as served:
        yield served


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], source: Served) -> Run:
    """Runs a command line in an empty folder, in which there is a catalog and SOURCE stands for a registry."""
    monkeypatch.chdir(tmp_path)
    for name in ("HOME", "TRANSLOAD_STATE_DIR", "TRANSLOAD_CONFIG"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    catalog = {
        "kind": "Catalog",
        "version": 1,
        "name": "acme",
        "registry": source.host_port,
        "repository": "acme",
        "anchor": "one",
        "lists": {"all": {"images": ["one", "two"]}},
        "releases": [{"tag": TAG, "list": "all", "basis": "listed"}],
    }
    Path("acme.json").write_text(json.dumps(catalog))

    def call(*words: str) -> Ran:
        capsys.readouterr()
        line = [
            word.replace("SOURCE", source.host_port)
            for part in words
            for word in ([part] if part.startswith("=") else part.split())
        ]
        code = main([word.removeprefix("=") for word in line])
        return Ran(code, *capsys.readouterr())

    return call


def figures(path: str = "acme.prom") -> dict[str, float]:
    """The file as Prometheus' own parser reads it: each figure with its labels, and its value."""
    text = Path(path).read_text()
    read = {}
    for family in text_string_to_metric_families(text):
        assert family.type == "gauge"
        assert family.documentation
        for sample in family.samples:
            labels = ",".join(f"{name}={value}" for name, value in sorted(sample.labels.items()))
            assert f"{sample.name} {labels}" not in read
            assert sample.labels["task"] == Path(path).stem
            read[
                f"{sample.name.removeprefix('transload_')} {labels.replace(f'task={Path(path).stem}', '').strip(',')}"
            ] = sample.value
    return read


def of(read: dict[str, float], start: str) -> dict[str, float]:
    return {name: value for name, value in read.items() if name.startswith(start)}


# --- the run's name


def test_every_run_has_a_name_of_its_own(run: Run) -> None:
    ran = run("mirror acme.json --to oci:copy --output json --report run.json --report run.md")
    lines = [json.loads(line) for line in ran.out.splitlines()]
    named = lines[0]["run_id"]
    assert NAMED.fullmatch(named)
    assert lines[-1]["result"]["run_id"] == named
    assert json.loads(Path("run.json").read_text())["run_id"] == named
    assert f"| Run | `{named}` |" in Path("run.md").read_text()
    other = json.loads(run("mirror acme.json --to oci:copy --output json").out.splitlines()[0])["run_id"]
    assert other != named


def test_a_name_is_given_by_flag_and_variable(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRANSLOAD_RUN_ID", "job-7:3")
    ran = run("mirror acme.json --to oci:copy --to oci:other --output json --metrics-file acme.prom")
    assert {json.loads(line).get("run_id", "job-7:3") for line in ran.out.splitlines()} == {"job-7:3"}
    assert json.loads(ran.out.splitlines()[-1])["result"]["run_id"] == "job-7:3"
    assert "run_id=job-7:3" in next(iter(of(figures(), "run_info")))
    ran = run("mirror acme.json --to oci:copy --output json --run-id mine")
    assert json.loads(ran.out.splitlines()[-1])["result"]["run_id"] == "mine"


@pytest.mark.parametrize("name", ["two\nlines", "a b", "", "../x", "x" * 129, "é", "-x"])
def test_a_name_that_cannot_be_one(run: Run, name: str) -> None:
    ran = run("mirror acme.json --to oci:copy", f"=--run-id={name}")
    assert ran.code == 2
    assert not Path("copy").exists()
    assert "\n" not in ran.err.strip().replace("\n  hint:", "") or "Usage" in ran.err


# --- figures


def test_the_figures_of_a_run(run: Run, source: Served) -> None:
    Path("m").mkdir()
    old = os.umask(0o077)
    try:
        assert run("mirror acme.json --to oci:copy --metrics-file m/acme.prom").code == 0
    finally:
        os.umask(old)
    assert Path("m/acme.prom").stat().st_mode & 0o777 == 0o644
    assert [file.name for file in Path("m").iterdir()] == ["acme.prom"]
    read = figures("m/acme.prom")
    assert read["run_exit_code "] == 0
    assert read["run_end_timestamp_seconds "] == read["run_success_timestamp_seconds "] > 1_700_000_000
    assert read["run_duration_seconds "] >= 0
    assert read["run_images status=copied,target=oci:copy"] == 2
    assert read["run_images status=unchanged,target=oci:copy"] == 0
    assert read["run_failures target=oci:copy"] == read["run_retries target=oci:copy"] == 0
    copied = read["run_copied_bytes target=oci:copy"]
    assert 6000 < copied <= read["run_moved_bytes target=oci:copy"]
    (info,) = of(read, "run_info")
    assert "command=mirror,run_id=2" in info
    labels = f"catalog=acme,release={TAG},target=oci:copy"
    assert read[f"release_info {labels}"] == 1
    published = read[f"release_published_timestamp_seconds {labels}"]
    assert published == 1_778_544_000  # 2026-05-12T00:00:00Z
    assert read[f"release_age_seconds {labels}"] == max(0, read["run_end_timestamp_seconds "] - published)
    assert source.requests.total


def test_a_run_that_fails_keeps_what_only_a_success_says(run: Run) -> None:
    run("mirror acme.json --to oci:copy --metrics-file acme.prom")
    before = figures()
    code = run("mirror acme.json --source-registry 127.0.0.1:1 --to oci:copy --metrics-file acme.prom").code
    after = figures()
    assert code == after["run_exit_code "] == 5
    assert after["run_success_timestamp_seconds "] == before["run_success_timestamp_seconds "]
    assert of(after, "release_info") == of(before, "release_info")
    assert of(after, "release_published") == of(before, "release_published")
    assert not of(after, "run_copied_bytes") or after["run_copied_bytes target=oci:copy"] == 0
    assert run("mirror acme.json --to oci:copy --metrics-file acme.prom").code == 0
    assert figures()["run_images status=unchanged,target=oci:copy"] == 2


def test_a_first_run_that_fails_knows_no_success(run: Run) -> None:
    assert run("mirror acme.json --tag v9 --to oci:copy --metrics-file acme.prom").code == 4
    read = figures()
    assert read["run_exit_code "] == 4
    assert not of(read, "run_success")
    assert not of(read, "release")
    assert not of(read, "run_images")


def test_each_target_has_its_figures(run: Run) -> None:
    words = "mirror acme.json --to oci:copy --to 127.0.0.1:1/x --give-up-after 1 --metrics-file acme.prom"
    assert run(words).code == 5
    read = figures()
    assert read["run_images status=copied,target=oci:copy"] == 2
    assert list(of(read, "release_info")) == [f"release_info catalog=acme,release={TAG},target=oci:copy"]
    assert "run_failures target=127.0.0.1:1/x" in read


@pytest.mark.parametrize(
    "kind", ["no folder", "a folder", "a pipe", "a device", "another's file", "a link to another's"]
)
def test_a_path_where_no_figures_can_be_written(run: Run, kind: str, tmp_path: Path) -> None:
    """It is said before the run begins, and nothing is changed."""
    path = tmp_path / "acme.prom"
    other = tmp_path / "other.prom"
    other.write_text("node_disk_bytes 7\ntransload_run_exit_code 0\n")
    match kind:
        case "no folder":
            path = tmp_path / "nowhere" / "acme.prom"
        case "a folder":
            path.mkdir()
        case "a pipe":
            os.mkfifo(path)
        case "a device":
            path = Path("/dev/null")
        case "another's file":
            path = other
        case _:
            path.symlink_to(other)
    ran = run("mirror acme.json --to oci:copy --metrics-file", str(path))
    assert ran.code in {7, 8}
    assert len([line for line in ran.err.splitlines() if not line.startswith("  ")]) == 1, ran.err
    assert not Path("copy").exists()
    assert other.read_text().startswith("node_disk_bytes 7")


@pytest.mark.parametrize("name", ["figures", "acme.txt", "acme.prom.bak", ".prom"])
def test_a_name_that_node_exporter_does_not_read(run: Run, name: str) -> None:
    ran = run("mirror acme.json --to oci:copy --metrics-file", name)
    assert (ran.code, f"error: the name of {name} does not end in .prom" in ran.err) == (2, True), ran.err
    assert not Path("copy").exists()
    assert not Path(name).exists()


def test_a_link_to_figures_of_ours_becomes_a_file(run: Run) -> None:
    run("mirror acme.json --to oci:copy --metrics-file real.prom")
    Path("acme.prom").symlink_to("real.prom")
    before = Path("real.prom").read_text()
    assert run("mirror acme.json --to oci:copy --metrics-file acme.prom").code == 0
    assert not Path("acme.prom").is_symlink()
    assert Path("real.prom").read_text() == before
    assert figures()["run_exit_code "] == 0


def test_a_variable_names_the_file_and_push_and_verify_write_it_too(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    run("pack acme.json -o packed --metrics-file pack.prom")
    assert of(figures("pack.prom"), "run_info")
    monkeypatch.setenv("TRANSLOAD_METRICS_FILE", "acme.prom")
    assert run("push packed --to oci:copy").code == 0
    assert "command=push" in next(iter(of(figures(), "run_info")))
    assert run("plan acme.json --to oci:new -o plan.json").code == 0
    assert run("apply plan.json").code == 0
    assert "command=apply" in next(iter(of(figures(), "run_info")))
    assert run("verify acme.json --to oci:copy").code == 0
    read = figures()
    assert "command=verify" in next(iter(of(read, "run_info")))
    assert read["run_images status=identical,target=oci:copy"] == 2


# --- the program


def told(path: str = "told.json") -> dict[str, Any]:
    text: dict[str, Any] = json.loads(Path(path).read_text())
    return text


@pytest.fixture
def program(tmp_path: Path) -> str:
    """The words for a program that writes down what it gets."""
    script = tmp_path / "notify.py"
    script.write_text(
        "import json, os, sys\n"
        "names = [name for name in os.environ if name.startswith(('TRANSLOAD_', 'SOURCE_', 'TARGET_'))]\n"
        "told = {name: os.environ[name] for name in names}\n"
        "json.dump({**told, 'document': json.load(sys.stdin)}, open('told.json', 'w'))\n"
    )
    return f"=--notify-command={sys.executable} notify.py"


def test_the_program_gets_the_result(run: Run, program: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRANSLOAD_TARGET_PASSWORD", "secret")
    monkeypatch.setenv("TARGET_DOCKER_PASSWORD", "secret")
    assert run("mirror acme.json --to oci:copy --run-id seven", program).code == 0
    got = told()
    assert (got["TRANSLOAD_RUN_ID"], got["TRANSLOAD_EXIT_CODE"], got["TRANSLOAD_STATUS"]) == ("seven", "0", "changed")
    assert got["TRANSLOAD_SUMMARY"] == "done: 2 copied"
    assert got["document"]["totals"]["images"]["copied"] == 2
    assert "secret" not in Path("told.json").read_text()


@pytest.mark.parametrize(
    ("occasion", "runs"), [("failure", [False, False, True]), ("change", [True, False, True]), ("always", [True] * 3)]
)
def test_when_the_program_runs(run: Run, program: str, occasion: str, runs: list[bool]) -> None:
    ran = []
    for tag in (TAG, TAG, "v9"):
        Path("told.json").unlink(missing_ok=True)
        run(f"mirror acme.json --tag {tag} --to oci:copy --notify-on {occasion}", program)
        ran.append(Path("told.json").exists())
    assert ran == runs


def test_the_program_is_told_of_a_run_that_did_not_begin(run: Run, program: str) -> None:
    assert run("mirror acme.json --tag v9 --to oci:copy", program).code == 4
    got = told()
    assert (got["TRANSLOAD_EXIT_CODE"], got["TRANSLOAD_STATUS"]) == ("4", "failed")
    assert "v9" in got["TRANSLOAD_SUMMARY"]
    document = got["document"]
    assert document["problem"]["code"] == "release-unknown"


def test_the_program_is_told_of_verify_and_prune(run: Run, program: str) -> None:
    run("mirror acme.json --to oci:copy")
    assert run("verify acme.json --to oci:copy --notify-on always", program).code == 0
    got = told()
    assert (got["TRANSLOAD_STATUS"], got["TRANSLOAD_SUMMARY"][:20]) == ("unchanged", "2 images: all proved")
    assert len(got["document"]["images"]) == 2
    words = f"prune oci:copy --remove-tags {TAG} --allow-empty --metrics-file prune.prom"
    assert run(f"{words} --notify-on always", program).code == 0
    assert told()["TRANSLOAD_STATUS"] == "unchanged"
    assert run(f"{words} --yes", program).code == 0
    got = told()
    assert (got["TRANSLOAD_STATUS"], got["TRANSLOAD_SUMMARY"]) == ("changed", "deleted: 2 names, 2 manifests")
    assert got["document"]["run_id"] == got["TRANSLOAD_RUN_ID"]
    assert figures("prune.prom")["run_exit_code "] == 0


@pytest.mark.parametrize(
    ("command", "warned"),
    [
        ("false", "it ended with exit code 1"),
        ("true", None),
        ("sh -c 'echo no mail >&2; exit 3'", "it ended with exit code 3: no mail"),
        ("sh -c 'exec 0<&-; exit 0'", None),
        ("sh -c 'exec yes'", "it was ended, since it wrote more than 64 KiB"),
        ("sh -c 'kill -9 $$'", "it ended with signal 9"),
    ],
)
def test_a_program_that_fails_changes_nothing(run: Run, command: str, warned: str | None) -> None:
    ran = run("mirror acme.json --to oci:copy --output json", f"=--notify-command={command}")
    assert ran.code == 0
    assert json.loads(ran.out.splitlines()[-1])["event"] == "result"
    assert ran.err == (f"warning: --notify-command: {warned}\n" if warned else "")


@pytest.mark.parametrize(
    ("command", "code"), [("no-such-program -x", 8), ("'open", 2), ("", 2), (" ", 2), ("acme.json", 8), ("/", 8)]
)
def test_a_program_that_cannot_be_run_is_said_before(run: Run, command: str, code: int) -> None:
    ran = run("mirror acme.json --to oci:copy", f"=--notify-command={command}")
    assert ran.code == code
    assert "--notify-command" in ran.err
    assert not Path("copy").exists()


@pytest.mark.parametrize(
    ("command", "word"),
    [
        ("echo $TRANSLOAD_SUMMARY", "$TRANSLOAD_SUMMARY"),
        ("echo 'it ended: ${TRANSLOAD_EXIT_CODE}'", "${TRANSLOAD_EXIT_CODE}"),
        ("cat | true", "|"),
        ("sh -c 'cat' >told.txt && true", "&&"),
        ("cat > told.txt", ">"),
    ],
)
def test_what_only_a_shell_understands_is_said_before(run: Run, command: str, word: str) -> None:
    ran = run("mirror acme.json --to oci:copy", f"=--notify-command={command}")
    assert ran.code == 2
    assert ran.err.startswith(f"error: --notify-command: no shell reads it, so '{word}' would be ")
    assert "sh -c '...'" in ran.err
    assert not Path("copy").exists()


@pytest.mark.parametrize("flags", ["-c", "-ec"])
def test_in_a_line_of_the_shell_it_is_no_mistake(run: Run, flags: str) -> None:
    line = f"sh {flags} 'cat >told.json && echo $TRANSLOAD_STATUS | tr a-z A-Z >told.txt'"
    assert run("mirror acme.json --to oci:copy", f"=--notify-command={line}").code == 0
    assert Path("told.txt").read_text() == "CHANGED\n"


def test_when_without_what_is_a_mistake_on_the_line(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    ran = run("mirror acme.json --to oci:copy --notify-on failure")
    assert (ran.code, "--notify-on without --notify-command has no effect" in ran.err) == (2, True)
    monkeypatch.setenv("TRANSLOAD_NOTIFY_ON", "failure")
    assert run("mirror acme.json --to oci:copy").code == 0


# --- log lines


LINE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\.[0-9]{3}Z (info|warning|error) run=night (\S.*)")


def test_each_line_of_text_has_time_level_and_run(run: Run) -> None:
    line = "mirror acme.json --to oci:copy --run-id night --log-file run.log"
    shown = run(line)
    assert "[1/2]" in shown.err
    lines = Path("run.log").read_text().splitlines()
    parsed = [match.groups() for match in map(LINE.fullmatch, lines) if match]
    assert len(parsed) == len(lines) > 4
    assert {level for level, _ in parsed} == {"info"}
    assert parsed[0][1].endswith(" begins mirror")
    assert sum(text.startswith("[") for _, text in parsed) == 2
    assert any(text.startswith("done: 2 copied") for _, text in parsed)
    run(line)
    assert Path("run.log").read_text().splitlines()[: len(lines)] == lines, "it is appended to"


def test_each_line_of_json_is_an_object(run: Run) -> None:
    assert run("mirror acme.json --tag v9 --to oci:copy --run-id night --log-file run.log --log-format json").code == 4
    assert run("mirror acme.json --to oci:copy --to oci:other --log-file run.log --log-format json").code == 0
    lines = [json.loads(line) for line in Path("run.log").read_text().splitlines()]
    assert all({"time", "level", "run_id", "command", "message"} <= set(line) for line in lines)
    assert [line["level"] for line in lines if line["run_id"] == "night"][:2] == ["info", "error"]
    images = {(line["image"], line["target"]) for line in lines if "image" in line}
    assert images == {(f"{name}:{TAG}", f"oci:{to}") for name in ("one", "two") for to in ("copy", "other")}


@pytest.mark.parametrize("tag", [TAG, "v9"])
def test_on_standard_error_they_stand_for_all_else(run: Run, tag: str) -> None:
    ran = run(f"mirror acme.json --tag {tag} --to oci:copy --log-file - --log-format json", "=--notify-command=false")
    lines = [json.loads(line) for line in ran.err.splitlines()]
    assert ("warning", "--notify-command: it ended with exit code 1") in [
        (line["level"], line["message"]) for line in lines
    ]
    assert ("error" in {line["level"] for line in lines}) == (tag == "v9")


def test_in_the_journal_there_is_no_second_time(source: Served, tmp_path: Path) -> None:
    """A real process, whose standard error is what the variable of systemd names."""
    with (tmp_path / "journal").open("wb") as file:
        status = os.fstat(file.fileno())
        variables = {**os.environ, "JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}", "HOME": str(tmp_path)}
        words = f"mirror acme/one:{TAG} --from {source.host_port} --to oci:copy --log-file - --run-id night".split()
        command = [sys.executable, "-m", "transload", *words]
        subprocess.run(command, stderr=file, cwd=tmp_path, env=variables, check=True, timeout=60)
    lines = (tmp_path / "journal").read_text().splitlines()
    assert lines
    assert all(line.startswith("<6>run=night ") for line in lines)


def test_a_log_that_is_moved_away_goes_on_in_a_new_file(run: Run) -> None:
    line = "mirror acme.json --to oci:copy --log-file run.log"
    run(line)
    Path("run.log").rename("run.log.1")
    run(line)
    assert Path("run.log").stat().st_size
    write = file_writer(Path("run.log"))
    write("one\n")
    Path("run.log").rename("run.log.2")
    write("two\n")
    assert Path("run.log").read_text() == "two\n"


@pytest.mark.parametrize("kind", ["no folder", "a folder", "a pipe", "a device"])
def test_a_log_that_cannot_be_written_is_said_before(run: Run, kind: str) -> None:
    path = {"no folder": "nowhere/run.log", "a folder": "folder", "a pipe": "pipe", "a device": "/dev/full"}[kind]
    Path("folder").mkdir()
    os.mkfifo("pipe")
    ran = run(f"mirror acme.json --to oci:copy --log-file {path}")
    assert ran.code == 8
    assert not Path("copy").exists()


def test_a_line_holds_no_line_end_of_others(tmp_path: Path) -> None:
    path = tmp_path / "run.log"
    for form in ("text", "json"):
        log = Log(file_writer(path), form, command="mirror", run_id="night")
        log.tell("info", "one\ntwo \x1b[31mthree\u2028four")
    assert len(path.read_text().splitlines()) == 2
    assert "\x1b" not in path.read_text()


def test_a_form_without_a_file_is_a_mistake_on_the_line_and_not_as_a_default(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = run("mirror acme.json --to oci:copy --log-format json")
    assert (ran.code, "--log-format without --log-file has no effect" in ran.err) == (2, True)
    monkeypatch.setenv("TRANSLOAD_LOG_FORMAT", "json")
    assert run("mirror acme.json --to oci:copy").code == 0


def test_a_log_on_standard_error_leaves_standard_output_alone(run: Run) -> None:
    assert run("mirror acme.json --to oci:copy --if-new --log-file -").out.startswith("done: 2 copied")
    assert run("mirror acme.json --to oci:copy --if-new --log-file -").out.startswith(f"nothing new: {TAG} of acme is")
    assert run("mirror acme.json --to oci:copy --if-new --log-file - --quiet").out == ""
