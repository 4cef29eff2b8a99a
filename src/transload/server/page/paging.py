"""Search, and pages of long lists. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Generic, TypeVar
from urllib.parse import urlencode

from transload.values import frozen
from transload.wording import whole_number

Row = TypeVar("Row")

_SEARCH_LENGTH = 200
_HIGHEST = 10**6
_NOTHING: Mapping[str, str] = {}


@frozen(kw_only=True)
class Wish:
    """What a reader asked of a list: the words to search for, and which page."""

    words: str = ""
    number: int = 1

    @classmethod
    def of(cls, query: Mapping[str, str]) -> Wish:
        """From the query of an address. What is wrong in it means the first page.

        >>> Wish.of({"q": " Web ", "page": "2"}), Wish.of({"page": "-1"})
        (Wish(words='Web', number=2), Wish(words='', number=1))
        """
        number = whole_number(query.get("page", "1"))
        known = number is not None and 1 <= number <= _HIGHEST
        words = " ".join(query.get("q", "")[:_SEARCH_LENGTH].split())
        return cls(words=words, number=number if known and number is not None else 1)


@frozen(kw_only=True)
class Listing(Generic[Row]):
    """One page of a list. `found` is how many fit the search, of `total`; `first` is the number of the first row,
    `more` what else the query of each page has."""

    rows: Sequence[Row]
    wish: Wish
    number: int
    pages: int
    found: int
    total: int
    first: int
    more: Mapping[str, str]

    @property
    def earlier(self) -> str | None:
        """The query of the page before this one."""
        return None if self.number == 1 else self.query(self.number - 1)

    @property
    def later(self) -> str | None:
        """The query of the page after this one."""
        return None if self.number == self.pages else self.query(self.number + 1)

    @property
    def last(self) -> int:
        """The number of the last row."""
        return self.first + len(self.rows) - 1

    def query(self, number: int) -> str:
        """The query of any page of this list."""
        words = {"q": self.wish.words} if self.wish.words else {}
        return "?" + urlencode({**self.more, **words, "page": number})


def listing(
    rows: Sequence[Row],
    wish: Wish,
    size: int,
    texts: Callable[[Row], Iterable[str]],
    *,
    more: Mapping[str, str] = _NOTHING,
) -> Listing[Row]:
    """The page of `size` rows that is asked for; a number that is too high means the last page.

    `more` stands in the query of each page.

    A row is found if each of the words is in one of its texts, in any case of letters.
    """
    words = wish.words.casefold().split()
    found: Sequence[Row] = rows
    if words:
        found = [row for row in rows if _has(words, "\n".join(texts(row)).casefold())]
    pages = max(1, -(-len(found) // size))
    number = min(wish.number, pages)
    start = (number - 1) * size
    return Listing(
        rows=found[start : start + size],
        wish=wish,
        number=number,
        pages=pages,
        found=len(found),
        total=len(rows),
        first=start + 1,
        more=more,
    )


def _has(words: list[str], text: str) -> bool:
    return all(word in text for word in words)
