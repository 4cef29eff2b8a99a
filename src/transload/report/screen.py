"""The moving part of the terminal as lines: how far the run is, and below it the transfers of now. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable

from transload.report.sentences import facts, image_facts
from transload.report.speed import CRAWLING
from transload.report.styled import Meaning, Styled
from transload.report.tally import Running, Snapshot
from transload.report.texts import percent, rate, shortened, size, size_of

WIDEST = 80  # in longer lines it is hard to see which number belongs to which name
ROWS = 8
_ONE_LINE = 72  # from this width on, all facts stand on one line
_ROW_BAR = 64  # from this width on, each transfer has a bar of its own
_RATES = 48  # from this width on, it shows how fast it moves
_SIZES = 32  # from this width on, a name still fits beside the size
_FULL, _EMPTY = "━", "─"


def screen(now: Snapshot, width: int, short: Callable[[str], str], rows: int = ROWS) -> list[Styled]:
    """At most `rows` transfers, the biggest first, and the number of others. No line is longer than `width`."""
    width = max(10, min(width, WIDEST))
    shown = now.running[:rows]
    lines = [_overall(now, width), *_facts(now, width), *(_row(blob, width, short) for blob in shown)]
    if len(now.running) > len(shown):
        lines.append(_cut(f"  and {len(now.running) - len(shown)} more", width, "faint"))
    return lines


def bar(part: int, whole: int, width: int) -> tuple[str, str]:
    """The full and the empty part of a bar. It is only full to the end if nothing is missing.

    >>> bar(999, 1000, 4), bar(1, 2, 4), bar(0, 0, 4)
    (('━━━', '─'), ('━━', '──'), ('━━━━', ''))
    """
    full = width if whole <= 0 else max(0, min(width, width * part // whole))
    return _FULL * full, _EMPTY * (width - full)


def _overall(now: Snapshot, width: int) -> Styled:
    part, whole = (now.position, now.total) if now.total else (now.images_done, now.images)
    percentage = f" {percent(part, whole):>4}"
    full, empty = bar(part, whole, width - len(percentage))
    return Styled.of((full, "bad" if now.images_failed else "good"), (empty, "faint"), (percentage, "strong"))


def _facts(now: Snapshot, width: int) -> list[Styled]:
    """One line or two. The number depends only on the width, so that the screen does not jump."""
    if width >= _ONE_LINE:
        return [_joined(facts(now), width)]
    images = image_facts(now)
    return [_joined(facts(now)[: -len(images)] or ["nothing to copy"], width), _joined(images, width)]


def _joined(phrases: list[str], width: int) -> Styled:
    """The first phrases, as many as fit."""
    while len(" · ".join(phrases)) > width and len(phrases) > 1:
        phrases = phrases[:-1]
    parts: list[tuple[str, Meaning]] = []
    for phrase in phrases:
        if parts:
            parts.append((" · ", "faint"))
        parts.append((shortened(phrase, width), "bad" if phrase.endswith("failed") else ""))
    return Styled(tuple(parts))


def _row(blob: Running, width: int, short: Callable[[str], str]) -> Styled:
    waits = blob.waiting_s is not None
    part, whole = blob.position, blob.size
    ended = _waiting(blob) if waits else size_of(part, whole)
    moving = not waits and blob.rate_bytes_per_s >= CRAWLING
    pace = f" {rate(blob.rate_bytes_per_s) if moving else '':>10}" if width >= _RATES else ""
    if width >= _ROW_BAR:
        ended = f"{ended:>18} {percent(part, whole):>4}{pace}"
        length = width // 8
        full, empty = bar(part, whole, length)
        name = _named(blob, width - len(ended) - length - 4, short)
        return Styled.of(f"  {name} ", (full, "warn" if waits else "good"), (empty, "faint"), f" {ended}")
    if width < _SIZES:
        ended = f" {percent(part, whole):>4}"
        return Styled.of(f"  {_named(blob, width - len(ended) - 2, short)}", (ended, "warn" if waits else ""))
    ended = f" {ended if waits else size(whole):>8} {percent(part, whole):>4}{pace}"
    return Styled.of(f"  {_named(blob, width - len(ended) - 2, short)}", (ended, "warn" if waits else ""))


def _waiting(blob: Running) -> str:
    """Which side failed, and when it is asked again, in whole seconds: tenths would only flicker."""
    side = f"{blob.side}: " if blob.side else ""
    return f"{side}again in {math.ceil(blob.waiting_s or 0)} s"


def _named(blob: Running, width: int, short: Callable[[str], str]) -> str:
    """The name in exactly `width`. If it is too long, it loses its digest first, then its beginning."""
    name = short(blob.label)
    if len(name) > width:
        name = name.partition("@")[0]
    return f"{shortened(name, width):<{max(width, 0)}}"


def _cut(text: str, width: int, meaning: Meaning) -> Styled:
    return Styled.of((shortened(text, width), meaning))
