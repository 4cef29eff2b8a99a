"""What a list of another tool gives: images, notes on what is not taken, and questions; and how its values are read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from transload.catalog.chartuse import ChartUse
from transload.catalog.ruled import RuledImages, RuledPrefix
from transload.catalog.selected import Selected
from transload.documents.value import Value
from transload.oci import Platform
from transload.oci.reference import shown
from transload.values import field, frozen
from transload.wording import first_of

_SHOWN = 200  # letters of a text in a question
_LISTED = 5  # names in a note
_NOTHING = ("", "false", "False", "FALSE")


@frozen
class Note:
    """What the list asks for and a run does not do: a sentence, and where it is asked for."""

    where: str
    sentence: str


@frozen
class ListQuestion:
    """A text that should name images, where it stands, and why it is not known which images it means."""

    text: str
    where: str
    reason: str

    def __str__(self) -> str:
        return f"{self.where}: {self.text!r} is left open: {self.reason}"


@frozen
class ListedImage(Selected):
    """An image, and where the list names it."""

    where: str = field(default="", kw_only=True, eq=False)

    @property
    def plain(self) -> Selected:
        """The same without its place."""
        return Selected(self.source, self.repository, self.tag, self.optional, platforms=self.platforms)


Taken = ListedImage | RuledImages | RuledPrefix | ChartUse | Note | ListQuestion


@frozen
class Format:
    """A format of another tool: its name, how a document of it is known, and what is taken from one.

    `read` raises `DocumentInvalid` for a value that the format does not allow.
    """

    name: str
    recognises: Callable[[Value], bool]
    read: Callable[[Value], Iterator[Taken]]


def is_of(root: Value, group: str, *kinds: str) -> bool:
    """Whether a document has this `apiVersion` without its version, and one of `kinds`, if there are any."""
    version, kind = (root.get(key).content for key in ("apiVersion", "kind"))
    return isinstance(version, str) and version.partition("/")[0] == group and (not kinds or kind in kinds)


# --- values


def text_of(value: Value) -> str:
    """This text, empty if it is missing or blank. Raises `DocumentInvalid` for a list or a mapping."""
    return value.text() if value.content and str(value.content).strip() else ""


def items_of(value: Value) -> tuple[Value, ...]:
    """The items of this list, none if it is missing or empty."""
    return tuple(value.items()) if value.content else ()


def platform(value: Value) -> tuple[Platform, ...]:
    """The platform that a text names, none if it is missing or blank."""
    return (value.read(Platform.parse),) if text_of(value) else ()


# --- what is not taken


def left_open(value: Value, text: str, reason: str) -> ListQuestion:
    """A question about a text in `value`."""
    return ListQuestion(shown(text)[:_SHOWN], value.where, reason)


def rest(value: Value, known: Iterable[str], sentences: Mapping[str, str]) -> Iterator[Note]:
    """Notes on what a mapping asks for besides its `known` keys: the sentence of each key, or that the key is unknown.

    What is empty or false asks for nothing.
    """
    for key, inner in value.entries():
        if key not in known and inner.content not in _NOTHING and inner.content:
            yield Note(inner.where, sentences.get(key, "is not understood, and left out"))


def listed(names: Iterable[str]) -> str:
    """Some names for a note, each once.

    >>> listed("abcdefga")
    'a, b, c, d, e and 2 more'
    """
    several = list(dict.fromkeys(shown(name)[:_SHOWN] for name in names))
    return first_of(several, _LISTED)
