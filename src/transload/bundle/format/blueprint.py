"""The plan of a bundle's bytes: the offset of every member, decided before the first blob is fetched. Pure.

The stream is a tar archive and an OCI image layout. Its members, in order: `oci-layout`, `index.json`,
`transload/ledger.json`, `transload/ledger.sig` if there is a key, `manifest.json` if an engine could load an image from
it, extra files, manifests by digest, blobs from the biggest to the smallest; then two empty blocks. The ledger has
offsets that depend on its own length, so the layout is computed again until no offset changes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from itertools import chain
from typing import Any

from transload.bundle.format.contents import BundledImage, Contents
from transload.bundle.format.entries import LedgerImage, Stored, StoredBlob, StoredExtra
from transload.bundle.format.ledger import Ledger
from transload.bundle.format.saved import SAVED, ManifestOf, saved_content
from transload.bundle.format.tarheader import BLOCK, END, header, header_size, padding
from transload.bundle.format.volumes import Cut
from transload.errors import LimitExceeded, UsageError
from transload.limits import INDEX_BYTES, VOLUMES
from transload.linedjson import lined
from transload.oci import Descriptor, Digest, Name
from transload.oci.imagelayout import INDEX, MARKER, left_out_annotation
from transload.oci.mediatype import OCI_INDEX
from transload.oci.refname import annotations_for
from transload.values import define, evolve, field

LEDGER, SIGNATURE = "transload/ledger.json", "transload/ledger.sig"
MARKER_CONTENT = b'{"imageLayoutVersion":"1.0.0"}'
SIGNATURE_BYTES = BLOCK  # at most, so that its length changes no offset

Sign = Callable[[bytes], bytes]
"""Makes the content of `ledger.sig` from the content of `ledger.json`."""


@define(frozen=True, slots=False)
class Blueprint:
    """Everything about a bundle that is known beforehand: the bytes before the first stored member, and all offsets.

    The format is docs/formats/bundle.md. Made by `lay_out`.
    """

    contents: Contents = field(repr=False)
    ledger: Ledger
    signature: bytes | None = field(default=None, repr=False, kw_only=True)

    @property
    def digest(self) -> Digest:
        """The identity of this bundle: the digest of its ledger. It depends on everything except the signature."""
        return self.ledger.text.digest

    @property
    def head(self) -> bytes:
        """The bytes of the stream before the first stored member."""
        return b"".join(self.head_pieces())

    @cached_property
    def head_bytes(self) -> int:
        """How many they are."""
        return starts(self.members[0]) if self.members else self.end

    def head_pieces(self) -> Iterator[bytes]:
        """The same in pieces, made anew each time: with thousands of images it is tens of megabytes."""
        saved = _saved(self.contents)
        ledger = self.ledger
        yield from _head(_index(self.contents, saved), ledger.text.size, ledger.encoded(), self.signature, saved)

    @property
    def cut(self) -> Cut:
        """How the stream is cut into volumes."""
        return self.ledger.cut

    @property
    def members(self) -> tuple[Stored, ...]:
        """The members behind the head, in order."""
        return _members(self.ledger)

    @property
    def end(self) -> int:
        """The offset where the last member ends and the two empty blocks begin."""
        return self.ledger.size - len(END)


def lay_out(contents: Contents, volume_bytes: int | None, sign: Sign | None = None) -> Blueprint:
    """Decide the place of every byte. A bundle that fits into one volume is not cut.

    Raises `UsageError` if the volumes are so small that there would be too many, `LimitExceeded` for contents that a
    reader would refuse, and what `sign` raises.
    """
    saved = _saved(contents)
    whole = _settled(contents, saved, None, signed=sign is not None)
    ledger = whole
    if volume_bytes is not None and whole.size > volume_bytes:
        ledger = _settled(contents, saved, volume_bytes, signed=sign is not None)
    if ledger.cut.count > VOLUMES:
        raise UsageError(
            f"with volumes of {volume_bytes} bytes there would be {ledger.cut.count} of them, {VOLUMES} are allowed",
            hint="choose a larger volume size",
        )
    ledger.check_readable()  # do not write a bundle that readers refuse
    signature = sign(ledger.encode()) if sign else None
    if signature is not None and not 0 < len(signature) <= SIGNATURE_BYTES:
        raise ValueError(f"a signature of {len(signature)} bytes is too long for a bundle")
    return Blueprint(contents, ledger, signature=signature)


def listed(contents: Contents) -> Ledger:
    """The ledger of a bundle with these contents that is not cut, as if nothing came before its members."""
    saved = _saved(contents)
    return placed(_listed(contents, _index(contents, saved), saved, None), 0)


def head(index: bytes, ledger: bytes, signature: bytes | None, saved: bytes | None = None) -> bytes:
    """The bytes of the stream before the first stored member. `saved` is the `manifest.json`, if there is one."""
    return b"".join(_head(index, len(ledger), (ledger,), signature, saved))


def _head(
    index: bytes, ledger_bytes: int, ledger: Iterable[bytes], signature: bytes | None, saved: bytes | None
) -> Iterator[bytes]:
    yield from _member(MARKER, len(MARKER_CONTENT), (MARKER_CONTENT,))
    yield from _member(INDEX, len(index), (index,))
    yield from _member(LEDGER, ledger_bytes, ledger)
    if signature is not None:
        yield from _member(SIGNATURE, len(signature), (signature,))
    if saved is not None:  # after the ledger, so that versions that do not know it read there which format this is
        yield from _member(SAVED, len(saved), (saved,))


def _member(name: str, size: int, content: Iterable[bytes]) -> Iterator[bytes]:
    yield header(name, size)
    yield from content
    yield bytes(padding(size))


def head_size(index_bytes: int, ledger_bytes: int, *, signed: bool, saved_bytes: int | None = None) -> int:
    """The length of the head in bytes, from the lengths of its members."""
    optional = (*(() if saved_bytes is None else (saved_bytes,)), *((SIGNATURE_BYTES,) if signed else ()))
    sizes = (len(MARKER_CONTENT), index_bytes, ledger_bytes, *optional)
    return sum(BLOCK + size + padding(size) for size in sizes)


def is_in_place(ledger: Ledger, head_bytes: int) -> bool:
    """Whether every offset and the size of the stream are right for a head of this length."""
    *offsets, end = _offsets(ledger, head_bytes)
    return ledger.size == end and offsets == [member.offset for member in _members(ledger)]


def starts(member: Stored) -> int:
    """The offset in the stream where a member's header begins."""
    return member.offset - header_size(member.path, member.size)


