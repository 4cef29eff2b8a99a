"""An archive as a store that can be read. Its content shows which tool wrote it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

from transload.archive.docker import DockerContent
from transload.archive.layout import LayoutContent
from transload.archive.members import Member, Members
from transload.archive.saved import SAVED, parse_saved
from transload.errors import BlobUnknown, CorruptError, ManifestUnknown, Refused, RepositoryUnknown
from transload.limits import MANIFEST_BYTES, SAVED_BYTES
from transload.oci import Descriptor, Digest, Manifest, Name
from transload.oci.imagelayout import MARKER
from transload.oci.reference import tags_by_repository
from transload.oci.referrers import ListedReferrers
from transload.ports import Chunk, RequestCosts
from transload.values import evolve

_ANCIENT = "repositories"


class ArchiveStore:
    """The archive at `path`: an OCI archive, or the output of `docker save` since version 1.10.

    The members are found once, when the store is made; their content is read from the archive. All names share the
    blobs. `file` is where the bytes can be read, if `path` is only what messages call it. Raises `NotFound` if there is
    no file, `Refused` for a compressed or very old archive, `CorruptError`, `LimitExceeded`.
    """

    request_costs: RequestCosts | None = None
    keeps_parts = True

    def __init__(self, path: Path | str, file: Path | None = None) -> None:
        self.path = Path(path)
        self.locator = f"archive:{self.path}"
        self._members = Members(self.path, file)
        self._content = _content(self._members)

    @property
    def refers(self) -> ListedReferrers | None:
        """Referrers; None for docker's own format, which cannot hold any."""
        return self._content.refers

    @property
    def sparse(self) -> LayoutContent | None:
        """What was left out of an index on purpose; None for docker's own format."""
        return self._content if isinstance(self._content, LayoutContent) else None

    @property
    def lists(self) -> LayoutContent | DockerContent:
        """Images without a name."""
        return self._content

    @property
    def sizes(self) -> ArchiveStore:
        """Every member has a size."""
        return self

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences for people about what this archive does not keep."""
        return self._content.notes

    # --- Resolves

    def resolve(self, name: Name) -> Descriptor:
        """The descriptor that `name` stands for. Raises `NotFound`, also if it is listed but its content is missing."""
        if name.digest:
            return self.fetch(name).descriptor
        described = self._described(name)
        if self._content.find(described.digest) is None:
            raise self._unknown(name, "its content is missing")
        return evolve(described, annotations={})

    def fetch(self, name: Name) -> Manifest:
        """The manifest that `name` stands for, its bytes verified. Raises `NotFound`, `CorruptError`."""
        digest = name.digest or self._described(name).digest
        content = self._content.find(digest)
        if content is None:
            raise self._unknown(name, "" if name.digest else "its content is missing")
        raw = content if isinstance(content, bytes) else self._members.read(content, MANIFEST_BYTES + 1)
        return Manifest.parse(raw, self._content.media_type(digest), digest)

    def tags(self, repository: str) -> Iterator[str]:
        """Every tag of a repository, in the order of the archive. Raises `RepositoryUnknown`.

        The repository of bare tags, whose name is empty, is always there.
        """
        if repository and repository not in self._tags:
            raise RepositoryUnknown(f"{self.locator} has no repository {repository}", subject=repository)
        return iter(self._tags.get(repository, ()))

    def repositories(self) -> Iterator[str]:
        """Every repository that the archive names; the empty one is among them if there are bare tags."""
        return iter(self._tags)

    @cached_property
    def _tags(self) -> Mapping[str, Sequence[str]]:
        return tags_by_repository(self._content.names)

    # --- Reads, Sizes

    def exists(self, repository: str, descriptor: Descriptor) -> bool:  # noqa: ARG002 - one pool for all
        """Whether the archive has this blob or manifest, with this size; one pool serves all repositories."""
        content = self._content.find(descriptor.digest)
        return content is not None and _size(content) == descriptor.size

    def size(self, repository: str, digest: Digest) -> int:  # noqa: ARG002 - one pool for all
        """How many bytes a blob has, when only its digest is known. Raises `BlobUnknown`."""
        return _size(self._content_of(digest))

    @contextmanager
    def open(
        self,
        repository: str,  # noqa: ARG002 - one pool for all
        descriptor: Descriptor,
        offset: int = 0,
        length: int | None = None,
    ) -> Iterator[Iterator[Chunk]]:
        """Bytes of a blob or manifest from `offset`, `length` of them (to the end when None).

        Raises `BlobUnknown`, `SizeMismatch`; while reading `Truncated`. The reader checks the digest.
        """
        content = self._content_of(descriptor.digest)
        descriptor.check_size(_size(content), str(self.path))
        wanted = descriptor.size - offset if length is None else length
        if isinstance(content, bytes):
            yield iter((content[offset : offset + wanted],))
            return
        with self._members.open(content, offset, wanted) as chunks:
            yield chunks

    def _content_of(self, digest: Digest) -> Member | bytes:
        content = self._content.find(digest)
        if content is None:
            raise BlobUnknown(f"{self.path} has no blob {digest.short}", subject=digest)
        return content

    def _described(self, name: Name) -> Descriptor:
        listed = Name(name.repository, name.tag)
        if listed not in self._content.names:
            raise self._unknown(name)
        return self._content.described(listed)

    def _unknown(self, name: Name, why: str = "") -> ManifestUnknown:
        return ManifestUnknown(f"{self.locator} has no {name}" + (f": {why}" if why else ""), subject=str(name))


def _content(members: Members) -> LayoutContent | DockerContent:
    """The content of an archive. A layout in it goes first, because its manifests are nearer to the published ones."""
    member = members.find(SAVED)
    saved = parse_saved(members.read(member, SAVED_BYTES + 1)) if member else ()
    if MARKER in members:
        return LayoutContent(members, saved)
    if member is not None:
        return DockerContent(members, saved)
    if _ANCIENT in members:
        raise Refused(
            f"{members.path} was written by docker before version 1.10, without {SAVED}",
            subject=str(members.path),
            hint="load it into a docker and save it again",
        )
    folder = next((name.removesuffix(f"/{MARKER}") for name in members if name.endswith(f"/{MARKER}")), None)
    raise CorruptError(
        f"{members.path} is a tar, but neither an OCI archive nor one of docker save",
        subject=str(members.path),
        hint=f"the layout is in the folder {folder!r}: unpack it and name oci:{folder}" if folder else None,
    )


def _size(content: Member | bytes) -> int:
    return len(content) if isinstance(content, bytes) else content.size
