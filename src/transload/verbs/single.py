"""Single calls on a registry, in one line each: it is opened, asked, and closed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from transload.app.location import is_local
from transload.errors import DigestInvalid, ReferenceInvalid, UsageError
from transload.oci import Descriptor, Digest, Reference
from transload.oci.reference import shown, without_transport
from transload.verbs import arguments
from transload.verbs.stores import StoreOptions, open_store

if TYPE_CHECKING:
    from transload.verbs.artifacts import ArtifactFiles


def tags(repository: str, **options: Unpack[StoreOptions]) -> tuple[str, ...]:
    """Every tag of a repository at a registry, in the registry's order: `tags("registry.local/app")`.

    `options` are those of `StoreOptions`. Raises `RepositoryUnknown`, `ReferenceInvalid`, `AccessDenied` and others.
    """
    registry, name = _parts(repository, "repository")
    if ":" in name or "@" in name:
        raise ReferenceInvalid(f"{shown(repository)!r} is an image", hint="leave the tag and the digest out")
    with open_store(registry, **options) as store:
        return store.tags(name)


def referrers(
    reference: str,
    artifact_type: str | None = None,
    **options: Unpack[StoreOptions],
) -> tuple[Descriptor, ...]:
    """What refers to an image at a registry, such as its signatures: `referrers("registry.local/app:1")`.

    See `Store.referrers`, and `StoreOptions` for `options`. Raises `ManifestUnknown`.
    """
    registry, name = _parts(reference)
    with open_store(registry, **options) as store:
        return store.referrers(name, artifact_type)


def delete(reference: str, **options: Unpack[StoreOptions]) -> None:
    """Take a tag away from a registry, or a manifest by its digest with all its tags: `delete("registry.local/app:1")`.

    See `Store.delete`, and `StoreOptions` for `options`. Raises `ManifestUnknown`, `Refused`.
    """
    registry, name = _parts(reference)
    with open_store(registry, **options) as store:
        store.delete(name)


def put_artifact(
    reference: str,
    files: ArtifactFiles,
    *,
    artifact_type: str,
    subject: str | Descriptor | None = None,
    annotations: Mapping[str, str] | None = None,
    media_type: str = "application/octet-stream",
    **options: Unpack[StoreOptions],
) -> Descriptor:
    """Store files at a registry as an OCI artifact, under a reference such as `registry.local/app:notes`.

    `subject` is a digest in the same repository, or a reference such as `registry.local/app:1`. See
    `Store.put_artifact`, and `StoreOptions` for `options`. Raises `UsageError`, `LocalError`, `ManifestUnknown`.
    """
    registry, name = _parts(reference)
    if isinstance(subject, str):
        subject = _subject(subject, registry)
    with open_store(registry, **options) as store:
        return store.put_artifact(
            name,
            files,
            artifact_type=artifact_type,
            subject=subject,
            annotations=annotations,
            media_type=media_type,
        )


def get_artifact(
    reference: str,
    folder: str | Path,
    *,
    overwrite: bool = False,
    **options: Unpack[StoreOptions],
) -> tuple[Path, ...]:
    """Write the files of an artifact at a registry into `folder`: `get_artifact("registry.local/app:notes", "notes")`.

    See `Store.get_artifact`, and `StoreOptions` for `options`. Raises `MemberUnsafe`, `FileExists`, `Refused`.
    """
    registry, name = _parts(reference)
    with open_store(registry, **options) as store:
        return store.get_artifact(name, folder, overwrite=overwrite)


def _parts(given: str, parameter: str = "reference") -> tuple[str, str]:
    """The registry of a reference, and the name in it; without the tag that `docker pull` would add.

    Raises `ReferenceInvalid`; `UsageError` for a store on this machine, whose kind looks like an image at Docker Hub.
    """
    text = without_transport(arguments.text(parameter, given).strip())
    if is_local(text):
        raise UsageError(f"{shown(text)} is not at a registry", hint="open it: transload.open_store")
    host, colon, port = text.partition(":")
    if colon and port.isdigit() and "/" not in host and ("." in host or host == "localhost"):
        raise ReferenceInvalid(f"{text!r} names no repository", hint=f"write {text}/app")
    reference = Reference.parse(text)
    tagged = "@" in text or ":" in text.rpartition("/")[2]
    return reference.registry, str(reference.name) if tagged else reference.name.repository


def _subject(text: str, registry: str) -> str:
    try:
        return Digest(text)
    except DigestInvalid:
        home, name = _parts(text)
    if home != registry:
        raise ReferenceInvalid(f"{shown(text)!r} is at another registry than the artifact, {registry}")
    return name
