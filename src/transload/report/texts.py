"""Writes sizes, durations, counts, digests and names for people, in one style everywhere."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from transload.expressions import late
from transload.wording import in_plural, in_words, scaled

_DIGEST = late(r"sha\d{3}:[0-9a-f]{64,128}")
_DIGEST_BEGINS = late(r"sha\d{3}:")
_HOST_AND_PATH = late(r"[\w-]+(?:\.[\w-]+)+(?::\d+)?/", re.ASCII)
_EXAMPLE = "user:password"  # as our own hints write it
_TEXT_LENGTH = 4000
_WORD = late(r"[^\s\"'<>]+")


def size(count_bytes: float) -> str:
    """Bytes in binary units.

    >>> size(812), size(1_300_000), size(12_582_912), size(13_500_000_000)
    ('812 B', '1.2 MiB', '12 MiB', '12.6 GiB')
    """
    return in_words(count_bytes)


def size_of(part_bytes: int, whole_bytes: int) -> str:
    """A part of a whole; the unit is written once if it is the same.

    >>> size_of(196_083_712, 408_944_640), size_of(900, 408_944_640)
    ('187 of 390 MiB', '900 B of 390 MiB')
    """
    (part, part_unit), (whole, unit) = scaled(part_bytes), scaled(whole_bytes)
    return f"{part} of {whole} {unit}" if part_unit == unit else f"{part} {part_unit} of {whole} {unit}"


def rate(bytes_per_s: float) -> str:
    """Bytes per second.

    >>> rate(44_040_192)
    '42 MiB/s'
    """
    return f"{size(bytes_per_s)}/s"


def percent(part: int, whole: int) -> str:
    """A percentage, rounded down, so that 100% means all of it; 0 of 0 is 100%.

    >>> percent(999, 1000), percent(0, 0)
    ('99%', '100%')
    """
    return f"{100 if whole <= 0 else max(0, min(100, 100 * part // whole))}%"


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


def time_left(seconds: float) -> str:
    """A guess of the time left, in whole seconds, at least one.

    >>> time_left(0.2), time_left(4.4), time_left(200)
    ('1 s left', '5 s left', '3 min 20 s left')
    """
    whole_s = max(1, math.ceil(seconds))
    return f"{whole_s} s left" if whole_s < 10 else f"{duration(whole_s)} left"


def _two(number: int, step: int, larger: str, smaller: str) -> str:
    whole, rest = divmod(number, step)
    return f"{whole} {larger} {rest} {smaller}" if rest else f"{whole} {larger}"


def count(number: int, noun: str) -> str:
    """A number and its noun, in the plural where English wants it.

    >>> count(1, "image"), count(12_345, "request"), count(2, "retry"), count(2, "day")
    ('1 image', '12,345 requests', '2 retries', '2 days')
    """
    return f"{number:,} {in_plural(number, noun)}"


def digest(text: str) -> str:
    """A digest in short: its algorithm and the first twelve digits.

    >>> digest("sha256:" + "0123456789abcdef" * 4)
    'sha256:0123456789ab…'
    """
    algorithm, colon, encoded = text.partition(":")
    return f"{algorithm}{colon}{encoded[:12]}…" if len(encoded) > 12 else text


def clock_time(wall_s: float) -> str:
    """The time of the day where we are, to the second."""
    return datetime.fromtimestamp(wall_s).astimezone().strftime("%H:%M:%S")


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


def harmless_json(value: Any) -> Any:
    """`harmless` for every text in a JSON value, and for keys."""
    match value:
        case str():
            return harmless(value)
        case Mapping():
            return {harmless(str(key)): harmless_json(element) for key, element in value.items()}
        case list() | tuple():
            return [harmless_json(element) for element in value]
        case _:
            return value


def one_line(text: str) -> str:
    r"""A text of any shape in one harmless line.

    >>> one_line("denied:\r\n  \x1b[31mno\x07")
    'denied: ?[31mno?'
    """
    return harmless(" ".join(text.split()))


def cut(text: str) -> str:
    """A text, cut where nobody would read on."""
    return text if len(text) <= _TEXT_LENGTH else f"{text[:_TEXT_LENGTH]}…"


def shortened(text: str, width: int) -> str:
    """A name cut at its beginning, since names differ at their ends.

    >>> shortened("arcdata/arc-controller:v1", 12)
    '…ntroller:v1'
    """
    if len(text) <= width:
        return text
    return f"…{text[len(text) - width + 1 :]}" if width > 1 else "…"[:width]


def shared_folder(names: Iterable[str]) -> str:
    """The leading path that all names share, with its slash, so that a list need not repeat it.

    >>> shared_folder(["mirror/arcdata/a:1", "mirror/arcdata/b/c:1"])
    'mirror/arcdata/'
    """
    folders = [name.split("/")[:-1] for name in names]
    shared: list[str] = []
    for parts in zip(*folders, strict=False):
        if len(set(parts)) > 1:
            break
        shared.append(parts[0])
    return "".join(f"{part}/" for part in shared)


def shared_tag(names: Iterable[str]) -> str:
    """The tag that several names share, with its colon; empty if they differ or there is only one name.

    >>> shared_tag(["a:1", "b/c:1"]), shared_tag(["a:1", "b:2"]), shared_tag(["a:1"])
    (':1', '', '')
    """
    tags = [name.rpartition("/")[2].partition(":")[2] for name in names]
    return f":{tags[0]}" if len(tags) > 1 and tags[0] and len(set(tags)) == 1 else ""


def with_short_digests(text: str) -> str:
    """The text, with every digest in the short form.

    >>> with_short_digests("found sha256:" + "0123456789abcdef" * 4 + " instead")
    'found sha256:0123456789ab… instead'
    """
    return _DIGEST.sub(lambda match: digest(match[0]), text)
