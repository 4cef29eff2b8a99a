"""The bundle as a target: every blob is written once, at its own offset, by any number of threads.

Invariants, at whatever moment the process ends:
1. a file with a volume's final name is a complete volume of a bundle that was verified and flushed;
2. running again with the same contents goes on where this run ended, and gives the same bytes.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from types import TracebackType

from transload.bundle.format.blueprint import Blueprint, starts
from transload.bundle.format.entries import Stored
from transload.bundle.format.member import Read, is_whole
from transload.bundle.format.stream import StreamReader, StreamWriter, joined
from transload.bundle.format.tarheader import END, header, padding
from transload.bundle.writing.frontier import Flusher, Frontier
from transload.bundle.writing.gathering import BundleGathers
from transload.bundle.writing.ingest import BundleIngest, FinishedIngest
from transload.bundle.writing.partial import Unfinished, has_head
from transload.bundle.writing.readback import check_finished, error_about, spoilt_pieces
from transload.bundle.writing.sums import Sums
from transload.errors import BlobUnknown, Busy, ManifestUnknown, Refused, RepositoryUnknown
from transload.files import exactly
from transload.files.readback import ReadBack
from transload.oci import Descriptor, Digest, Manifest, Name
from transload.ports import Chunk, RequestCosts
from transload.wording import in_words, number_of


class BundleWriter:
    """Writes the bundle that `blueprint` lays out, as `path` plus `.tar` or `.001.tar` and so on.

    Raises `Busy` if another process is making it, `BundleExists` if it is there already or the unfinished one has
    other contents. `check_space` before the run, `finish` after it; leaving the block, or `park`, keeps what there is
    for the next run.
    """

    blobs_per_repository = False
    mounts: None = None
    refers: None = None
    request_costs: RequestCosts | None = None

    def __init__(self, path: Path | str, blueprint: Blueprint) -> None:
        self.path = Path(path)
        self.locator = f"bundle:{self.path}"
        self._blueprint = blueprint
        self.read: Read = lambda _length: None  # gets the numbers of bytes of an earlier run that are read again
        self._cut = blueprint.cut
        self._members = {member.digest: member for member in blueprint.ledger.blobs}
        self._manifests = blueprint.contents.manifest_of
        self._files = Unfinished(self.path, blueprint)
        self._progress = self._files.progress
        self._active: set[Digest] = set()
        self._state = threading.RLock()
        self._started = False
        self._sums = Sums(self._cut, self._files.path, self._progress)
        self._flusher = Flusher(self._files.sync)
        lost = [member for member in blueprint.members if not self._files.reach(member)]
        self._frontier = Frontier(
            members=blueprint.members,
            end=blueprint.end,
            proved=self._progress.synced - {member.key for member in lost},
            sums=self._sums,
            flusher=self._flusher,
        )
        self._gathers = BundleGathers(
            cut=self._cut,
            path_of=self._files.path,
            progress=self._progress,
            frontier=self._frontier,
            lacking=self._lacking,
            put_manifest=self.put_manifest,
        )

    # --- before

    @property
    def missing_bytes(self) -> int:
        """The number of bytes still to be written, by the journal."""
        return self._missing()

    def _missing(self) -> int:
        done, parts = self._progress.done, self._progress.parts
        written = (
            member.size if member.key in done else parts.get(member.key, 0) for member in self._blueprint.members
        )
        return self._cut.size - sum(written)

    def check_space(self, beside: int = 0) -> None:
        """Raises `DiskFull`, with the numbers, if the disk has too little room for the rest.

        `beside` is the number of bytes that other files will take.
        """
        if self._progress.whole:
            return
        unallocated = self._cut.size - self._files.allocated_bytes()
        self._files.check_space(max(0, min(self.missing_bytes, unallocated)) + beside)

    def start(self) -> None:
        """Write what is known beforehand: head, extra files, manifests. If not called, the first `begin` does it.

        Raises `DiskFull`, `LocalError`, and `DigestMismatch` or `SizeMismatch` if an extra file has changed.
        """
        with self._state:
            if self._started:
                return
            if not self._progress.whole:
                with self._files.telling_numbers(self._missing):
                    self._files.create()
                    self._write_head()
                    self._write_manifests()
                self._write_extras()
            self._frontier.start(self._manifests)
            self._started = True

    def _write_head(self) -> None:
        if has_head(self._blueprint, self._files.path):
            return
        if self._progress.sums:
            self._progress.forget_sums()  # the signature is another one
        with StreamWriter(self._cut, self._files.path, 0) as writer:
            for chunk in joined(self._blueprint.head_pieces()):
                writer.write(chunk)

    def _write_manifests(self) -> None:
        for digest, manifest in sorted(self._manifests.items()):
            member = self._members[digest]
            with StreamWriter(self._cut, self._files.path, starts(member)) as writer:
                writer.write(header(member.path, member.size) + manifest.raw + bytes(padding(member.size)))

    def _write_extras(self) -> None:
        extras = {extra.name: extra for extra in self._blueprint.contents.extras}
        for member in self._blueprint.ledger.extras:
            if not self._is_proved(member):
                with self._ingesting(member) as ingest:
                    ingest.write(extras[member.name].chunks(ingest.offset))
                    ingest.commit()

    # --- Ingests

    def begin(
        self,
        repository: str,  # noqa: ARG002 - one pool for all
        descriptor: Descriptor,
    ) -> AbstractContextManager[BundleIngest | FinishedIngest]:
        """Begin a blob, or go on where an earlier run stopped. Leaving the block without commit keeps its bytes.

        Raises `Refused` for a blob that is not in the blueprint, `Busy` while another thread writes it.
        """
        member = self._planned(descriptor)
        self.start()
        return contextlib.nullcontext(FinishedIngest(member)) if self._is_proved(member) else self._ingesting(member)

    @property
    def gathers(self) -> BundleGathers:
        """It can store many small blobs at once."""
        return self._gathers

    def _lacking(self, descriptor: Descriptor) -> Stored | None:
        member = self._planned(descriptor)
        self.start()
        return None if self._is_proved(member) else member

    def _planned(self, descriptor: Descriptor) -> Stored:
        member = self._members.get(descriptor.digest)
        if member is None or member.size != descriptor.size:
            raise Refused(
                f"{self.locator} was not planned to hold blob {descriptor.digest.short} of {descriptor.size} bytes",
                subject=descriptor.digest,
            )
        return member

    @contextmanager
    def _ingesting(self, member: Stored) -> Iterator[BundleIngest]:
        with self._claimed(member), self._files.telling_numbers(self._missing):
            ingest = BundleIngest(
                member, cut=self._cut, path_of=self._files.path, progress=self._progress, frontier=self._frontier
            )
            try:
                yield ingest
            finally:
                ingest.leave()

    @contextmanager
    def _claimed(self, member: Stored) -> Iterator[None]:
        with self._state:
            if member.key in self._active:
                raise Busy(f"blob {member.digest.short} is being written already", subject=member.digest)
            self._active.add(member.key)
        try:
            yield
        finally:
            with self._state:
                self._active.discard(member.key)

    def _is_proved(self, member: Stored) -> bool:
        """Whether a member is there. One that was done before a crash is hashed first."""
        if member.key in self._frontier:
            return True
        if member.key not in self._progress.done:
            return False
        if not is_whole(member, self._cut, self._files.path, self.read):
            self._progress.note_lost(member.key)
            return False
        self._frontier.finished(member)
        return True

    # --- Names

    def put_manifest(
        self,
        name: Name,
        manifest: Manifest,
        *,
        part: bool = False,  # noqa: ARG002 - the layout of the bundle says what is listed
        sparse: bool = False,  # noqa: ARG002 - and what is left out
    ) -> None:
        """Note that a manifest is complete; `start` has written its bytes. Everything that it needs must be there.

        Raises `Refused` for a manifest that is not in the blueprint, `BlobUnknown` or `ManifestUnknown` if something
        that it needs is missing.
        """
        if manifest.digest not in self._manifests:
            raise Refused(f"{self.locator} was not planned to hold the manifest of {name}", subject=str(name))
        self.start()
        for blob in manifest.blobs:
            member = self._members.get(blob.digest)  # blobs that are no members are prerequisites
            if member is not None and not self._is_proved(member):
                raise BlobUnknown(f"{manifest.digest.short} needs blob {blob.digest.short}", subject=blob.digest)
        for child in manifest.manifests:
            if child.digest in self._manifests and child.digest not in self._progress.done:
                raise ManifestUnknown(f"{manifest.digest.short} needs {child.digest.short}", subject=child.digest)
        if manifest.digest not in self._progress.done:
            self._progress.note_done(manifest.digest)

    # --- Resolves and Reads: an unfinished bundle has blobs, but no names

    def resolve(self, name: Name) -> Descriptor:
        """Raises `NotFound` always, so that a plan lists every step; those that are done already cost nothing."""
        raise ManifestUnknown(f"{self.locator} is not finished and has no {name}", subject=str(name))

    def fetch(self, name: Name) -> Manifest:
        """Raises `NotFound` always: an unfinished bundle has no names."""
        raise ManifestUnknown(f"{self.locator} is not finished and has no {name}", subject=str(name))

    def tags(self, repository: str) -> Iterator[str]:
        """Raises `RepositoryUnknown` always: an unfinished bundle has no names."""
        raise RepositoryUnknown(f"{self.locator} is not finished and has no tags", subject=repository)

    def repositories(self) -> Iterator[str]:
        """None: an unfinished bundle has no names."""
        return iter(())

    def exists(self, repository: str, descriptor: Descriptor) -> bool:  # noqa: ARG002 - one pool for all
        """Whether this blob is written and verified; for a manifest, whether everything below it is there too."""
        member = self._members.get(descriptor.digest)
        if member is None or member.size != descriptor.size or not self._is_proved(member):
            return False
        manifest = self._manifests.get(descriptor.digest)
        if manifest is None:
            return True
        below = (*manifest.blobs, *manifest.manifests)
        return manifest.digest in self._progress.done and all(
            self.exists("", child) for child in below if child.digest in self._members
        )

    @contextmanager
    def open(
        self,
        repository: str,  # noqa: ARG002 - one pool for all
        descriptor: Descriptor,
        offset: int = 0,
        length: int | None = None,
    ) -> Iterator[Iterator[Chunk]]:
        """Bytes of a written blob from `offset`, `length` of them (to the end when None). Raises `BlobUnknown`."""
        member = self._members.get(descriptor.digest)
        if member is None or member.size != descriptor.size or not self._is_proved(member):
            raise BlobUnknown(f"{self.locator} has no blob {descriptor.digest.short} yet", subject=descriptor.digest)
        with StreamReader(self._cut, self._files.path, member.offset + offset) as reader:
            wanted = member.size - offset if length is None else length
            yield exactly(reader.chunks(wanted), wanted, f"blob {member.digest.short}", member.digest)

    # --- after

    def finish(self, back: ReadBack | None = None, read: Read = lambda _length: None) -> tuple[Path, ...]:
        """Check that everything is there, flush it, and rename the volumes; returns their paths and `SHA256SUMS`.

        With `back`, the volumes are read from the medium before they get their names, and compared; `read` gets the
        numbers of bytes. Raises `BlobUnknown` if something is missing, `DiskFull`, `MediumDamaged`; it can be called
        again in the next run.
        """
        self.start()
        missing = [member for member in self._blueprint.members if not self._is_proved(member)]
        if missing:
            raise BlobUnknown(
                f"the bundle is not complete: {len(missing)} of {number_of(len(self._blueprint.members), 'blob')} "
                f"{'is' if len(missing) == 1 else 'are'} missing, "
                f"{in_words(sum(member.size for member in missing))}",
                subject=missing[0].digest,
                hint="run the same command again, it goes on where this one stopped",
            )
        self._flusher.stop()
        if not self._progress.whole:
            with self._files.telling_numbers(lambda: len(END)):
                with StreamWriter(self._cut, self._files.path, self._blueprint.end) as writer:
                    writer.write(END)
                self._frontier.close(self._cut.size)
                self._files.sync()
        self._frontier.close(self._cut.size)
        sums = self._sums.result()
        if self._progress.whole:
            files = self._files.publish(sums)
            if back is not None:
                check_finished(self.path, self._blueprint, back, read)
            return files
        if back is not None:
            self._check_medium(sums, back, read)
        self._progress.note_whole()
        return self._files.publish(sums)

    def _check_medium(self, sums: Mapping[int, str], back: ReadBack, read: Read) -> None:
        """Raises `MediumDamaged` if the medium gives back other bytes; the next run writes those pieces again."""
        members = self._blueprint.members
        spoilt = spoilt_pieces(members, self._cut, self._files.path, sums, back, read)
        if not spoilt:
            return
        self._progress.forget_sums()
        for piece in spoilt:
            wrong = (piece.member,) if piece.member else members
            for member in wrong:
                self._progress.note_lost(member.key)
        raise error_about(spoilt)

    def park(self) -> None:
        """Leave everything so that the next run goes on here. Does nothing after `finish`."""
        self._sums.stop()
        self._flusher.stop()
        self._progress.close()

    def __enter__(self) -> BundleWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.park()
