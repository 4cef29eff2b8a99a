"""constraints.txt, which everything here is installed with, is within what pyproject.toml allows, and complete."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
AGAIN = "make lock writes constraints.txt anew"


def locked() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pairs = (line.split("==") for line in lines if line and not line.startswith("#"))
    return {canonicalize_name(name): pinned for name, pinned in pairs}


def named() -> Iterator[Requirement]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    program = project["project"]
    groups = [project["build-system"]["requires"], program["dependencies"], *project["dependency-groups"].values()]
    for group in [*groups, *program["optional-dependencies"].values()]:
        yield from map(Requirement, group)


def test_every_dependency_is_locked_to_a_version_that_is_allowed() -> None:
    pins = locked()
    for requirement in named():
        pinned = pins.get(canonicalize_name(requirement.name))
        assert pinned is not None, f"{requirement.name} is not in constraints.txt: {AGAIN}"
        assert requirement.specifier.contains(pinned), f"{requirement} does not allow {pinned}: {AGAIN}"


def test_what_is_installed_here_is_what_is_locked() -> None:
    for name, pinned in locked().items():
        if name in {"urllib3", "aiohttp", "click", "cryptography", "pytest", "mypy", "ruff"}:
            assert version(name) == pinned, f"{name} {version(name)} is installed: make .venv/ready, or {AGAIN}"


def test_every_line_names_one_version() -> None:
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    assert all(line.count("==") == 1 and "@" not in line and "/" not in line for line in lines)