def ends(member: Stored) -> int:
    """The offset in the stream where the next member begins."""
    return member.offset + member.size + padding(member.size)


def index_of(ledger: Ledger) -> bytes:
    """The `index.json` for this ledger."""
    referring = (blob.descriptor for blob in ledger.blobs if blob.subject is not None)
    images = tuple(entry.image for entry in ledger.images)
    return index_content(images, tuple(referring), for_engines=ledger.saved_digest is not None)


def saved_of(ledger: Ledger, manifest_of: ManifestOf) -> bytes | None:
    """The `manifest.json` for this ledger, whose manifests `manifest_of` reads."""
    return saved_content(_roots(entry.image for entry in ledger.images), manifest_of, ledger.by_digest)


def _saved(contents: Contents) -> bytes | None:
    return saved_content(_roots(contents.images), contents.manifest_of.get, contents.digests)


def _roots(images: Iterable[BundledImage]) -> Iterator[tuple[Name, Digest]]:
    here = (image for image in images if not image.present)
    return ((image.name, image.root.digest) for image in sorted(here, key=lambda image: image.name))


def index_content(
    images: tuple[BundledImage, ...], referring: Iterable[Descriptor], *, for_engines: bool = False
) -> bytes:
    """The `index.json` with every image that is in the bundle, under names that skopeo and podman find.

    With `for_engines` each tagged image also has the name that docker and containerd would give it.
    Referrers that are no images themselves come last and without a name, so that readers of the layout find them.
    """
    here = sorted((image for image in images if not image.present), key=lambda image: image.name)
    listed = {image.root.digest for image in here}
    entries = chain(
        (_entry(image, for_engines=for_engines) for image in here),
        (_bare(referrer).to_json() for referrer in referring if referrer.digest not in listed),
    )
    raw = lined({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}, order=iter)
    if len(raw) > INDEX_BYTES:
        raise LimitExceeded(f"an index.json of {len(raw)} bytes is over the limit of {INDEX_BYTES}")
    return raw


