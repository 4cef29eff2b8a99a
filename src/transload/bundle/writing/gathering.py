"""Many small blobs on their way into a bundle: what lies side by side is written at once, and noted with one write."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from transload.bundle.format.blueprint import ends, starts
from transload.bundle.format.entries import Stored
from transload.bundle.format.stream import PathOf, StreamWriter
from transload.bundle.format.tarheader import header, padding
from transload.bundle.format.volumes import Cut
from transload.bundle.writing.frontier import Frontier
from transload.bundle.writing.journal import PackJournal
from transload.files import CHUNK_BYTES
from transload.gathers import Put
from transload.oci import Descriptor, Manifest, Name, Verifier
from transload.values import field, frozen


@frozen(kw_only=True)
class BundleGathers:
    """Stores many things at once in one unfinished bundle.

    `lacking` gives the member of a blob that is still to be written, and None for one that is there.
    """

    cut: Cut
    path_of: PathOf
    progress: PackJournal
    frontier: Frontier
    lacking: Callable[[Descriptor], Stored | None]
    put_manifest: Callable[[Name, Manifest], None] = field(repr=False)

    def holds(self, descriptor: Descriptor) -> bool:
        """See `transload.gathers.Gathers`."""
        return self.lacking(descriptor) is None

    def put_blobs(self, blobs: Sequence[tuple[Descriptor, bytes]]) -> None:
        """See `transload.gathers.Gathers`. Raises `Refused` for a blob that is not in the blueprint."""
        found: dict[int, tuple[Stored, bytes]] = {}
        for descriptor, content in blobs:
            verifier = Verifier(descriptor.digest, descriptor.size)
            verifier.update(content)
            verifier.check()
            member = self.lacking(descriptor)
            if member is not None:
                found[member.offset] = member, content
        ordered = [found[offset] for offset in sorted(found)]
        with StreamWriter(self.cut, self.path_of, 0) as writer:
            for begin, joined in _runs(ordered):
                writer.go_to(begin)
                writer.write(joined)
        members = [member for member, _ in ordered]
        self.progress.note_all_done([member.key for member in members])
        self.frontier.finished(*members)

    def put_manifests(self, puts: Sequence[Put]) -> None:
        """See `transload.gathers.Gathers`."""
        for put in puts:
            self.put_manifest(put.name, put.manifest)


def _runs(ordered: Sequence[tuple[Stored, bytes]]) -> Iterator[tuple[int, bytearray]]:
    """Where bytes begin in the stream, and the bytes: members with headers, joined where they lie side by side.

    About `CHUNK_BYTES` at a time, since the contents are in memory too.
    """
    begin, end, joined = 0, -1, bytearray()
    for member, content in ordered:
        if starts(member) != end or len(joined) >= CHUNK_BYTES:
            if joined:
                yield begin, joined
            begin, joined = starts(member), bytearray()
        joined += b"".join((header(member.path, member.size), content, bytes(padding(member.size))))
        end = ends(member)
    if joined:
        yield begin, joined
