"""Whoever makes a value of many fields says which is which: at most four of them are given by their position."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).parents[1]
POSITIONAL = 4
PATHS = sorted(path for folder in ("src", "tests", "benchmarks", "tools") for path in (HERE / folder).rglob("*.py"))
TREES = {path: ast.parse(path.read_text()) for path in PATHS}
OURS = {node.name for tree in TREES.values() for node in ast.walk(tree) if isinstance(node, ast.ClassDef)}


def classes_made(tree: ast.AST, inside: str = "") -> Iterator[tuple[str, ast.Call]]:
    """Every call of a class of ours, `cls(…)` in a class too."""
    for node in ast.iter_child_nodes(tree):
        yield from classes_made(node, node.name if isinstance(node, ast.ClassDef) else inside)
    if isinstance(tree, ast.Call):
        called = tree.func.attr if isinstance(tree.func, ast.Attribute) else getattr(tree.func, "id", "")
        name = inside if called == "cls" else called
        if name in OURS:
            yield name, tree


def test_many_fields_are_given_by_name() -> None:
    nameless = [
        f"{path.relative_to(HERE)}:{call.lineno}: {name} with {len(call.args)} values without names"
        for path, tree in TREES.items()
        for name, call in classes_made(tree)
        if len(call.args) > POSITIONAL
    ]
    assert nameless == [], "\n".join(nameless)
