"""YAML's merge key: `<<: *base` brings the keys of another mapping in (yaml.org/type/merge.html, for YAML 1.1).

kubectl, helm and Compose read it so; YAML 1.2 no longer has it, and our own files never do.
"""

from __future__ import annotations

from transload.documents.yamltree import Tree, YamlList, YamlMapping

MERGE = "<<"


def merge_keys(tree: Tree) -> None:
    """Carry out every merge key of a tree, in place. Keys of its own come before those that a mapping brings in.

    It takes no more values than the limit of the parser, which counts each alias with all that is below it.
    """
    _carry_out(tree, set())


def _carry_out(tree: Tree, seen: set[int]) -> None:
    if isinstance(tree, str) or id(tree) in seen:
        return
    seen.add(id(tree))
    for inner in tree.values() if isinstance(tree, YamlMapping) else tree:
        _carry_out(inner, seen)
    if isinstance(tree, YamlMapping) and MERGE in tree:
        merged = tree[MERGE]
        listed = merged if isinstance(merged, YamlList) else [merged]
        sources = [source for source in listed if isinstance(source, YamlMapping)]
        if len(sources) == len(listed):
            del tree[MERGE], tree.lines[MERGE], tree.key_lines[MERGE]
            tree.spans.pop(MERGE, None)
            for source in sources:
                _bring_in(source, tree)


def _bring_in(source: YamlMapping, tree: YamlMapping) -> None:
    for key, value in source.items():
        if key not in tree:
            tree[key] = value
            tree.lines[key], tree.key_lines[key] = source.lines[key], source.key_lines[key]
            if key in source.spans:
                tree.spans[key] = source.spans[key]
