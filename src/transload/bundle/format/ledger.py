"""The ledger: what a bundle holds and where, as canonical JSON that can be signed (docs/formats/bundle.md).

Invariants, held by `Ledger.decode`:
1. the bytes are those that `Ledger.encode` writes, so that there is one ledger for one set of facts, and no key twice;
2. every name, digest and size is valid, and every number is within the limits of this module;
3. every image knows which of the blobs it needs, so that the loss of a volume can be told without reading manifests.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from operator import ge
from pathlib import Path
from typing import Any, TypeVar

from attrs import define, field, frozen

from transload.bundle.format.contents import BundledImage, ExtraFile, Prerequisite
from transload.bundle.format.volumes import VOLUMES, Cut
from transload.errors import BundleInvalid, LedgerTampered, LimitExceeded, TransloadError
from transload.limits import LEDGER_BYTES, LEDGER_VALUES
from transload.linedjson import pieces
from transload.oci import Descriptor, Digest, Name
from transload.oci.reference import check_repository
from transload.strictjson import NotJson, check_size, read_json

KIND = "transload-bundle"  # a signature over a ledger must not be one over anything else
FORMAT = 1
MEMBERS = 200_000
STREAM_BYTES = 1 << 50  # a pebibyte

_KEYS = frozenset(
    "kind format images blobs extras prerequisites against plan index volume_size volumes size".split()  # noqa: SIM905 - reads better
)
Item = TypeVar("Item")


@frozen
class StoredBlob:
    """A blob or manifest, where in the stream its first byte lies, and which manifest it refers to, if it does."""

    descriptor: Descriptor
    offset: int
    subject: Digest | None = None

    @property
    def path(self) -> str:
        """What the member is called in the archive."""
        return f"blobs/{self.descriptor.digest.algorithm}/{self.descriptor.digest.encoded}"

    @property
    def size(self) -> int:
        """Bytes of content."""
        return self.descriptor.size

    @property
    def digest(self) -> Digest:
        """What the content must hash to."""
        return self.descriptor.digest


@frozen
class StoredExtra:
    """A further file, and where in the stream its first byte lies."""

    name: str
    size: int
    digest: Digest
    offset: int

    @property
    def path(self) -> str:
        """What the member is called in the archive."""
        return f"transload/extra/{self.name}"


Stored = StoredBlob | StoredExtra


@frozen
class LedgerImage:
    """An image, and the places in `Ledger.blobs` of everything that it needs from this bundle."""

    image: BundledImage
    blobs: tuple[int, ...]


@define(frozen=True, slots=False)
class Ledger:
    """The whole ledger. `size` is that of the stream, offsets are within it; `volume_bytes` None means not cut."""

    images: tuple[LedgerImage, ...]
    blobs: tuple[StoredBlob, ...] = field(repr=False)
    extras: tuple[StoredExtra, ...]
    prerequisites: tuple[Prerequisite, ...]
    against: str
    plan_digest: Digest | None
    index_digest: Digest
    volume_bytes: int | None
    size: int

    @property
    def cut(self) -> Cut:
        """How the stream is cut."""
        return Cut(self.size, self.volume_bytes)

    @cached_property
    def by_digest(self) -> Mapping[Digest, StoredBlob]:
        """Every blob and manifest."""
        return {blob.digest: blob for blob in self.blobs}

    @cached_property
    def assumed(self) -> Mapping[Digest, Descriptor]:
        """What is not here, and must be at the target: prerequisites, and images that were left out."""
        left_out = {each.image.root.digest: each.image.root for each in self.images if each.image.present}
        return left_out | {each.descriptor.digest: each.descriptor for each in self.prerequisites}

    @cached_property
    def by_name(self) -> Mapping[Name, LedgerImage]:
        """Every image, whether it is here or was left out."""
        return {each.image.name: each for each in self.images}

    @cached_property
    def needed_by(self) -> Mapping[Digest, Sequence[int]]:
        """The places in `images` of those that need each blob."""
        found: list[list[int]] = [[] for _ in self.blobs]
        for number, each in enumerate(self.images):
            for place in each.blobs:
                found[place].append(number)
        return {blob.digest: needing for blob, needing in zip(self.blobs, found, strict=True)}

    def encode(self) -> bytes:
        """Canonical JSON: pure ASCII, keys in order, one value on a line."""
        return b"".join(self._encoded())

    def _encoded(self) -> Iterator[bytes]:
        """The same in pieces, so that reading a ledger does not take the memory of a second one."""
        document = {
            "kind": KIND,
            "format": FORMAT,
            "images": map(_image_out, self.images),
            "blobs": map(_blob_out, self.blobs),
            "extras": (
                {"name": each.name, "size": each.size, "digest": each.digest, "offset": each.offset}
                for each in self.extras
            ),
            "prerequisites": (
                {**each.descriptor.to_json(), "repositories": list(each.repositories), "images": list(each.images)}
                for each in self.prerequisites
            ),
            "against": self.against,
            "plan": self.plan_digest,
            "index": self.index_digest,
            "volume_size": self.volume_bytes,
            "volumes": self.cut.count,
            "size": self.size,
        }
        return (piece.encode("ascii") for piece in pieces(document))

    def _is_written_as(self, raw: bytes) -> bool:
        place = 0
        for piece in self._encoded():
            if not raw.startswith(piece, place):
                return False
            place += len(piece)
        return place == len(raw)

    @classmethod
    def decode(cls, raw: bytes) -> Ledger:
        """Read and check. Raises `LedgerTampered`, `LimitExceeded`; `BundleInvalid` for a format of later times."""
        try:
            check_size(raw, LEDGER_BYTES, LEDGER_VALUES)
        except NotJson as error:
            raise LimitExceeded(
                f"the ledger of the bundle is too large: {error}", hint="a bundle of fewer images has a smaller one"
            ) from error
        try:
            document = read_json(raw, limit=LEDGER_BYTES, values=LEDGER_VALUES)
            _check_format(document)
            ledger = _ledger_in(document)
            del document  # larger than the ledger
            if ledger._is_written_as(raw):
                return ledger
        except (BundleInvalid, LimitExceeded):
            raise
        except (ValueError, TypeError, KeyError, IndexError, RecursionError, TransloadError) as error:
            raise _tampered(f"it cannot be read ({str(error)[:200]})") from error
        raise _tampered("it does not have the form of a ledger")


def _tampered(what: str) -> LedgerTampered:
    return LedgerTampered(
        f"the ledger of the bundle is damaged: {what}",
        subject="transload/ledger.json",
        hint="copy the first volume again from where it was made",
    )


def _check_format(document: Any) -> None:
    if not isinstance(document, dict) or document.get("kind") != KIND:
        raise _tampered("it does not say that it is a ledger")
    if document.get("format") != FORMAT:
        raise BundleInvalid(
            f"the bundle has format {str(document.get('format'))[:20]}, this version reads format {FORMAT}",
            hint="use the version of transload that made it, or a later one",
        )
    if document.keys() != _KEYS:
        raise _tampered("its keys are not those of a ledger")


def _blob_out(blob: StoredBlob) -> dict[str, Any]:
    document = {**blob.descriptor.to_json(), "offset": blob.offset}
    return document | ({"subject": blob.subject} if blob.subject else {})


def _image_out(each: LedgerImage) -> dict[str, Any]:
    document = each.image.root.to_json() | {"name": str(each.image.name), "source": each.image.source}
    if each.image.left_out:
        document["left_out"] = list(each.image.left_out)
    return document | ({"present": True} if each.image.present else {"blobs": list(each.blobs)})


def _ledger_in(document: dict[str, Any]) -> Ledger:
    blobs = _each(document["blobs"], _blob_in)
    ledger = Ledger(
        images=_each(document["images"], lambda item: _image_in(item, len(blobs))),
        blobs=blobs,
        extras=_each(document["extras"], _extra_in),
        prerequisites=_each(document["prerequisites"], _prerequisite_in),
        against=_text(document["against"]),
        plan_digest=None if document["plan"] is None else Digest(_text(document["plan"])),
        index_digest=Digest(_text(document["index"])),
        volume_bytes=None if document["volume_size"] is None else _number(document["volume_size"]),
        size=_number(document["size"]),
    )
    if len(ledger.by_digest) != len(blobs) or len(ledger.by_name) != len(ledger.images):
        raise ValueError("something is listed twice")
    if ledger.cut.count > VOLUMES:
        raise LimitExceeded(f"a bundle of {ledger.cut.count} volumes, {VOLUMES} are allowed")
    return ledger


def _blob_in(item: dict[str, Any]) -> StoredBlob:
    subject = Digest(_text(item["subject"])) if "subject" in item else None
    return StoredBlob(_descriptor(item), _number(item["offset"]), subject)


def _image_in(item: dict[str, Any], blobs: int) -> LedgerImage:
    image = BundledImage(
        Name.parse(_text(item["name"])),
        _descriptor(item),
        _text(item["source"]),
        item.get("present", False) is True,
        _each(item.get("left_out", []), lambda each: Digest(_text(each))),
    )
    places = _each(item.get("blobs", []), _number)
    if places and (places[-1] >= blobs or any(map(ge, places, places[1:]))):
        raise ValueError(f"{image.name} needs a blob that is not listed, or one twice")
    return LedgerImage(image, places)


def _extra_in(item: dict[str, Any]) -> StoredExtra:
    # Made as what is packed, so that the same rules hold for its name.
    extra = ExtraFile(_text(item["name"]), Path(), _number(item["size"]), Digest(_text(item["digest"])))
    return StoredExtra(extra.name, extra.size, extra.digest, _number(item["offset"]))


def _prerequisite_in(item: dict[str, Any]) -> Prerequisite:
    repositories = _each(item["repositories"], lambda each: check_repository(_text(each)))
    return Prerequisite(_descriptor(item), repositories, _each(item["images"], _text))


def _descriptor(item: Any) -> Descriptor:
    descriptor = Descriptor.from_json(item, "an entry")
    _number(descriptor.size)
    _text(descriptor.artifact_type)
    return descriptor


def _each(items: Any, read: Callable[[Any], Item]) -> tuple[Item, ...]:
    if not isinstance(items, list):
        raise TypeError("a list is missing")
    if len(items) > MEMBERS:
        raise LimitExceeded(f"a ledger with a list of {len(items)} entries, {MEMBERS} are allowed")
    return tuple(read(item) for item in items)


def _number(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise ValueError(f"{str(value)[:20]} is not a number of bytes")
    if value > STREAM_BYTES:
        raise LimitExceeded(f"a size of {str(value)[:40]} bytes, no bundle is larger than {STREAM_BYTES}")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.isprintable():  # people see these texts on their terminals
        raise TypeError(f"{str(value)[:40]!r} is not a text")
    return value
