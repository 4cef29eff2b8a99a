"""Imports go down only, never sideways, in the house and in its rooms; the environment is read in one file."""

import ast
import functools
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1] / "src" / "transload"

# Each floor may import the floors before it. Neighbours on a floor are strangers.
FLOORS: list[set[str]] = [
    {"errors", "expressions", "limits", "signals", "values", "version"},
    {"allowance", "clock", "extras", "files", "linedjson", "login", "patterns", "strictjson", "wording"},
    {"documents", "locks", "oci", "programs", "tarheaders", "threads"},
    {"ports", "events", "gathers", "infiles"},
    {"graph", "hashedingest", "memory", "net", "pages", "passing"},
    {"registry", "layout", "bundle", "archive", "server", "catalog", "discovery", "charts", "engines", "trust"},
    {"configuration", "inventory", "planning", "pruning"},
    {"transfer"},
    {"report", "testing"},
    {"app"},
    {"distributed"},
    {"cli", "verbs"},
    {"__main__"},
]
FLOOR_OF = {name: number for number, floor in enumerate(FLOORS) for name in floor}
MODULES = sorted(path for path in ROOT.rglob("*.py") if path != ROOT / "__init__.py")


def room(path: Path) -> str:
    """The package or module directly under transload that a file belongs to."""
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


@functools.cache
def read(path: Path) -> tuple[frozenset[str], bool]:
    """Every transload module that a file imports, however deep inside a function; whether it reads the environment."""
    found, environment = set(), False
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.Attribute):
            environment |= node.attr in {"environ", "getenv", "environb"}
    return frozenset(name for name in found if name.startswith("transload.")), environment


def imported(path: Path) -> frozenset[str]:
    return read(path)[0]


def test_imports_go_down_only() -> None:
    wrong = []
    for path in MODULES:
        here = room(path)
        for name in imported(path):
            there = name.split(".")[1]
            if there not in FLOOR_OF:
                if not (there.startswith("__") or here in {"app", "cli", "__main__"}):
                    wrong.append(f"{path}: {name} is on no floor")
            elif there != here and FLOOR_OF[there] >= FLOOR_OF[here]:
                wrong.append(f"{path}: {here} must not import {name}")
    assert wrong == [], "\n".join(wrong)


# Inside the packages that have rooms of their own: each may import those before it.
ROOMS: dict[str, list[set[str]]] = {"bundle": [{"format"}, {"reading", "writing"}, {"repairing"}]}
STORES = {"archive", "bundle", "charts", "layout", "memory", "registry"}


@pytest.mark.parametrize("package", ROOMS)
def test_rooms_of_a_package_are_entered_from_above_only(package: str) -> None:
    floor_of = {name: number for number, rooms in enumerate(ROOMS[package]) for name in rooms}
    for path in (ROOT / package).glob("*/*.py"):
        here = path.parent.name
        for name in imported(path):
            _, outer, there, *_ = [*name.split("."), ""]
            if outer == package:
                assert there == here or floor_of[there] < floor_of[here], f"{package}.{here} must not import {name}"


@pytest.mark.parametrize(
    "package", ["inventory", "planning", "pruning", "transfer", "report", "server", "catalog", "discovery"]
)
def test_what_decides_and_does_names_no_store(package: str) -> None:
    for path in (ROOT / package).rglob("*.py"):
        assert not {name for name in imported(path) if name.split(".")[1] in STORES}, path


def test_every_module_has_a_floor() -> None:
    assert {room(path) for path in MODULES} <= set(FLOOR_OF)


def test_the_environment_is_read_in_one_file() -> None:
    assert {str(path.relative_to(ROOT)) for path in ROOT.rglob("*.py") if read(path)[1]} == {"app/settings.py"}


def test_a_file_can_be_read_in_one_sitting() -> None:
    # Tables of short classes and of bounds, each kept in one place so that they can be compared.
    paths = [path for path in MODULES if path.name not in {"errors.py", "limits.py"}]
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in paths}
    assert {path: length for path, length in lengths.items() if length > 400} == {}
    assert len(paths) > 500
