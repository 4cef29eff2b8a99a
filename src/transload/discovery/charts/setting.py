"""Values on the command line, as `helm --set` takes them: `image.tag=1.2,sidecars[0].image=acme/a:1`.

The grammar is that of Helm's `pkg/strvals`: a list is `{a,b}`, and a backslash takes the meaning from a dot, a comma
or a bracket.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from transload.discovery.charts.tree import Leaf, Path, Tree, merged
from transload.errors import UsageError
from transload.limits import YAML_DEPTH

_PART = re.compile(r"((?:\\.|[^.\[\]=,\\])+)|\[(\d{1,4})\]")
_TEXT = re.compile(r"\{(?:\\.|[^}\\])*\}|(?:\\.|[^,\\])*")
_LIST_LENGTH = 1000


def settings(texts: Sequence[str], below: dict[str, Tree]) -> dict[str, Tree]:
    """The values `below` with those that these texts give, the later ones over the earlier. Raises `UsageError`."""
    tree: Tree = below
    for text in texts:
        at = 0
        while at < len(text):
            path, at = _path(text, at)
            match = _TEXT.match(text, at)
            value = match[0] if match else ""
            at += len(value) + 1
            tree = _placed(tree, path, _value(value, text), text)
    assert isinstance(tree, dict)  # noqa: S101 - paths begin with a key
    return tree


def _path(text: str, at: int) -> tuple[Path, int]:
    path: list[str | int] = []
    while at < len(text) and text[at] != "=":
        at += text[at] == "." and bool(path)
        match = _PART.match(text, at)
        if match is None or (match[2] and not path):
            break
        path.append(int(match[2]) if match[2] else _plain(match[1]))
        at = match.end()
    if len(path) > YAML_DEPTH:
        raise UsageError(f"{text[:200]!r} is nested more than {YAML_DEPTH} deep")
    if not path or text[at : at + 1] != "=":
        raise UsageError(f"{text[:200]!r} sets no value", hint="write KEY=VALUE, such as image.tag=1.2")
    return tuple(path), at + 1


def _value(text: str, whole: str) -> Tree:
    if text.startswith("{") and text.endswith("}"):
        items = re.findall(r"(?:\\.|[^,\\])+", text[1:-1])
        return [Leaf(_plain(item), f"--set {whole}") for item in items]
    is_null = text == "null"
    return Leaf("" if is_null else _plain(text), f"--set {whole}", null=is_null)


def _placed(tree: Tree | None, path: Path, value: Tree, text: str) -> Tree:
    """The tree with a value at a path."""
    if not path:
        return value
    key, *rest = path
    if isinstance(key, str):
        own = tree if isinstance(tree, dict) else {}
        return merged(own, {key: _placed(own.get(key), tuple(rest), value, text)})
    if key >= _LIST_LENGTH:
        raise UsageError(f"{text[:200]!r} sets more than {_LIST_LENGTH} items of a list")
    items = list(tree) if isinstance(tree, list) else []
    items += [Leaf("", "--set")] * (key + 1 - len(items))
    items[key] = _placed(items[key], tuple(rest), value, text)
    return items


def _plain(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text)
