"""What `import transload` offers: every name is there, type checkers see the same, and nothing is loaded before."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import transload

SOURCE = Path(transload.__file__).read_text()


@pytest.mark.parametrize("name", transload.__all__)
def test_every_public_name_is_importable(name: str) -> None:
    assert getattr(transload, name) is not None


def test_all_is_what_can_be_loaded_and_what_type_checkers_see() -> None:
    loaded = {name: module for module, names in transload._HOMES.items() for name in names}
    (typed,) = (node for node in ast.parse(SOURCE).body if isinstance(node, ast.If))
    seen = {alias.name: node.module for node in typed.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert loaded == seen
    assert transload.__all__ == sorted(loaded, key=lambda name: (name[0].islower(), name))


def test_dir_shows_what_is_not_loaded_yet() -> None:
    assert set(transload.__all__) <= set(dir(transload))


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'Registri'"):
        _ = transload.Registri


def loaded_by(program: str) -> set[str]:
    """Names of transload's modules that a fresh interpreter has loaded after `program`."""
    told = f"{program}; import sys; print(*[name for name in sys.modules if name.startswith('transload')])"
    return set(subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True).stdout.split())


def test_import_loads_nothing_below() -> None:
    assert loaded_by("import transload") == {"transload", "transload.version"}


def test_values_load_no_network() -> None:
    loaded = loaded_by("from transload import Reference, LayoutStore, make_plan, run")
    assert "transload.layout.store" in loaded
    assert not {name for name in loaded if name.startswith(("transload.net", "transload.registry", "transload.cli"))}
