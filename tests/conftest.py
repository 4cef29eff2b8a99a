"""Settings of every test: hypothesis draws the same examples on every machine, and does not mind a slow one.

And which tests of `tests/docs` and `tests/real` one worker of pytest-xdist runs, one after the other.
"""

from __future__ import annotations

import atexit
import gc
import os
import signal
import tempfile
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

# What these assert shows its values when it fails.
pytest.register_assert_rewrite("transload.testing", "tests.kills.scenes", "tests.kills.rounds")

settings.register_profile(
    "transload",
    deadline=None,
    derandomize=True,
    max_examples=60,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("transload")

# A shell without job control starts what runs in the background with SIGINT ignored, `nohup` ignores SIGHUP, and
# children inherit that; tests that press Ctrl-C or close a terminal would wait for ever.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

# Programs that tests start, and often kill, leave nothing in the state folder of whoever runs the tests.
_state = tempfile.TemporaryDirectory(prefix="tl-")
atexit.register(_state.cleanup)
os.environ.setdefault("TRANSLOAD_STATE_DIR", _state.name)

# Longest first, so that no worker has one left when the others have ended.
FIRST = (
    "tests/real/test_names.py",
    "tests/real/test_dask.py",
    "tests/real/test_media.py",
    "tests/real/test_deploy_container.py",
    "tests/real/test_requests.py",
    "tests/real/test_serve_pages.py",
    "tests/real/test_load.py",
    "tests/real/test_report_page.py",
    "docs/guides/bundles.md",
    "docs/guides/mirror-a-release.md",
    "tests/real/test_full_disk.py",
    "tests/real/test_interrupted_uploads.py",
    "tests/real/test_serve_killed.py",
    "docs/guides/as-a-library.md",
    "tests/real/test_roundtrips.py",
    "tests/real/test_cli_mirror.py",
    "tests/real/test_counts.py",
    "engines",
)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Workers begin with the groups that take long."""
    if hasattr(config, "workerinput"):
        order = {group: number for number, group in enumerate(FIRST)}
        items.sort(key=lambda item: order.get(group_of(item.nodeid), len(FIRST)))


def pytest_collection_finish() -> None:
    """A process holds thousands of tests; those that collect garbage themselves need not look at them each time."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """`--dist loadfile`, with groups of our own. `loadgroup` does nothing with pytest 9.2 and pytest-xdist 3.8."""
    if config.getoption("dist") != "loadfile":
        return None

    from xdist.scheduler import LoadFileScheduling  # type: ignore[import-untyped]  # it has no types

    scheduler = LoadFileScheduling(config, log)
    scheduler._split_scope = group_of
    return scheduler


def group_of(nodeid: str) -> str:
    """What one worker runs together: the tests of a file, but each page of examples alone, and all of the engines."""
    path, _, name = nodeid.partition("::")
    if name.startswith("test_examples_run_as_shown["):
        return name.partition("[")[2].removesuffix("]")
    return "engines" if path.endswith("_engines.py") else path
