"""Files as an OCI artifact, in and out of a store.

An artifact is an image manifest with an `artifactType`, the empty config, and one layer for each file (OCI image
specification, manifest.md, "Guidelines for Artifact Usage"). A layer's title is its file's name, as oras writes it.
What is written is the same for the same files: nothing in it tells the time.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from transload.clock import SYSTEM_CLOCK
from transload.errors import (
    DigestMismatch,
    DiskFull,
    FileExists,
    LocalError,
    MemberUnsafe,
    Refused,
    SizeMismatch,
    UsageError,
)
from transload.events import Listener
from transload.files import Arrivals, chunks_of, exactly, free_bytes, is_plain_name, local_errors, open_file
from transload.oci import Descriptor, Digest, Manifest, Name, Verifier
from transload.oci import mediatype as types
from transload.planning import BlobStep
from transload.ports import Chunk, Source, Target
from transload.threads import Cancellation
from transload.transfer.blobs import BlobOrigin, Placing
from transload.transfer.engine import ATTEMPTS
from transload.values import frozen
from transload.verbs import arguments
from transload.wording import in_words

TITLE = "org.opencontainers.image.title"
OCTETS = "application/octet-stream"
ArtifactFiles = Mapping[str, Path | bytes] | Iterable[Path]
"""Titles with their files (or contents), or files that are called as they are on this disk."""

_NAME_BYTES = 255  # the longest file name that common file systems take
_IMAGES = {types.OCI_CONFIG, types.DOCKER_CONFIG}


@frozen
class _File:
    """A file that becomes a layer, or a content without a file."""

    content: Path | bytes
    descriptor: Descriptor

    @property
    def locator(self) -> str:
        """What it is, for the error of a blob that was damaged on its way."""
        return f"file:{self.content}" if isinstance(self.content, Path) else "memory:"

    @contextmanager
    def open(
        self,
        repository: str,  # noqa: ARG002 - it is in none yet
        descriptor: Descriptor,
        offset: int = 0,
        length: int | None = None,
    ) -> Iterator[Iterator[Chunk]]:
        """See `transload.ports.Reads`."""
        rest = descriptor.size - offset if length is None else length
        if isinstance(self.content, bytes):
            yield iter((memoryview(self.content)[offset : offset + rest],))
            return
        with local_errors("reading", self.content):
            file = open_file(self.content)
        with file:
            if os.fstat(file.fileno()).st_size != descriptor.size:
                raise _changed(self.content)
            file.seek(offset)
            yield exactly(chunks_of(file, self.content, rest), rest, str(self.content), str(self.content))


# --- in


def put_files(
    target: Target,
    name: Name,
    files: ArtifactFiles,
    *,
    artifact_type: str,
    subject: Descriptor | None = None,
    annotations: Mapping[str, str] | None = None,
    media_type: str = OCTETS,
    listen: Listener,
    cancellation: Cancellation,
) -> Descriptor:
    """Store files as one artifact under `name`, or by its digest where that has no tag. See `Store.put_artifact`."""
    for parameter, stated in (("artifact_type", artifact_type), ("media_type", media_type)):
        _check_media_type(arguments.string(parameter, stated))
    described = arguments.texts_by_key("annotations", annotations)
    titled = [_described(title, content, media_type) for title, content in _titled(files)]
    empty = _File(b"{}", Descriptor(types.OCI_EMPTY, Digest.of(b"{}"), 2))
    layers = [file.descriptor for file in titled] or [empty.descriptor]
    manifest = Manifest.parse(_manifest(artifact_type, empty.descriptor, layers, subject, described))
    placing = Placing(target=target, listen=listen, cancellation=cancellation, clock=SYSTEM_CLOCK, attempts=ATTEMPTS)
    needed = {file.descriptor.digest: file for file in (empty, *titled)}
    for number, file in enumerate(needed.values()):
        cancellation.check()
        if not target.exists(name.repository, file.descriptor):
            _send(placing, number, name.repository, file)
    target.put_manifest(Name(name.repository, name.tag, None if name.tag else manifest.digest), manifest)
    return manifest.descriptor


def _titled(files: ArtifactFiles) -> list[tuple[str, Path | bytes]]:
    if isinstance(files, (str, bytes, os.PathLike)):
        raise UsageError(f"{files!r} is not a list of files", hint="write [path], or {title: path}")
    if not isinstance(files, Iterable):
        raise TypeError(f"files must be a list of Path, or titles with Path or bytes, not {type(files).__name__}")
    pairs: list[tuple[str, Path | bytes]] = (
        [(arguments.string("each title of files", title), content) for title, content in files.items()]
        if isinstance(files, Mapping)
        else [(path.name, path) for path in arguments.paths("files", files)]
    )
    seen: set[str] = set()
    for title, content in pairs:
        if not isinstance(content, (Path, bytes)):
            raise UsageError(f"the file {title!r} is neither a Path nor bytes", subject=title)
        if not _is_file_name(title):
            raise UsageError(
                f"{title!r} cannot be the title of a file",
                subject=title,
                hint="use a plain file name without slashes, colons and the like",
            )
        if title.casefold() in seen:  # some file systems do not tell A from a
            raise UsageError(f"two files of the artifact would have the title {title}", subject=title)
        seen.add(title.casefold())
    return pairs


def _is_file_name(name: str) -> bool:
    return is_plain_name(name) and len(name.encode()) <= _NAME_BYTES


def _check_media_type(text: str) -> None:
    kind, slash, rest = text.partition("/")
    if not (kind and slash and rest) or not types.is_printable(text) or " " in text:
        raise UsageError(f"{text!r} is not a media type", hint="write it as application/vnd.example.notes")


def _described(title: str, content: Path | bytes, media_type: str) -> _File:
    """A file with the digest and size that it has now. Raises `LocalError`."""
    if isinstance(content, bytes):
        digest, size = Digest.of(content), len(content)
    else:
        with local_errors("reading", content), open_file(content) as file:
            digest = Digest(f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}")  # type: ignore[arg-type, unused-ignore]
            size = file.tell()
    return _File(content, Descriptor(media_type, digest, size, annotations={TITLE: title}))


def _manifest(
    artifact_type: str,
    config: Descriptor,
    layers: Iterable[Descriptor],
    subject: Descriptor | None,
    annotations: Mapping[str, str],
) -> bytes:
    document: dict[str, Any] = {
        "schemaVersion": 2,
        "mediaType": types.OCI_MANIFEST,
        "artifactType": artifact_type,
        "config": config.to_json(),
        "layers": [layer.to_json() for layer in layers],
    }
    if subject is not None:
        document["subject"] = Descriptor(subject.media_type, subject.digest, subject.size).to_json()
    if annotations:
        document["annotations"] = dict(sorted(annotations.items()))
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()


def _send(placing: Placing, number: int, repository: str, file: _File) -> None:
    step = BlobStep(
        id=number,
        descriptor=file.descriptor,
        source_store=file.locator,
        source_repository=repository,
        repository=repository,
    )
    try:
        placing.copy(step, BlobOrigin(file, repository, "source"))
    except (DigestMismatch, SizeMismatch) as error:
        if not isinstance(file.content, Path):
            raise
        raise _changed(file.content) from error


def _changed(path: Path) -> LocalError:
    return LocalError(
        f"{path} changed while it was sent", subject=str(path), hint="wait until nothing writes to it, and do it again"
    )


# --- out


def take_files(
    source: Source, name: Name, folder: Path, *, overwrite: bool, cancellation: Cancellation
) -> tuple[Path, ...]:
    """Write the files of an artifact into `folder`, all or none. See `Store.get_artifact`."""
    files = files_of(source.fetch(name), name)
    _check_free(folder, files, overwrite)
    with local_errors("creating", folder):
        folder.mkdir(parents=True, exist_ok=True)
    _check_space(folder, sum(layer.size for layer in files.values()))
    with Arrivals(folder) as arrivals:
        for title, layer in files.items():
            verifier = Verifier(layer.digest, layer.size)
            with source.open(name.repository, layer) as chunks, arrivals.file(title) as file:
                for chunk in chunks:
                    cancellation.check()
                    verifier.update(chunk)
                    file.write(chunk)
            verifier.check()
    return tuple(folder / title for title in files)


def files_of(manifest: Manifest, name: Name) -> dict[str, Descriptor]:
    """The layers of an artifact by the names of their files, in order. Pure.

    A layer without a title is called by its digest, except in an image, of which such layers are no files. Raises
    `MemberUnsafe` for a title that is no plain file name or that two different layers have, `Refused` for an index and
    for an image without any file.
    """
    if manifest.is_index:
        children = ", ".join(f"…@{child.digest}" for child in manifest.manifests[:3])
        raise Refused(
            f"{name} is an index of several manifests, not an artifact of files",
            subject=str(name),
            hint=f"take one of them by its digest: {children}" if children else None,
        )
    is_image = manifest.config is not None and manifest.config.media_type in _IMAGES
    files: dict[str, Descriptor] = {}
    known: dict[str, Digest] = {}
    for layer in manifest.layers:
        title = layer.annotations.get(TITLE)
        if title is None and (is_image or layer.media_type == types.OCI_EMPTY):
            continue
        title = f"{layer.digest.algorithm}-{layer.digest.encoded}" if title is None else title
        if not _is_file_name(title):
            raise MemberUnsafe(
                f"{name} has a file with the title {title[:80]!r}, which is no plain file name",
                subject=layer.digest,
                hint="read its content by its digest: read_blob",
            )
        if known.setdefault(title.casefold(), layer.digest) != layer.digest:
            raise MemberUnsafe(f"{name} has two files with the title {title}", subject=str(name))
        files.setdefault(title, layer)
    if is_image and not files:
        raise Refused(
            f"{name} is an image, not an artifact of files", subject=str(name), hint="copy it with transload.copy"
        )
    return files


def _check_free(folder: Path, names: Iterable[str], overwrite: bool) -> None:
    for name in names:
        path = folder / name
        if path.is_dir() and not path.is_symlink():
            raise LocalError(f"{path} is a folder, not a file", subject=str(path))
        if not overwrite and os.path.lexists(path):
            raise FileExists(
                f"{path} is there already", subject=str(path), hint="name another folder, or give overwrite=True"
            )


def _check_space(folder: Path, wanted: int) -> None:
    free = free_bytes(folder)
    if wanted > free:
        raise DiskFull(
            f"the files take {in_words(wanted)}, and the disk of {folder} has {in_words(free)} left",
            subject=str(folder),
            hint="free some space, or name a folder on another disk",
        )
