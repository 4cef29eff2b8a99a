"""What a test compares: the found references, the open questions, and what was not read."""

from __future__ import annotations

from transload.discovery.finding import Discovered, Finding, Irrelevant, Question, Unread
from transload.discovery.kinds import read_file


def discovered(content: str | bytes, file: str) -> list[Discovered]:
    return list(read_file(content.encode() if isinstance(content, str) else content, file))


def images(content: str | bytes, file: str) -> list[str]:
    return [item.text for item in discovered(content, file) if isinstance(item, Finding)]


def rules(content: str | bytes, file: str) -> list[tuple[str, str, str]]:
    return [(item.text, item.rule, item.sureness) for item in discovered(content, file) if isinstance(item, Finding)]


def questions(content: str | bytes, file: str) -> list[tuple[str, str]]:
    return [(item.text, item.reason) for item in discovered(content, file) if isinstance(item, Question)]


def unread(content: str | bytes, file: str) -> list[str]:
    return [item.reason for item in discovered(content, file) if isinstance(item, Unread)]


def places(content: str | bytes, file: str) -> list[str]:
    return [str(item.place) for item in discovered(content, file) if not isinstance(item, Irrelevant)]
