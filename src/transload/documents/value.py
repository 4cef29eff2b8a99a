"""JSON that somebody gave us, read with suspicion: every complaint names the path of what is wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from attrs import frozen

from transload.errors import DocumentInvalid, LimitExceeded, TransloadError
from transload.strictjson import NotJson, OtherEncoding, OverLimit, check_size, read_json

Result = TypeVar("Result")

_SMALLER = "one of fewer images is smaller"


@frozen
class Value:
    """A value of a document, not believed yet, the path that leads to it, and what to do about a wrong one."""

    value: Any
    path: str
    hint: str

    def wrong(self, expected: str) -> DocumentInvalid:
        """The error for a value that is missing, or not what was `expected`."""
        return self.refused("is missing" if self.value is None else f"is not {expected}")

    def refused(self, why: str) -> DocumentInvalid:
        """The error for this place, ended with `why`."""
        return DocumentInvalid(f"{self.path} {why}", subject=self.path, hint=self.hint)

    def only(self, *keys: str) -> Value:
        """This object, which may have these keys and no others."""
        if not isinstance(self.value, dict):
            raise self.wrong("an object")
        unknown = sorted(self.value.keys() - set(keys))
        if unknown:
            raise self.refused(f"has the unknown key {unknown[0][:80]!r}")
        return self

    def has(self, key: str) -> bool:
        """Whether this is an object with such a key."""
        return isinstance(self.value, dict) and key in self.value

    def get(self, key: str) -> Value:
        """What stands under a key of this object; None as its value if there is nothing."""
        return Value(self.value.get(key), f"{self.path}.{key}", self.hint)

    def items(self) -> Iterator[Value]:
        """The items of this list."""
        if not isinstance(self.value, list):
            raise self.wrong("a list")
        return (Value(item, f"{self.path}[{number}]", self.hint) for number, item in enumerate(self.value))

    def entries(self) -> Iterator[tuple[str, Value]]:
        """Keys of this object, which may be any, and what stands under them."""
        if not isinstance(self.value, dict):
            raise self.wrong("an object")
        return ((key, self.get(key)) for key in self.value)

    def text(self) -> str:
        """This text."""
        if not isinstance(self.value, str):
            raise self.wrong("text")
        return self.value

    def number(self, limit: int = 1 << 63) -> int:
        """A count or an id below `limit`."""
        if type(self.value) is not int or not 0 <= self.value < limit:
            raise self.wrong(f"a whole number from 0 to {limit - 1}" if limit else "the number of one before it")
        return self.value

    def truth(self) -> bool:
        """This yes or no."""
        if not isinstance(self.value, bool):
            raise self.wrong("true or false")
        return self.value

    def one_of(self, words: tuple[str, ...]) -> Any:
        """This word, one of a few."""
        if self.value not in words:
            raise self.wrong(f"one of {', '.join(words)}")
        return self.value

    def read(self, parse: Callable[[str], Result]) -> Result:
        """What `parse` makes of the text; what it complains about becomes a complaint about this place."""
        text = self.text()
        with self.explained():
            return parse(text)

    def maybe(self, read: Callable[[Value], Result]) -> Result | None:
        """What `read` makes of the value, None if there is none."""
        return None if self.value is None else read(self)

    @contextmanager
    def explained(self) -> Iterator[None]:
        """Turn what goes wrong in the block into a complaint about this place."""
        try:
            yield
        except (TransloadError, UnicodeEncodeError) as error:
            raise self.refused(f"is not valid: {error}") from error


def document(raw: bytes, what: str, limit: int, values: int, hint: str) -> Value:
    """The root of the JSON in `raw`, called `what` in paths and sentences. Raises `DocumentInvalid`."""
    try:
        found = read_json(raw, limit=limit, values=values)
    except NotJson as error:
        way = _SMALLER if isinstance(error, OverLimit) else None if isinstance(error, OtherEncoding) else hint
        raise DocumentInvalid(f"the {what} {error.verdict}", subject=what, hint=way) from error
    if not isinstance(found, dict):
        raise DocumentInvalid(f"the {what} is not a JSON object", subject=what, hint=hint)
    return Value(found, what, hint)


def readable(raw: bytes, what: str, limit: int, values: int, hint: str) -> bytes:
    """The same bytes, which `document` will read again. Raises `LimitExceeded`."""
    try:
        check_size(raw, limit, values)
    except NotJson as error:
        raise LimitExceeded(f"the {what} is too large for a file: {error}", hint=hint) from error
    return raw
