"""Whoever makes a value of many fields says which is which: at most four of them are given by their position."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).parents[1]
POSITIONAL = 4
FOLDERS = ("src", "tests", "benchmarks", "tools")


def test_many_fields_are_given_by_name() -> None:
    ours, long = set[str](), list[tuple[Path, str, ast.Call]]()
    for path in sorted(path for folder in FOLDERS for path in (HERE / folder).rglob("*.py")):
        for name, node in found(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef):
                ours.add(name)
            elif len(node.args) > POSITIONAL:
                long.append((path, name, node))
    assert len(ours) > 500
    nameless = [
        f"{path.relative_to(HERE)}:{call.lineno}: {name} with {len(call.args)} values without names"
        for path, name, call in long
        if name in ours
    ]
    assert nameless == [], "\n".join(nameless)


def found(tree: ast.AST) -> Iterator[tuple[str, ast.ClassDef | ast.Call]]:
    """Each class, and each call with the name of what it calls: `cls(…)` calls the class that it stands in."""
    waiting = [(tree, "")]
    while waiting:
        node, inside = waiting.pop()
        if isinstance(node, ast.ClassDef):
            inside = node.name
            yield inside, node
        elif isinstance(node, ast.Call):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            yield inside if called == "cls" else called, node
        waiting += [(child, inside) for child in ast.iter_child_nodes(node)]
