"""What a worker tells of a part of which nothing can be done there."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.planning.scene import Scene
from transload.errors import LocalError, NotFound, TransloadError
from transload.events import StepFailed
from transload.layout import LayoutStore
from transload.testing.images import image


@pytest.mark.parametrize("kind", [NotFound, LocalError])
def test_a_folder_that_a_worker_does_not_see_is_told_with_the_worker_once(kind: type[TransloadError]) -> None:
    pytest.importorskip("distributed", reason="Dask is not installed: pip install 'transload[distributed]'")
    from transload.distributed.worker import _Outbox

    scene = Scene()
    scene.publish(image("one", [5000, 6000]), "app:1")
    plan = scene.plan("app:1")
    outbox = _Outbox("task-1", "tcp://10.0.0.2:40000")
    outbox.fail_all(plan, kind("/mnt/images is not an OCI layout"))
    failed = [event for event in outbox.everything().events if isinstance(event, StepFailed)]
    assert len(failed) == len(plan.steps) > 1
    assert {event.error.hint for event in failed} == {"this was on the worker tcp://10.0.0.2:40000"}


def test_a_folder_that_cannot_be_asked_for_is_not_seen(tmp_path: Path) -> None:
    pytest.importorskip("distributed", reason="Dask is not installed: pip install 'transload[distributed]'")
    from transload.distributed.worker import unseen

    LayoutStore(tmp_path / "seen", create=True)
    seen, missing, refused = str(tmp_path / "seen"), str(tmp_path / "missing"), str(tmp_path / ("x" * 300))
    assert unseen((seen,)) is None
    assert unseen((seen, missing)) == missing
    assert unseen((seen, refused)) == refused  # the system refuses the question, as for a folder of another user
