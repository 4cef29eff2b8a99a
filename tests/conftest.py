"""Settings of every test: hypothesis draws the same examples on every machine, and does not mind a slow one."""

from __future__ import annotations

import signal

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
