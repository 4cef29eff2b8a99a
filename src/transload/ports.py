"""What a store may be able to do: the few small protocols that the planner and the engine know.

A registry, an OCI layout folder, an archive and a bundle are stores. Required powers are methods; optional powers
are attributes that are an object or None. `transload.testing.contract` proves any implementation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from io import FileIO
from pathlib import Path
from typing import Protocol

from transload.files import Folder
from transload.oci import Descriptor, Digest, Manifest, Name
from transload.values import frozen

Chunk = bytes | bytearray | memoryview
"""A piece of content. It may be a view of a buffer that is used again, so copy what you need before the next chunk."""


@frozen(kw_only=True)
class RequestCosts:
    """How many requests a store's operations take, so that a plan can state its cost. `small_blob_bytes` in bytes.

    A blob of more than `one_read_bytes` may be read in several requests, so that it takes at least `open`.
    Without `mounts_known` a mount may be refused, which takes more; without `ingests_known` an upload may take more.
    `note_referrer` are those beside `put_manifest` for a manifest that refers to another one.
    """

    open: int = 1
    small_blob_bytes: int = 1 << 20
    ingest_small: int = 2
    ingest_large: int = 3
    mount: int = 1
    put_manifest: int = 1
    note_referrer: int = 0
    one_read_bytes: int | None = None
    mounts_known: bool = True
    ingests_known: bool = True

    def reads_at_once(self, size: int) -> bool:
        """Whether a blob of `size` bytes is read by one request for certain."""
        return self.one_read_bytes is None or size <= self.one_read_bytes

    def ingest(self, size: int) -> int:
        """Requests to upload a blob of `size` bytes."""
        return self.ingest_small if size <= self.small_blob_bytes else self.ingest_large


class Resolves(Protocol):
    """Finds what a name stands for, and lists names."""

    def resolve(self, name: Name) -> Descriptor:
        """The descriptor that `name` stands for. Raises `NotFound`."""
        ...

    def fetch(self, name: Name) -> Manifest:
        """The manifest that `name` stands for, its bytes verified. Raises `NotFound`, `CorruptError`."""
        ...

    def tags(self, repository: str) -> Iterator[str]:
        """Every tag of a repository, in the store's order. Raises `RepositoryUnknown`, possibly at the first step."""
        ...

    def repositories(self) -> Iterator[str]:
        """Every repository that the store lists. Raises `Refused` where the store keeps no list."""
        ...


class Reads(Protocol):
    """Reads content by its descriptor.

    A store may have a method `ends_readings`: whether all work is to end, so that each reading raises `Interrupted` by
    itself, as soon as it has handed on what had arrived.
    """

    def exists(self, repository: str, descriptor: Descriptor) -> bool:
        """Whether the repository holds this blob or manifest, with this size if the store knows sizes."""
        ...

    def open(
        self, repository: str, descriptor: Descriptor, offset: int = 0, length: int | None = None
    ) -> AbstractContextManager[Iterator[Chunk]]:
        """Bytes of a blob from `offset`, `length` of them (to the end when None). Raises `BlobUnknown`.

        The iterator ends after exactly the promised bytes or raises: `Truncated`, `Unreachable`, `SizeMismatch`.
        The reader checks the digest, because a part of a blob has none.
        """
        ...


class Ingest(Protocol):
    """One blob on its way into a store. It is invisible until `commit`. Without commit it is parked, if possible.

    One that sends bytes on has an attribute `when_sent`, which it calls when the last byte is on its way.
    """

    @property
    def offset(self) -> int:
        """How many bytes the store already has: the position of the next byte."""
        ...

    def write(self, chunks: Iterable[Chunk]) -> None:
        """Take bytes from `offset` on. An error of `chunks` passes through unchanged."""
        ...

    def commit(self) -> None:
        """Check digest and size, then make the blob visible. Raises `DigestMismatch`, `SizeMismatch`."""
        ...

    def abandon(self) -> None:
        """Drop what has arrived."""
        ...


class Ingests(Protocol):
    """Stores blobs."""

    def begin(self, repository: str, descriptor: Descriptor) -> AbstractContextManager[Ingest]:
        """Begin a blob, or continue an unfinished one. Leaving the block without commit parks it, if possible."""
        ...


class UploadNotes(Protocol):
    """Keeps where unfinished uploads go on, so that a later process can find them."""

    def address(self, repository: str, digest: Digest) -> str | None:
        """Where an upload of this blob goes on; None if none is noted. It is a hint, which the store checks."""
        ...

    def note_address(self, repository: str, digest: Digest, address: str | None) -> None:
        """Remember where the upload of a blob goes on; with None, that it has ended. Does not raise."""
        ...


