"""Writes constraints.txt: one version of everything that is installed for the tests, the newest there is today.

Versions without hashes: pip takes hashes only where every file is named for every platform, and an editable install
has none. Whoever wants to know what changed reads the difference that git shows.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
HEAD = "# Made by `make lock` for what `make` installs; users of the program are bound by pyproject.toml only.\n"


def main() -> None:
    """Install into an empty environment, and keep what came of it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    groups = [
        word for name in project["dependency-groups"] for word in ("--group", f"{ROOT / 'pyproject.toml'}:{name}")
    ]
    with tempfile.TemporaryDirectory() as folder:
        _run(sys.executable, "-m", "venv", folder)
        pip = (f"{folder}/bin/python", "-m", "pip")
        install = (*pip, "install", "--quiet", "--upgrade")
        _run(*install, "pip")
        wanted = [*project["build-system"]["requires"], f"{ROOT}[html,serve,sign,trust,sigstore]"]
        _run(*install, *groups, *wanted)
        frozen = _run(*pip, "freeze", "--all", "--exclude", "transload", "--exclude", "setuptools")
    (ROOT / "constraints.txt").write_text(HEAD + frozen)


def _run(*words: str) -> str:
    return subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True).stdout  # noqa: S603 - our own words


if __name__ == "__main__":
    main()
