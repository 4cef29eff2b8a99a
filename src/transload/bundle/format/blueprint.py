"""The plan of a bundle's bytes: which member lies where, decided before the first blob is fetched. Pure.

The stream is a tar archive and an OCI image layout. Its members, in order: `oci-layout`, `index.json`,
`transload/ledger.json`, `transload/ledger.sig` where there is a key, further files, manifests by digest, blobs from the
biggest to the smallest; then two empty blocks. The ledger states offsets that depend on its own length, which is why
laying out repeats until nothing moves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from itertools import chain
from typing import Any, TypeVar

from attrs import define, evolve, field

from transload.bundle.format.contents import BundledImage, Contents
from transload.bundle.format.ledger import Ledger, LedgerImage, Stored, StoredBlob, StoredExtra
from transload.bundle.format.tarheader import BLOCK, END, header, header_size, padding
from transload.bundle.format.volumes import VOLUMES, Cut
from transload.errors import LimitExceeded, UsageError
from transload.limits import INDEX_BYTES
from transload.linedjson import lined
from transload.oci import Descriptor, Digest
from transload.oci.imagelayout import INDEX, MARKER, left_out_annotation
from transload.oci.mediatype import OCI_INDEX
from transload.oci.refname import annotations_for

LEDGER, SIGNATURE = "transload/ledger.json", "transload/ledger.sig"
MARKER_CONTENT = b'{"imageLayoutVersion":"1.0.0"}'
SIGNATURE_BYTES = BLOCK  # at most, so that its length moves nothing

Member = TypeVar("Member", StoredBlob, StoredExtra)
Sign = Callable[[bytes], bytes]
"""Makes the content of `ledger.sig` from the content of `ledger.json`."""


@define(frozen=True, slots=False)
class Blueprint:
    """Everything about a bundle that is known beforehand: the bytes up to the first stored member, and all places."""

    contents: Contents = field(repr=False)
    ledger: Ledger
    head: bytes = field(repr=False)

    @cached_property
    def digest(self) -> Digest:
        """What this bundle is called: the digest of its ledger. It says all but who signed it."""
        return Digest.of(self.ledger.encode())

    @property
    def cut(self) -> Cut:
        """How the stream is cut into volumes."""
        return self.ledger.cut

    @property
    def members(self) -> tuple[Stored, ...]:
        """What lies behind the head, in order."""
        return _members(self.ledger)

    @property
    def end(self) -> int:
        """Where the last member ends, and the two empty blocks begin."""
        return self.ledger.size - len(END)


def lay_out(contents: Contents, volume_bytes: int | None, sign: Sign | None = None) -> Blueprint:
    """Decide every byte's place. What fits into one volume is not cut.

    Raises `UsageError` if the volumes are so small that there would be too many, `LimitExceeded` for contents beyond
    what a reader accepts, and whatever `sign` raises.
    """
    whole = _settled(contents, None, signed=sign is not None)
    ledger = whole
    if volume_bytes is not None and whole.size > volume_bytes:
        ledger = _settled(contents, volume_bytes, signed=sign is not None)
    if ledger.cut.count > VOLUMES:
        raise UsageError(
            f"with volumes of {volume_bytes} bytes there would be {ledger.cut.count} of them, {VOLUMES} are allowed",
            hint="choose a larger volume size",
        )
    raw = ledger.encode()
    Ledger.decode(raw)  # what no reader would take must not be written
    signature = sign(raw) if sign else None
    if signature is not None and not 0 < len(signature) <= SIGNATURE_BYTES:
        raise ValueError(f"a signature of {len(signature)} bytes is too long for a bundle")
    return Blueprint(contents, ledger, head(index_content(contents.images, contents.referring), raw, signature))


def head(index: bytes, ledger: bytes, signature: bytes | None) -> bytes:
    """The bytes of the stream before the first stored member."""
    return b"".join(
        header(name, len(content)) + content + bytes(padding(len(content)))
        for name, content in _leading(index, ledger, signature)
    )


def head_size(index_bytes: int, ledger_bytes: int, *, signed: bool) -> int:
    """How long the head is, given the lengths of what is in it."""
    sizes = (len(MARKER_CONTENT), index_bytes, ledger_bytes, *((SIGNATURE_BYTES,) if signed else ()))
    return sum(BLOCK + size + padding(size) for size in sizes)


def is_in_place(ledger: Ledger, head_bytes: int) -> bool:
    """Whether every offset and the size of the stream are what they must be behind a head of this length."""
    *places, end = _places(ledger, head_bytes)
    return ledger.size == end and places == [each.offset for each in _members(ledger)]


def starts(member: Stored) -> int:
    """Where in the stream a member's header begins."""
    return member.offset - header_size(member.path, member.size)


