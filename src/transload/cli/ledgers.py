"""A bundle's ledger as lines for people and as JSON for programs: the output of `list`, and the end of `pack`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from transload.app.trusthints import Hints, other_extras
from transload.bundle.format.edition import time_text
from transload.oci.cosign import subject_of
from transload.report.recordfacts import packing_facts
from transload.report.styled import Styled, beside, folded
from transload.report.texts import count, digest, size
from transload.values import field, frozen

if TYPE_CHECKING:
    from transload.bundle.format.edition import Edition
    from transload.bundle.format.entries import LedgerImage
    from transload.bundle.format.ledger import Ledger
    from transload.report.foundrecord import FoundRecord

_NAMED = 4  # so many volumes are named one by one


@frozen
class BundleView:
    """A ledger, the name of its bundle, its signer, whether the signature was verified, and the recovery volumes.

    `lacking_recovery` are those of the recovery volumes that are missing or have a wrong size. `record` is the transfer
    record that the bundle carries, `hints` the trust material; `gated` images come with what gates said.
    """

    ledger: Ledger
    name: str
    key_id: str | None = None
    verified: bool = False
    recovery: tuple[str, ...] = ()
    lacking_recovery: tuple[str, ...] = ()
    record: FoundRecord | None = None
    hints: Hints = field(default=Hints(), kw_only=True)
    gated: int = field(default=0, kw_only=True)

    def image_lines(self, width: int | None) -> list[Styled]:
        """Each image: name, digest, its size in the bundle; on two lines if the terminal is narrow."""
        images = self.ledger.images
        names = max((len(str(entry.image.name)) for entry in images), default=0)
        lines: list[Styled] = []
        for entry in images:
            taken = "left out, the target has it" if entry.image.present else size(self._own(entry))
            text = f"{digest(entry.image.root.digest)}  {taken}"
            lines += beside(Styled.of(str(entry.image.name)), text, names, width)
        return lines

    def facts(self, width: int | None) -> list[Styled]:
        """Lines about the whole bundle."""
        return [
            line
            for name, text in self.facts_by_name()
            for line in folded(f"{name and name + ':':<9} ", text, width, "warn" if name == "problem" else "faint")
        ]

    def facts_by_name(self) -> list[tuple[str, str]]:
        """What is to be said about the whole bundle; what has no name belongs to the fact before it."""
        ledger = self.ledger
        facts = [("content", self._content()), ("volumes", self._volumes())]
        facts += [("edition", self._edition(ledger.edition))] if ledger.edition else []
        facts.append(("signed", self._signed()))
        if self.record is not None:
            facts += packing_facts(self.record)
        if self.gated:
            said = f"{count(self.gated, 'image')} with what gates said when packing; that is no check of the far side"
            facts.append(("gates", said))
        if self.recovery:
            facts.append(("recovery", self._recovery()))
        if files := other_extras(ledger):
            facts.append(("files", ", ".join(f"{extra.name} {size(extra.size)}" for extra in files)))
        if ledger.prerequisites or any(entry.image.present for entry in ledger.images):
            facts.append(("needs", self._needs()))
        return [*facts, *self._trust()]

    def page(self, problems: Sequence[str]) -> str:
        """All of it as a page of HTML; `problems` are sentences. Raises `PartMissing`."""
        from transload.report.bundlepage import to_html  # few look at a page

        ledger = self.ledger
        contents = {number for number, blob in enumerate(ledger.blobs) if not blob.descriptor.is_manifest}
        return to_html(
            self.to_json(),
            self.facts_by_name(),
            [[number for number in entry.blobs if number in contents] for entry in ledger.images],
            [blob.size for blob in ledger.blobs],
            problems=problems,
        )

    def _edition(self, edition: Edition) -> str:
        releases = [f"{release.catalog} {release.tag}" for release in edition.releases]
        of_releases = {release.catalog for release in edition.releases}
        named = [*(name for name in edition.sets if name not in of_releases), *releases]
        return ", ".join([*([self._some(named)] if named else []), f"packed {time_text(edition.packed)}"])

    def _content(self) -> str:
        companions = sum(subject_of(entry.image.name.tag) is not None for entry in self.ledger.images)
        manifests = sum(blob.descriptor.is_manifest for blob in self.ledger.blobs)
        parts = [count(len(self.ledger.images) - companions, "image")]
        parts += [f"{count(companions, 'signature')} under a tag"] if companions else []
        parts += [count(manifests, "manifest"), count(len(self.ledger.blobs) - manifests, "blob")]
        return ", ".join([*parts, size(sum(blob.size for blob in self.ledger.blobs))])  # the volumes have headers, too

    def _volumes(self) -> str:
        cut = self.ledger.cut
        named = [f"{cut.file_name(self.name, number)} {size(cut.size_of(number))}" for number in cut.numbers]
        if len(named) <= _NAMED:
            return ", ".join(named)
        return f"{len(named)}: {named[0]}, {named[1]}, … {named[-1]}"

    def _recovery(self) -> str:
        here = [file for file in self.recovery if file not in self.lacking_recovery]
        rows, whole = len(here), self.ledger.cut.count == 1
        them = "from it" if rows == 1 else "from them"
        can = "from each, the bundle can" if whole else f"{them}, any {count(rows, 'volume')} can"
        lacking = f" ({self._some(self.lacking_recovery)} missing or incomplete)" if self.lacking_recovery else ""
        return f"{self._some(here)}: {can} be made again{lacking}" if here else f"none that is whole{lacking}"

    @staticmethod
    def _some(files: Sequence[str]) -> str:
        return ", ".join(files if len(files) <= _NAMED else (*files[:2], "…", files[-1]))

    def _signed(self) -> str:
        if self.key_id is None:
            return "no"
        return f"by {self.key_id} ({'verified' if self.verified else 'not verified, give the key with --key'})"

    def _needs(self) -> str:
        images = sum(entry.image.present for entry in self.ledger.images)
        blobs = [piece.descriptor for piece in self.ledger.prerequisites if not piece.descriptor.is_manifest]
        parts = [count(images, "image")] if images else []
        parts += [f"{count(len(blobs), 'blob')} ({size(sum(blob.size for blob in blobs))})"] if blobs else []
        return f"{' and '.join(parts)} at the target already, packed against {self.ledger.against}"

    def _trust(self) -> Iterator[tuple[str, str]]:
        """The trust material, with what two people can compare over the telephone."""
        hints = self.hints
        if hints.files:
            yield (
                "trust",
                (
                    f"carries trust material (hints, not believed: compare with what you have from elsewhere): "
                    f"{count(len(hints.files), 'file')}"
                ),
            )
        for hint in hints.files:
            called = "" if hint.name == hint.file else f", called {hint.name} in the policy"
            mark = f"key {hint.key_id}" if hint.key_id else hint.digest
            yield "", f"{hint.file} ({hint.role}{called}): {mark}"
        if hints.problem:
            yield "trust", f"what it is cannot be told: {hints.problem}"

    def _own(self, entry: LedgerImage) -> int:
        return sum(self.ledger.blobs[number].size for number in entry.blobs)

    def to_json(self, missing: Iterable[str] = ()) -> dict[str, Any]:
        """The `bundle` object of docs/formats/json-output.md; `missing` are the names of missing volume files."""
        ledger = self.ledger
        cut = ledger.cut
        return {
            "bundle": self.name,
            "size": ledger.size,
            "volume_size": ledger.volume_bytes,
            "volumes": cut.count,
            "volume_files": [cut.file_name(self.name, number) for number in cut.numbers],
            "recovery_files": list(self.recovery),
            "missing_files": list(missing),
            "missing_recovery_files": list(self.lacking_recovery),
            "signed_by": self.key_id,
            "verified": self.verified,
            "record": None if self.record is None else self.record.to_json(),
            "edition": ledger.edition.to_json() if ledger.edition else None,
            "against": ledger.against or None,
            "gated_images": self.gated,
            "images": [
                {
                    "name": str(entry.image.name),
                    "source": entry.image.source,
                    "digest": entry.image.root.digest,
                    "present": entry.image.present,
                    "size": self._own(entry),
                }
                for entry in ledger.images
            ],
            "files": [
                {"name": extra.name, "size": extra.size, "digest": extra.digest} for extra in other_extras(ledger)
            ],
            "trust_material": [hint.to_json() for hint in self.hints.files],
            "prerequisites": [
                {
                    "digest": piece.descriptor.digest,
                    "size": piece.descriptor.size,
                    "repositories": list(piece.repositories),
                    "images": list(piece.images),
                }
                for piece in ledger.prerequisites
            ],
        }
