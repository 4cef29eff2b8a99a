"""The entries of a ledger: what each is, its text, and how it is read (docs/formats/bundle.md).

There are a hundred thousand of them in a large bundle, so the text of a plain blob is made by hand: through
`linedjson` it takes ten times as long. `tests/unit/bundle/test_entries.py` compares both.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from json.encoder import encode_basestring_ascii as quoted
from operator import ge
from pathlib import Path
from typing import Any, TypeVar

from transload.bundle.format.contents import BundledImage, ExtraFile, Prerequisite
from transload.documents.value import Value
from transload.errors import DigestInvalid, LimitExceeded
from transload.linedjson import Written, written
from transload.oci import Descriptor, Digest, Name
from transload.oci.imagelayout import blob_path
from transload.oci.mediatype import SHARED
from transload.oci.reference import check_repository
from transload.values import frozen

MEMBERS = 200_000
STREAM_BYTES = 1 << 50  # a pebibyte

_PLAIN = frozenset({"digest", "mediaType", "offset", "size"})

Item = TypeVar("Item")


@frozen
class StoredBlob:
    """A blob or manifest, the offset of its first byte in the stream, and its subject, if it is a referrer."""

    descriptor: Descriptor
    offset: int
    subject: Digest | None = None

    @property
    def path(self) -> str:
        """The member's name in the archive."""
        return blob_path(self.descriptor.digest)

    @property
    def size(self) -> int:
        """The size of the content in bytes."""
        return self.descriptor.size

    @property
    def digest(self) -> Digest:
        """The digest that the content must have."""
        return self.descriptor.digest

    @property
    def key(self) -> Digest:
        """What tells it from all other members."""
        return self.descriptor.digest


@frozen
class StoredExtra:
    """An extra file, and the offset of its first byte in the stream."""

    name: str
    size: int
    digest: Digest
    offset: int

    @property
    def path(self) -> str:
        """The member's name in the archive."""
        return f"transload/extra/{self.name}"

    @property
    def key(self) -> Digest:
        """What tells it from all other members: a blob, or another file, may have the same content."""
        return Digest.of(f"extra {self.name} {self.digest}".encode())


Stored = StoredBlob | StoredExtra


@frozen
class LedgerImage:
    """An image, and the positions in `Ledger.blobs` of everything that it needs from this bundle."""

    image: BundledImage
    blobs: tuple[int, ...]


# --- as they are written


def blob_text(blob: StoredBlob) -> Written:
    """The text of a blob or manifest."""
    of = blob.descriptor
    if blob.subject or not of.is_bare:
        return written(blob_out(blob))
    return Written(
        f'{{\n   "digest": "{of.digest}",\n   "mediaType": {quoted(of.media_type)},'
        f'\n   "offset": {blob.offset},\n   "size": {of.size}\n  }}'
    )


def blob_out(blob: StoredBlob) -> dict[str, Any]:
    """A blob or manifest as JSON."""
    document = {**blob.descriptor.to_json(), "offset": blob.offset}
    return document | ({"subject": blob.subject} if blob.subject else {})


def image_out(entry: LedgerImage) -> dict[str, Any]:
    """An image as JSON."""
    document = entry.image.root.to_json() | {"name": str(entry.image.name), "source": entry.image.source}
    if entry.image.left_out:
        document["left_out"] = list(entry.image.left_out)
    return document | ({"present": True} if entry.image.present else {"blobs": list(entry.blobs)})


def extra_out(extra: StoredExtra) -> dict[str, Any]:
    """An extra file as JSON."""
    return {"name": extra.name, "size": extra.size, "digest": extra.digest, "offset": extra.offset}


def prerequisite_out(needed: Prerequisite) -> dict[str, Any]:
    """A prerequisite as JSON."""
    return {
        **needed.descriptor.to_json(),
        "repositories": list(needed.repositories),
        "images": list(needed.images),
    }


# --- as they are read


