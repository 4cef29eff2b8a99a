"""The file of figures, as an earlier run or somebody else left it."""

from __future__ import annotations

from pathlib import Path

import pytest

from transload.report.conclusion import Conclusion
from transload.report.metrics import EndedRun, write_metrics

FAILED = EndedRun(
    command="mirror",
    run_id="night",
    ended_wall_s=1_700_000_000,
    duration_s=1,
    conclusion=Conclusion(exit_code=4, summary="it failed", document={}),
)


@pytest.mark.parametrize("name", ["run_success", "release_published"])
def test_a_figure_that_no_run_can_have_written_is_left_out(tmp_path: Path, name: str) -> None:
    path = tmp_path / "site.prom"
    path.write_text(f'transload_{name}_timestamp_seconds{{task="site"}} {"9" * 5000}\n')
    write_metrics(path, FAILED)
    assert "999" not in path.read_text()
