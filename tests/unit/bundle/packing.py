"""Packing seeded images, and telling the engine's part of it without the engine."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from transload.bundle import Blueprint, BundledImage, BundleWriter, Contents, lay_out
from transload.bundle.format.blueprint import Sign, saved_of
from transload.oci import Name
from transload.testing.images import Built
from transload.testing.layers import Content
from transload.testing.releases import SeededRelease


def contents_of(images: Mapping[Name, Built], **more: object) -> Contents:
    """Everything that these images need."""
    blobs = {each.descriptor.digest: each.descriptor for built in images.values() for each in built.walk_contents()}
    manifests = {each.digest: each.manifest for built in images.values() for each in built.walk()}
    bundled = tuple(BundledImage(name, built.descriptor, f"source.example/{name}") for name, built in images.items())
    return Contents(images=bundled, blobs=tuple(blobs.values()), manifests=tuple(manifests.values()), **more)  # type: ignore[arg-type]


def saved(images: Mapping[Name, Built]) -> bytes | None:
    """The `manifest.json` of a bundle with these images."""
    contents = contents_of(images)
    return saved_of(lay_out(contents, None).ledger, contents.manifest_of.get)


def named(made: SeededRelease, prefix: str = "acme/") -> dict[Name, Built]:
    """A release under its tags."""
    return {Name(f"{prefix}{name}", made.tag): built for name, built in made.images.items()}


def blobs_of(images: Mapping[Name, Built]) -> dict[str, Content]:
    """Every blob once."""
    return {content.descriptor.digest: content for built in images.values() for content in built.walk_contents()}


def send(writer: BundleWriter, images: Mapping[Name, Built]) -> int:
    """Do what the engine does, in one thread; returns how many bytes had to be sent."""
    sent = 0
    for content in blobs_of(images).values():
        with writer.begin("", content.descriptor) as ingest:
            sent += content.descriptor.size - ingest.offset
            ingest.write(_from(content.read(), ingest.offset))
            ingest.commit()
    for name, built in images.items():
        for each in built.walk():
            writer.put_manifest(name if each is built else name.at(each.digest), each.manifest)
    return sent


def _from(raw: bytes, offset: int) -> Iterator[bytes]:
    for start in range(offset, len(raw), 65_536):
        yield raw[start : start + 65_536]


def pack(
    path: Path,
    images: Mapping[Name, Built],
    volume_bytes: int | None = None,
    sign: Sign | None = None,
    **more: object,
) -> tuple[Blueprint, tuple[Path, ...]]:
    """Pack `images` at `path`; the blueprint and the files."""
    blueprint = lay_out(contents_of(images, **more), volume_bytes, sign)
    with BundleWriter(path, blueprint) as writer:
        writer.check_space()
        send(writer, images)
        return blueprint, writer.finish()


def joined(files: Iterable[Path]) -> bytes:
    """The stream: the content of all volumes, one behind the other."""
    return b"".join(file.read_bytes() for file in files if file.suffix == ".tar")
