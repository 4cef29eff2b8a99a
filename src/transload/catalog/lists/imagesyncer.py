"""image-syncer's rules, in YAML or JSON: source: target, or source: [targets]; below `images` in its older files.

Shape: https://github.com/AliyunContainerService/image-syncer, "Image sync configuration file".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial

from transload.catalog.lists.naming import image, question_of, ruled, targets_note
from transload.catalog.lists.tagpatterns import found_anywhere
from transload.catalog.lists.taken import Format, Taken, rest
from transload.catalog.tagrule import EVERY_TAG, TagRule
from transload.documents.value import Value

_AUTH = "logins come from login files and options, not from a list"
_PATTERN = re.compile(r"(.+?):/(.+)/")
_OLDER = {"auth", "images"}


def _recognises(root: Value) -> bool:
    if root.has("kind") or root.has("apiVersion"):
        return False
    if root.has("images") and root.content.keys() <= _OLDER:
        return _are_rules(root.get("images"))
    return _are_rules(root)


def _are_rules(value: Value) -> bool:
    """Whether every key could name a repository, and every value is a text or a list of texts."""
    return isinstance(value.content, dict) and all(
        ("/" in source or ":" in source) and _is_target(target.content) for source, target in value.entries()
    )


def _is_target(content: object) -> bool:
    return isinstance(content, str) or (isinstance(content, list) and all(isinstance(text, str) for text in content))


def _read(root: Value) -> Iterator[Taken]:
    older = root.has("images") and root.content.keys() <= _OLDER
    if older:
        yield from rest(root, ("images",), {"auth": _AUTH})
    rules = [(source, value) for source, value in (root.get("images") if older else root).entries()]
    targets = [target for _, value in rules for target in _targets(value) if target.content]
    yield from targets_note(targets)
    for source, value in rules:
        for target in _targets(value):
            yield from _rule(source, target)


def _targets(value: Value) -> tuple[Value, ...]:
    return tuple(value.items()) if isinstance(value.content, list) else (value,)


def _rule(source: str, target: Value) -> Iterator[Taken]:
    """What one source and one target mean. An empty target is the source's own path."""
    to = target if target.content else None
    if question := question_of(target, source):
        yield question
    elif pattern := _PATTERN.fullmatch(source):
        yield ruled(target, partial(_matching, target, pattern[2]), pattern[1], target=to)
    elif "@" in source:
        yield image(target, source, target=to)
    elif ":" in source.rpartition("/")[2]:
        repository, _, tags = source.rpartition(":")
        yield from _tags(repository, [tag.strip() for tag in tags.split(",")], target)
    else:
        yield ruled(target, EVERY_TAG, source, target=to)


def _matching(target: Value, pattern: str) -> TagRule:
    return target.made(lambda _: TagRule(pattern=found_anywhere(pattern)))


def _tags(repository: str, tags: list[str], target: Value) -> Iterator[Taken]:
    """Several tags of a repository. The target has as many in the same order, or none, and they stay."""
    path, colon, new = target.content.rpartition(":") if ":" in target.content.rpartition("/")[2] else ("", "", "")
    renamed = [tag.strip() for tag in new.split(",")] if colon else tags
    if len(renamed) != len(tags):
        raise target.fail(f"the number of tags is {len(renamed)} here and {len(tags)} at the source")
    for tag, other in zip(tags, renamed, strict=True):
        name = f"{path or target.content}:{other}" if target.content else ""
        yield image(target, f"{repository}:{tag}", renamed=name)


FORMAT = Format("image-syncer rules", _recognises, _read)
