"""A bundle's ledger for people, line by line, and for programs: what `list` shows and `pack` ends with."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from attrs import frozen

from transload.oci.cosign import subject_of
from transload.report.styled import Styled, beside, folded
from transload.report.texts import count, digest, size

if TYPE_CHECKING:
    from transload.bundle.format.ledger import Ledger, LedgerImage

_NAMED = 4  # volumes named one by one


@frozen
class BundleView:
    """A ledger, the name of its bundle, who signed it, and whether that was verified."""

    ledger: Ledger
    name: str
    key_id: str | None = None
    verified: bool = False

    def image_lines(self, width: int | None) -> list[Styled]:
        """Each image: name, digest, what it takes in the bundle; on two lines where the terminal is narrow."""
        images = self.ledger.images
        names = max((len(str(each.image.name)) for each in images), default=0)
        lines: list[Styled] = []
        for each in images:
            taken = "left out, the far side has it" if each.image.present else size(self._own(each))
            text = f"{digest(each.image.root.digest)}  {taken}"
            lines += beside(Styled.of(str(each.image.name)), text, names, width)
        return lines

    def facts(self, width: int | None) -> list[Styled]:
        """What there is to say about the whole."""
        ledger = self.ledger
        facts = [("content", self._content()), ("volumes", self._volumes()), ("signed", self._signed())]
        if ledger.extras:
            facts.append(("files", ", ".join(f"{extra.name} {size(extra.size)}" for extra in ledger.extras)))
        if ledger.prerequisites or any(each.image.present for each in ledger.images):
            facts.append(("needs", self._needs()))
        return [line for name, text in facts for line in folded(f"{name + ':':<9} ", text, width, "faint")]

    def _content(self) -> str:
        companions = sum(subject_of(each.image.name.tag) is not None for each in self.ledger.images)
        manifests = sum(blob.descriptor.is_manifest for blob in self.ledger.blobs)
        told = [count(len(self.ledger.images) - companions, "image")]
        told += [f"{count(companions, 'signature')} under a tag"] if companions else []
        told += [count(manifests, "manifest"), count(len(self.ledger.blobs) - manifests, "blob")]
        return ", ".join([*told, size(self.ledger.size)])

    def _volumes(self) -> str:
        cut = self.ledger.cut
        named = [f"{cut.file_name(self.name, number)} {size(cut.size_of(number))}" for number in cut.numbers]
        if len(named) <= _NAMED:
            return ", ".join(named)
        return f"{len(named)}: {named[0]}, {named[1]}, … {named[-1]}"

    def _signed(self) -> str:
        if self.key_id is None:
            return "no"
        return f"by {self.key_id} ({'verified' if self.verified else 'not verified, give the key with --key'})"

    def _needs(self) -> str:
        images = sum(each.image.present for each in self.ledger.images)
        blobs = [one.descriptor for one in self.ledger.prerequisites if not one.descriptor.is_manifest]
        told = [count(images, "image")] if images else []
        told += [f"{count(len(blobs), 'blob')} ({size(sum(blob.size for blob in blobs))})"] if blobs else []
        return f"{' and '.join(told)} at the target already, packed against {self.ledger.against}"

    def _own(self, each: LedgerImage) -> int:
        return sum(self.ledger.blobs[place].size for place in each.blobs)

    def to_json(self, missing: Iterable[str] = ()) -> dict[str, Any]:
        """The `bundle` object of docs/formats/json-output.md; `missing` are files of volumes that are not there."""
        ledger = self.ledger
        cut = ledger.cut
        return {
            "bundle": self.name,
            "size": ledger.size,
            "volume_size": ledger.volume_bytes,
            "volumes": cut.count,
            "volume_files": [cut.file_name(self.name, number) for number in cut.numbers],
            "missing_files": list(missing),
            "signed_by": self.key_id,
            "verified": self.verified,
            "against": ledger.against or None,
            "images": [
                {
                    "name": str(each.image.name),
                    "source": each.image.source,
                    "digest": each.image.root.digest,
                    "present": each.image.present,
                    "size": self._own(each),
                }
                for each in ledger.images
            ],
            "files": [{"name": one.name, "size": one.size, "digest": one.digest} for one in ledger.extras],
            "prerequisites": [
                {
                    "digest": one.descriptor.digest,
                    "size": one.descriptor.size,
                    "repositories": list(one.repositories),
                    "images": list(one.images),
                }
                for one in ledger.prerequisites
            ],
        }
