"""Programs of others that the tests in this folder need, and what happens where one is not installed."""

from __future__ import annotations

import os
import shutil
from typing import NoReturn

import pytest

PACKAGES = {
    "dockerd": "docker.io",
    "docker": "docker.io",
    "ctr": "containerd",
    "linux.uml": "user-mode-linux",
    "mkfs.vfat": "dosfstools",
    "mkudffs": "udftools",
    "fusermount3": "fuse3",
}


def missing(what: str, how: str) -> NoReturn:
    """Skip, or fail where the environment promises that everything is installed."""
    reason = f"{what} is not installed; {how}"
    if os.environ.get("TRANSLOAD_REQUIRE_REAL") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


def program(name: str) -> str:
    """Where a program lies."""
    return shutil.which(name) or missing(name, f"apt-get install {PACKAGES.get(name, name)}")
