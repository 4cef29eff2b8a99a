"""The result says what became of each image, ends with the right exit code, and is kept in files as documented."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest
from attrs import evolve

from tests.unit.report.examples import DOCS, examples, named_in, replayed, with_examples
from tests.unit.report.replay import SOURCE, Replay, StoppedClock, Wanted, planned, result_of
from transload.errors import (
    AccessDenied,
    CredentialsRejected,
    HostGivenUp,
    LocalError,
    ManifestUnknown,
    PermissionRefused,
    ReadOnly,
    TransloadError,
    Unreachable,
    UsageError,
)
from transload.planning import Plan
from transload.report.markdown import to_markdown
from transload.report.planned import planned_json, planned_lines, planned_totals
from transload.report.problem import Problem, problem_lines
from transload.report.reportfile import check_report_path, write_reports
from transload.report.result import Result, exit_code
from transload.report.summary import summary_lines
from transload.report.tally import Tally
from transload.transfer import ImageOutcome, Outcome

ABSENT = ManifestUnknown("no such tag", side="source")


def finished(plan: Plan, stop_after_s: float | None = None) -> Result:
    clock = StoppedClock()
    tally = Tally(plan, clock)
    replay = Replay(plan, clock, stop_after_s=stop_after_s) if len(plan.images) > 3 else Replay(plan, clock, ())
    for event in replay:
        tally(event)
    return result_of(tally, replay.outcome)


def ended(*errors: TransloadError | None, optional: bool = False, interrupted: bool = False) -> Result:
    """A result of images that ended so; an absent one was planned as such."""
    plan = planned(
        [Wanted(f"i{n}", error=error if error is ABSENT else None, optional=optional) for n, error in enumerate(errors)]
    )
    outcome = Outcome(tuple(ImageOutcome(True, error) for error in errors), interrupted, 1.0)
    return result_of(Tally(plan, StoppedClock()), outcome)


@pytest.mark.parametrize(
    ("errors", "told"),
    [
        ((None, None), "done: 2 copied, in 1.0 s"),
        ((LocalError("x"),), "1 of 1 image failed, in 1.0 s"),
        ((None, LocalError("x")), "1 of 2 images failed, 1 copied, in 1.0 s"),
        ((None, ABSENT), "1 of 2 images failed (missing at the source), 1 copied, in 1.0 s"),
        ((None, ABSENT, LocalError("x")), "2 of 3 images failed (1 of them missing at the source), 1 copied, in 1.0 s"),
    ],
)
def test_the_first_line_says_nothing_twice(errors: tuple[TransloadError | None, ...], told: str) -> None:
    result = evolve(ended(*errors), duration_s=1.0)
    assert str(summary_lines(result)[0]) == told
    assert len(str(summary_lines(result, 40)[0])) <= 40


def test_what_is_allowed_to_be_missing_is_no_failure() -> None:
    result = evolve(ended(None, ABSENT, optional=True), duration_s=1.0)
    assert str(summary_lines(result)[0]) == "done: 1 copied, 1 missing as allowed, in 1.0 s"


def test_a_plan_says_once_what_is_true_of_several_images() -> None:
    plan = planned([Wanted("a", error=ABSENT), Wanted("b", error=ABSENT), Wanted("c")])
    lines = [str(line) for line in planned_lines(plan)]
    assert sum("error:" in line for line in lines) == 1, lines


# --- exit codes


@pytest.mark.parametrize(
    ("errors", "code"),
    [
        ((), 0),
        ((None, None), 0),
        ((None, Unreachable("down")), 1),
        ((Unreachable("down"), Unreachable("down too")), 5),
        ((CredentialsRejected("no"), AccessDenied("no")), 3),
        ((CredentialsRejected("no"), Unreachable("down")), 1),
        ((ABSENT,), 4),
        ((ABSENT, None), 1),
    ],
)
def test_the_exit_code_says_what_all_failures_have_in_common(
    errors: tuple[TransloadError | None, ...], code: int
) -> None:
    assert exit_code(ended(*errors)) == code


def test_what_may_be_missing_is_no_failure_and_hides_none() -> None:
    plan = planned([Wanted("a", error=ABSENT, optional=True), Wanted("b")])
    tally = Tally(plan, StoppedClock())
    down = Outcome((ImageOutcome(True, ABSENT), ImageOutcome(True, Unreachable("down"))), False, 1.0)
    fine = Outcome((ImageOutcome(True, ABSENT), ImageOutcome(True, None)), False, 1.0)
    assert exit_code(result_of(tally, down)) == 5
    assert exit_code(result_of(tally, fine)) == 0
    assert exit_code(ended(ABSENT, optional=True)) == 0


def test_interruption_and_early_problems_decide_alone() -> None:
    assert exit_code(ended(None, Unreachable("down"), interrupted=True)) == 130
    early = Problem.of(CredentialsRejected("no", side="target"))
    assert (
        exit_code(
            Result(
                asked="x",
                sources=(),
                target="t",
                images=(),
                interrupted=False,
                began_wall_s=0.0,
                duration_s=1.0,
                problem=early,
            )
        )
        == 3
    )


def gave_up() -> Result:
    """One image is there, one was under way when the target was given up, eighteen had not begun."""
    plan = planned([Wanted(f"i{number}") for number in range(20)])
    error = HostGivenUp("r.example gave no useful answer for 120 s", side="target")
    rest = [ImageOutcome(True, error, tried=False)] * 18
    outcome = Outcome((ImageOutcome(True, None), ImageOutcome(True, error), *rest), False, 130.0)
    return result_of(Tally(plan, StoppedClock()), outcome)


def test_a_run_that_a_dead_host_ended_says_so_once_and_what_goes_on() -> None:
    result = gave_up()
    assert exit_code(result) == 5
    assert (result.counts["copied"], result.counts["failed"], result.counts["not-tried"]) == (1, 1, 18)
    told = [str(line) for line in summary_lines(result)]
    assert told[0].startswith("ended early: 1 copied, 1 failed, 18 not tried")
    assert sum("gave no useful answer" in line for line in told) == 1
    assert "to finish:" in told
    assert "--image" not in told[-1]
    assert result.to_json()["images"][5]["status"] == "not-tried"
    assert to_markdown(result).count("gave no useful answer") == 1


# --- images


def test_each_image_has_its_status() -> None:
    result = finished(planned())
    assert result.counts == {
        "copied": 10,
        "updated": 2,
        "unchanged": 2,
        "missing": 2,
        "failed": 1,
        "not-tried": 0,
        "interrupted": 0,
        "left": 0,
    }
    assert [image.status for image in result.failures] == ["failed", "missing"]
    problem = result.failures[0].problem
    assert problem is not None
    assert (problem.code, problem.side, problem.store) == ("digest-mismatch", "source", SOURCE)


def test_the_retry_command_names_what_is_not_in_order_and_nothing_else() -> None:
    result = finished(planned())
    assert result.retry is not None
    assert re.findall(r"arc-[a-z0-9-]+(?=:)", result.retry) == ["arc-postgres-17", "arc-legacy-agent"]
    assert finished(planned([Wanted("a")])).retry is None


def test_an_interrupted_run_is_to_be_given_again_whole() -> None:
    result = finished(planned(), stop_after_s=9.0)
    assert result.interrupted
    assert result.counts["interrupted"] == 13
    assert result.retry is not None
    assert "--image" not in result.retry
    told = "\n".join(map(str, summary_lines(result)))
    assert told.startswith("interrupted: ")
    assert "to finish:\n  transload mirror" in told
    content = next(line for line in told.splitlines() if line.startswith("  content: "))
    assert "/s" not in content  # the rate is that of all bytes, and most of them are in half blobs


def test_no_rate_is_beside_little_that_was_copied_when_most_of_what_moved_was_not_finished() -> None:
    result = finished(planned())
    assert any("/s" in str(line) for line in summary_lines(result) if "content: " in str(line))
    broken = evolve(result, moved_bytes=100 * result.moved_bytes)
    assert not any("/s" in str(line) for line in summary_lines(broken))
    assert "/s" not in to_markdown(broken).partition("Copied")[2].partition("\n")[0]


def test_an_image_is_as_large_as_its_content_not_as_what_was_moved() -> None:
    image = next(one for one in finished(planned()).images if "arc-controller" in one.name)
    assert image.size is not None
    assert image.size > image.copied.bytes
    assert next(one for one in finished(planned()).images if one.status == "unchanged").size is None


def test_a_summary_groups_failures_of_one_cause() -> None:
    down = Unreachable("registry.example does not answer", hint="is the port open?", side="target")
    told = "\n".join(map(str, summary_lines(ended(*[down] * 8), 80)))
    assert told.count("does not answer") == 1
    assert told.count("failed mirror/") == 6
    assert "and 2 more" in told


def test_a_summary_groups_what_a_target_refuses_whichever_blob_was_on_its_way() -> None:
    refused = [ReadOnly(f"uploading {n}: 405", subject=f"sha256:{n}", side="target") for n in range(8)]
    told = "\n".join(map(str, summary_lines(ended(*refused), 80)))
    assert told.count("error: ") == 1
    assert told.count("failed mirror/") == 6
    assert "and 2 more" in told


def test_a_problem_says_what_where_and_what_to_do() -> None:
    error = AccessDenied("denied", side="target", subject="mirror/a:1", hint="log in")
    told = [str(line) for line in problem_lines(Problem.of(error, source="s", target="registry.example"))]
    assert told == ["error: denied", "  where: target registry.example, mirror/a:1", "  hint: log in"]
    assert [str(line) for line in problem_lines(Problem.of(UsageError("wrong")))] == ["error: wrong"]


# --- files


def test_report_files_hold_the_result(tmp_path: Path) -> None:
    result = finished(planned())
    paths = [tmp_path / "r.json", tmp_path / "r.md"]
    write_reports(result, paths)
    assert json.loads(paths[0].read_text("utf-8")) == result.to_json()
    assert paths[1].read_text("utf-8") == to_markdown(result)
    assert sorted(tmp_path.iterdir()) == paths


def test_one_report_that_cannot_be_written_does_not_cost_the_others(tmp_path: Path) -> None:
    (tmp_path / "folder.md").mkdir()
    with pytest.raises(LocalError, match="is a folder"):
        write_reports(finished(planned()), [tmp_path / "folder.md", tmp_path / "r.json"])
    assert (tmp_path / "r.json").exists()


def test_a_report_that_could_not_be_written_is_refused_before_the_run(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no known format") as refused:
        check_report_path(tmp_path / "report.pdf")
    assert ".json, .md or .html" in str(refused.value.hint)
    with pytest.raises(LocalError, match="no folder"):
        check_report_path(tmp_path / "absent" / "r.md")
    (tmp_path / "folder.md").mkdir()
    with pytest.raises(LocalError, match="is a folder"):
        check_report_path(tmp_path / "folder.md")
    check_report_path(tmp_path / "r.md")
    assert [path.name for path in tmp_path.iterdir()] == ["folder.md"]


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="this system has no /proc")
def test_a_folder_that_takes_no_files_is_refused_whatever_its_permissions_say() -> None:
    with pytest.raises(LocalError, match="writing /proc/report.json"):
        check_report_path(Path("/proc/report.json"))


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="this user may write everywhere")
def test_a_folder_without_permission_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(PermissionRefused):
        check_report_path(tmp_path / "r.md")


def test_text_from_outside_cannot_become_markup() -> None:
    evil = AccessDenied("<script>*x*|\n# head `code` [a](http://b)", side="source", hint="``` | ")
    page = to_markdown(ended(evil))
    assert "<script>" not in page.replace("\\<script\\>", "")
    assert "\n# head" not in page
    assert "](http" not in page.replace("\\]", "")
    assert all(line.count("|") in {3, 5, 6, 9} for line in page.splitlines() if line.startswith("|"))


def test_notes_on_the_whole_are_told_before_the_run_and_kept_in_its_reports() -> None:
    result = evolve(finished(planned([Wanted("a")])), notes=("the catalog lacks arc-new",))
    assert "the catalog lacks arc-new" in to_markdown(result)
    assert not any("arc-new" in str(line) for line in summary_lines(result))
    told = map(str, planned_totals(planned([Wanted("a")]), None, result.notes))
    assert "note:     the catalog lacks arc-new" in told
    assert result.to_json()["notes"] == ["the catalog lacks arc-new"]
    assert planned_json(planned([Wanted("a")]), ["n"])["notes"] == ["n"]


# --- the documented contract


@pytest.mark.parametrize("page", ["json-output.md", "report.md"])
def test_the_examples_in_the_documentation_are_real(page: str) -> None:
    text = (DOCS / page).read_text("utf-8")
    assert with_examples(text) == text


def test_every_event_is_documented() -> None:
    documented = named_in((DOCS / "json-output.md").read_text("utf-8"))
    assert documented == set(examples()) - {"markdown"}


def test_the_stream_keeps_its_rules() -> None:
    told, result = replayed()
    assert told[0]["event"] == "hello"
    assert told[0]["format"] == 1
    assert all(list(line)[:2] == ["event", "time"] for line in told)
    times = [line["time"] for line in told]
    assert times == sorted(times)
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", one) for one in times)
    progress = [line["time"] for line in told if line["event"] == "progress"]
    assert len(progress) == len({one[:19] for one in progress}) == 3
    assert told[-2]["result"] == result.to_json()


def test_every_key_of_an_object_is_documented() -> None:
    text = (DOCS / "json-output.md").read_text("utf-8")
    told, result = replayed()
    documented = set(re.findall(r"`(?:[a-z]+\[\]\.)?([a-z_]+)`", text))
    plan = next(line["plan"] for line in told if line["event"] == "plan")
    problem = next(line["problem"] for line in told if line["event"] == "failure")
    objects = [plan, plan["images"][0], plan["totals"], problem]
    objects += [
        result.to_json(),
        result.to_json()["totals"],
        result.to_json()["images"][0],
        result.to_json()["traffic"][0],
    ]
    assert {key for one in objects for key in one} <= documented | {"host"}
