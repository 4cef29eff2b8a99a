"""An OCI image layout folder as a store that can be read and written, by several threads and processes at once.

What is written becomes visible in this order: blobs, each when its digest is verified; the manifest, which is a blob
too; and last its name, by replacing the whole `index.json` under a lock. Unfinished work is in `.transload/`, which
other tools ignore. Blobs belong to all repositories. Every manifest that is not only a part of another is listed in
`index.json`: under its name, by repository and digest, or without a name if it refers to another manifest (`subject`).
Manifests of Docker's family are stored unchanged, since bytes are identity; skopeo and podman ignore them here.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from transload.clock import SYSTEM_CLOCK, Clock
from transload.errors import (
    BlobUnknown,
    Busy,
    LocalError,
    ManifestUnknown,
    NotFound,
    Refused,
    RepositoryUnknown,
)
from transload.files import Folder, local_errors, read_file, replace_file
from transload.gathers import Put
from transload.layout.blobs import Blobs
from transload.layout.deleting import LayoutDeletes
from transload.layout.doubts import Doubts
from transload.layout.gathering import LayoutGathers
from transload.layout.indexfile import IndexFile
from transload.layout.ingest import LayoutIngest, ingesting, sweep
from transload.layout.names import LayoutNames
from transload.layout.pruning import LayoutPrunes
from transload.layout.space import check_space
from transload.layout.spools import LayoutSpools
from transload.layout.unused import absent_folders, take_away
from transload.limits import MANIFEST_BYTES, SMALL_JSON_BYTES
from transload.locks import awaited
from transload.oci import Descriptor, Digest, Manifest, Name
from transload.oci.imagelayout import INDEX, MARKER, VERSION, LayoutIndex, check_marker
from transload.oci.referrers import Listed, ListedReferrers
from transload.ports import Chunk, RequestCosts
from transload.values import evolve

_OWN = ".transload"
_UNFINISHED = (f".{INDEX}.", f".{MARKER}.")  # temporary files of `replace_file`


class LayoutStore:
    """The layout at `path`. With `create`, it is made if the folder is missing or empty.

    Raises `NotFound` if there is no layout, `Refused` if it has another version or the folder holds other files.
    `patience_s` is how long a change of `index.json` waits for another process before it raises `Busy`.
    """

    blobs_per_repository = False
    mounts: None = None
    request_costs: RequestCosts | None = None
    keeps_parts = True

    def __init__(
        self, path: Path | str, *, create: bool = False, clock: Clock = SYSTEM_CLOCK, patience_s: float = 30.0
    ) -> None:
        self.root = Path(path)
        self.locator = f"oci:{self.root}"
        self._clock = clock
        self._patience_s = patience_s
        self._index_file = IndexFile(self.root, clock)
        self._index, self._replace = self._index_file.read, self._index_file.replace
        self._folder = Folder(self.root)
        self._own = self._folder.inner(_OWN)
        self._may_create = create
        self._made: tuple[Path, ...] | None = None
        if create:
            self._create()
        self._check_version()
        self._blobs = Blobs(self.root)
        self._doubts = Doubts(self._own.inner("damaged"), self._blobs)
        self._referrers = ListedReferrers(
            lambda: self._index().descriptors,
            lambda descriptor: self._blobs.read(descriptor.digest, MANIFEST_BYTES + 1),
            read_many=self._blobs.contents,
        )
        self._deletes = LayoutDeletes(self._blobs, self._changing, self._index, self._replace)
        self._names = LayoutNames(
            blobs=self._blobs,
            referrers=self._referrers,
            exists=self.exists,
            keep=self._keep,
            changing=self._changing,
            index=self._index,
            replace=self._replace,
        )
        self._gathers = LayoutGathers(
            self._folder, self._own.inner("ingest"), self._names, prepare=self._prepare, arrived=self._doubts.settle
        )
        self._turn = threading.Lock()
        self._prepared = False

    @property
    def refers(self) -> ListedReferrers:
        """Referrers are found by looking at every manifest that is listed."""
        return self._referrers

    @property
    def lists(self) -> Listed:
        """What `index.json` lists without a tag."""
        index = self._index()
        return Listed(index.entries, index.names, self._referrers)

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences for people about names that several images have."""
        return self.lists.notes

    @property
    def sparse(self) -> LayoutStore:
        """What was left out of an index is noted in its entry in `index.json`."""
        return self

    def left_out(self, repository: str, digest: Digest) -> frozenset[Digest]:  # noqa: ARG002 - one pool for all
        """Children of this index that were left out on purpose and have not come since; empty for anything else."""
        index = self._index()
        return frozenset(child for child in index.left_out.get(digest, ()) if not self._blobs.has(child))

    @property
    def paths(self) -> Blobs:
        """Every blob is a file."""
        return self._blobs

    @property
    def doubts(self) -> Doubts:
        """It remembers which blobs were found damaged."""
        return self._doubts

    @property
    def lenient(self) -> LayoutStore:
        """It can store manifests whose parts are missing."""
        return self

    @property
    def spools(self) -> LayoutSpools:
        """It can make a blob of an upload's file."""
        return LayoutSpools(self._folder, self._own.inner("ingest"), self._prepare)

    @property
    def gathers(self) -> LayoutGathers:
        """It can store many small blobs, or many manifests, at once."""
        return self._gathers

    @property
    def reads_many(self) -> Blobs:
        """It can read many small blobs at once."""
        return self._blobs

    def exist(self, descriptors: Sequence[Descriptor]) -> list[bool]:
        """For each of these what `exists` says, for less than asking one after the other costs."""
        found = self._blobs.exist(descriptors)
        return [there and not self._doubts.confirms(each) for there, each in zip(found, descriptors, strict=True)]

    @property
    def deletes(self) -> LayoutDeletes:
        """It can delete names and content."""
        return self._deletes

    @property
    def prunes(self) -> LayoutPrunes:
        """It can delete many names in one change of `index.json`."""
        return LayoutPrunes(
            self._blobs, self._own, self._changing, self._index, replace=self._replace, clock=self._clock
        )

    # --- Resolves

    def resolve(self, name: Name) -> Descriptor:
        """The descriptor that `name` stands for. Raises `NotFound`, also if it is listed but its content is missing."""
        if name.digest:
            return self.fetch(name).descriptor
        listed = self._listed(name)
        try:
            self._blobs.size(listed.digest)
        except BlobUnknown as error:
            raise self._unknown(name, "its blob is missing") from error
        return evolve(listed, annotations={})

    def fetch(self, name: Name) -> Manifest:
        """The manifest that `name` stands for, its bytes verified. Raises `NotFound`, `CorruptError`."""
        digest, media_type = name.digest, None
        if digest is None:
            listed = self._listed(name)
            digest, media_type = listed.digest, listed.media_type
        elif digest in (index := self._index()).digests:
            media_type = index.digests[digest].media_type
        try:
            return self._manifest(digest, media_type)
        except BlobUnknown as error:
            raise self._unknown(name, "its blob is missing") from error

    def tags(self, repository: str) -> Iterator[str]:
        """Every tag of a repository, in the order of `index.json`. Raises `RepositoryUnknown`.

        The repository of bare tags, whose name is empty, is always there.
        """
        index = self._index()
        if repository and repository not in index.tags:
            raise RepositoryUnknown(f"{self.locator} has no repository {repository}", subject=repository)
        return iter(index.tags.get(repository, ()))

    def repositories(self) -> Iterator[str]:
        """Every repository that `index.json` names; the empty one is among them if there are bare tags."""
        return iter(self._index().tags)

    # --- Reads

    def exists(self, repository: str, descriptor: Descriptor) -> bool:  # noqa: ARG002 - one pool for all
        """Whether the folder has this blob or manifest, with this size; one pool serves all repositories.

        A blob that is noted as damaged is hashed: if it is, it does not count as there.
        """
        return self._blobs.exists(descriptor) and not self._doubts.confirms(descriptor)

    def open(
        self,
        repository: str,  # noqa: ARG002 - one pool for all
        descriptor: Descriptor,
        offset: int = 0,
        length: int | None = None,
    ) -> AbstractContextManager[Iterator[Chunk]]:
        """Bytes of a blob or manifest from `offset`, `length` of them (to the end when None).

        Raises `BlobUnknown`, `SizeMismatch`; while reading `Truncated`. The reader checks the digest.
        """
        return self._blobs.open(descriptor, offset, length)

    # --- Ingests

    def begin(
        self,
        repository: str,  # noqa: ARG002 - one pool for all
        descriptor: Descriptor,
    ) -> AbstractContextManager[LayoutIngest]:
        """Begin a blob, or continue an unfinished one; without commit, the bytes that have arrived are kept.

        A blob that is there already is written again, which repairs damage by a bad disk.
        """
        self._prepare()
        blobs = self._folder.inner("blobs", descriptor.digest.algorithm)
        return ingesting(self._own.inner("ingest"), blobs, descriptor, self._doubts.settle)

    def check_space(self, wanted: Iterable[Descriptor]) -> None:
        """Raise `DiskFull`, with the numbers, if the disk has less room than these blobs and manifests still need."""
        check_space(self._folder, self._own.inner("ingest"), wanted, self.exists)

    # --- Names

    def put_manifest(self, name: Name, manifest: Manifest, *, part: bool = False, sparse: bool = False) -> None:
        """Store `manifest`, and list it in `index.json` under `name`; its blobs and children must be there.

        A `part` of an index is not listed separately. `sparse`: children were left out on purpose. Raises `NotFound` if
        a needed part is missing, `Busy` if another process keeps `index.json` locked, `LocalError`.
        """
        self._names.put([Put(name=name, manifest=manifest, part=part, sparse=sparse)])

    def point_lacking(self, name: Name, manifest: Manifest) -> None:
        """Store `manifest` under `name` like `put_manifest`, although parts of it may be missing.

        Absent children of an index count as left out on purpose.
        """
        self._names.put_lacking(name, manifest)

    def _keep(self, contents: Sequence[tuple[Descriptor, bytes]]) -> None:
        if len(contents) > 1:
            self._gathers.put_blobs(contents)
            return
        for descriptor, content in contents:
            with self.begin("", descriptor) as ingest:
                ingest.write([content[ingest.offset :]])
                ingest.commit()

    # --- the folder

    @contextmanager
    def _changing(self) -> Iterator[bool]:
        """Lock `index.json` for a change, against other threads of this store and other processes.

        Gives whether it is locked against processes: if not, read it again after a change, and change it once more.
        """
        self._prepare()
        if not self._turn.acquire(timeout=self._patience_s):
            raise Busy(f"another thread is changing {self._index_file.path}", subject=str(self._index_file.path))
        try:
            with awaited(self._own, "lock", self._clock, self._patience_s) as held:
                with local_errors("cleaning", self.root):
                    for name in self._folder.entries() if held else ():
                        if name.startswith(_UNFINISHED):  # from a process that was killed: we hold its lock
                            self._folder.unlink(name)
                yield held
        finally:
            self._turn.release()

    def _prepare(self) -> None:
        """Make the folder for unfinished work, once, and delete what killed processes left there."""
        if self._prepared:
            return
        if self._may_create:  # another run that made the layout and stored nothing may have removed it
            self._create()
        folder = self._own.inner("ingest")
        with local_errors("creating", folder.path):
            folder.make()
        sweep(folder, self._clock)
        self._prepared = True

    def _create(self) -> None:
        with local_errors("creating", self.root):
            if self.root.exists() and not self.root.is_dir():
                raise LocalError(f"{self.root} is not a folder", subject=str(self.root))
            absent = absent_folders(self.root)
            self.root.mkdir(parents=True, exist_ok=True)
            if (self.root / MARKER).exists() and self._index_file.path.exists():
                return
            present = {path.name for path in self.root.iterdir() if not path.name.startswith(_UNFINISHED)}
            if present - {MARKER, INDEX, _OWN, "blobs"}:
                raise Refused(
                    f"{self.root} is not an OCI layout and not empty", hint="name a new or an empty folder for it"
                )
            self._own.make()
            with awaited(self._own, "lock", self._clock, self._patience_s):
                self._folder.inner("blobs", "sha256").make()
                if not self._index_file.path.exists():
                    replace_file(self._index_file.path, LayoutIndex.empty().encode())
                # Last, so that a folder with the marker always has the other files.
                replace_file(self.root / MARKER, json.dumps({"imageLayoutVersion": VERSION}).encode())
            self._made = absent

    def withdraw(self) -> None:
        """Remove the layout if it was made here and nothing was stored in it."""
        if self._made is not None and not self._prepared:
            take_away(self.root, self._made)

    def _check_version(self) -> None:
        marker = self.root / MARKER
        with local_errors("reading", marker):
            try:
                raw = read_file(marker, SMALL_JSON_BYTES + 1)
            except (FileNotFoundError, NotADirectoryError) as error:
                raise NotFound(
                    f"{self.root} is not an OCI layout: it has no file {MARKER}", subject=str(self.root)
                ) from error
        check_marker(raw, layout=str(self.root), marker=str(marker), subject=str(marker))

    def _listed(self, name: Name) -> Descriptor:
        descriptor = self._index().names.get(Name(name.repository, name.tag))
        if descriptor is None:
            raise self._unknown(name)
        return descriptor

    def _manifest(self, digest: Digest, media_type: str | None) -> Manifest:
        return Manifest.parse(self._blobs.read(digest, MANIFEST_BYTES + 1), media_type, digest)

    def _unknown(self, name: Name, why: str = "") -> ManifestUnknown:
        return ManifestUnknown(f"{self.locator} has no {name}" + (f": {why}" if why else ""), subject=str(name))
