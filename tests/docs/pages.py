"""The pages of the documentation as the tests read them: fenced blocks, links, anchors."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from attrs import field, frozen

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = (*sorted(ROOT.glob("*.md")), *sorted(DOCS.rglob("*.md")))
TOLD = (ROOT / "README.md", *sorted((DOCS / "guides").glob("*.md")), *sorted((DOCS / "verbs").glob("*.md")))
"""The pages whose examples are run or parsed here."""

_BLOCK = re.compile(
    r"(?:<!-- file: (?P<file>[\w./-]+) -->\n\n?)?^```(?P<language>\w+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#{1,6} +(.+?)\s*$", re.MULTILINE)
_FENCED = re.compile(r"^(`{3,}).*?^\1$", re.MULTILINE | re.DOTALL)


@frozen
class Block:
    """One fenced block. `file` is where a reader is told to save it."""

    page: Path
    line: int
    language: str
    text: str
    file: str | None = field(default=None, kw_only=True)

    def __str__(self) -> str:
        return f"{label(self.page)}:{self.line}"


def label(page: Path) -> str:
    """A page as people call it."""
    return str(page.relative_to(ROOT))


def blocks(page: Path) -> Iterator[Block]:
    """Every fenced block of a page, in order."""
    text = page.read_text()
    for found in _BLOCK.finditer(text):
        line = text.count("\n", 0, found.start("language")) + 1
        yield Block(page, line, found["language"], text=found["text"], file=found["file"])


def links(page: Path) -> list[str]:
    """Where the page's links lead, those in blocks left out."""
    return _LINK.findall(_FENCED.sub("", page.read_text()))


def anchors(page: Path) -> set[str]:
    """What `#…` may name on a page, as GitHub makes it from headings."""
    found: set[str] = set()
    for heading in _HEADING.findall(_FENCED.sub("", page.read_text())):
        plain = re.sub(r"[`*]|\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        slug = re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")
        found.add(next(one for one in _numbered(slug) if one not in found))
    return found


def _numbered(slug: str) -> Iterator[str]:
    yield slug
    number = 0
    while True:
        number += 1
        yield f"{slug}-{number}"


def commands(text: str) -> list[tuple[str, list[str]]]:
    """The `$ …` commands of a console block, lines joined at backslashes, each with the lines shown after it."""
    found: list[tuple[str, list[str]]] = []
    going_on = False
    for line in text.splitlines():
        if going_on:
            found[-1] = (f"{found[-1][0]}\n{line}", [])
        elif line.startswith("$ "):
            found.append((line.removeprefix("$ "), []))
        else:
            found[-1][1].append(line)
        going_on = line.endswith("\\") and (going_on or line.startswith("$ "))
    return found
