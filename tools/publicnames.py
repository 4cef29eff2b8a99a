"""Writes the lists of public names in `transload/__init__.py`, from the imports that type checkers see there.

    .venv/bin/python -m tools.publicnames

A name is made public by one line among those imports. `__all__`, which type checkers and editors read, and `_HOMES`,
by which a name is loaded when it is used, follow from it; tests/docs/test_public_api.py says when they do not.
"""

from __future__ import annotations

import ast
import inspect
import itertools
import textwrap
from collections.abc import Iterable, Mapping
from pathlib import Path

FILE = Path(__file__).resolve().parents[1] / "src" / "transload" / "__init__.py"
_SHORT = 75
BEGIN, END = "# --- made by tools/publicnames.py from the imports above\n# fmt: off\n", "# fmt: on\n"


def homes(source: str) -> Mapping[str, list[str]]:
    """The public names of each module that the imports under `if TYPE_CHECKING` name, in their order."""
    typed = next(node for node in ast.parse(source).body if isinstance(node, ast.If))
    imports = [node for node in typed.body if isinstance(node, ast.ImportFrom)]
    return {str(node.module): [alias.name for alias in node.names] for node in imports}


def alias_docstring(name: str) -> str | None:
    """The text below the assignment of a public name that is no class or function, in the module that it comes from."""
    modules = homes(FILE.read_text(encoding="utf-8"))
    module = next(module for module, names in modules.items() if name in names)
    path = FILE.parents[1].joinpath(*module.split("."))
    file = path.with_suffix(".py") if path.with_suffix(".py").is_file() else path / "__init__.py"
    body = ast.parse(file.read_text(encoding="utf-8")).body
    for statement, following in itertools.pairwise(body):
        named = isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == name
        if named and isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant):
            return inspect.cleandoc(str(following.value.value))
    return None


def written(source: str) -> str:
    """`source` with its lists made anew."""
    before, rest = source.split(BEGIN)
    _, after = rest.split(END)
    modules = homes(source)
    names = sorted((name for names in modules.values() for name in names), key=_place)
    entries = [f'    "{module}": ({_filled(listed, "    ")}),' for module, listed in modules.items()]
    lists = "\n".join([f"__all__ = [{_filled(names)}]", "", "_HOMES = {", *entries, "}", ""])
    return f"{before}{BEGIN}{lists}{END}{after}"


def _place(name: str) -> tuple[int, str]:
    """Constants, then classes, then functions, as ruff wants them."""
    return (0 if name.isupper() else 2 if name[0].islower() else 1, name)


def _filled(names: Iterable[str], indent: str = "") -> str:
    """Names in quotes: on the same line where they fit, else as many on each further line as fit."""
    listed = ", ".join(f'"{name}"' for name in names)
    if len(listed) < _SHORT:
        return listed if "," in listed else f"{listed},"
    within = f"{indent}    "
    lines = textwrap.wrap(listed, 120, initial_indent=within, subsequent_indent=within)
    return "\n".join(["", *lines]) + f",\n{indent}"


if __name__ == "__main__":
    FILE.write_text(written(FILE.read_text(encoding="utf-8")), encoding="utf-8")
