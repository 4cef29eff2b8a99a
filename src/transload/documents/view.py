"""A document read by somebody who knows its shape: answers of the right kind, or errors with file and line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from attrs import frozen

from transload.documents.text import located
from transload.documents.yamltree import YamlNode, parse
from transload.errors import DocumentInvalid
from transload.wording import hint

FORMAT = "1"
_TRUE, _FALSE = {"true", "True", "TRUE"}, {"false", "False", "FALSE"}


@frozen(eq=False)
class View:
    """A node at its path in a file, such as `images[2].tag`."""

    node: YamlNode
    file: str
    path: str = ""

    @classmethod
    def parse(cls, content: bytes | str, file: str) -> View:
        """The root of a document. Raises `DocumentInvalid`."""
        return cls(parse(content, file), file)

    @property
    def where(self) -> str:
        """File, line and path, as errors begin."""
        return f"{self.file}:{self.node.line}" + (f": {self.path}" if self.path else "")

    def fail(self, message: str, *, hint: str | None = None) -> DocumentInvalid:
        """An error about this node, to be raised."""
        return DocumentInvalid(f"{self.where}: {message}", subject=self.file, hint=hint)

    def text(self) -> str:
        """The text of a scalar that is not empty."""
        value = self.node.value
        if not isinstance(value, str):
            raise self._not("text")
        if not value.strip():
            raise self.fail("has no value")
        return value

    def flag(self) -> bool:
        """`true` or `false`."""
        value = self.text()
        if value not in _TRUE | _FALSE:
            raise self.fail(f"expected true or false, found {value[:40]!r}")
        return value in _TRUE

    def list(self) -> tuple[View, ...]:
        """The items of a list."""
        if not isinstance(self.node.value, list):
            raise self._not("a list")
        return tuple(View(node, self.file, f"{self.path}[{place}]") for place, node in enumerate(self.node.value))

    def texts(self) -> tuple[str, ...]:
        """The texts of a list, none of them twice."""
        found: dict[str, View] = {}
        for item in self.list():
            text = item.text()
            if text in found:
                raise item.fail(f"{text!r} is listed twice, first on line {found[text].node.line}")
            found[text] = item
        return tuple(found)

    def entries(self) -> dict[str, View]:
        """The entries of a mapping whose keys are the author's own."""
        if not isinstance(self.node.value, dict):
            raise self._not("a mapping")
        prefix = f"{self.path}." if self.path else ""
        return {key: View(node, self.file, prefix + key) for key, (_, node) in self.node.value.items()}

    def fields(self, required: Iterable[str], optional: Iterable[str] = ()) -> dict[str, View]:
        """The entries of a mapping with known keys: unknown ones are refused, required ones must be there."""
        entries = self.entries()
        required = list(required)
        known = [*required, *optional]
        for key, entry in entries.items():
            if key not in known:
                assert isinstance(self.node.value, dict)  # noqa: S101 - or entries() had raised
                line = self.node.value[key][0]
                raise DocumentInvalid(
                    f"{self.file}:{line}: {entry.path}: unknown key",
                    subject=self.file,
                    hint=hint(key, known, what="the keys here are"),
                )
        for key in required:
            if key not in entries:
                raise self.fail(f"key {key!r} is missing")
        return entries

    def check_kind(self, kind: str) -> None:
        """That this root is a document of this kind, in the format version that this release reads."""
        entries = self.entries()
        for key, expected in (("kind", kind), ("version", FORMAT)):
            if key not in entries:
                raise self.fail(f"key {key!r} is missing", hint=f"write {key}: {expected}")
            found = entries[key].text()
            if found != expected:
                raise entries[key].fail(f"expected {expected}, found {found[:40]!r}")

    @contextmanager
    def blame(self) -> Iterator[None]:
        """Errors about values inside the block are told as errors about this node."""
        with located(self.where, self.file):
            yield

    def _not(self, expected: str) -> DocumentInvalid:
        value = self.node.value
        if value is None:
            return self.fail(f"has no value; expected {expected}")
        found = "a list" if isinstance(value, list) else "a mapping" if isinstance(value, dict) else repr(value[:40])
        return self.fail(f"expected {expected}, found {found}")
