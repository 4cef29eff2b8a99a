"""The report as HTML: what it says, in which order, and that nothing from outside becomes markup."""

from __future__ import annotations

import json
import re
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.unit.report.replay import Trouble
from tests.unit.report.sample import many, recorded
from tests.unit.report.test_restoring import full
from transload.errors import AccessDenied, GateRefused, Interrupted, PartMissing
from transload.events import RunPaused, RunResumed
from transload.planning.plan import Share
from transload.report import bundlepage
from transload.report.pictures import Timeline, pictures
from transload.report.problem import Problem
from transload.report.reportfile import check_report_path, write_reports
from transload.report.restoring import restored
from transload.report.result import Result
from transload.report.several import Results
from transload.report.trusted import Trusted
from transload.report.webpage import headline, to_html
from transload.values import evolve


class Reader(HTMLParser):
    """The text of a page as a reader has it, its elements and their attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self._hidden = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._hidden = tag in {"style", "script"}

    def handle_endtag(self, tag: str) -> None:
        self._hidden = False

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.words += data.split()

    @property
    def text(self) -> str:
        return " ".join(self.words)


FAILED = (Trouble("arc-sqlmi", fatal=AccessDenied("the push is refused", hint="log in", side="target"), retries=2),)


def test_the_verdict_comes_first_then_failures_the_command_images_and_pictures() -> None:
    text = Reader(to_html(recorded(troubles=FAILED))).text
    places = [
        text.index(words)
        for words in (
            "2 images failed: 14 of 16 images are at registry.plant-7.example:5000",
            "What failed, and what to do",
            "the push is refused (access-denied)",
            "What to do: log in",
            "Next: the command that tries just these again",
            "transload mirror arcdata --to registry.plant-7.example:5000/mirror --image",
            "Image and digest",
            "Content: what images share",
            "Throughput while copying",
            "When each image was copied",
            "The run",
        )
    ]
    assert places == sorted(places)


def test_what_is_said_of_many_images_is_said_once() -> None:
    result = recorded()
    problem = Problem.of(GateRefused("the gate scan does not let it pass: exit code 3", hint="look at it"))
    images = [
        evolve(image, status="failed", problem=evolve(problem, subject=image.name)) for image in result.images[:3]
    ]
    text = Reader(to_html(evolve(result, images=tuple(images)))).text
    assert text.count("the gate scan does not let it pass") == 1
    failures = text[text.index("What failed") : text.index("Image and digest")]
    assert all(image.name in failures for image in images)


def test_a_problem_with_what_gates_said_is_no_success() -> None:
    result = evolve(recorded(), images=recorded().images[:3], attestations=full().attestations)
    text = Reader(to_html(result)).text
    assert "complete, with a problem All 3 images are at" in text
    assert "a is not signed (policy-refused)" in text


def test_the_pictures_say_what_sharing_saves() -> None:
    text = Reader(to_html(recorded())).text
    assert "13 images with 21 layers: 1.5 GiB, each counted once." in text
    assert "That saves 888 MiB, 36% of 2.4 GiB." in text


def test_retries_and_pauses_are_marked_and_listed() -> None:
    page = to_html(recorded(troubles=FAILED, also=(RunPaused("22:00"), RunResumed(0.5))))
    assert 'class="mark"' in page
    text = Reader(page).text
    assert "tried again" in text
    assert "paused for its hours" in text


def test_no_rate_is_beside_what_was_copied_when_most_of_what_moved_was_not_finished() -> None:
    def copied(result: Result) -> str:
        return Reader(to_html(result)).text.partition("Copied ")[2].partition(" blobs")[2][:14]

    assert "/s" in copied(recorded())
    assert "/s" not in copied(evolve(recorded(), moved_bytes=100 * recorded().moved_bytes))


def test_without_layers_and_course_there_are_no_pictures() -> None:
    page = to_html(evolve(recorded(), insight=None))
    assert "<svg" not in page
    assert "Throughput" not in page


def test_signatures_gates_the_bundle_and_the_record_are_there() -> None:
    text = Reader(to_html(full())).text
    for words in (
        "release@vendor (notation, 2026-01-02 00:00 by tsa)",
        "scan {image}",
        "exit code 3",
        "not noted as taken",
        "values.yaml",
        "run-1",
        "Recorded by Ann",
        "with the key sha256:ab; transload history with --public-key proves it",
    ):
        assert words in text, words


def test_an_unsigned_image_of_a_rule_that_warns_is_told_at_the_top() -> None:
    result = recorded()
    unsigned = Trusted(mode="warn", holds=False, rule="", problem="it has no signature")
    first, *others = result.images
    page = Reader(to_html(evolve(result, images=(evolve(first, trust=unsigned), *others)))).text
    assert "1 image is not signed as the policy wants, which only warns" in " ".join(page.split())
    assert "which only warns" not in Reader(to_html(result)).text


def test_several_targets_have_a_section_each() -> None:
    results = Results(targets=("one", "two"), results=(recorded(troubles=FAILED), recorded()), read_again=Share())
    page = to_html(results)
    assert "0 of 2 targets complete" in Reader(page).text
    assert re.findall(r'id="(run-\d)"', page) == ["run-1", "run-2"]
    ids = re.findall(r' id="([^"]+)"', page)
    assert len(ids) == len(set(ids))


def test_the_headline_says_how_it_ended() -> None:
    result = recorded()
    assert headline(result).startswith("1 image failed: 15 of 16 images are at registry.plant-7.example:5000")
    assert headline(evolve(result, interrupted=True)).startswith("The run was interrupted: 15 of 16 images are at")
    stopped = evolve(result, images=(), interrupted=True, problem=Problem.of(Interrupted("interrupted")))
    assert headline(stopped) == "The run was interrupted before it began"
    assert headline(evolve(result, images=())) == "There was nothing to copy"
    assert headline(evolve(result, images=result.images[:3])) == "All 3 images are at registry.plant-7.example:5000"
    assert headline(evolve(result, images=result.images[:2])) == "Both images are at registry.plant-7.example:5000"
    assert headline(evolve(result, images=result.images[:1], target="oci:site")) == "The image is in oci:site"


HOSTILE = "\"><script>alert(1)</script><img src=x onerror=alert(1)>'&\u202egnp.\u200b\x1b[31m"


def _poisoned(value: object) -> object:
    """A report with the hostile text in each place where any text may stand."""
    free = {
        *("name", "source", "asked", "target", "message", "hint", "subject", "store", "published", "code", "retry"),
        *("about", "host", "catalog", "release", "date", "run_id", "command", "problem", "signer", "rule", "set", "by"),
    }
    if isinstance(value, dict):
        return {
            key: HOSTILE if key in free and isinstance(inner, str) else _poisoned(inner) for key, inner in value.items()
        }
    if isinstance(value, list):
        return [HOSTILE if isinstance(one, str) and ":" not in one else _poisoned(one) for one in value]
    return value


def test_hostile_texts_stay_texts() -> None:
    document = _poisoned(full().to_json())
    assert isinstance(document, dict)
    document["notes"] = document["written"] = document["sources"] = [HOSTILE]
    document["versions"] = {HOSTILE: HOSTILE}
    page = to_html(restored(json.dumps(document).encode(), "x.json"))
    elements = Reader(page).elements
    assert [tag for tag, _ in elements].count("script") == 1
    assert not [tag for tag, _ in elements if tag in {"img", "iframe", "object", "link", "base", "form"}]
    assert not [key for _, values in elements for key in values if key.startswith("on") or key == "style"]
    assert not {"\u202e", "\u200b", "\x1b"} & set(page)
    assert page.count("&lt;script&gt;alert(1)") > 50


def test_long_texts_are_cut_but_commands_are_whole() -> None:
    result = recorded(troubles=FAILED)
    long = evolve(result, notes=("n" * 10_000_000,), retry="transload mirror " + "--image a:1 " * 1000)
    page = to_html(long)
    assert len(page) < 200_000
    assert "--image a:1 " * 999 in page


def test_two_thousand_images_are_less_than_three_mebibytes() -> None:
    result = many(2000)
    page = to_html(result)
    assert len(page.encode()) < 3 << 20
    assert page.count("<tr>") > 2000
    assert "When images were copied" in page
    assert 'points="0,1000 0,0 ' in page  # in this run all began at once


def test_of_many_images_a_line_says_how_many_were_done_when() -> None:
    assert result_timeline(41).done.split()[-1] == "1000,0"
    assert not result_timeline(41).spans
    assert len(result_timeline(40).spans) == 40


def result_timeline(images: int) -> Timeline:
    found = pictures(many(images)).timeline
    assert found is not None
    return found


def test_a_report_is_written_by_its_suffix(tmp_path: Path) -> None:
    path = tmp_path / "run.html"
    check_report_path(path)
    write_reports(recorded(), [path])
    assert path.read_text(encoding="utf-8").startswith("<!doctype html>")


def test_that_jinja2_is_missing_is_said_before_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(PartMissing, match=r"writing run\.html needs the package jinja2"):
        check_report_path(tmp_path / "run.html")
    check_report_path(tmp_path / "run.json")


def test_a_page_of_a_report_that_was_read_again_is_the_same() -> None:
    result = full()
    again = restored(json.dumps(result.to_json()).encode(), "run.json")
    assert isinstance(again, Result)
    assert to_html(again) == to_html(evolve(result, duration_s=again.duration_s, began_wall_s=again.began_wall_s))


@pytest.mark.parametrize("needed", [[], [{"digest": f"sha256:{'0' * 64}", "size": 4, "repositories": ["shop/a"]}]])
def test_the_picture_of_a_differential_bundle_says_what_it_does_not_count(needed: list[dict[str, object]]) -> None:
    listed = {"name": "shop/a:v1", "source": None, "digest": f"sha256:{'1' * 64}", "size": 9, "present": False}
    bundle = {"bundle": "rel", "size": 9, "verified": False, "signed_by": None, "against": None, "files": []}
    page = bundlepage.to_html({**bundle, "images": [listed], "prerequisites": needed}, [], [[0]], [9])
    assert ("Blobs that the target has already are not in the bundle, and not counted." in page) is bool(needed)
