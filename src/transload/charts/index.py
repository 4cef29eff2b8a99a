"""The `index.yaml` of a chart repository: which versions of a chart there are, where they lie, and their digests.

(Helm documentation, "The Chart Repository Guide", "The index file".)

Indexes of 20 MB are in use, which take half a minute to parse. So the text is first cut into the sections of its
charts, which takes a tenth of a second, and only the section that is asked for is parsed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from transload.charts.chart import tag_of
from transload.documents.text import decoded
from transload.documents.yamltree import parse
from transload.errors import CorruptError, LimitExceeded, ReferenceInvalid, TransloadError
from transload.limits import CHART_INDEX_BYTES, CHART_INDEX_CHARTS, CHART_INDEX_VALUES, CHART_SECTION_BYTES, YAML_VALUES
from transload.oci import Digest
from transload.oci.reference import check_repository, check_tag
from transload.strictjson import NotJson, read_json
from transload.values import frozen

_ENTRIES = re.compile(r"^entries:[ \t]*(?:#[^\n]*)?\r?\n", re.MULTILINE)
_NEXT_KEY = re.compile(r"^[^\s#-]", re.MULTILINE)  # items of a list may also stand at the beginning of a line
_FIRST = re.compile(r"^([ \t]*)[^\s#]", re.MULTILINE)
_HEX = re.compile(r"[0-9a-fA-F]{64}")


@frozen
class Entry:
    """One version of a chart. `urls` say where its archive lies, relative to the index or not."""

    name: str
    version: str
    urls: tuple[str, ...]
    digest: Digest | None


@frozen
class _Part:
    """A part of a text, which is not copied before it is wanted."""

    whole: str
    begin: int
    end: int

    @property
    def text(self) -> str:
        return self.whole[self.begin : self.end]


_Section = _Part | list[Any]


class Index:
    """What a chart repository has. Raises `CorruptError` for a text that is no index, and when a part is no YAML."""

    def __init__(self, content: bytes, file: str) -> None:
        self._file = file
        self._sections: Mapping[str, _Section]
        try:
            if content.lstrip()[:1] == b"{":
                self._sections = _of_tree(_json(content, file), file)
            else:
                self._sections = _of_text(decoded(content, file, CHART_INDEX_BYTES), file)
        except (CorruptError, LimitExceeded):
            raise
        except TransloadError as error:
            raise CorruptError(error.message, subject=file) from error

    @property
    def names(self) -> tuple[str, ...]:
        """The charts, in the order of the index."""
        return tuple(filter(_is_name, self._sections))

    def entries(self, name: str) -> tuple[Entry, ...]:
        """The versions of a chart, each once, in the order of the index; empty if there is no such chart."""
        section = self._sections.get(name, [])
        listed = self._parsed(name, section.text) if isinstance(section, _Part) else section
        first: dict[str, Entry] = {}
        for entry in _entries(name, listed):
            first.setdefault(entry.version, entry)
        return tuple(first.values())

    def _parsed(self, name: str, section: str) -> list[Any]:
        try:
            tree, _ = parse(section, self._file, limit=CHART_SECTION_BYTES)
        except TransloadError as error:
            raise CorruptError(f"what {self._file} says of {name} cannot be read: {error}", subject=name) from error
        listed = next(iter(tree.values()), "") if isinstance(tree, dict) else ""
        return listed if isinstance(listed, list) else []


def _json(content: bytes, file: str) -> Any:
    try:
        return read_json(content, limit=CHART_INDEX_BYTES, values=CHART_INDEX_VALUES)
    except NotJson as error:
        raise CorruptError(f"{file} {error.verdict}", subject=file) from error


def _of_tree(tree: Any, file: str) -> dict[str, _Section]:
    entries = tree.get("entries") if isinstance(tree, dict) else None
    if entries in (None, "") and isinstance(tree, dict) and "entries" in tree:
        return {}
    if not isinstance(entries, dict):
        raise CorruptError(f"{file} is no index of charts: it has no entries", subject=file)
    return {name: listed for name, listed in entries.items() if isinstance(listed, list)}


def _of_text(text: str, file: str) -> dict[str, _Section]:
    """The text of each chart's section, if the index has the form that every known tool writes; else the parsed whole.

    In that form each chart is a key on a line of its own, and all of these keys have the same indentation.
    """
    begin = _ENTRIES.search(text)
    if begin is not None:
        end = _NEXT_KEY.search(text, begin.end())
        sections = _cut(text, begin.end(), end.start() if end else len(text), file)
        if sections is not None:
            return dict(sections)
    return _of_tree(parse(text, file, limit=CHART_SECTION_BYTES, values=YAML_VALUES)[0], file)


def _cut(text: str, begin: int, end: int, file: str) -> dict[str, _Part] | None:
    """The sections in the text below `entries:`; None if a line stands where only a chart's name can stand."""
    first = _FIRST.search(text, begin, end)
    if first is None:
        return {}
    indent = re.escape(first[1])
    key = re.compile(rf"^{indent}(?![ \t\r\n#]|-[ \t\r\n])([^\n]*)$", re.MULTILINE)
    starts: dict[str, int] = {}
    for match in key.finditer(text, begin, end):
        name = _name(match[1])
        if not first[1] or name is None or name in starts:
            return None
        starts[name] = match.start()
        if len(starts) > CHART_INDEX_CHARTS:
            raise LimitExceeded(f"{file} has more than {CHART_INDEX_CHARTS} charts", subject=file)
    ends = [*list(starts.values())[1:], end]
    return {name: _Part(text, start, stop) for (name, start), stop in zip(starts.items(), ends, strict=True)}


def _name(line: str) -> str | None:
    """The key on a line that has nothing but a key."""
    key, colon, after = line.partition(":")
    if not colon or (after.strip() and not after.lstrip().startswith("#")):
        return None
    return key.strip().strip("\"'") or None


def _entries(name: str, section: list[Any]) -> Iterator[Entry]:
    """The entries that can be used. One that cannot be read does not hide the others, as in Helm."""
    for item in section:
        if not isinstance(item, dict):
            continue
        version, urls, digest = item.get("version"), item.get("urls"), item.get("digest")
        if isinstance(version, str) and _is_version(version) and isinstance(urls, list):
            places = tuple(url for url in urls if isinstance(url, str) and url)
            yield Entry(name, version, places, _digest(digest))


def _is_name(text: str) -> bool:
    """Whether a registry can hold a chart of this name."""
    with suppress(ReferenceInvalid):
        return "/" not in check_repository(text)
    return False


def _is_version(text: str) -> bool:
    """Whether there can be a tag for this version."""
    with suppress(ReferenceInvalid):
        return bool(check_tag(tag_of(text)))
    return False


def _digest(text: Any) -> Digest | None:
    """The digest of the archive: hexadecimal digits, in some repositories with `sha256:` before them."""
    digits = text.removeprefix("sha256:") if isinstance(text, str) else ""
    return Digest(f"sha256:{digits.lower()}") if _HEX.fullmatch(digits) else None
