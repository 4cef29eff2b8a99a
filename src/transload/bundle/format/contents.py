"""What goes into a bundle: images, their blobs and manifests, what the far side must have already, further files."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path

from attrs import define, field, frozen

from transload.errors import SizeMismatch, UsageError
from transload.files import is_plain_name, local_errors, open_file
from transload.oci import Descriptor, Digest, Manifest, Name

EXTRA_NAME_BYTES = 150


@frozen
class BundledImage:
    """One image or artifact under the name it gets below the target's prefix.

    `root` describes its topmost manifest, `source` is where it was published, for people. An image that is `present`
    is part of the release, but was left out because the far side has it. `left_out` are the children of sparse indexes
    that it goes without on purpose.
    """

    name: Name
    root: Descriptor
    source: str
    present: bool = False
    left_out: tuple[Digest, ...] = ()


@frozen
class Prerequisite:
    """Content that is not in the bundle and that the target must hold before anything is pushed.

    `repositories` is where the far side had it, relative to the target's prefix; `images` are the names of the images
    that need it.
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
    """A file that travels with the images: a licence, a chart archive, a manual. `name` is what it is called there."""

    name: str = field(validator=_check_extra_name)
    path: Path
    size: int
    digest: Digest

    @classmethod
    def of(cls, path: Path, name: str | None = None) -> ExtraFile:
        """Read the file at `path` once for its size and digest. Raises `UsageError`, `LocalError`."""
        with local_errors("reading", path), open_file(path) as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type, unused-ignore]
            size = file.tell()
        return cls(path.name if name is None else name, path, size, Digest(f"sha256:{digest}"))


@define(frozen=True, slots=False)
class Contents:
    """Everything that one bundle holds and says.

    `blobs` are the blobs to be carried, `manifests` the manifests of every image that is not left out. `against` says
    what the far side was taken to hold, `plan_digest` which plan decided this. Raises `ValueError` if something needed
    is in neither, `SizeMismatch` if one digest has two sizes, `UsageError` if two things have one name.
    """

    images: tuple[BundledImage, ...]
    blobs: tuple[Descriptor, ...]
    manifests: tuple[Manifest, ...]
    prerequisites: tuple[Prerequisite, ...] = ()
    extras: tuple[ExtraFile, ...] = ()
    against: str = ""
    plan_digest: Digest | None = None

    def __attrs_post_init__(self) -> None:
        names = [str(image.name) for image in self.images]
        extras = [extra.name.casefold() for extra in self.extras]  # some file systems do not tell A from a
        for given in (names, extras):
            if len(set(given)) < len(given):
                twice = next(each for place, each in enumerate(given) if each in given[:place])
                raise UsageError(f"two files in the bundle would have the name {twice}", subject=twice)
        sizes: dict[Digest, int] = {}
        for each in (*self.blobs, *(manifest.descriptor for manifest in self.manifests)):
            if sizes.setdefault(each.digest, each.size) != each.size:
                raise SizeMismatch(f"blob {each.digest.short} is stated with two sizes", subject=each.digest)
        self._check_complete(sizes.keys() | {each.descriptor.digest for each in self.prerequisites})

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
        """Every piece of content once, in the order of the bundle.

        Manifests first, since whoever reads a bundle wants them first; then the biggest blobs first, as they are
        copied on both sides: so volumes fill one after the other, and are read one after the other.
        """
        manifests = {digest: _bare(manifest.descriptor) for digest, manifest in self.manifest_of.items()}
        blobs: dict[Digest, Descriptor] = {}
        for blob in sorted(self.blobs, key=lambda each: each.media_type):  # one digest may have several types
            if blob.digest not in manifests:
                blobs.setdefault(blob.digest, _bare(blob))
        return (
            *sorted(manifests.values(), key=lambda each: each.digest),
            *sorted(blobs.values(), key=lambda each: (-each.size, each.digest)),
        )

    @cached_property
    def referring(self) -> tuple[Descriptor, ...]:
        """The manifests that refer to another one, by digest."""
        found = {each.digest: each.descriptor for each in self.manifests if each.subject is not None}
        return tuple(_bare(found[digest]) for digest in sorted(found))

    def needs(self, image: BundledImage) -> frozenset[Digest]:
        """What is carried for an image: its manifests and their blobs, and what refers to them."""
        return frozenset(self._below(image.root.digest, set()) & self._carried_digests)

    @cached_property
    def _carried_digests(self) -> frozenset[Digest]:
        return frozenset(each.digest for each in self.carried)

    def _below(self, digest: Digest, found: set[Digest]) -> set[Digest]:
        if digest not in found:
            found.add(digest)
            manifest = self.manifest_of.get(digest)
            for child in _children(manifest) if manifest else ():
                self._below(child.digest, found)
            for referrer in self._referrers.get(digest, ()):
                self._below(referrer, found)
        return found

    @cached_property
    def _referrers(self) -> Mapping[Digest, tuple[Digest, ...]]:
        found: dict[Digest, tuple[Digest, ...]] = {}
        for manifest in self.manifests:
            if manifest.subject is not None:
                found[manifest.subject.digest] = (*found.get(manifest.subject.digest, ()), manifest.digest)
        return found


def _children(manifest: Manifest) -> Iterator[Descriptor]:
    yield from manifest.blobs
    yield from manifest.manifests


def _bare(descriptor: Descriptor) -> Descriptor:
    """Only what says which bytes these are: annotations and platforms belong to whoever points at them."""
    return Descriptor(descriptor.media_type, descriptor.digest, descriptor.size)
