"""The values of a chart: a tree whose leaves know where they were written, merged as Helm merges values.

Helm merges mappings key by key; a list or a scalar replaces what was there (Helm, "Values Files", and
`pkg/chartutil/coalesce.go`). A value that is null takes the key away; here it is an empty text, which names nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Union

from attrs import frozen

from transload.documents.value import Value
from transload.documents.yamltree import Tree as YamlTree
from transload.documents.yamltree import YamlList, YamlMapping, parse

Path = tuple[str | int, ...]
"""The way from the root of the values to one of them: keys of mappings and positions in lists."""

Tree = Union["Leaf", dict[str, "Tree"], list["Tree"]]

_FALSE = {"false", "False", "FALSE", "no", "off"}
_TRUE = {"true", "True", "TRUE", "yes", "on"}


@frozen
class Leaf:
    """A text in the values, and the file and line that it stands on."""

    text: str
    file: str
    line: int | None = None

    @property
    def truth(self) -> bool | None:
        """True or false, if it is one of YAML's words for them."""
        return True if self.text in _TRUE else False if self.text in _FALSE else None


def values_of(content: bytes, file: str) -> dict[str, Tree]:
    """The values in a file; an empty file has none. Raises `DocumentInvalid`."""
    tree, line = parse(content, file, empty=True)
    grown = _grown(tree, file, line)
    return grown if isinstance(grown, dict) else {}


def tree_of(value: Value) -> Tree:
    """The values that stand inside another document, YAML or JSON."""
    content = value.content
    if isinstance(content, dict):
        return _with_merge_key({key: tree_of(item) for key, item in value.entries()})
    if isinstance(content, list):
        return [tree_of(item) for item in value.items()]
    text = content if isinstance(content, str) else "" if content is None else json.dumps(content)
    return Leaf(text, value.document.name, value.line)


def _grown(tree: YamlTree, file: str, line: int) -> Tree:
    if isinstance(tree, YamlList):
        return [_grown(item, file, begin) for item, begin in zip(tree, tree.lines, strict=True)]
    if isinstance(tree, YamlMapping):
        own = {key: _grown(value, file, tree.lines[key]) for key, value in tree.items()}
        return _with_merge_key(own)
    return Leaf(tree, file, line)


def _with_merge_key(own: dict[str, Tree]) -> dict[str, Tree]:
    """The mapping with what its `<<` brings in (YAML's merge key), which its own keys precede."""
    merged = own.pop("<<", None)
    for inherited in merged if isinstance(merged, list) else [merged]:
        if isinstance(inherited, dict):
            own = {**inherited, **own}
    return own


def merged(below: Tree, above: Tree) -> Tree:
    """The values `above` over those `below`."""
    if isinstance(below, dict) and isinstance(above, dict):
        return {**below, **{key: merged(below[key], value) if key in below else value for key, value in above.items()}}
    return above


def at(tree: Tree | None, path: Path) -> Tree | None:
    """What stands at a path; None if nothing does."""
    for key in path:
        if isinstance(tree, dict):
            tree = tree.get(str(key))
        elif isinstance(tree, list) and isinstance(key, int) and 0 <= key < len(tree):
            tree = tree[key]
        else:
            return None
    return tree


def mapping_of(tree: Tree | None) -> dict[str, Tree]:
    """The tree if it is a mapping, else an empty one."""
    return tree if isinstance(tree, dict) else {}


def size(tree: Tree) -> int:
    """The number of values below, lists and mappings counted, too."""
    if isinstance(tree, Leaf):
        return 0
    items = tree.values() if isinstance(tree, dict) else tree
    return len(tree) + sum(size(item) for item in items)


def text_at(tree: Tree | None, path: Path) -> str:
    """The text at a path, without blanks around it; empty if there is none."""
    leaf = at(tree, path)
    return leaf.text.strip() if isinstance(leaf, Leaf) else ""


def mapping_at(tree: Tree | None, path: Path) -> dict[str, Tree]:
    """The mapping at a path; an empty one if there is none."""
    return mapping_of(at(tree, path))


def leaves(tree: Tree, path: Path = ()) -> Iterator[tuple[Path, Leaf]]:
    """Every leaf with its path, in the order of the file."""
    if isinstance(tree, Leaf):
        yield path, tree
        return
    pairs: Mapping[str | int, Tree] = tree if isinstance(tree, dict) else dict(enumerate(tree))  # type: ignore[assignment]
    for key, value in pairs.items():
        yield from leaves(value, (*path, key))


def written(path: Path) -> str:
    """A path as people write it: `sidecars[0].image`."""
    text = ""
    for key in path:
        text += f"[{key}]" if isinstance(key, int) else f".{key}" if text else key
    return text
