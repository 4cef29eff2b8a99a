"""The bundle as a source: blobs are read directly from the volumes, without unpacking.

Nothing from a bundle is trusted before it is verified: the ledger by its signature if a key is demanded, manifests by
their digests when they are read, blobs by their digests at the target. If a volume is missing or damaged, only the
blobs in it, and the images that need them, cannot be read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

from transload.bundle.format.blueprint import starts
from transload.bundle.format.entries import LedgerImage, Stored, StoredBlob
from transload.bundle.format.keys import PublicKey, Signature
from transload.bundle.format.ledger import Ledger
from transload.bundle.format.member import Read, check_header
from transload.bundle.format.stream import StreamReader
from transload.bundle.reading.accounts import check_accounts, contradiction
from transload.bundle.reading.checking import CheckedPart, check, lacking, volumes_of
from transload.bundle.reading.damage import check_mended, problem_of
from transload.bundle.reading.entry import open_located
from transload.bundle.reading.locating import Located
from transload.bundle.reading.manifests import Referring, referring, sharing
from transload.bundle.reading.mending import Mender, MendingReader
from transload.bundle.reading.pieces import InVolumes
from transload.bundle.reading.together import ReadsTogether
from transload.bundle.reading.volumefiles import Ask, Volumes
from transload.errors import (
    BlobUnknown,
    ManifestUnknown,
    NotFound,
    PrerequisiteMissing,
    RepositoryUnknown,
    SizeMismatch,
    TransloadError,
    Truncated,
)
from transload.files import exactly
from transload.limits import MANIFEST_BYTES
from transload.oci import Descriptor, Digest, Manifest, Name
from transload.oci.reference import tags_by_repository
from transload.ports import Chunk, RequestCosts


class BundleStore:
    """The bundle at `path`: its name without `.tar`, one of its files, or the folder that it is alone in.

    Several paths name several folders to look in. With `verifier`, nothing that its key did not sign is read. `ask` is
    called when a volume is needed that is not there. If the bundle has recovery volumes, what is damaged or missing is
    made again while it is read; `mended` gets a sentence about each such volume, once. Raises `NotFound`, and what
    `opening.open_bundle` raises.
    """

    request_costs: RequestCosts | None = None

    def __init__(
        self,
        path: Path | str | Sequence[Path | str],
        *,
        verifier: PublicKey | None = None,
        ask: Ask | None = None,
        mended: Callable[[str], None] = lambda _sentence: None,
    ) -> None:
        located = Located([Path(path)] if isinstance(path, (str, Path)) else [Path(folder) for folder in path])
        self.locator = f"bundle:{located.label}"
        self.mended = mended
        opened, self._mender = open_located(located, verifier)
        self.ledger: Ledger = opened.ledger
        self.digest: Digest = opened.digest
        self.verifier = verifier
        self.signature: Signature | None = opened.signature
        self.verified: bool = opened.verified
        self.foreign_recovery = tuple(located.own_recovery_files()) if self._mender is None else ()
        """Files with the names of recovery volumes of this bundle, if there is no mender: none of them can be used."""
        self.journal = located.journal()
        self._volumes = Volumes(located, self.ledger, ask)
        self.cut = self._volumes.cut
        """How the stream is cut here. Joined volumes are not cut, whatever the ledger says."""
        if self._mender is not None:
            self._mender.listen(lambda number: self.mended(self._mended(number)))

    @property
    def refers(self) -> BundleStore:
        """Itself: it finds referrers by reading every manifest once."""
        return self

    @property
    def lists(self) -> BundleStore:
        """Itself: the ledger lists images without a tag too."""
        return self

    @property
    def sparse(self) -> BundleStore:
        """Itself: the ledger says what was left out on purpose."""
        return self

    @property
    def sizes(self) -> BundleStore:
        """Itself: the ledger has every size."""
        return self

    @property
    def asks(self) -> bool:
        """Whether `ask` is called for a missing volume."""
        return self._volumes.asks

    # --- Resolves

    def resolve(self, name: Name) -> Descriptor:
        """The descriptor that `name` stands for. Raises `NotFound`.

        An image that was left out of the bundle has one too, so that the target can be asked for it.
        """
        image = self._image(name)
        return image.image.root if image is not None and image.image.present else self._manifest(name).descriptor

    def fetch(self, name: Name) -> Manifest:
        """The manifest that `name` stands for, its bytes verified. Raises `NotFound`, and what `open` raises.

        Raises `PrerequisiteMissing` for an image that was left out, `LedgerTampered` for a manifest that needs content
        which the ledger does not list: such a bundle was never complete.
        """
        image = self._image(name)
        if image is not None and image.image.present:
            raise PrerequisiteMissing(
                f"{name} was left out of {self.locator}, the target should have it: {image.image.root.digest}",
                subject=str(name),
                hint="push the bundle that brought it first, or pack it again without --against",
            )
        manifest = self._read(self._manifest(name))
        check_accounts(self.ledger, manifest, self.left_out("", manifest.digest))
        return manifest

    def left_out(self, repository: str, digest: Digest) -> frozenset[Digest]:  # noqa: ARG002 - one pool for all
        """Children of this index that the bundle leaves out on purpose; empty for anything else."""
        images = (self.ledger.images[position].image for position in self.ledger.needed_by.get(digest, ()))
        return frozenset(child for image in images for child in image.left_out)

    def _image(self, name: Name) -> LedgerImage | None:
        """The image that a name means, also one that was left out."""
        if name.tag is not None and name.digest is None:
            return self.ledger.by_name.get(name)
        return self.ledger.by_place.get((name.repository, name.digest)) if name.digest else None

    def tags(self, repository: str) -> Iterator[str]:
        """Every tag of a repository, in the order of the ledger. Images that were left out are not among them.

        Raises `RepositoryUnknown`.
        """
        if repository not in self._tags:
            raise RepositoryUnknown(f"{self.locator} has no repository {repository}", subject=repository)
        return iter(self._tags[repository])

    def repositories(self) -> Iterator[str]:
        """Every repository of the ledger that has an image in the bundle."""
        return iter(self._tags)

    def untagged(self) -> Iterator[Name]:
        """Every image in the bundle that has no tag, by its digest; those without a repository come last."""
        return iter(sorted((name for name in self._here if not name.tag), key=lambda name: not name.repository))

    @cached_property
    def _tags(self) -> Mapping[str, Sequence[str]]:
        return tags_by_repository(self._here)

    @property
    def _here(self) -> Iterator[Name]:
        return (entry.image.name for entry in self.ledger.images if not entry.image.present)

    def _manifest(self, name: Name) -> StoredBlob:
        image = self._image(name)
        digest = name.digest or (image.image.root.digest if image else None)
        stored = self.ledger.by_digest.get(digest) if digest else None
        if image is not None and (stored is None or stored.descriptor != image.image.root):
            raise contradiction(f"it lists {image.image.name}, but no manifest as it should be")
        if stored is None or not stored.descriptor.is_manifest:
            raise ManifestUnknown(f"{self.locator} has no {name}", subject=str(name))
        return stored

    def _read(self, stored: StoredBlob) -> Manifest:
        manifest = Manifest.parse(self._raw(stored), stored.descriptor.media_type, stored.digest)
        return sharing(self.ledger, manifest)

    def _raw(self, stored: StoredBlob) -> bytes:
        """The bytes of a manifest, which are not verified yet."""
        if stored.size > MANIFEST_BYTES:
            raise SizeMismatch(f"manifest {stored.digest.short} has {stored.size} bytes", subject=stored.digest)
        with self.open("", stored.descriptor) as chunks:
            return b"".join(map(bytes, chunks))

    # --- Reads, Sizes

    def exists(self, repository: str, descriptor: Descriptor) -> bool:  # noqa: ARG002 - one pool for all
        """Whether the ledger lists this blob or manifest with this size. Reads no volume."""
        stored = self.ledger.by_digest.get(descriptor.digest)
        return stored is not None and stored.size == descriptor.size

    def size(self, repository: str, digest: Digest) -> int:  # noqa: ARG002 - one pool for all
        """How many bytes a blob has, as the ledger says. Raises `BlobUnknown`."""
        return self._stored(digest).size

    def _stored(self, digest: Digest) -> StoredBlob:
        stored = self.ledger.by_digest.get(digest)
        if stored is None:
            raise BlobUnknown(f"{self.locator} has no blob {digest.short}", subject=digest)
        return stored

    @contextmanager
    def open(
        self,
        repository: str,  # noqa: ARG002 - one pool for all
        descriptor: Descriptor,
        offset: int = 0,
        length: int | None = None,
    ) -> Iterator[Iterator[Chunk]]:
        """Bytes of a blob or manifest from `offset`, `length` of them (to the end when None).

        Raises `VolumeMissing`, `VolumeTruncated`, `VolumeForeign`, `VolumeSwapped`, `MemberUnsafe`, `MemberDamaged`.
        """
        stored = self._stored(descriptor.digest)
        descriptor.check_size(stored.size, self.locator)
        with self._opened(stored, offset, stored.size - offset if length is None else length) as chunks:
            yield chunks

    def _place_of(self, descriptor: Descriptor, offset: int, length: int) -> int:
        stored = self._stored(descriptor.digest)
        descriptor.check_size(stored.size, self.locator)
        return self._place_in(stored, offset, length)

    @contextmanager
    def open_extra(self, name: str) -> Iterator[Iterator[Chunk]]:
        """The bytes of an extra file. Raises `NotFound`, and what `open` raises."""
        stored = next((extra for extra in self.ledger.extras if extra.name == name), None)
        if stored is None:
            raise NotFound(f"{self.locator} has no file {name}", subject=name)
        with self._opened(stored, 0, stored.size) as chunks:
            yield chunks

    @contextmanager
    def _opened(self, stored: Stored, offset: int, wanted: int) -> Iterator[Iterator[Chunk]]:
        with self._reader(self._place_in(stored, offset, wanted)) as reader:
            yield self._chunks(reader, wanted, stored.digest)

    @cached_property
    def reads_many(self) -> ReadsTogether | None:
        """It can read many small blobs at once, if nothing has to be asked for or made again."""
        return None if self.in_files is None else ReadsTogether(self.ledger, self._volumes.path)

    @cached_property
    def in_files(self) -> InVolumes | None:
        """Where its blobs lie, if nothing has to be asked for or made again."""
        return None if self._volumes.asks or self._mender else InVolumes(self.cut, self._volumes.path, self._place_of)

    def _chunks(self, reader: StreamReader, wanted: int, digest: Digest) -> Iterator[Chunk]:
        try:
            yield from exactly(reader.chunks(wanted), wanted, f"blob {digest.short}", digest)
        except Truncated:
            self._check_reach(reader.offset, 1)
            raise

    def _place_in(self, stored: Stored, offset: int, wanted: int) -> int:
        """Where in the stream bytes of a member begin. If they are not there, this fails before the first one."""
        self._check_header(stored)
        if not self._volumes.asks:
            self._check_reach(stored.offset + offset, wanted)
        return stored.offset + offset

    def _check_header(self, stored: Stored) -> None:
        """Check the header, if it is in the same volume as the content. The digest proves more than the header."""
        if len(volumes_of(stored, self.cut)) == 1:
            self._check_reach(starts(stored), stored.offset - starts(stored))
            with self._reader(starts(stored)) as reader:
                check_header(reader, stored)

    def _reader(self, offset: int) -> StreamReader:
        if self._mender is None:
            return StreamReader(self.cut, self._volumes.path, offset)
        return MendingReader(self._mender, self.cut, self._volumes.path, offset)

    def _check_reach(self, offset: int, length: int) -> None:
        if self._mender is not None:  # what is missing may be made again
            return
        for span in self.cut.spans(offset, length):
            self._volumes.check_size(span.volume, span.offset + span.length)

    # --- Refers

    def referrers(self, repository: str, digest: Digest) -> tuple[Descriptor, ...]:  # noqa: ARG002 - one pool for all
        """Descriptors of the manifests whose subject is `digest`; empty if there are none.

        If a manifest cannot be read that may be one of them, raises its error.
        """
        for stored, error in self._referring.unread:
            if digest not in self.ledger.by_digest or self._go_together(digest, stored.digest):
                raise error
        return self._referring.referrers.get(digest, ())

    def _go_together(self, digest: Digest, other: Digest) -> bool:
        return not set(self.ledger.needed_by[digest]).isdisjoint(self.ledger.needed_by[other])

    @cached_property
    def _referring(self) -> Referring:
        return referring(self.ledger, self._raw, self.locator)

    # --- volumes, and whether they are right

    def volumes_of(self, image: LedgerImage) -> tuple[int, ...]:
        """The numbers of the volumes that an image needs."""
        needed = (volumes_of(self.ledger.blobs[position], self.cut) for position in image.blobs)
        return tuple(sorted({volume for volumes in needed for volume in volumes}))

    def images_in(self, volume: int) -> tuple[Name, ...]:
        """The images that need content from a volume."""
        return tuple(entry.image.name for entry in self.ledger.images if volume in self.volumes_of(entry))

    def check(self, read: Read = lambda _length: None) -> Iterator[CheckedPart]:
        """Check every volume, then read and check every member in order; see `checking.check`."""
        if self._mender is None:
            return check(self.ledger, self._volumes, self._reader, read)
        return check_mended(self.ledger, self._volumes, self._reader, self._mender, read)

    def lacking(self) -> Iterator[CheckedPart]:
        """Volumes that are missing, incomplete or another one. No blob is read."""
        return lacking(self.ledger, self._volumes)

    # --- recovery volumes

    @property
    def mender(self) -> Mender | None:
        """What makes damaged and missing volumes again; None if there are no recovery volumes of this bundle."""
        return self._mender

    @property
    def name(self) -> str:
        """The name of the bundle."""
        return self._volumes.name

    @property
    def folder(self) -> Path:
        """The folder that was named."""
        return self._volumes.folder

    @property
    def whole(self) -> Path | None:
        """The file of the whole stream, if volumes were joined or the bundle is not cut."""
        return self._volumes.whole

    def file_name(self, volume: int) -> str:
        """The name of the file of a volume."""
        return self._volumes.file_name(volume)

    def problem_of(self, number: int) -> TransloadError | None:
        """What `check` has found wrong with the file of a volume or recovery volume, if there are recovery volumes."""
        return problem_of(self._mender, number) if self._mender else None

    @property
    def recovery_files(self) -> tuple[str, ...]:
        """The names that the files of the recovery volumes should have; none if the bundle has none."""
        numbers = self._mender.description.numbers[self._mender.description.volumes :] if self._mender else ()
        return tuple(self._mender.file_name(number) for number in numbers if self._mender)

    @property
    def lacking_recovery(self) -> tuple[str, ...]:
        """The names of recovery volumes that are missing or have a wrong size. Their content is not read."""
        if self._mender is None:
            return ()
        rows = self._mender.description.numbers[self._mender.description.volumes :]
        return tuple(self._mender.file_name(number) for number in rows if not self._mender.has_whole_file(number))

    def _mended(self, number: int) -> str:
        if self._mender is None:
            return ""
        what = "missing: what it held" if self._mender.named(number) is None else "damaged: what is wrong"
        return (
            f"{self._mender.file_name(number)} is {what} is made again from the recovery volumes while it is read; "
            f"transload repair {self.locator.partition(':')[2]} mends the bundle itself"
        )
