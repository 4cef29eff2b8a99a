"""What discovery found, for people and for programs. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

from transload.discovery.finding import Place, Unread
from transload.discovery.listing import FoundImage, Listing, OpenQuestion
from transload.errors import TransloadError
from transload.oci import Digest, Reference
from transload.report.problem import Problem
from transload.report.styled import Styled, folded
from transload.report.texts import count

_PLACE_LENGTH = 100


def listing_lines(
    listing: Listing, pins: Mapping[Reference, Digest], unpinned: Mapping[Reference, TransloadError], width: int | None
) -> Iterator[Styled]:
    """The images, each with its first place, then what is open."""
    for entry in listing.images:
        yield Styled.of((str(entry.reference), "strong"), *_facts(entry, pins.get(entry.reference)))
        yield from folded("  ", _shortened(entry.places), width)
        if entry.reference in unpinned:
            yield from folded("  not pinned: ", str(unpinned[entry.reference]), width, "warn")
    yield from open_lines(listing, width)


def open_lines(listing: Listing, width: int | None) -> Iterator[Styled]:
    """The questions, and what could not be read."""
    for question in listing.questions:
        text = f"{question.text}: {question.reason}" if question.text else question.reason
        yield from folded("question: ", text, width, "warn")
        yield from folded("  ", _shortened(question.places), width)
    for item in listing.unread:
        yield from folded("not read: ", unread_text(item), width, "bad")


def _facts(entry: FoundImage, pin: Digest | None) -> Iterator[str]:
    if entry.sureness == "likely":
        yield f"  likely ({', '.join(entry.rules)})"
    if pin is not None:
        yield f"  {pin}"


def _shortened(places: Sequence[Place]) -> str:
    first = str(places[0])
    first = first if len(first) <= _PLACE_LENGTH else f"{first[: _PLACE_LENGTH - 1]}…"
    return f"{first} and {count(len(places) - 1, 'place')} more" if len(places) > 1 else first


def unread_text(item: Unread) -> str:
    """Where and why, the file once."""
    return item.reason if item.reason.startswith(item.place.file) else f"{item.place}: {item.reason}"


class ReadChart(Protocol):
    """A chart that was read, and whether helm rendered it."""

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def version(self) -> str: ...  # noqa: D102
    @property
    def rendered(self) -> bool: ...  # noqa: D102


def chart_lines(charts: Sequence[ReadChart]) -> Iterator[Styled]:
    """How each chart was read, which is how sure its images are."""
    for chart in charts:
        how = "rendered by helm" if chart.rendered else "read without helm, so what it does not state itself is likely"
        yield Styled.of(f"chart {chart.name} {chart.version}: {how}")


def totals_text(listing: Listing, files: int, hidden: int) -> str:
    """The counts in one sentence."""
    likely = sum(entry.sureness == "likely" for entry in listing.images)
    parts = [
        count(len(listing.images), "image") + (f" ({likely:,} only likely)" if likely else ""),
        *([count(len(listing.questions), "open question")] if listing.questions else []),
        f"{count(files, 'file')} read",
        *([f"{count(listing.irrelevant, 'document')} without images"] if listing.irrelevant else []),
        *([f"{len(listing.unread):,} not read"] if listing.unread else []),
        *([f"{hidden:,} hidden left out"] if hidden else []),
    ]
    return ", ".join(parts)


def listing_json(
    listing: Listing, pins: Mapping[Reference, Digest], unpinned: Mapping[Reference, TransloadError]
) -> dict[str, Any]:
    """The listing for programs (docs/formats/json-output.md, "Discover")."""
    return {
        "images": [_entry(entry, pins.get(entry.reference), unpinned.get(entry.reference)) for entry in listing.images],
        "questions": [_question(question) for question in listing.questions],
        "unread": [{"found": _place(item.place), "reason": item.reason} for item in listing.unread],
        "documents_without_images": listing.irrelevant,
    }


def _entry(entry: FoundImage, pin: Digest | None, error: TransloadError | None) -> dict[str, Any]:
    return {
        "reference": str(entry.reference),
        "texts": list(entry.texts),
        "sureness": entry.sureness,
        "rules": list(entry.rules),
        "found": [_place(place) for place in entry.places],
        "running": list(entry.running),
        "digest": pin,
        "pin_error": Problem.of(error).to_json() if error else None,
    }


def _question(question: OpenQuestion) -> dict[str, Any]:
    return {
        "text": question.text,
        "reason": question.reason,
        "found": [_place(place) for place in question.places],
    }


def _place(place: Place) -> dict[str, Any]:
    return {"file": place.file, "line": place.line, "path": place.path}
