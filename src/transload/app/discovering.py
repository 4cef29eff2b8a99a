"""`transload discover`: reads what files and standard input name, and asks registries for digests."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO

from attrs import define, evolve, field, frozen

from transload.app.chartreading import ChartReader, ReadChart
from transload.app.location import Location
from transload.app.stores import Stores
from transload.discovery.charts.package import CHART_FILE, is_packed
from transload.discovery.fieldpath import FieldPath
from transload.discovery.finding import Discovered, Irrelevant, Place, Unread
from transload.discovery.kinds import HEAD_BYTES, file_kind, read_file
from transload.discovery.listing import Listing, listed
from transload.discovery.setfile import set_text
from transload.errors import Interrupted, LocalError, SelectionEmpty, TransloadError, at_side
from transload.events import Progressed
from transload.files import expanded, local_errors, open_file, read_up_to
from transload.limits import DISCOVERED_FILES, STREAM_BYTES
from transload.oci import Digest, Reference
from transload.threads import Cancellation
from transload.wording import number_of

STANDARD_INPUT = "-"
_REMOTE = ("oci://", "https://", "http://")


@frozen(kw_only=True)
class Discovery:
    """What was found, how many files were read, and how many hidden files and folders were left out.

    `charts` are the charts among them, and how they were read.

    `pins` are the digests that registries gave; `unpinned` says for which references they gave none, and why.
    """

    listing: Listing
    files: int
    hidden: int = 0
    charts: tuple[ReadChart, ...] = ()
    pins: Mapping[Reference, Digest] = field(factory=dict)
    unpinned: Mapping[Reference, TransloadError] = field(factory=dict)

    def set_text(self) -> str:
        """An image set (docs/formats/image-set.md) of what was found, with the places, the pins and the questions."""
        return set_text(self.listing, self.pins)


def is_remote(path: str) -> bool:
    """Whether a chart has to be fetched from this address."""
    return path.startswith(_REMOTE)


@define
class _Counts:
    files: int = 0
    hidden: int = 0


def discover_images(
    paths: Sequence[str],
    *,
    fields: Iterable[FieldPath] = (),
    standard_input: IO[bytes] | None = None,
    charts: ChartReader | None = None,
) -> Discovery:
    """Read files, folders and charts; `-` is standard input. Raises `LocalError` for a path that does not exist.

    Without `charts`, those that are met are read without helm, and none is fetched. Raises `SelectionEmpty` if nothing
    was found, neither an image nor a question; what `app.charts.fetch_chart` raises for a chart that is fetched.
    """
    counts, wanted, charts = _Counts(), tuple(fields), charts or ChartReader()
    charts.check()
    files = (place for path in paths for place in _files(path, counts))
    listing = listed(item for place in files for item in _read(place, wanted, standard_input, counts, charts))
    if not (listing.images or listing.questions):
        raise _nothing(listing, counts)
    return Discovery(listing=listing, files=counts.files, hidden=counts.hidden, charts=tuple(charts.charts))


def _nothing(listing: Listing, counts: _Counts) -> SelectionEmpty:
    read = number_of(counts.files, "file")
    unread = [f"{item.place}: {item.reason}" for item in listing.unread[:3]]
    return SelectionEmpty(
        f"no image was found: {read} read, {number_of(listing.irrelevant, 'document')} without images, "
        f"{len(listing.unread)} that could not be read",
        hint="; ".join(unread) or "name the files with the manifests; a field of your own kinds needs --field",
    )


# --- files


def _files(path: str, counts: _Counts) -> Iterator[Path | str]:
    """The files that a path means: itself, or all in a folder. Raises `LocalError`.

    Standard input and charts that must be fetched are texts, a chart's folder is the path of a folder.
    """
    if path == STANDARD_INPUT or is_remote(path):
        yield path
        return
    named = expanded(path)
    if named.is_dir():
        yield from _in_folder(named, counts)
    elif named.exists():
        yield named
    else:
        raise LocalError(f"there is no file {named}", subject=str(named), hint="write - for standard input")


def _in_folder(folder: Path, counts: _Counts) -> Iterator[Path]:
    """Every file and chart of a folder in the order of their names. Links are not followed, hidden entries left out."""
    seen = 0

    def fail(error: OSError) -> None:
        raise error

    with local_errors("reading", folder):
        for parent, folders, names in os.walk(folder, onerror=fail):
            if CHART_FILE in names:
                folders.clear()
                yield Path(parent)
                continue
            counts.hidden += sum(name.startswith(".") for name in (*folders, *names))
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            for name in sorted(name for name in names if not name.startswith(".")):
                seen += 1
                if seen > DISCOVERED_FILES:
                    raise LocalError(
                        f"{folder} has more than {DISCOVERED_FILES} files",
                        subject=str(folder),
                        hint="name the folders with the manifests",
                    )
                yield Path(parent, name)


def _read(
    place: Path | str,
    fields: tuple[FieldPath, ...],
    standard_input: IO[bytes] | None,
    counts: _Counts,
    charts: ChartReader,
) -> Iterator[Discovered]:
    """What a file names. One that cannot be read is an `Unread`, so the others are still read."""
    file = str(place)
    counts.files += 1
    if isinstance(place, Path) and place.is_dir():
        yield from charts.folder(place, fields)
        return
    if is_remote(file):
        yield from charts.at_address(file, fields)
        return
    try:
        content = _content(place, standard_input)
    except LocalError as error:
        yield Unread(place=Place(file=file), reason=error.message)
        return
    if content is None:
        yield Irrelevant(place=Place(file=file))
    elif is_packed(file, content):
        yield from charts.packed(content, file, fields)
    else:
        yield from read_file(content, file, fields)


def _content(place: Path | str, standard_input: IO[bytes] | None) -> bytes | None:
    """The bytes of a file, one more than allowed if it is too large; None for a format that names no images."""
    if isinstance(place, str):
        with local_errors("reading standard input", Path(place)):
            return read_up_to(standard_input, STREAM_BYTES + 1) if standard_input else b""
    with local_errors("reading", place):
        if place.is_symlink():
            raise LocalError("a link, which is not followed: name the file that it points to")
        with open_file(place) as file:
            head = read_up_to(file, HEAD_BYTES)
            if file_kind(str(place), head) is None and not is_packed(str(place), head):
                return None
            return head + read_up_to(file, STREAM_BYTES + 1 - len(head))


# --- digests


def pinned(discovery: Discovery, stores: Stores, cancellation: Cancellation) -> Discovery:
    """The same with the digests that registries give now for the tags. Which could not be asked is in `unpinned`."""
    references = [entry.reference for entry in discovery.listing.images if entry.reference.name.digest is None]
    stores.limit_source_login(frozenset(reference.registry for reference in references))
    pins, unpinned = dict(discovery.pins), dict(discovery.unpinned)
    for reference in references:
        cancellation.check()
        stores.working(Progressed("selecting"))
        try:
            with at_side("source"):
                source = stores.source(Location("registry", reference.registry))
                pins[reference] = source.resolve(reference.name).digest
        except Interrupted:
            raise
        except TransloadError as error:
            unpinned[reference] = error
    return evolve(discovery, pins=pins, unpinned=unpinned)
