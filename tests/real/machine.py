"""A machine with systemd as its first process: this one's /usr and network, and an empty rest that goes with it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

import transload
from tests.real.programs import missing, program

_PROOF = """\
[Unit]
Description=What the test runs
After=systemd-sysusers.service
SuccessAction=exit-force
FailureAction=exit-force

[Service]
Type=oneshot
ExecStart=/bin/sh /proof/script
StandardOutput=file:/proof/said
StandardError=inherit
"""
# Python finds its own library under the name that it was built for, which is not seen there.
_PROGRAM = """\
#!/bin/sh
export LD_LIBRARY_PATH=/opt/python/lib PYTHONPATH=/opt/source:/opt/site PYTHONDONTWRITEBYTECODE=1
exec /opt/python/bin/{python} -P -m transload "$@"
"""
_TIMEOUT_S = 500


def run(folder: Path, script: str, files: Mapping[str, Path]) -> str:
    """Boot, run the lines of `script` as root, and end: what they said.

    `files` are seen there, read-only, under their absolute names. transload is /opt/transload/bin/transload. `folder`,
    empty, is /proof there and can be written to. Skips the test where no such machine can be.
    """
    nspawn = program("systemd-nspawn")
    if os.geteuid() != 0:
        missing("root's right to start a machine", "run the tests as root")
    (folder / "script").write_text(script)
    (folder / "proof.service").write_text(_PROOF)
    (folder / "transload").write_text(_PROGRAM.format(python=Path(sys.executable).resolve().name))
    (folder / "transload").chmod(0o755)
    seen = {
        "/opt/python": Path(sys.base_prefix),
        "/opt/source": Path(transload.__file__).parents[1],
        "/opt/site": Path(pytest.__file__).parents[1],
        "/opt/transload/bin/transload": folder / "transload",
        "/etc/systemd/system/proof.service": folder / "proof.service",
        **files,
    }
    done = subprocess.run(
        [
            *(nspawn, "--quiet", "--directory=/", "--volatile=yes", "--register=no", "--keep-unit", "--boot"),
            *("--console=pipe", f"--machine=transload-{os.getpid()}", f"--bind={folder}:/proof"),
            *(f"--bind-ro={path}:{name}" for name, path in seen.items()),
            "systemd.unit=proof.service",
        ],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_S,
        check=False,
    )
    if not (folder / "said").exists():
        pytest.skip(f"no machine can be started here: {(done.stdout + done.stderr)[-1000:]}")
    return (folder / "said").read_text()
