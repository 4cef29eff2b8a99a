"""The values of a chart: a tree whose leaves know where they were written, merged as Helm merges values.

Helm merges mappings key by key; a list or a scalar replaces what was there (Helm, "Values Files", and
`pkg/chartutil/coalesce.go`). A value that is null takes the key away.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Union

from transload.documents.value import Value
from transload.documents.yamltree import Tree as YamlTree
from transload.documents.yamltree import YamlList, YamlMapping, parse
from transload.values import frozen

Path = tuple[str | int, ...]
"""The way from the root of the values to one of them: keys of mappings and positions in lists."""

Tree = Union["Leaf", dict[str, "Tree"], list["Tree"]]

_FALSE = {"false", "False", "FALSE", "no", "off"}
_TRUE = {"true", "True", "TRUE", "yes", "on"}
_DECIMAL = re.compile(r"[+-]?\d{1,20}\.\d{0,20}")
_TYPED = re.compile(
    rf"(?:|{'|'.join(sorted(_TRUE | _FALSE))})|0[0-7_]{{1,20}}|[+-]?\d[\d_]{{0,20}}(?:\.[\d_]{{0,20}})?"
)
_PLAIN_BELOW = 1_000_000


@frozen
class Leaf:
    """A text in the values, and the file and line that it stands on; `quoted` if it is in quotes there.

    `null` is YAML's null, which takes away what is below; its text is empty. A number is as Helm writes it: `tag: 1.10`
    without quotes is 1.1.
    """

    text: str
    file: str
    line: int | None = None
    quoted: bool = False
    null: bool = False

    @property
    def truth(self) -> bool | None:
        """True or false, if it is one of YAML's words for them."""
        if self.quoted:
            return None
        return True if self.text in _TRUE else False if self.text in _FALSE else None


def values_of(content: bytes, file: str) -> dict[str, Tree]:
    """The values in a file; an empty file has none. Raises `DocumentInvalid`.

    As Helm does, it takes the last of two keys that are the same, and leaves out YAML's tags.
    """
    tree, line = parse(content, file, empty=True, tags=True, twins=True)
    return mapping_of(_grown(tree, line, _Source(file, content.decode(errors="replace").split("\n"))))


@frozen
class _Source:
    """A file of values, whose lines say whether a text is in quotes: the parser gives all scalars as texts."""

    file: str
    lines: list[str]

    def leaf(self, text: str, line: int) -> Leaf:
        if not _TYPED.fullmatch(text):
            return Leaf(text, self.file, line)
        beside = self.lines[line - 1] if line <= len(self.lines) else ""
        quoted = f'"{text}"' in beside or f"'{text}'" in beside
        return Leaf(text if quoted else _as_helm_writes(text), self.file, line, quoted, null=not (text or quoted))


def _as_helm_writes(text: str) -> str:
    """A plain scalar that YAML 1.1 takes for a number, as Helm writes it: `1.10` is 1.1, and `010` is 8.

    Large numbers stay as they are: whether Helm writes them with an exponent depends on its version.
    """
    digits = text.replace("_", "")
    if re.fullmatch(r"0[0-7]+", digits):
        return str(int(digits, 8))
    if _DECIMAL.fullmatch(digits) and abs(float(digits)) < _PLAIN_BELOW:
        number = float(digits)
        return str(int(number)) if number.is_integer() else repr(number)
    return text


def tree_of(value: Value) -> Tree:
    """The values that stand inside another document, YAML or JSON."""
    content = value.content
    if isinstance(content, dict):
        return _with_merge_key({key: tree_of(item) for key, item in value.entries()})
    if isinstance(content, list):
        return [tree_of(item) for item in value.items()]
    text = content if isinstance(content, str) else "" if content is None else json.dumps(content)
    return Leaf(text, value.document.name, value.line, null=content is None)


def _grown(tree: YamlTree, line: int, source: _Source) -> Tree:
    if isinstance(tree, YamlList):
        return [_grown(item, begin, source) for item, begin in zip(tree, tree.lines, strict=True)]
    if isinstance(tree, YamlMapping):
        return _with_merge_key({key: _grown(value, tree.lines[key], source) for key, value in tree.items()})
    return source.leaf(tree, line)


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


def without_nulls(tree: dict[str, Tree]) -> dict[str, Tree]:
    """The mapping without the keys that are null, here and in the mappings in it."""
    left = {key: value for key, value in tree.items() if not (isinstance(value, Leaf) and value.null)}
    return {key: without_nulls(value) if isinstance(value, dict) else value for key, value in left.items()}


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
