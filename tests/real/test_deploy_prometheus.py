"""deploy/prometheus: which alerts each state of a job raises, by Prometheus' own tool."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.real.programs import program
from tests.test_deploy import AGAIN, DEPLOY, NEITHER
from tools.share import ENDINGS

RULES = DEPLOY / "prometheus" / "transload.rules.yml"
MINUTES = 120
NOW_DAYS = MINUTES / 1440
"""When the alerts are looked at, in days since 1970: so early that all that has been long ago was before that."""


def raised(tmp_path: Path, figures: Mapping[str, float], *alerts: str) -> None:
    """Fails unless exactly these alerts are raised for a job with these figures, whose moments are in days."""
    series = []
    for name, value in figures.items():
        held = value * 86400 if name.endswith("_seconds") else value
        labels = ',target="r",catalog="c",release="v1"' if "release" in name else ""
        series.append(
            {"series": f'transload_{name}{{instance="i",task="arcdata"{labels}}}', "values": f"{held}x{MINUTES}"}
        )
    query = 'count by (alertname) (ALERTS{alertstate="firing"})'
    expected = [{"labels": f'{{alertname="Transload{name}"}}', "value": 1} for name in sorted(alerts)]
    test = {
        "rule_files": [str(RULES)],
        "evaluation_interval": "10m",
        "tests": [
            {
                "interval": "1m",
                "input_series": series,
                "promql_expr_test": [{"expr": query, "eval_time": f"{MINUTES}m", "exp_samples": expected}],
            }
        ],
    }
    (tmp_path / "test.yml").write_text(json.dumps(test))
    command = [program("promtool"), "test", "rules", str(tmp_path / "test.yml")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def ended(code: int, success_days: float | None = NOW_DAYS - 0.5) -> dict[str, float]:
    figures = {"run_end_timestamp_seconds": NOW_DAYS - 0.5, "run_exit_code": float(code)}
    return figures if success_days is None else figures | {"run_success_timestamp_seconds": success_days}


def test_a_job_that_works_raises_nothing(tmp_path: Path) -> None:
    raised(tmp_path, ended(0) | {"release_published_timestamp_seconds": NOW_DAYS - 50})


@pytest.mark.parametrize("code", sorted(ENDINGS))
def test_an_exit_code_that_needs_somebody_is_told(tmp_path: Path, code: int) -> None:
    raised(tmp_path, ended(code), *([] if code in AGAIN | NEITHER else ["NeedsSomebody"]))


def test_a_job_without_a_success_is_told(tmp_path: Path) -> None:
    raised(tmp_path, ended(5, NOW_DAYS - 3), "NoSuccess")
    raised(tmp_path, ended(5, None), "NeverSucceeded")


def test_an_old_release_is_told(tmp_path: Path) -> None:
    raised(tmp_path, ended(0) | {"release_published_timestamp_seconds": NOW_DAYS - 101}, "ReleaseOld")