class Continues(Protocol):
    """Goes on with uploads that an earlier process began (`continues`)."""

    def keep_notes(self, notes: UploadNotes | None) -> None:
        """From now on note where uploads go on, and go on with noted ones; with None, do neither."""
        ...

    @property
    def kept_bytes(self) -> int:
        """How many bytes of unfinished uploads the store is known to keep."""
        ...

    def cancel(self, repository: str, digest: Digest, address: str) -> None:
        """Drop a noted upload with which nobody will go on. It is not an error if the store does not let us."""
        ...


class Names(Protocol):
    """Stores manifests, under a tag or under their digest only."""

    def put_manifest(self, name: Name, manifest: Manifest, *, part: bool = False, sparse: bool = False) -> None:
        """Store `manifest` and let `name` stand for it; its blobs and child manifests must be there.

        `part`: an index that needs it will follow, or its own tag, so a store that keeps a list need not list it
        separately. `sparse`: children of an index were left out on purpose; not every store accepts that. If the
        manifest has a subject, the list of its referrers is updated. Raises `NotFound` if the store notices that a
        needed part is missing,
        `ReadOnly`, `AccessDenied`.
        """
        ...


class Mounts(Protocol):
    """Makes a blob of one repository visible in another without moving bytes."""

    def mount(self, descriptor: Descriptor, origin: str, repository: str) -> bool:
        """Whether the blob is in `repository` now; if False, its bytes have to be sent."""
        ...


class Refers(Protocol):
    """Knows what refers to a manifest (signatures, SBOMs, attestations)."""

    def referrers(self, repository: str, digest: Digest) -> tuple[Descriptor, ...]:
        """Descriptors of the manifests whose subject is `digest`; empty if there are none."""
        ...


class NotesReferrers(Protocol):
    """A store that may leave the lists of referrers to its clients (`noting`), which costs them requests."""

    def requests_to_note(self, repository: str, digest: Digest) -> int:
        """How many requests it takes to note a referrer of `digest`; 0 if the store does it. May ask the store.

        Raises what asking who refers to it raises.
        """
        ...


class Claim(Protocol):
    """What one run wants of `Lanes`: `at_a_time` of its bodies may move now. Nothing here waits."""

    @property
    def at_a_time(self) -> int: ...  # noqa: D102 - see above

    def has_room(self, under_way: int) -> bool:
        """Whether a further body may begin, when `under_way` bodies of this run move."""
        ...

    def want(self, count: int, heavy: int) -> None:
        """So many bodies move, or could begin now. What the `heavy` ones do not need can go to parts of others."""
        ...


class Lanes(Protocol):
    """How many bodies may move at a time at a store, in one direction. It changes with what is measured."""

    @property
    def at_a_time(self) -> int: ...  # noqa: D102 - see above

    def claim(self, most: int, changed: Callable[[], None], *, leads: bool = True) -> AbstractContextManager[Claim]:
        """For as long as the block lasts, a run uses these lanes: at most `most` of them, whatever they carry.

        With `leads` False it is the other side of the copy that finds the number; this one can only ask for fewer.
        `changed` is called by any thread when there may be room. It must not wait for a thread that calls here.
        """
        ...


class Streams(Protocol):
    """How many bodies a store carries at a time (`streams`; None or absent for a store of this machine)."""

    @property
    def reading(self) -> Lanes: ...  # noqa: D102 - see above

    @property
    def writing(self) -> Lanes: ...  # noqa: D102 - see above


class HasPaths(Protocol):
    """Knows the file of a blob on a local disk (`paths`), so that the kernel can send it."""

    def path(self, digest: Digest) -> Path:
        """An existing file with exactly the blob's bytes. Raises `BlobUnknown`."""
        ...

    def file(self, digest: Digest) -> FileIO:
        """The same file, open for reading, because its path may change. Raises `BlobUnknown`, `LocalError`."""
        ...


class Doubts(Protocol):
    """Remembers which blobs were found damaged (`doubts`), so that the next run brings them again."""

    def note(self, digest: Digest) -> None:
        """Note that a blob has other bytes than its digest says. Raises `LocalError` if nothing can be written."""
        ...


class KnowsSizes(Protocol):
    """Knows the size of a blob by its digest alone (`sizes`): a URL of the distribution API has no more."""

    def size(self, repository: str, digest: Digest) -> int:
        """The size in bytes of a blob that the repository holds. Raises `BlobUnknown`."""
        ...


