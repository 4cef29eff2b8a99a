"""Keeps some platforms of a multi-platform image: which entries stay, and the new index. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from transload.graph import Node, walk
from transload.oci import Descriptor, Digest, Manifest, Platform
from transload.values import evolve
from transload.wording import first_of

# BuildKit adds provenance to the index itself, as a child for the platform unknown/unknown. These annotations name the
# child that it is about.
_REFERENCE_TYPE = "vnd.docker.reference.type"
_REFERENCE_DIGEST = "vnd.docker.reference.digest"

_NAMED = 8  # entries that one sentence names


def wanted_children(index: Manifest, platforms: Iterable[Platform]) -> frozenset[Digest]:
    """The children of `index` for one of `platforms`, and the attestations of those."""
    wanted = tuple(platforms)
    chosen = {
        child.digest
        for child in index.manifests
        if child.platform is not None and any(child.platform.satisfies(platform) for platform in wanted)
    }
    return frozenset(chosen | {child.digest for child in index.manifests if _subject_of(child) in chosen})


def held_children(index: Manifest, has: Callable[[Descriptor], bool]) -> frozenset[Digest]:
    """The children of `index` that are there, without the attestations of missing ones."""
    held = {child.digest for child in index.manifests if has(child)}
    subjects = {child.digest: subject for child in index.manifests if (subject := _subject_of(child)) is not None}
    return frozenset(digest for digest in held if subjects.get(digest, digest) in held)


def is_attestation(child: Descriptor) -> bool:
    """Whether this entry of an index is about another entry, and is no image itself."""
    return _subject_of(child) is not None


def narrowed(root: Node) -> Node:
    """`root`, with a new index for every index that lacks some of its children in the tree, from the leaves up."""
    known: dict[Digest, Node] = {}
    for node in walk(root):
        children = {child.manifest.digest: known[child.manifest.digest] for child in node.children}
        descriptors = {digest: child.manifest.descriptor for digest, child in children.items()}
        manifest = rewritten(node.manifest, descriptors) if node.manifest.is_index else node.manifest
        known[node.manifest.digest] = Node(manifest, tuple(children.values()))
    return known[root.manifest.digest]


def rewritten(index: Manifest, children: Mapping[Digest, Descriptor]) -> Manifest:
    """`index` with only the entries in `children`, each with the descriptor given there; itself if nothing differs.

    The same entries always give the same bytes.
    """
    entries = [
        entry if (now := children[entry["digest"]]).digest == entry["digest"] else _leading(entry, now)
        for entry in index.document["manifests"]
        if entry["digest"] in children
    ]
    if entries == index.document["manifests"]:
        return index
    raw = json.dumps({**index.document, "manifests": entries}, separators=(",", ":"), ensure_ascii=False).encode()
    return Manifest.parse(raw, index.media_type)


def _leading(entry: dict[str, Any], to: Descriptor) -> dict[str, Any]:
    return entry | {"mediaType": to.media_type, "digest": str(to.digest), "size": to.size}


def narrowing_note(
    root: Node, wanted: Iterable[Platform], absent: Iterable[Descriptor], store: str, *, sparse: bool
) -> str:
    """What people should know if `root` has only a part of an image: what is left out, and what is no longer valid.

    `absent` are wanted children that the index lists, but `store` does not hold.
    """
    total, count = len(root.manifest.manifests), len({child.manifest.digest for child in root.children})
    chosen = f" ({', '.join(map(str, wanted))})" if wanted else ""
    lacking = f"; {store} does not hold {named(absent)}" if absent else ""
    note = f"{count} of {total} platform entries{chosen}{lacking}"
    if sparse:
        effect = "index kept as published (sparse): digest and signatures stay valid, but many registries refuse it"
        return f"{note}; {effect}"
    effect = "index rewritten: it has a new digest, and signatures of the whole image are no longer valid"
    return f"{note}; {effect}"


def note_of_one(root: Node, store: str) -> str:
    """What people should know if a name will stand for one image instead of for the published index."""
    (digest,) = (child.manifest.digest for child in root.children)
    entries = root.manifest.manifests
    held = named(child for child in entries if child.digest == digest)
    others = named(child for child in entries if child.digest != digest)
    note = f"{store} holds {held} only, not {others}: that image alone is copied, without the index of all platforms"
    return f"{note}; its digest is the publisher's, but not that of the index"


def named(absent: Iterable[Descriptor]) -> str:
    """Entries of an index in words. An attestation is named only if its image is not among them."""
    entries = {child.digest: child for child in absent}
    pairs = ((child, _subject_of(child)) for child in entries.values())
    return first_of(dict.fromkeys(_called(child) for child, subject in pairs if subject not in entries), _NAMED)


def _called(child: Descriptor) -> str:
    if is_attestation(child):
        return "an attestation"
    return str(child.platform) if child.platform and child.platform.os else child.digest.short


def _subject_of(child: Descriptor) -> str | None:
    attests = child.annotations.get(_REFERENCE_TYPE) == "attestation-manifest"
    return child.annotations.get(_REFERENCE_DIGEST) if attests else None


def without_orphans(root: Node) -> Node:
    """The tree without the attestations of images that are missing."""
    held = {child.manifest.digest for child in root.children}
    children = held_children(root.manifest, lambda child: child.digest in held)
    return evolve(root, children=tuple(child for child in root.children if child.manifest.digest in children))
