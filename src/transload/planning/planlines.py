"""A plan file in parts: its lists are read some items at a time, since a large plan has millions of values.

This works for the form in which plans are written: keys in order, and one value on a line. Another form is read as a
whole, within smaller limits (`OtherForm`). No text can be understood in two ways: each part is JSON by itself, and
strings have no line feeds, so that what follows a part is what the form says, or it is no JSON.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import IO, Any

from transload.expressions import late
from transload.limits import PLAN_ITEM_BYTES, PLAN_PIECE_VALUES
from transload.linedjson import ITEM_ENDS, LIST_ENDS
from transload.strictjson import NotJson, check_counts, read_json, values_in

_AT_A_TIME = 256 << 10
_KEY = late(r' "([a-z_]+)": (\[\n|\[\]|\{\n|"[^\n]*|[^\["{\n]+)')
_KEY_BYTES = 32 << 10  # a key with a text: the path of a folder has 4,096 bytes, each at most six letters here


class OtherForm(Exception):
    """The file is not written as plans are; it may still be one."""


class Parts:
    """The parts of the plan in `file`, which is read once; `limit` and `values` are for all of it."""

    def __init__(self, file: IO[bytes], limit: int, values: int) -> None:
        self._file = file
        self._limit = limit
        self._values = values
        self._buffer = b""
        self._size = self._found = 0
        self._hash = hashlib.sha256()

    @property
    def sha256(self) -> str:
        """The digest of the bytes that were read, in hexadecimal digits."""
        return self._hash.hexdigest()

    def sections(self) -> Iterator[tuple[str, Any]]:
        """Each key with its value; a list is an iterator, which must be used up before the next key is asked for.

        Raises `OtherForm`, `NotJson`.
        """
        if not self._takes(b"{\n"):
            raise self._other()
        while True:
            self._fill(_KEY_BYTES)
            header = _KEY.match(self._buffer[:_KEY_BYTES].decode("latin-1"))
            if header is None:
                raise self._other()
            key, begin = header[1], header[2]
            self._drop(header.end(1) + len('": '))
            if begin == "[\n":
                self._drop(len(begin))
                yield key, self._items()
            else:
                yield key, self._value(begin)
            if self._takes(b"\n}\n"):
                break
            if not self._takes(b",\n"):
                raise self._other()
        self._fill(1)
        if self._buffer:
            raise self._other()

    def _other(self) -> OtherForm:
        return OtherForm(f"from byte {self._size - len(self._buffer)} on it is not written as plans are")

    def _value(self, begin: str) -> Any:
        """A value that is no list of objects; one with members ends where its closing brace has a line."""
        if begin == "{\n":
            length = self._buffer.find(b"\n }")
            if length < 0:
                raise self._other()
            return self._taken(length + len("\n }"))
        return self._taken(len(begin.removesuffix(",")))

    def _items(self) -> Iterator[Any]:
        more = _AT_A_TIME
        while True:
            self._fill(more)
            end = self._buffer.find(LIST_ENDS, 0, more)
            cut = end if end >= 0 else self._buffer.rfind(ITEM_ENDS, 0, more)
            if more > _AT_A_TIME:  # the item is long; others behind it wait, so that not all are parsed together
                cut = self._buffer.find(ITEM_ENDS, 0, end if end >= 0 else more)
                cut, end = (end, end) if cut < 0 else (cut, -1)
            if cut < 0:
                if len(self._buffer) < more or more >= PLAN_ITEM_BYTES:  # the file is over, or it is no item of a plan
                    raise self._other()
                more = min(more * 2, PLAN_ITEM_BYTES)  # so that a long item is not looked through again and again
                continue
            items = self._taken(cut + len("\n  }"), before=b"[", after=b"]")
            yield from items
            self._drop(len("\n ]" if end >= 0 else ",\n"))
            if end >= 0:
                return
            more = _AT_A_TIME

    def _taken(self, length: int, before: bytes = b"", after: bytes = b"") -> Any:
        """The value in the next bytes."""
        raw = self._buffer[:length]
        self._drop(length)
        found = values_in(raw)
        self._found += found
        check_counts(self._size, self._found, self._limit, self._values)
        if found > PLAN_PIECE_VALUES:
            raise self._other()
        try:
            return read_json(before + raw + after, limit=self._limit, values=self._values)
        except NotJson as error:
            raise self._other() from error  # another form may have its brackets in other places

    def _takes(self, text: bytes) -> bool:
        self._fill(len(text))
        if not self._buffer.startswith(text):
            return False
        self._drop(len(text))
        return True

    def _drop(self, length: int) -> None:
        self._buffer = self._buffer[length:]

    def _fill(self, length: int) -> None:
        """Have so many bytes, fewer at the end of the file."""
        while len(self._buffer) < length:
            more = self._file.read(max(_AT_A_TIME, length - len(self._buffer)))
            if not more:
                return
            self._size += len(more)
            self._hash.update(more)
            self._buffer += more
