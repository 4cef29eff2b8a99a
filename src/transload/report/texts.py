"""Writes sizes, durations, counts, digests and names for people, in one style everywhere."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from transload.expressions import late
from transload.wording import count as count  # those "as" themselves are for who imports them from here
from transload.wording import cut as cut
from transload.wording import duration as duration
from transload.wording import harmless as harmless
from transload.wording import in_words, scaled
from transload.wording import instant as instant
from transload.wording import one_line as one_line

_DIGEST = late(r"(sha\d{3}[:/])([0-9a-f]{64,128})")


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


def time_left(seconds: float) -> str:
    """A guess of the time left, in whole seconds, at least one.

    >>> time_left(0.2), time_left(4.4), time_left(200)
    ('1 s left', '5 s left', '3 min 20 s left')
    """
    whole_s = max(1, math.ceil(seconds))
    return f"{whole_s} s left" if whole_s < 10 else f"{duration(whole_s)} left"


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


def json_parts(value: Any, depth: int, *, indented: bool = False, level: int = 0) -> Iterator[str]:
    """The JSON text of `harmless_json(value)` in parts: as a whole, that of ten thousand images takes 100 MiB more.

    Down to `depth`, what objects and lists hold comes one after the other. `indented` is the form of report files,
    where characters are as they are; else it is one line of ASCII.

    >>> "".join(json_parts({"a": [1, {"b": "c"}], "d": {}}, 2))
    '{"a":[1,{"b":"c"}],"d":{}}'
    """
    line = "\n" + "  " * level if indented else ""
    inner = f"{line}  " if indented else ""
    if level >= depth or not value or not isinstance(value, (dict, list)):
        safe = harmless_json(value)
        yield (
            json.dumps(safe, indent=2, ensure_ascii=False).replace("\n", line)  # strings have no line feeds in JSON
            if indented
            else json.dumps(safe, separators=(",", ":"))
        )
        return
    pairs = value.items() if isinstance(value, dict) else ((None, item) for item in value)
    before, after = "{}" if isinstance(value, dict) else "[]"
    for key, item in pairs:
        yield f"{before}{inner}"
        if key is not None:
            yield json.dumps(harmless(str(key)), ensure_ascii=not indented) + (": " if indented else ":")
        yield from json_parts(item, depth, indented=indented, level=level + 1)
        before = ","
    yield f"{line}{after}"


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
    """The text, with every digest in the short form, also where it is the name of a file.

    >>> with_short_digests("found sha256:" + "0123456789abcdef" * 4 + " instead")
    'found sha256:0123456789ab… instead'
    >>> with_short_digests("blobs/sha256/" + "0123456789abcdef" * 4 + " is damaged")
    'blobs/sha256/0123456789ab… is damaged'
    """
    return _DIGEST.sub(lambda match: f"{match[1]}{match[2][:12]}…", text)
