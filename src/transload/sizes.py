"""Numbers as text: bytes in words for people, in one style for every floor; and whole numbers from outside."""

from __future__ import annotations

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")
_TENTHS_FROM = 3  # from GiB on, whole units are too coarse to see something move


def in_words(count_bytes: float) -> str:
    """Bytes in binary units.

    >>> in_words(812), in_words(1_300_000), in_words(12_582_912), in_words(13_500_000_000)
    ('812 B', '1.2 MiB', '12 MiB', '12.6 GiB')
    """
    return " ".join(scaled(count_bytes))


def scaled(count_bytes: float) -> tuple[str, str]:
    """Number and unit apart.

    >>> scaled(1_300_000)
    ('1.2', 'MiB')
    """
    value = float(count_bytes)
    for place, unit in enumerate(_UNITS):
        tenths = place > 0 and (value < 9.95 or (place >= _TENTHS_FROM and value < 99.95))
        number = f"{value:.1f}" if tenths else f"{value:.0f}"
        if float(number) < 1024 or unit == _UNITS[-1]:
            return number, unit
        value /= 1024
    raise AssertionError("the last unit takes everything")


def whole_number(text: str) -> int | None:
    """The number that plain digits write, at most 19 of them; None for anything else.

    `str.isdigit` takes ² and digits of every script, and `int` refuses thousands of digits with an error of its own.

    >>> whole_number("42"), whole_number("²"), whole_number("-1"), whole_number("9" * 5000)
    (42, None, None, None)
    """
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else None