def blob_in(blob: Value) -> StoredBlob:
    """A blob or manifest."""
    plain = _plain_blob(blob.content)
    if plain is not None:
        return plain
    return StoredBlob(_descriptor(blob), bytes_in(blob.get("offset")), blob.get("subject").maybe(digest_in))


def _plain_blob(content: Any) -> StoredBlob | None:
    """A blob as most are, in a fifth of the time; None for any other, and for one that is wrong in any way."""
    if type(content) is not dict or content.keys() != _PLAIN:
        return None
    digest, media_type, offset, size = (content[key] for key in ("digest", "mediaType", "offset", "size"))
    if type(size) is not int or type(offset) is not int or type(digest) is not str:
        return None
    if type(media_type) is not str or media_type not in SHARED:
        return None
    if not (0 <= size <= STREAM_BYTES and 0 <= offset <= STREAM_BYTES):
        return None
    with suppress(DigestInvalid):
        return StoredBlob(Descriptor(SHARED[media_type], Digest(digest), size), offset)
    return None


def image_in(value: Value, blobs: int) -> LedgerImage:
    """An image of a bundle with so many `blobs`."""
    image = BundledImage(
        value.get("name").read(Name.parse),
        _descriptor(value),
        text_in(value.get("source")),
        present=value.get("present").maybe(Value.truth, False),
        left_out=value.get("left_out").maybe(lambda left_out: listed(left_out, digest_in), ()),
    )
    needed = value.get("blobs").maybe(lambda numbers: bounded(numbers).numbers(blobs), ())
    if any(map(ge, needed, needed[1:])):
        raise value.get("blobs").fail(f"{image.name} needs a blob twice, or they are not in order")
    return LedgerImage(image, needed)


def extra_in(value: Value) -> StoredExtra:
    """An extra file."""
    # Made as an `ExtraFile`, so that the same rules hold for its name.
    size, digest, offset = bytes_in(value.get("size")), digest_in(value.get("digest")), bytes_in(value.get("offset"))
    extra = value.get("name").read(lambda name: ExtraFile(name, Path(), size, digest))
    return StoredExtra(extra.name, extra.size, extra.digest, offset)


def prerequisite_in(value: Value) -> Prerequisite:
    """A prerequisite."""
    repositories = listed(value.get("repositories"), lambda repository: repository.read(check_repository))
    return Prerequisite(_descriptor(value), repositories, listed(value.get("images"), text_in))


def _descriptor(value: Value) -> Descriptor:
    descriptor = value.made(_to_descriptor)
    if descriptor.size > STREAM_BYTES:
        raise LimitExceeded(f"a size of {descriptor.size} bytes, no bundle is larger than {STREAM_BYTES}")
    if not descriptor.artifact_type.isprintable():
        raise value.fail("has an artifact type that is not printable")
    return descriptor


def _to_descriptor(content: Any) -> Descriptor:
    return Descriptor.from_json(content, "the descriptor")


def listed(value: Value, read: Callable[[Value], Item]) -> tuple[Item, ...]:
    """The items of a list, each read by `read`."""
    return tuple(map(read, bounded(value).items()))


def bounded(value: Value) -> Value:
    """This list, of at most `MEMBERS` entries."""
    if isinstance(value.content, list):
        check_count(len(value.content))
    return value


def check_count(count: int) -> None:
    """Raises `LimitExceeded` for a list of more than `MEMBERS` entries."""
    if count > MEMBERS:
        raise LimitExceeded(f"a ledger with a list of {count} entries, {MEMBERS} are allowed")


def bytes_in(value: Value) -> int:
    """A size or an offset."""
    if type(value.content) is int and value.content > STREAM_BYTES:
        raise LimitExceeded(f"a size of {str(value.content)[:40]} bytes, no bundle is larger than {STREAM_BYTES}")
    return value.number()


def digest_in(value: Value) -> Digest:
    """A digest."""
    return value.read(Digest)


def text_in(value: Value) -> str:
    """A text that can be printed."""
    text = value.text()
    if not text.isprintable():  # these texts are printed to terminals
        raise value.wrong("printable text")
    return text
