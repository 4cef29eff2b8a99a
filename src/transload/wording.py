"""Text for people, in one style everywhere: numbers in words, texts that are safe to show, suggestions for names."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from datetime import UTC, datetime

from transload.expressions import late

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")
_FACTORS = {"": 1, "b": 1}
for _power, _letter in enumerate("kmgt", 1):
    _FACTORS |= {_letter: 1024**_power, f"{_letter}ib": 1024**_power, f"{_letter}b": 1000**_power}
_SIZE = late(r"([0-9]{1,15}(?:\.[0-9]{1,6})?)\s*([a-z]*)")
_DIGEST_BEGINS = late(r"sha\d{3}:")
_HOST_AND_PATH = late(r"[\w-]+(?:\.[\w-]+)+(?::\d+)?/", re.ASCII)
_EXAMPLE = "user:password"  # as our own hints write it
_TEXT_LENGTH = 4000
_WORD = late(r"[^\s\"'<>]+")
_SHOWN = 8
_TENTHS_FROM = 3  # from GiB on, whole units are too coarse to show progress


def in_words(count_bytes: float) -> str:
    """Bytes in binary units.

    >>> in_words(812), in_words(1_300_000), in_words(12_582_912), in_words(13_500_000_000)
    ('812 B', '1.2 MiB', '12 MiB', '12.6 GiB')
    """
    return " ".join(scaled(count_bytes))


def scaled(count_bytes: float) -> tuple[str, str]:
    """Number and unit, separately.

    >>> scaled(1_300_000)
    ('1.2', 'MiB')
    """
    value = float(count_bytes)
    for power, unit in enumerate(_UNITS):
        tenths = power > 0 and (value < 9.95 or (power >= _TENTHS_FROM and value < 99.95))
        number = f"{value:.1f}" if tenths else f"{value:.0f}"
        if float(number) < 1024 or unit == _UNITS[-1]:
            return number, unit
        value /= 1024
    raise AssertionError("the last unit takes everything")


def number_of(number: int, noun: str) -> str:
    """A number and its noun, in the plural where English wants it; the number without commas, as errors have it.

    >>> number_of(1, "byte"), number_of(12_345, "byte"), number_of(2, "retry")
    ('1 byte', '12345 bytes', '2 retries')
    """
    return f"{number} {in_plural(number, noun)}"


def in_plural(number: int, noun: str) -> str:
    """The noun as this number wants it."""
    if number == 1:
        return noun
    return f"{noun[:-1]}ies" if re.search("[^aeiou]y$", noun) else f"{noun}s"


def count(number: int, noun: str) -> str:
    """A number and its noun, in the plural where English wants it.

    >>> count(1, "image"), count(12_345, "request"), count(2, "retry"), count(2, "day")
    ('1 image', '12,345 requests', '2 retries', '2 days')
    """
    return f"{number:,} {in_plural(number, noun)}"


def duration(seconds: float) -> str:
    """A duration in two units at most.

    >>> duration(0.84), duration(42.4), duration(200), duration(7500), duration(93_600)
    ('0.8 s', '42 s', '3 min 20 s', '2 h 5 min', '1 d 2 h')
    """
    if seconds < 9.95:
        return f"{max(0.0, seconds):.1f} s"
    whole_s = round(seconds)
    if whole_s < 60:
        return f"{whole_s} s"
    if whole_s < 3600:
        return _two(whole_s, 60, "min", "s")
    whole_min = whole_s // 60
    return _two(whole_min, 60, "h", "min") if whole_min < 24 * 60 else _two(whole_min // 60, 24, "d", "h")


def _two(number: int, step: int, larger: str, smaller: str) -> str:
    whole, rest = divmod(number, step)
    return f"{whole} {larger} {rest} {smaller}" if rest else f"{whole} {larger}"


def instant(wall_s: float) -> str:
    """A moment in UTC, as RFC 3339 writes it, to the millisecond.

    >>> instant(1_700_000_000.5)
    '2023-11-14T22:13:20.500Z'
    """
    moment = datetime.fromtimestamp(wall_s, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def harmless(text: str) -> str:
    r"""`text` made safe to show and to encode. All output goes through this function.

    Characters that move the cursor, change the direction of writing, are invisible, or are half a character become
    question marks, line ends become blanks, and user name and password in a URL become dots.

    >>> harmless("denied:\r\n\x1b[31mno\u202e\ud800")
    'denied:  ?[31mno??'
    >>> harmless("at https://ann:secret@registry.example/a")
    'at https://…@registry.example/a'
    >>> harmless("write http://user:password@proxy.example:3128")
    'write http://user:password@proxy.example:3128'
    >>> harmless("signed by https://code.example/a/b.yml@refs/tags/v1")
    'signed by https://code.example/a/b.yml@refs/tags/v1'
    """
    shown = text if text.isprintable() else "".join(map(_harmless_letter, text))
    return _WORD.sub(_without_user, shown) if "@" in shown and "://" in shown else shown


def _harmless_letter(letter: str) -> str:
    if letter.isprintable():
        return letter
    if letter in "\t\n\r\v\f\x85\u2028\u2029":
        return " "
    return "?" if unicodedata.category(letter) in {"Cc", "Cf", "Cs"} else letter


def _without_user(word: re.Match[str]) -> str:
    """The word without user information. The @ before a digest does not end any, nor one in the path behind a host.

    Sigstore's identities have such an @. A password may have a slash in it, so what is before that must be a host.
    """
    scheme, slashes, rest = word[0].partition("://")
    if _HOST_AND_PATH.match(rest) and "://" not in rest:
        return word[0]
    pieces = rest.split("@")
    if len(pieces) > 1 and _DIGEST_BEGINS.match(pieces[-1]):
        pieces[-2:] = ["@".join(pieces[-2:])]
    known = len(pieces) == 1 or pieces[0] == _EXAMPLE
    return word[0] if known else f"{scheme}{slashes}…@{pieces[-1]}"


def one_line(text: str) -> str:
    r"""A text of any shape in one harmless line.

    >>> one_line("denied:\r\n  \x1b[31mno\x07")
    'denied: ?[31mno?'
    """
    return harmless(" ".join(text.split()))


def cut(text: str) -> str:
    """A text, cut where nobody would read on."""
    return text if len(text) <= _TEXT_LENGTH else f"{text[:_TEXT_LENGTH]}…"


def bytes_in(text: str) -> int | None:
    """The number of bytes in a size as people write it, in any case; None if it is none.

    K, M, G, T and KiB… are powers of 1024, KB… powers of 1000.

    >>> bytes_in("4GiB"), bytes_in("1.5 mb"), bytes_in("512"), bytes_in("-1"), bytes_in("4 GB/s")
    (4294967296, 1500000, 512, None, None)
    """
    form = _SIZE.fullmatch(text.strip().lower())
    factor = _FACTORS.get(form[2]) if form else None
    if form is None or factor is None:
        return None
    return int(float(form[1]) * factor) if "." in form[1] else int(form[1]) * factor


def whole_number(text: str) -> int | None:
    """The number in a text of plain digits, at most 19 of them; None for anything else.

    `str.isdigit` accepts ² and digits of every script, and `int` raises an error for thousands of digits.

    >>> whole_number("42"), whole_number("²"), whole_number("-1"), whole_number("9" * 5000)
    (42, None, None, None)
    """
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else None


def first_of(names: Iterable[str], number: int) -> str:
    """The first names of many for one sentence, and how many more there are.

    >>> first_of(["a", "b", "c"], 2), first_of(["a"], 2)
    ('a, b and 1 more', 'a')
    """
    listed = list(names)
    return ", ".join(listed[:number]) + (f" and {len(listed) - number} more" if len(listed) > number else "")


def close_to(text: str, known: Iterable[str], count: int = 1, cutoff: float = 0.6) -> list[str]:
    """The names in `known` that `text` may mean, the closest first, at most `count`; `cutoff` is difflib's.

    >>> close_to("miror", ["mirror", "pack", "push"])
    ['mirror']
    """
    from difflib import get_close_matches  # only errors need it

    return get_close_matches(text[:200], list(known), count, cutoff)


def hint(wanted: str, known: Iterable[str], *, what: str = "known", also: Iterable[str] = ()) -> str | None:
    """`did you mean …` with close names, else the first few known names; None if there are none.

    `also` are other names for the same things. They may be suggested, but are not listed.

    >>> hint("arc-controler", ["arc-controller", "arc-dns"])
    'did you mean arc-controller?'
    """
    names = list(dict.fromkeys(known))
    close = close_to(wanted, dict.fromkeys((*names, *also)), 3)
    if close:
        return f"did you mean {' or '.join(close)}?"
    if not names:
        return None
    return f"{what}: {first_of(names, _SHOWN)}"


def told_of(name: str, message: str) -> str:
    """What is said of one thing among others: the message, after the name unless it begins with it.

    >>> told_of("app:v1", "no answer"), told_of("app:v1", "app:v1 is not signed")
    ('app:v1: no answer', 'app:v1 is not signed')
    """
    return message if message.startswith(f"{name} ") else f"{name}: {message}"
