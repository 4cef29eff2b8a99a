"""Which text stands for an image after the move: looks written references up among the images that were moved."""

from __future__ import annotations

from collections.abc import Iterable

from transload.configuration.relocation import MovedImage
from transload.errors import TransloadError
from transload.oci import Digest, Name, Reference
from transload.values import frozen

_Key = tuple[str, str, str | None]


@frozen
class Found:
    """An image at the target: `reference` as it is to be written, and its tag and digest, so far as they are known."""

    reference: Reference
    tag: str | None
    digest: Digest | None


@frozen
class Lookup:
    """The images by their names at the source, and at the target: what was rewritten before is known, too.

    With `pin`, what is found has a digest and no tag, which every engine reads.
    """

    images: dict[_Key, MovedImage]
    pin: bool = False

    @classmethod
    def of(cls, images: Iterable[MovedImage], *, pin: bool = False) -> Lookup:
        """Names at the source go before names at the target."""
        known: dict[_Key, MovedImage] = {}
        moved = tuple(images)
        for reference, image in [(image.source, image) for image in moved] + [(image.target, image) for image in moved]:
            known.setdefault(_key(reference, reference.name.tag), image)
            for digest in (image.digest, image.source.name.digest):
                if digest is not None:
                    known.setdefault(_key(reference, str(digest)), image)
        return cls(known, pin)

    def find(self, text: str) -> Found | str:
        """Where the image of a written reference is now; a text says why that is not known."""
        try:
            asked = Reference.parse(text)
        except TransloadError as error:
            return error.message
        digest = asked.name.digest
        image = self.images.get(_key(asked, str(digest))) if digest else None
        if image is None and asked.name.tag:
            image = self.images.get(_key(asked, asked.name.tag))
        if image is None:
            return "it is not among the images that were moved"
        there = image.digest or image.target.name.digest
        if digest is not None and there is not None and digest not in (there, image.source.name.digest):
            return f"it wants {digest.short}, and the registry has {there.short} under this name"
        return self._found(asked.name, image)

    def _found(self, asked: Name, image: MovedImage) -> Found | str:
        name = image.target.name
        digest = image.digest or name.digest or asked.digest
        if digest is None and (self.pin or asked.tag is None or name.tag is None):
            return "its digest is not known"
        if digest is not None and (self.pin or asked.tag is None or name.tag is None):
            written = name.at(digest)
        else:
            written = Name(name.repository, name.tag, digest if asked.digest else None)
        return Found(Reference(image.target.registry, written), name.tag, digest)


def _key(reference: Reference, version: str | None) -> _Key:
    return reference.registry, reference.name.repository, version