def _entry(image: BundledImage, *, for_engines: bool) -> dict[str, Any]:
    annotations = annotations_for(image.name, for_engines=for_engines) | left_out_annotation(image.left_out)
    return _bare(image.root).to_json() | ({"annotations": annotations} if annotations else {})


def _bare(root: Descriptor) -> Descriptor:
    return Descriptor(root.media_type, root.digest, root.size, artifact_type=_printable(root.artifact_type))


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def _settled(contents: Contents, saved: bytes | None, volume_bytes: int | None, *, signed: bool) -> Ledger:
    """The ledger with its final offsets. Larger offsets never make a shorter ledger, so this comes to an end.

    Its text is made once: what changes its length are the digits of the numbers, which have one each at first.
    """
    index = _index(contents, saved)
    saved_bytes = None if saved is None else len(saved)
    ledger = _listed(contents, index, saved, volume_bytes)
    shortest, head_bytes = sum(map(len, ledger.encoded())), 0
    while True:
        *offsets, size = _offsets(ledger, head_bytes)
        numbers = (*offsets, size, Cut(size, volume_bytes).count)
        ledger_bytes = shortest + sum(len(str(number)) - 1 for number in numbers)
        needed = head_size(len(index), ledger_bytes, signed=signed, saved_bytes=saved_bytes)
        if needed == head_bytes:
            return _at(ledger, offsets, size)
        head_bytes = needed


def _index(contents: Contents, saved: bytes | None) -> bytes:
    return index_content(contents.images, contents.referring, for_engines=saved is not None)


def _listed(contents: Contents, index: bytes, saved: bytes | None, volume_bytes: int | None) -> Ledger:
    """A ledger without offsets."""
    numbers = {carried.digest: number for number, carried in enumerate(contents.carried)}

    def listed(image: BundledImage) -> LedgerImage:
        needed = () if image.present else contents.needs(image, numbers)
        return LedgerImage(evolve(image, root=_bare(image.root), source=_printable(image.source)), needed)

    return Ledger(
        images=tuple(listed(image) for image in sorted(contents.images, key=lambda image: image.name)),
        blobs=tuple(StoredBlob(carried, 0, _subject(contents, carried.digest)) for carried in contents.carried),
        extras=tuple(
            StoredExtra(extra.name, extra.size, extra.digest, 0)
            for extra in sorted(contents.extras, key=lambda extra: extra.name)
        ),
        prerequisites=tuple(sorted(contents.prerequisites, key=lambda needed: needed.descriptor.digest)),
        against=_printable(contents.against),
        plan_digest=contents.plan_digest,
        index_digest=Digest.of(index),
        saved_digest=None if saved is None else Digest.of(saved),
        edition=contents.edition,
        volume_bytes=volume_bytes,
        size=1,
    )


def _subject(contents: Contents, digest: Digest) -> Digest | None:
    manifest = contents.manifest_of.get(digest)
    return manifest.subject.digest if manifest and manifest.subject else None


def placed(ledger: Ledger, head_bytes: int) -> Ledger:
    """The same ledger with offsets, one member behind the other."""
    *offsets, size = _offsets(ledger, head_bytes)
    return _at(ledger, offsets, size)


def _at(ledger: Ledger, offsets: Sequence[int], size: int) -> Ledger:
    extras = tuple(evolve(extra, offset=offset) for extra, offset in zip(ledger.extras, offsets, strict=False))
    own = zip(ledger.blobs, offsets[len(extras) :], strict=True)
    blobs = tuple(StoredBlob(blob.descriptor, offset, blob.subject) for blob, offset in own)
    return evolve(ledger, extras=extras, blobs=blobs, size=size)


def _members(ledger: Ledger) -> tuple[Stored, ...]:
    return (*ledger.extras, *ledger.blobs)


def _offsets(ledger: Ledger, head_bytes: int) -> Iterator[int]:
    """The offset of each member's content, and at the end the length of the stream."""
    offset = head_bytes
    for member in _members(ledger):
        offset += header_size(member.path, member.size)
        yield offset
        offset += member.size + padding(member.size)
    yield offset + len(END)
