"""What a reader finds in a file: image references, questions that a person must answer, and what could not be read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal

from transload.documents.value import Value
from transload.oci import Digest
from transload.values import field, frozen

Sureness = Literal["certain", "likely"]
"""`certain`: the format defines this field as an image. `likely`: a rule of ours takes it for one, such as a value of a
chart, an argument or an environment variable."""


@frozen(kw_only=True)
class Place:
    """Where a text stands.

    `file` is named as the user named it; `-` is standard input, and `web-1.2.tgz!web/values.yaml` is a file in an
    archive. `path` is the way to the text in words that a person knows, such as
    `Deployment shop/web: spec.template.spec.containers[0].image`. `keys` are the same way for programs, from the root
    of the document; none where a text is not a value of one.
    """

    file: str
    line: int | None = None
    path: str = ""
    keys: tuple[str | int, ...] = field(default=(), eq=False, repr=False)

    @classmethod
    def of(cls, value: Value, within: str = "") -> Place:
        """The place of a value; `within` names the object that it belongs to, such as `Deployment shop/web`."""
        path = f"{within}: {value.path}" if within and value.path else within or value.path
        return cls(file=value.document.name, line=value.line, path=path, keys=value.keys)

    def __str__(self) -> str:
        at = f"{self.file}:{self.line}" if self.line else self.file
        return f"{at}: {self.path}" if self.path else at


@frozen(kw_only=True)
class Finding:
    """A text that names an image.

    `rule` says why it was taken for one, in a few words: `pod`, `ephemeral container`, `chart values`. `digest` is what
    a node really runs under that name, or what a document says that the name meant.
    """

    text: str
    place: Place
    rule: str
    sureness: Sureness = "certain"
    digest: Digest | None = None


@frozen(kw_only=True)
class Question:
    """A text that may name an image, and why that cannot be decided: a template, no tag, an argument without value.

    `answered_by` is a file or a folder that says what is meant: nothing is open where that file, or one in that folder,
    is read, too. `source` names where
    the text is to be looked for, as `Address` does.
    """

    text: str
    place: Place
    reason: str
    answered_by: str | None = None
    source: str | None = None


@frozen(kw_only=True)
class Unread:
    """A document or a file that could not be read, or that is missing, and why."""

    place: Place
    reason: str


@frozen(kw_only=True)
class Irrelevant:
    """A document that was read and can name no image, such as a Service. Only counted."""

    place: Place


@frozen(kw_only=True)
class Address:
    """Where a source is that other documents name: `HelmRepository flux-system/stable` is at `https://…`."""

    name: str
    address: str
    place: Place


Discovered = Finding | Question | Unread | Irrelevant | Address

FileReader = Callable[[bytes, str], Iterator[Discovered | Value]]
"""Reads the content of a file with this name. A `Value` is a document in it, which is then read as what it is."""

DocumentReader = Callable[[Value], Iterator[Discovered | Value]]
"""Reads one document of a YAML stream, or a JSON file. In JSON, values need not be text. A `Value` is a document in
it, such as an object of a list, which is then read as what it is."""
