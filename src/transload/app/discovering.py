"""`transload discover`: reads what files and standard input name, and asks registries for digests."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import IO

from transload.app.charts.reading import ChartReader, ReadChart
from transload.app.location import Location
from transload.app.namedfiles import STANDARD_INPUT, Counts, NamedFile, is_remote, named_files
from transload.app.otherlists import is_lock, read_other_list
from transload.app.stores import Stores
from transload.discovery.charts.package import is_packed
from transload.discovery.fieldpath import FieldPath
from transload.discovery.finding import Discovered, Place, Unread
from transload.discovery.kinds import HEAD_BYTES, file_kind, read_file
from transload.discovery.listing import Listing, listed
from transload.discovery.setfile import set_text
from transload.errors import Interrupted, LocalError, SelectionEmpty, TransloadError, as_result, at_side
from transload.events import Counting
from transload.files import closed_after, local_errors, open_file, read_up_to
from transload.limits import STREAM_BYTES
from transload.oci import Digest, Reference
from transload.report.discovered import unread_text
from transload.threads import Cancellation, in_parallel
from transload.values import evolve, field, frozen
from transload.wording import number_of

_THREADS = 8


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


def discover_images(
    paths: Sequence[str],
    *,
    fields: Iterable[FieldPath] = (),
    standard_input: IO[bytes] | None = None,
    charts: ChartReader | None = None,
    written: Path | None = None,
) -> Discovery:
    """Read files, folders and charts; `-` is standard input. `written` is where the result goes, so it is not read.

    Without `charts`, those that are met are read without helm, and none is fetched. Raises `LocalError` for a path that
    does not exist, `SelectionEmpty` if nothing was found, neither an image nor a question; for a chart that is fetched,
    what `app.charts.fetch_chart` raises.
    """
    reader = _Reader(tuple(fields), standard_input or BytesIO(), charts or ChartReader())
    reader.charts.check()
    counts = reader.counts
    listing = listed(item for file in named_files(paths, counts, written) for item in reader.read(file))
    if not (listing.images or listing.questions):
        raise _nothing(listing, counts)
    charts_read = tuple(reader.charts.charts)
    return Discovery(listing=listing, files=counts.files, hidden=counts.hidden, charts=charts_read)


def _nothing(listing: Listing, counts: Counts) -> SelectionEmpty:
    read = number_of(counts.files, "file")
    unread = list(map(unread_text, listing.unread[:3]))
    return SelectionEmpty(
        f"no image was found: {read} read, {number_of(listing.irrelevant, 'document')} without images, "
        f"{len(listing.unread)} that could not be read",
        hint="; ".join(unread) or "name the files with the manifests; a field of your own kinds needs --field",
    )


@frozen
class _Reader:
    """Reads files one after the other, and counts them."""

    fields: tuple[FieldPath, ...]
    standard_input: IO[bytes]
    charts: ChartReader
    counts: Counts = field(factory=Counts)

    def read(self, file: NamedFile | Unread) -> Iterator[Discovered]:
        """What a file or a chart names. One that cannot be read is an `Unread`, so the others are still read."""
        if isinstance(file, Unread):
            yield file
            return
        self.counts.files += 1
        if is_remote(file.name):
            yield from self.charts.at_address(file.name, self.fields)
        elif file.path is None:
            yield from self._of_stream(self.standard_input, file)
        elif file.path.is_dir():
            yield from self.charts.folder(file.path, self.fields)
        else:
            try:
                with local_errors("reading", file.path), closed_after(open_file(file.path)) as stream:
                    yield from self._of_stream(stream, file)
            except LocalError as error:
                yield Unread(place=Place(file=file.name), reason=error.message)

    def _of_stream(self, stream: IO[bytes], file: NamedFile) -> Iterator[Discovered]:
        """What the bytes of a file name. Of a kind that cannot name images, only the beginning is read.

        What a person named alone is meant to be read: where its name says nothing, its first bytes do.
        """
        head = read_up_to(stream, HEAD_BYTES)
        if not head and file.path is None:
            yield Unread(place=Place(file=file.name), reason="standard input is empty: did the command before it fail?")
            return
        if is_packed(file.name, head):
            yield from self.charts.packed(self._whole(stream, head), file.name, self.fields)
            return
        kind = file_kind(file.name, head) or (file_kind(STANDARD_INPUT, head) if file.alone else None)
        content = self._whole(stream, head) if kind or is_lock(file.name) else head
        listed = read_other_list(content, file.name)
        yield from read_file(content, file.name, self.fields, kind) if listed is None else listed

    def _whole(self, stream: IO[bytes], head: bytes) -> bytes:
        """The whole file, or one byte more than is allowed."""
        return head + read_up_to(stream, STREAM_BYTES + 1 - len(head))


# --- digests


def pinned(discovery: Discovery, stores: Stores, cancellation: Cancellation) -> Discovery:
    """The same with a digest for each tag: what nodes run under it, if they tell one, else what the registry gives now.

    For which references a registry gave none is in `unpinned`, with its error.
    """
    images = [image for image in discovery.listing.images if image.reference.name.digest is None]
    pins = {image.reference: image.running[0] for image in images if len(image.running) == 1}
    asked = [image.reference for image in images if image.reference not in pins]
    hosts = dict.fromkeys(reference.registry for reference in asked)
    stores.limit_source_login(frozenset(hosts))
    sources = {host: stores.source(Location("registry", host)) for host in hosts}

    def ask(reference: Reference) -> Digest | TransloadError:
        try:
            with at_side("source"):
                return sources[reference.registry].resolve(reference.name).digest
        except Interrupted:
            raise
        except TransloadError as error:
            return as_result(error)

    counting = Counting(stores.working, "surveying", len(asked))
    answers = dict(zip(asked, in_parallel(counting.around(ask), asked, _THREADS, cancellation), strict=True))
    pins |= {reference: answer for reference, answer in answers.items() if not isinstance(answer, TransloadError)}
    unpinned = {reference: answer for reference, answer in answers.items() if isinstance(answer, TransloadError)}
    return evolve(discovery, pins=pins, unpinned=unpinned)
