"""The schemas that the API of Kubernetes publishes, as kubernetes-validate has them, without a cluster."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def validated(path: Path, version: str) -> int:
    """How many objects of a file meet the schemas of a version; no field may be there that they do not know."""
    done = subprocess.run(
        [sys.executable, "-m", "kubernetes_validate", "--strict", "-k", version, str(path)],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "WARN" not in done.stdout
    return done.stdout.count("INFO")
