"""What goes into a bundle: images, their blobs and manifests, prerequisites of the target, and extra files."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path

from transload.bundle.format.edition import Edition
from transload.errors import SizeMismatch, UsageError
from transload.files import chunks_of, closed_after, is_plain_name, local_errors, open_file
from transload.oci import Descriptor, Digest, Manifest, Name
from transload.values import define, field, frozen

EXTRA_NAME_BYTES = 150


@frozen
class BundledImage:
    """One image or artifact, with its name below the target's prefix.

    `root` describes its topmost manifest; `source` says where it was published, for people. An image that is `present`
    is part of the release, but the bundle leaves it out because the target has it. `left_out` are children of sparse
    indexes that are missing on purpose.
    """

    name: Name
    root: Descriptor
    source: str
    present: bool = field(default=False, kw_only=True)
    left_out: tuple[Digest, ...] = field(default=(), kw_only=True)


@frozen
class Prerequisite:
    """Content that is not in the bundle and that the target must hold before anything is pushed.

    `repositories` are those where the target had it, relative to the target's prefix; `images` are the names of the
    images that need it.
    """

    descriptor: Descriptor
    repositories: tuple[str, ...]
    images: tuple[str, ...]


def _check_extra_name(_extra: object, _attribute: object, name: str) -> None:
    if not is_plain_name(name):
        raise UsageError(
            f"{name!r} cannot be the name of a file in a bundle",
            subject=name,
            hint="use a plain file name without slashes, colons and the like",
        )
    if len(name.encode()) > EXTRA_NAME_BYTES:
        raise UsageError(f"the file name {name[:40]!r}… is longer than {EXTRA_NAME_BYTES} bytes", subject=name)


@frozen
class ExtraFile:
    """A file that the bundle carries besides images: a licence, a chart archive, a manual. `name` is its name there.

    Its content is read at `path`, or is `content`, if it was made for this bundle.
    """

    name: str = field(validator=_check_extra_name)
    path: Path
    size: int
    digest: Digest
    content: bytes | None = field(default=None, kw_only=True, repr=False)

    @classmethod
    def of(cls, path: Path, name: str | None = None) -> ExtraFile:
        """Read the file at `path` once for its size and digest. Raises `UsageError`, `LocalError`."""
        with local_errors("reading", path), open_file(path) as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type, unused-ignore]
            size = file.tell()
        return cls(path.name if name is None else name, path, size, Digest(f"sha256:{digest}"))

    @classmethod
    def made(cls, name: str, content: bytes) -> ExtraFile:
        """A file that is on no disk. Raises `UsageError`."""
        return cls(name, Path(name), len(content), Digest.of(content), content=content)

    def chunks(self, offset: int, length: int = sys.maxsize) -> Iterator[memoryview]:
        """The bytes from `offset` on, `length` of them at most. Raises `LocalError`."""
        if self.content is not None:
            yield memoryview(self.content)[offset : offset + min(length, self.size)]
            return
        with local_errors("opening", self.path):
            file = open_file(self.path)
        with closed_after(file):
            file.seek(offset)
            yield from chunks_of(file, self.path, length)


@define(frozen=True, slots=False, kw_only=True)
class Contents:
    """Everything that one bundle holds and states.

    `blobs` are the blobs to carry, `manifests` the manifests of every image that is not left out. `against` says what
    the target was assumed to hold, `plan_digest` which plan decided this. Raises `ValueError` if needed content is in
    neither, `SizeMismatch` if one digest has two sizes, `UsageError` if two files or images have one name.

    `images` are all images of the release, `prerequisites` what the target must hold already, `extras` other files to
    carry, `edition` which edition of which set this is.
    """

    images: tuple[BundledImage, ...]
    blobs: tuple[Descriptor, ...]
    manifests: tuple[Manifest, ...]
    prerequisites: tuple[Prerequisite, ...] = ()
    extras: tuple[ExtraFile, ...] = ()
    against: str = ""
    plan_digest: Digest | None = None
    edition: Edition | None = None

    def __attrs_post_init__(self) -> None:
        names = [str(image.name) for image in self.images]
        extras = [extra.name.casefold() for extra in self.extras]  # for some file systems A and a are the same
        for taken in (names, extras):
            if len(set(taken)) < len(taken):
                name = next(name for number, name in enumerate(taken) if name in taken[:number])
                raise UsageError(f"two files in the bundle would have the name {name}", subject=name)
        sizes: dict[Digest, int] = {}
        for descriptor in (*self.blobs, *(manifest.descriptor for manifest in self.manifests)):
            if sizes.setdefault(descriptor.digest, descriptor.size) != descriptor.size:
                raise SizeMismatch(
                    f"blob {descriptor.digest.short} is stated with two sizes", subject=descriptor.digest
                )
        self._check_complete(sizes.keys() | {needed.descriptor.digest for needed in self.prerequisites})

    def _check_complete(self, known: set[Digest]) -> None:
        for image in self.images:
            if not image.present and image.root.digest not in self.manifest_of:
                raise ValueError(f"the manifest of {image.name} is not among the contents")
        for manifest in self.manifests:
            for blob in manifest.blobs:
                if blob.digest not in known and not blob.is_foreign:
                    raise ValueError(f"blob {blob.digest} of {manifest.digest} is neither carried nor a prerequisite")

    @cached_property
    def manifest_of(self) -> Mapping[Digest, Manifest]:
        """Every manifest by its digest."""
        return {manifest.digest: manifest for manifest in self.manifests}

    @cached_property
    def carried(self) -> tuple[Descriptor, ...]:
        """Every manifest and blob once, in the order of the bundle.

        Manifests come first, since readers need them first. Then come the blobs, the biggest first, in the order in
        which both sides copy them: so volumes are filled, and read, one after the other.
        """
        manifests = {digest: _bare(manifest.descriptor) for digest, manifest in self.manifest_of.items()}
        blobs: dict[Digest, Descriptor] = {}
        for blob in sorted(self.blobs, key=lambda blob: blob.media_type):  # one digest may have several types
            if blob.digest not in manifests:
                blobs.setdefault(blob.digest, _bare(blob))
        return (
            *sorted(manifests.values(), key=lambda manifest: manifest.digest),
            *sorted(blobs.values(), key=lambda blob: (-blob.size, blob.digest)),
        )

    @cached_property
    def referring(self) -> tuple[Descriptor, ...]:
        """The manifests that refer to another one, by digest."""
        referrers = {
            manifest.digest: manifest.descriptor for manifest in self.manifests if manifest.subject is not None
        }
        return tuple(_bare(referrers[digest]) for digest in sorted(referrers))

    def needs(self, image: BundledImage, positions: Mapping[Digest, int]) -> tuple[int, ...]:
        """The `positions`, in order, of its manifests and their blobs, and of what refers to them.

        What has no position is not carried.
        """
        below = self._below(image.root.digest, set())
        return tuple(sorted(positions[digest] for digest in below if digest in positions))

    @property
    def digests(self) -> frozenset[Digest]:
        """The digests of everything that is carried. They are not kept: with many images, they take megabytes."""
        return frozenset(descriptor.digest for descriptor in self.carried)

    def _below(self, digest: Digest, digests: set[Digest]) -> set[Digest]:
        if digest not in digests:
            digests.add(digest)
            manifest = self.manifest_of.get(digest)
            for child in _children(manifest) if manifest else ():
                self._below(child.digest, digests)
            for referrer in self._referrers.get(digest, ()):
                self._below(referrer, digests)
        return digests

    @cached_property
    def _referrers(self) -> Mapping[Digest, tuple[Digest, ...]]:
        referrers: dict[Digest, tuple[Digest, ...]] = {}
        for manifest in self.manifests:
            if manifest.subject is not None:
                referrers[manifest.subject.digest] = (*referrers.get(manifest.subject.digest, ()), manifest.digest)
        return referrers


def _children(manifest: Manifest) -> Iterator[Descriptor]:
    yield from manifest.blobs
    yield from manifest.manifests


def _bare(descriptor: Descriptor) -> Descriptor:
    """Only media type, digest and size: annotations and platforms belong to the index that has the descriptor."""
    if descriptor.is_bare:
        return descriptor
    return Descriptor(descriptor.media_type, descriptor.digest, descriptor.size)
