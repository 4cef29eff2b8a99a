"""Keeping some platforms of a multi-platform image: which entries stay, and the index written anew. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from transload.graph import Node, walk
from transload.oci import Descriptor, Digest, Manifest, Platform

# BuildKit hangs provenance into the index itself, as a child for the platform unknown/unknown that names by these
# annotations the child it speaks of.
_REFERENCE_TYPE = "vnd.docker.reference.type"
_REFERENCE_DIGEST = "vnd.docker.reference.digest"

_NAMED = 8  # entries in one sentence


def wanted_children(index: Manifest, platforms: Iterable[Platform]) -> frozenset[Digest]:
    """The children of `index` for one of `platforms`, and the attestations that speak of those."""
    wanted = tuple(platforms)
    chosen = {
        child.digest
        for child in index.manifests
        if child.platform is not None and any(child.platform.satisfies(one) for one in wanted)
    }
    return frozenset(chosen | {child.digest for child in index.manifests if _speaks_of(child) in chosen})


def held_children(index: Manifest, has: Callable[[Descriptor], bool]) -> frozenset[Digest]:
    """The children of `index` that are there, without attestations that speak of one that is not."""
    there = {child.digest for child in index.manifests if has(child)}
    speaking = {child.digest: about for child in index.manifests if (about := _speaks_of(child)) is not None}
    return frozenset(digest for digest in there if speaking.get(digest, digest) in there)


def is_attestation(child: Descriptor) -> bool:
    """Whether this entry of an index speaks of another one, and is no image by itself."""
    return _speaks_of(child) is not None


def narrowed(root: Node) -> Node:
    """`root` with every index that has not all of its children in the tree written anew, from below."""
    known: dict[Digest, Node] = {}
    for node in walk(root):
        children = {child.manifest.digest: known[child.manifest.digest] for child in node.children}
        kept = {digest: child.manifest.descriptor for digest, child in children.items()}
        manifest = rewritten(node.manifest, kept) if node.manifest.is_index else node.manifest
        known[node.manifest.digest] = Node(manifest, tuple(children.values()))
    return known[root.manifest.digest]


def rewritten(index: Manifest, kept: Mapping[Digest, Descriptor]) -> Manifest:
    """`index` with only the entries of `kept`, each leading to what stands there; unchanged if nothing differs.

    The same bytes each time for the same entries.
    """
    entries = [
        entry if (now := kept[entry["digest"]]).digest == entry["digest"] else _leading(entry, now)
        for entry in index.document["manifests"]
        if entry["digest"] in kept
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
    """What people should know of an image of which `root` has a part only: what is left out, and what no longer holds.

    `absent` is what was wanted, but is not in `store`, though the index lists it.
    """
    total, kept = len(root.manifest.manifests), len({child.manifest.digest for child in root.children})
    chosen = f" ({', '.join(map(str, wanted))})" if wanted else ""
    lacking = f"; {store} does not hold {named(absent)}" if absent else ""
    note = f"{kept} of {total} platform entries{chosen}{lacking}"
    if sparse:
        told = "index kept as published (sparse): digest and signatures stay valid, but many registries refuse it"
        return f"{note}; {told}"
    told = "index rewritten: it has a new digest, and signatures of the whole image are no longer valid"
    return f"{note}; {told}"


def note_of_one(root: Node, store: str) -> str:
    """What people should know where a name will stand for one image instead of for the index that was published."""
    (kept,) = (child.manifest.digest for child in root.children)
    entries = root.manifest.manifests
    one = named(child for child in entries if child.digest == kept)
    others = named(child for child in entries if child.digest != kept)
    told = f"{store} holds {one} only, not {others}: that image alone is copied, without the index of all platforms"
    return f"{told}; its digest is the publisher's, but not that of the index"


def named(absent: Iterable[Descriptor]) -> str:
    """Entries of an index as people call them; an attestation only where what it speaks of is not among them."""
    entries = {child.digest: child for child in absent}
    about = ((child, _speaks_of(child)) for child in entries.values())
    names = list(dict.fromkeys(_called(child) for child, subject in about if subject not in entries))
    return ", ".join(names[:_NAMED]) + (f" and {len(names) - _NAMED} more" if len(names) > _NAMED else "")


def _called(child: Descriptor) -> str:
    if is_attestation(child):
        return "an attestation"
    return str(child.platform) if child.platform and child.platform.os else child.digest.short


def _speaks_of(child: Descriptor) -> str | None:
    attests = child.annotations.get(_REFERENCE_TYPE) == "attestation-manifest"
    return child.annotations.get(_REFERENCE_DIGEST) if attests else None
