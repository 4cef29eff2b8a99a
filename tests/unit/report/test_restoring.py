"""A JSON report can be read again, and a file that is none is refused in one sentence."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.unit.report.replay import Trouble
from tests.unit.report.sample import recorded
from transload.errors import AccessDenied, DocumentInvalid, PolicyRefused, TransloadError
from transload.oci import Digest
from transload.planning.plan import Share
from transload.report.bundleorder import BundleFacts, BundleOrder
from transload.report.foundrecord import FoundRecord
from transload.report.gated import GateResult, GatesAttached
from transload.report.problem import Problem
from transload.report.restoring import restored
from transload.report.result import ReleaseResult, Result, exit_code
from transload.report.several import Results
from transload.report.trusted import ImageSigner, Trusted
from transload.values import evolve


def written(result: Result | Results) -> bytes:
    return json.dumps(result.to_json()).encode()


def full() -> Result:
    """A result with something in every field."""
    result = recorded(troubles=(Trouble("arc-sqlmi", retries=2), Trouble("arc-postgres-17", fatal=AccessDenied("no"))))
    signed = ImageSigner(
        signer="release@vendor", form="notation", signed_at=datetime(2026, 1, 2, tzinfo=UTC), time_from="tsa"
    )
    gate = GateResult(command="scan {image}", exit_code=3, problem="exit code 3", lines=("1 finding",), duration_s=0.5)
    refused = Problem.of(PolicyRefused("a is not signed", subject="a"))
    trust = Trusted(mode="require", holds=True, rule="a/", signers=(signed,))
    images = [
        evolve(result.images[0], gates=(gate,), trust=trust),
        evolve(result.images[1], status="failed", problem=refused, published="vendor.example/a:1"),
        *result.images[2:],
    ]
    said = {"recordedBy": "Ann", "startedOn": "2026-11-27T10:00:00Z", "runId": "run-1", "plan": {"digest": {}}}
    record = FoundRecord(digest=Digest.of(b"record"), signed_by=("sha256:ab",), verified=True, record=said)
    assert result.insight is not None
    facts = BundleFacts(
        ledger=Digest.of(b"1"), edition={"packed": "2026"}, words="packed 2026", taken="2026", run_id="r"
    )
    return evolve(
        result,
        images=tuple(images),
        releases=(ReleaseResult(catalog="arcdata", release="v1", date=None),),
        attestations=GatesAttached(new=1, failed=1, problem=refused),
        bundle=BundleOrder(name="arcdata", signer=None, bundle=facts, newest=facts, standing="older", by="edition"),
        notes=("a note",),
        written=("values.yaml",),
        run_id="run-1",
        left_bytes=3,
        insight=evolve(result.insight, record=record),
    )


def test_what_was_written_is_read_again() -> None:
    result = full()
    again = restored(written(result), "run.json")
    assert isinstance(again, Result)
    assert again.to_json() == result.to_json()
    assert exit_code(again) == exit_code(result)
    assert again.images[1].problem == result.images[1].problem
    assert again.insight is not None
    assert again.insight.course is not None


def test_several_targets_are_read_again() -> None:
    results = Results(targets=("a", "b"), results=(full(), recorded()), read_again=Share(1, 2))
    again = restored(written(results), "run.json")
    assert isinstance(again, Results)
    assert again.to_json() == results.to_json()


def test_a_report_of_an_older_version_has_no_pictures() -> None:
    result = evolve(recorded(), insight=None)
    again = restored(written(result), "run.json")
    assert isinstance(again, Result)
    assert again.insight is None
    assert "layers" not in result.to_json()


def test_keys_of_a_newer_version_are_passed_over() -> None:
    document = recorded().to_json()
    document["mood"] = "good"
    document["images"][0]["mood"] = ["good"]
    assert isinstance(restored(json.dumps(document).encode(), "run.json"), Result)


def _change(document: Any, path: str, value: Any) -> None:
    *keys, last = [int(key) if key.isdigit() else key for key in path.split(".")]
    for key in keys:
        document = document[key]
    document[last] = value


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("format", 2, "this transload reads format 1, not 2"),
        ("images", {}, "run.json.images: expected a list, found a mapping"),
        ("images.0.status", "fine", "expected copied or updated"),
        ("images.0.digest", "sha256:zz", "run.json.images[0].digest"),
        ("images.0.size", 10**400, "expected a whole number"),
        ("images.0.size", True, "expected a whole number"),
        ("images.0.layers", [10**6], "run.json.images[0].layers[0]"),
        ("images.0.duration_s", 1e300, "expected a number of seconds"),
        ("began", "yesterday", "expected a time such as"),
        ("began", "0001-01-01T00:00:00Z", "expected a time such as"),
        ("began", "2026-01-01", "expected a time such as"),
        ("duration_s", -1, "expected a number of seconds"),
        ("began", "9999-12-31T23:59:59Z", "expected a time such as"),
        ("course.step_s", 0, "a number of seconds, at least 0.001"),
        ("course.step_s", 1e-300, "a number of seconds, at least 0.001"),
        ("course.target", [1] * 1001, "has 1001 entries, and 1000 are read at most"),
        ("course.halts", [{}] * 201, "has 201 entries, and 200 are read at most"),
        ("layers", [{"digest": "x", "size": 1}], "run.json.layers[0].digest"),
        ("totals", None, "totals"),
        ("versions", {"python": 3}, "run.json.versions.python: expected text"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(path: str, value: Any, said: str) -> None:
    document = recorded().to_json()
    _change(document, path, value)
    with pytest.raises(DocumentInvalid, match="run.json") as caught:
        restored(json.dumps(document).encode(), "run.json")
    assert said in caught.value.message
    assert caught.value.hint == "give a report that mirror, push or pack wrote with --report FILE.json"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "run.json cannot be read as JSON: it is empty"),
        (b"[]", "run.json is not a JSON object"),
        (b"{}", "run.json: is JSON, but no report of a run"),
        (b'{"format":1,"steps":[]}', "run.json: is JSON, but no report of a run"),
        (b'{"format":1,"targets":[]}', "run.json.targets: there is no target in it"),
        (b'{"format":1,"images":[],"images":[]}', "twice"),
        (b"<!doctype html>", "run.json cannot be read as JSON"),
        (b"[" * 100_000, "run.json"),
    ],
)
def test_what_is_no_report_is_refused(content: bytes, said: str) -> None:
    with pytest.raises(DocumentInvalid) as caught:
        restored(content, "run.json")
    assert said in caught.value.message


def _mutations() -> list[Callable[[Any], Any]]:
    return [lambda _: None, lambda _: -1, lambda _: "x", lambda _: [], lambda _: {}, lambda _: [[{}]], lambda _: 1e308]


def test_any_value_in_any_place_is_read_or_refused() -> None:
    """No other error, whatever stands where."""
    whole = full().to_json()
    whole["images"] = whole["images"][:2]
    for path in _paths(whole):
        for mutate in _mutations():
            document = json.loads(json.dumps(whole))
            _change(document, path, mutate(None))
            try:
                again = restored(json.dumps(document).encode(), "run.json")
            except TransloadError as error:
                assert error.message.startswith("run.json")  # noqa: PT017 - most are refused, some are read
            else:
                again.to_json()


def _paths(value: Any, before: str = "") -> list[str]:
    found: list[str] = []
    pairs = value.items() if isinstance(value, dict) else enumerate(value[:2]) if isinstance(value, list) else ()
    for key, inner in pairs:
        if "." in str(key):
            continue
        path = f"{before}.{key}" if before else str(key)
        found += [path, *_paths(inner, path)]
    return found
