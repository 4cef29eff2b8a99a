"""A name server that fails while a mirror runs: the system's own resolver, in namespaces of its own."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).with_name("names.py")


@pytest.fixture(scope="module")
def told() -> Any:
    """What `names.py` saw."""
    if not all(map(shutil.which, ("unshare", "ip"))):
        pytest.skip("unshare or ip is not installed")
    alone = ["unshare", "--user", "--map-root-user", "--mount", "--net"]
    if subprocess.run([*alone, "ip", "link", "set", "lo", "up"], capture_output=True).returncode:
        pytest.skip("no network namespaces here")
    done = subprocess.run([*alone, sys.executable, str(SCRIPT)], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize(
    ("mode", "said"),
    [
        ("unknown", "the host name registry.example is not known any more"),
        ("failing", "no name server answers for the host name registry.example"),
        ("refusing", "no name server answers for the host name registry.example"),
        ("silent", "no name server answers for the host name registry.example"),
    ],
)
def test_a_name_that_fails_in_the_middle_is_waited_for(told: Any, mode: str, said: str) -> None:
    run = told[mode]
    assert run["code"] == 0, run
    assert run["failed"] == 8
    assert any(said in retry for retry in run["retries"]), run


def test_without_a_name_server_from_the_start(told: Any) -> None:
    assert told["never"]["code"] == 5
    assert len(told["never"]["retries"]) == 4
    assert "no name server answers for the host name registry.example" in told["never"]["error"]


def test_a_mistyped_name_is_said_at_once(told: Any) -> None:
    assert told["mistyped"]["code"] == 5
    assert told["mistyped"]["retries"] == []
    assert "the host name registri.example is not known" in told["mistyped"]["error"]