class Lists(Protocol):
    """Keeps a list of its images, so that those without a tag are found too (`lists`; a registry has none)."""

    def untagged(self) -> Iterator[Name]:
        """Every listed image without a tag, by its digest; the repository is empty where the list has none.

        A manifest that belongs to another one in the store (a child of an index, a referrer) is not counted.
        """
        ...


class Sparse(Protocol):
    """Remembers which children of an index were left out on purpose (`sparse`): they do not count as missing."""

    def left_out(self, repository: str, digest: Digest) -> frozenset[Digest]:
        """Children of this index that are absent on purpose; empty for anything else."""
        ...


class Source(Resolves, Reads, Protocol):
    """A store to copy from."""

    @property
    def locator(self) -> str:
        """The store as people write it on the command line; it never contains a secret."""
        ...

    @property
    def refers(self) -> Refers | None:
        """Referrers, where the store knows them."""
        ...

    @property
    def request_costs(self) -> RequestCosts | None:
        """How many requests its operations take; None for a local store."""
        ...


class Target(Source, Ingests, Names, Protocol):
    """A store to copy to. It can also be read: every target is a source."""

    @property
    def blobs_per_repository(self) -> bool:
        """Whether each repository holds blobs of its own (a registry), rather than one pool for all (a layout)."""
        ...

    @property
    def mounts(self) -> Mounts | None:
        """Cross-repository mounts, where the store has them."""
        ...


class Spools(Protocol):
    """Makes a blob of a file, for uploads, whose digest is known only after the bytes.

    So the bytes are written and hashed once. An upload's file outlives the process, which may be killed. A
    later one, or another one at the same time, goes on with it.
    """

    def spool_file(self, identifier: str) -> tuple[Folder, str]:
        """A folder on the file system of the store, invisible to its readers, and the name of this upload's file in it.

        An identifier (letters, digits, hyphens) leads to the same file in every process. The store deletes a file
        that nobody has written to for a day or more. Raises `LocalError`.
        """
        ...

    def spooled(self) -> Iterable[str]:
        """The identifiers of the uploads whose files are there, of any process. Raises `LocalError`."""
        ...

    def adopt(self, repository: str, descriptor: Descriptor, name: str) -> None:
        """Make the file called `name` in that folder the blob; the caller has checked its digest. The file moves.

        Raises `SizeMismatch`, `LocalError`; then the file stays where it is.
        """
        ...


class Lenient(Protocol):
    """Stores manifests whose parts are missing, for a server that is set to allow it."""

    def point_lacking(self, name: Name, manifest: Manifest) -> None:
        """Store `manifest` like `Names.put_manifest`, although parts of it are absent.

        Absent children of an index count as left out on purpose, absent blobs as missing.
        """
        ...


class Deletes(Protocol):
    """Deletes names and content."""

    def delete_manifest(self, name: Name) -> None:
        """Delete a tag, or a manifest with every tag of the repository that stands for it.

        Deleting a tag never deletes other tags. Raises `ManifestUnknown`; `Refused` if the store cannot delete only the
        tag, or if something else needs the manifest.
        """
        ...

    def delete_blob(self, repository: str, digest: Digest) -> None:
        """Make a blob invisible in a repository. Raises `BlobUnknown`, `Refused`."""
        ...


@frozen(kw_only=True)
class Pruned:
    """What `Prunes.prune` deleted: names, and the sizes in bytes of manifests and blobs."""

    names: frozenset[Name]
    content: Mapping[Digest, int]


class Prunes(Protocol):
    """Deletes many names at once, with all that only they need, in one change of a list (`prunes`)."""

    def prune(self, names: Mapping[Name, Digest], content: Mapping[Digest, int]) -> Pruned:
        """Delete `names` that still stand for these digests, then what of `content` nothing needs any more.

        `content` has the sizes in bytes of manifests and blobs. What an earlier call did not finish is deleted too.
        Raises `CorruptError` if a manifest that stays cannot be read (then nothing is deleted), `Busy`, `LocalError`.
        """
        ...

    def listed(self) -> Iterable[Digest]:
        """The digest of every manifest in the list, with or without a name, each once."""
        ...

    def stored(self, older_than_s: float) -> Mapping[Digest, int]:
        """The sizes in bytes of all content that nobody has written to for so long, needed or not."""
        ...

    def unfinished(self) -> Mapping[Digest, int]:
        """Content, with its sizes in bytes, that an earlier call began to delete; killed, it did not end."""
        ...