def ends(member: Stored) -> int:
    """Where in the stream the next member begins."""
    return member.offset + member.size + padding(member.size)


def index_of(ledger: Ledger) -> bytes:
    """The `index.json` that says what the ledger says."""
    referring = (each.descriptor for each in ledger.blobs if each.subject is not None)
    return index_content(tuple(each.image for each in ledger.images), tuple(referring))


def index_content(images: tuple[BundledImage, ...], referring: Iterable[Descriptor]) -> bytes:
    """The `index.json` with every image that is in the bundle, under names that skopeo and podman find.

    What refers to another manifest, and is no image by itself, comes last and without a name, so that whoever reads the
    layout finds it.
    """
    here = sorted((image for image in images if not image.present), key=lambda each: each.name)
    listed = {image.root.digest for image in here}
    entries = chain(map(_entry, here), (_bare(each).to_json() for each in referring if each.digest not in listed))
    raw = lined({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}, order=iter)
    if len(raw) > INDEX_BYTES:
        raise LimitExceeded(f"an index.json of {len(raw)} bytes is over the limit of {INDEX_BYTES}")
    return raw


def _entry(image: BundledImage) -> dict[str, Any]:
    annotations = annotations_for(image.name) | left_out_annotation(image.left_out)
    return _bare(image.root).to_json() | ({"annotations": annotations} if annotations else {})


def _bare(root: Descriptor) -> Descriptor:
    return Descriptor(root.media_type, root.digest, root.size, artifact_type=_printable(root.artifact_type))


def _printable(text: str) -> str:
    return "".join(each if each.isprintable() else "?" for each in text)


def _leading(index: bytes, ledger: bytes, signature: bytes | None) -> Iterator[tuple[str, bytes]]:
    yield MARKER, MARKER_CONTENT
    yield INDEX, index
    yield LEDGER, ledger
    if signature is not None:
        yield SIGNATURE, signature


def _settled(contents: Contents, volume_bytes: int | None, *, signed: bool) -> Ledger:
    """Larger offsets make a longer ledger, never a shorter one, so that this climbs to where nothing moves."""
    index = index_content(contents.images, contents.referring)
    ledger, behind = placed(_listed(contents, Digest.of(index), volume_bytes), 0), 0
    while (needed := head_size(len(index), len(ledger.encode()), signed=signed)) != behind:
        ledger, behind = placed(ledger, needed), needed
    return ledger


def _listed(contents: Contents, index_digest: Digest, volume_bytes: int | None) -> Ledger:
    """A ledger in which nothing has its place yet."""
    places = {each.digest: place for place, each in enumerate(contents.carried)}

    def listed(image: BundledImage) -> LedgerImage:
        needed = () if image.present else tuple(sorted(places[digest] for digest in contents.needs(image)))
        return LedgerImage(evolve(image, root=_bare(image.root), source=_printable(image.source)), needed)

    return Ledger(
        images=tuple(listed(image) for image in sorted(contents.images, key=lambda each: each.name)),
        blobs=tuple(StoredBlob(each, 0, _subject(contents, each.digest)) for each in contents.carried),
        extras=tuple(
            StoredExtra(each.name, each.size, each.digest, 0)
            for each in sorted(contents.extras, key=lambda each: each.name)
        ),
        prerequisites=tuple(sorted(contents.prerequisites, key=lambda each: each.descriptor.digest)),
        against=_printable(contents.against),
        plan_digest=contents.plan_digest,
        index_digest=index_digest,
        volume_bytes=volume_bytes,
        size=1,
    )


def _subject(contents: Contents, digest: Digest) -> Digest | None:
    manifest = contents.manifest_of.get(digest)
    return manifest.subject.digest if manifest and manifest.subject else None


def placed(ledger: Ledger, head_bytes: int) -> Ledger:
    """The same ledger with everything one behind the other."""
    *places, end = _places(ledger, head_bytes)
    extras = tuple(map(_moved, ledger.extras, places))
    blobs = tuple(map(_moved, ledger.blobs, places[len(extras) :]))
    return evolve(ledger, extras=extras, blobs=blobs, size=end)


def _members(ledger: Ledger) -> tuple[Stored, ...]:
    return (*ledger.extras, *ledger.blobs)


def _moved(member: Member, offset: int) -> Member:
    return evolve(member, offset=offset)


def _places(ledger: Ledger, head_bytes: int) -> Iterator[int]:
    """Where each member's content begins, and at last how long the stream is."""
    place = head_bytes
    for member in _members(ledger):
        place += header_size(member.path, member.size)
        yield place
        place += member.size + padding(member.size)
    yield place + len(END)
