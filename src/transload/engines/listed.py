"""The images that an engine lists: `/images/json` of the Docker Engine API, which podman answers too. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress

from transload.errors import DigestInvalid, ProtocolTrouble, ReferenceInvalid
from transload.oci import Digest, Reference
from transload.values import frozen

_IMAGES = 100_000
_NAMES = 10_000  # of one image


@frozen
class ListedImage:
    """An image in an engine: its identifier, its full names, and the digests under which it was pulled or pushed.

    `published` has these digests by `registry/repository`.
    """

    identifier: str
    references: tuple[Reference, ...]
    published: Mapping[str, frozenset[Digest]]


def read_listed(document: object) -> tuple[ListedImage, ...]:
    """Every image of an answer to `/images/json`. Raises `ProtocolTrouble` if it is not a list of images."""
    if not isinstance(document, list) or len(document) > _IMAGES:
        raise ProtocolTrouble("the engine's list of images is not a list, or too long")
    return tuple(_image(entry) for entry in document)


def _image(entry: object) -> ListedImage:
    if not isinstance(entry, dict) or not isinstance(entry.get("Id"), str):
        raise ProtocolTrouble("the engine lists an image without an Id")
    published: dict[str, set[Digest]] = {}
    for text in _texts(entry.get("RepoDigests")):
        repository, _, digest = text.partition("@")
        with suppress(ReferenceInvalid, DigestInvalid):  # <none>@<none> is no name
            full = Reference.parse(f"{repository}:any")
            published.setdefault(f"{full.registry}/{full.name.repository}", set()).add(Digest(digest))
    return ListedImage(
        entry["Id"][:200],
        tuple(_references(_texts(entry.get("RepoTags")))),
        {repository: frozenset(digests) for repository, digests in published.items()},
    )


def _references(tags: Iterable[str]) -> Iterator[Reference]:
    for text in tags:
        with suppress(ReferenceInvalid):  # <none>:<none> is no name
            yield Reference.parse(text)


def _texts(value: object) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list) or len(value) > _NAMES or not all(isinstance(text, str) for text in value):
        raise ProtocolTrouble("the engine lists an image whose names are not a list of texts")
    return tuple(value)
