"""Programs of others that the tests in this folder need, and what happens where one is not installed."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
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
    "kubectl": "kubernetes-client",
    "promtool": "prometheus",
    "systemd-analyze": "systemd",
    "systemd-nspawn": "systemd-container",
}


def missing(what: str, how: str) -> NoReturn:
    """Skip, or fail where the environment promises that everything is installed."""
    reason = f"{what} is not installed; {how}"
    if os.environ.get("TRANSLOAD_REQUIRE_REAL") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


FETCHED = Path(sys.prefix) / "helm"
"""Where `make servers` puts helm, which is in no Debian package."""


def program(name: str) -> str:
    """Where a program lies."""
    if name == "helm":
        places = os.pathsep.join((os.environ.get("PATH", os.defpath), str(FETCHED)))
        return shutil.which(name, path=places) or missing(name, "make servers fetches it")
    return shutil.which(name) or missing(name, f"apt-get install {PACKAGES.get(name, name)}")
