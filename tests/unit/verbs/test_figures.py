"""Figures for Prometheus from the library: of results, and of what the verbs raise."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

import transload
from transload import Environment, LayoutStore, Results
from transload.testing.images import fill, image

OWN: dict[str, Any] = {"environment": Environment()}


@pytest.fixture(autouse=True)
def _source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    store = LayoutStore(Path("source"), create=True)
    for name in ("one", "two"):
        fill(store, image(name), f"acme/{name}", "v1")


def figures(path: str = "acme.prom") -> dict[str, float]:
    families = text_string_to_metric_families(Path(path).read_text())
    return {
        " ".join([sample.name, *(text for label, text in sample.labels.items() if label not in {"task", "target"})]): (
            sample.value
        )
        for family in families
        for sample in family.samples
    }


def copy(*images: str, target: str = "oci:copy") -> transload.Result:
    return transload.copy("oci:source", target, list(images), run_id="night", **OWN)


def test_a_result_has_its_name_its_images_and_its_time() -> None:
    result = copy("acme/one:v1", "acme/two:v1")
    transload.write_metrics("acme.prom", result, command="copy")
    found = figures()
    assert found[f"transload_run_info copy night {transload.__version__}"] == 1
    assert found["transload_run_images copied"] == 2
    assert found["transload_run_exit_code"] == 0
    assert found["transload_run_duration_seconds"] == pytest.approx(result.duration_s, abs=0.001)
    assert found["transload_run_end_timestamp_seconds"] == int(result.began_wall_s + result.duration_s)


def test_of_images_that_failed_the_others_are_counted_and_the_last_success_stays() -> None:
    transload.write_metrics("acme.prom", copy("acme/one:v1"))
    success = figures()["transload_run_success_timestamp_seconds"]
    with pytest.raises(transload.ImagesFailed) as raised:
        copy("acme/two:v1", "acme/nobody:v1")
    transload.write_metrics(Path("acme.prom"), raised.value)
    found = figures()
    assert (found["transload_run_failures"], found["transload_run_images copied"]) == (1, 1)
    assert found["transload_run_success_timestamp_seconds"] == success
    assert found["transload_run_exit_code"] == 1


def test_an_error_before_there_was_a_plan_has_a_name_and_no_duration() -> None:
    with pytest.raises(transload.LocalError) as raised:
        transload.copy("oci:nowhere", "oci:copy", **OWN)
    transload.write_metrics("acme.prom", raised.value, run_id="early")
    found = figures()
    assert found[f"transload_run_info mirror early {transload.__version__}"] == 1
    assert found["transload_run_exit_code"] == 8
    assert not {"transload_run_duration_seconds", "transload_run_success_timestamp_seconds"} & found.keys()


def test_several_targets_are_one_run() -> None:
    results = transload.mirror(origin="oci:source", to=["oci:first", "oci:second"], run_id="both", **OWN)
    assert isinstance(results, Results)
    transload.write_metrics("acme.prom", results)
    lines = Path("acme.prom").read_text().splitlines()
    assert sum(line.startswith("transload_run_images") and line.endswith('status="copied"} 2') for line in lines) == 2
    assert 'run_id="both"' in Path("acme.prom").read_text()


def test_what_cannot_be_written_is_said() -> None:
    result = copy("acme/one:v1")
    Path("other.prom").write_text("node_disk_bytes 7\n")
    with pytest.raises(transload.FileExists):
        transload.write_metrics("other.prom", result)
    with pytest.raises(transload.LocalError):
        transload.write_metrics("nowhere/acme.prom", result)
    for name, more in {"acme.txt": {}, "acme.prom": {"run_id": "a b"}}.items():
        with pytest.raises(transload.UsageError):
            transload.write_metrics(name, transload.LocalError("no"), **more)
    with pytest.raises(TypeError, match="ended must be a Result"):
        transload.write_metrics("acme.prom", {"images": []})  # type: ignore[arg-type]
    assert not Path("acme.prom").exists()
