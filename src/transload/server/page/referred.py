"""What belongs to an image: signatures, attestations, bills of materials. Nothing of it is verified here.

They are found in three places: in the list of referrers, under cosign's tags, and beside the image in its index, where
BuildKit puts attestations.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from transload.errors import NotFound, TransloadError
from transload.oci import Descriptor, Digest, Manifest, Name
from transload.oci.cosign import companion_tags
from transload.ports import Refers, Source
from transload.server.page import kinds
from transload.server.page.trouble import said
from transload.values import frozen

_TOLD = 3  # layers of an artifact that say what it is


@frozen(kw_only=True)
class Piece:
    """A layer of an artifact: what it is, and its place, if a page can show it."""

    what: str
    media_type: str
    digest: Digest
    size: int
    number: int
    readable: bool


@frozen(kw_only=True)
class Referred:
    """An artifact that belongs to an image. `found`: where it was found; `trouble`: why its layers are not known."""

    what: str
    name: Name
    found: str
    size: int
    pieces: tuple[Piece, ...] = ()
    trouble: str = ""


@frozen(kw_only=True)
class Belonging:
    """All of them, at most the number asked for; `more` is how many there are besides. `trouble`: no list was read."""

    found: tuple[Referred, ...]
    more: int = 0
    trouble: str = ""


def pieces_of(manifest: Manifest, most: int) -> tuple[Piece, ...]:
    """The layers of an artifact, at most so many."""
    return tuple(
        Piece(
            what=kinds.in_words(layer.media_type, layer.annotations or manifest.annotations),
            media_type=layer.media_type,
            digest=layer.digest,
            size=layer.size,
            number=number,
            readable=kinds.is_readable(layer),
        )
        for number, layer in enumerate(manifest.layers[:most])
    )


Look = Callable[[str, Descriptor], str]
"""What a document in a repository is, in words, by reading it; empty if that would cost too much, or does not tell."""


def belonging(
    store: Source,
    refers: Refers | None,
    name: Name,
    digest: Digest,
    *,
    inside: tuple[Descriptor, ...],
    most: int,
    look: Look,
) -> Belonging:
    """What belongs to the image `digest` in the repository of `name`; `inside` is what its index has beside it."""
    trouble = ""
    listed: tuple[Descriptor, ...] = ()
    try:
        listed = refers.referrers(name.repository, digest) if refers else ()
    except TransloadError as error:
        trouble = said(error, store.locator)
    names = [(name.at(each.digest), "list of referrers", each) for each in listed]
    names += [(name.at(each.digest), "index of the image", each) for each in inside]
    names += [(Name(name.repository, tag), "tag of cosign", each) for tag, each in _tagged(store, name, digest)]
    found = tuple(
        _referred(store, each, where, listed=descriptor, most=most, look=look)
        for each, where, descriptor in names[:most]
    )
    return Belonging(found=found, more=max(0, len(names) - most), trouble=trouble)


def _tagged(store: Source, name: Name, digest: Digest) -> Iterator[tuple[str, Descriptor]]:
    for tag in sorted(companion_tags(digest), reverse=True):  # signatures first
        try:
            yield tag, store.resolve(Name(name.repository, tag))
        except NotFound:
            continue
        except TransloadError:  # the list of tags shows it, with what is wrong
            continue


def _referred(store: Source, name: Name, found: str, *, listed: Descriptor, most: int, look: Look) -> Referred:
    what = kinds.in_words(listed.artifact_type, listed.annotations)
    try:
        manifest = store.fetch(name)
    except TransloadError as error:
        return Referred(
            what=what or "artifact", name=name, found=found, size=listed.size, trouble=said(error, store.locator)
        )
    pieces = pieces_of(manifest, most)
    words = what or kinds.in_words(manifest.artifact_type, manifest.annotations)
    if words in {"", "attestation"}:
        told = (
            look(name.repository, layer) if piece.readable and piece.what in {"", "attestation"} else piece.what
            for piece, layer in zip(pieces[:_TOLD], manifest.layers[:_TOLD], strict=True)
        )
        words = ", ".join(dict.fromkeys(filter(None, told))) or words or next((one.what for one in pieces), "")
    return Referred(
        what=words or manifest.artifact_type or "artifact",
        name=name,
        found=found,
        size=sum(piece.size for piece in pieces),
        pieces=pieces,
    )
