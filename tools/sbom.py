"""Writes transload.cdx.json: what is installed with the wheel, or travels in the one file, as a CycloneDX list.

    python tools/sbom.py [FOLDER with the wheel, dist]

The list is made from an environment with nothing else in it, not even pip, in the versions of constraints.txt.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MAKER = "cyclonedx-bom==7.5.0"


def main() -> None:
    """Install the wheel and the maker of the list apart from each other, and keep what the second says of the first."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "dist")
    wheels = list(folder.glob("transload-*.whl"))
    if len(wheels) != 1:
        sys.exit(f"tools/sbom.py: one wheel is needed in {folder}, {len(wheels)} are there: run make dist")
    with tempfile.TemporaryDirectory() as scratch:
        program, maker = _environment(scratch, "program"), _environment(scratch, "maker")
        constraints = str(ROOT / "constraints.txt")
        _install(program, "--constraint", constraints, f"{wheels[0]}[html,serve,sign,trust,sigstore]", "ecdsa")
        _install(maker, MAKER)
        made = folder / "transload.cdx.json"
        metadata = ("--pyproject", str(ROOT / "pyproject.toml"), "--mc-type", "application")
        output = ("--output-reproducible", "--output-format", "JSON", "--output-file", str(made))
        _run(maker, "-m", "cyclonedx_py", "environment", *metadata, *output, program)
    sys.stdout.write(f"{made}: {made.stat().st_size:,} bytes\n")


def _environment(scratch: str, name: str) -> str:
    _run(sys.executable, "-m", "venv", "--without-pip", f"{scratch}/{name}")
    return f"{scratch}/{name}/bin/python"


def _install(python: str, *words: str) -> None:
    _run(sys.executable, "-m", "pip", "--python", python, "install", "--quiet", *words)


def _run(*words: str) -> None:
    subprocess.run(words, check=True)  # noqa: S603 - our own words


if __name__ == "__main__":
    main()
