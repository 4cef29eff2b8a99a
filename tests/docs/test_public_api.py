"""What `import transload` offers: every name is there, type checkers see the same, and nothing is loaded before."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import transload
from tools.publicnames import written
from transload import errors, events

SOURCE = Path(transload.__file__).read_text(encoding="utf-8")


def test_every_public_name_is_importable() -> None:
    assert [name for name in transload.__all__ if getattr(transload, name) is None] == []


def test_the_lists_are_made_from_what_type_checkers_see() -> None:
    assert written(SOURCE) == SOURCE, "run: .venv/bin/python -m tools.publicnames"


@pytest.mark.parametrize("module", [errors, events])
def test_every_error_and_every_event_is_public(module: ModuleType) -> None:
    classes = {name for name, value in vars(module).items() if inspect.isclass(value)}
    own = {name for name in classes if getattr(module, name).__module__ == module.__name__}
    assert own - {"Counting"} <= set(transload.__all__)


def test_dir_shows_what_is_not_loaded_yet() -> None:
    assert set(transload.__all__) <= set(dir(transload))


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'Registri'"):
        _ = transload.Registri


def loaded_by(program: str) -> set[str]:
    """Names of transload's modules that a fresh interpreter has loaded after `program`."""
    program += "; import sys; print(*[name for name in sys.modules if name.startswith('transload')])"
    return set(
        subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    )


def test_import_loads_nothing_below() -> None:
    assert loaded_by("import transload") == {"transload", "transload.version"}


def test_values_load_no_network() -> None:
    loaded = loaded_by("from transload import Reference, LayoutStore, make_plan, run")
    assert "transload.layout.store" in loaded
    assert not {name for name in loaded if name.startswith(("transload.net", "transload.registry", "transload.cli"))}


def test_every_name_can_be_looked_at_where_no_optional_part_is_installed() -> None:
    program = "import sys; sys.modules |= {'aiohttp': None, 'cryptography': None}; from transload import *; serve"
    assert "transload.server" in loaded_by(program)
