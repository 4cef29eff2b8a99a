"""The inventory as a file: canonical JSON (docs/formats/inventory.md). Each digest is written once; reading checks."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from transload.documents.value import Value, readable
from transload.inventory.inventory import Inventory, RepositoryContent
from transload.limits import INVENTORY_BYTES, INVENTORY_VALUES
from transload.oci import Descriptor, Digest
from transload.oci.mediatype import is_printable
from transload.oci.reference import check_repository, check_tag

FORMAT = 1

_KEYS = ("format", "target", "prefix", "scoped", "manifests", "blobs", "repositories", "notes")
_HINT = "take the inventory again with transload inventory"


def inventory_out(inventory: Inventory) -> dict[str, Any]:
    """The inventory as an object of JSON, such as a receipt has. Each list has its items in order."""
    manifests, blobs = sorted(inventory.manifests), sorted(inventory.blobs)
    return {
        "format": FORMAT,
        "target": inventory.target,
        "prefix": inventory.prefix,
        "scoped": inventory.blobs_per_repository,
        "manifests": [_described(inventory.manifests[digest]) for digest in manifests],
        "blobs": [{"digest": digest, "size": inventory.blobs[digest]} for digest in blobs],
        "repositories": list(_repositories_out(inventory.repositories, _numbers(manifests), _numbers(blobs))),
        "notes": list(inventory.notes),
    }


def _written(inventory: Inventory) -> bytes:
    document = inventory_out(inventory)
    written = {key: _lines(value) if isinstance(value, list) else _text(value) for key, value in document.items()}
    return ("{\n" + ",\n".join(f'"{key}":{value}' for key, value in written.items()) + "\n}\n").encode("ascii")


def dump_inventory(inventory: Inventory) -> bytes:
    """The inventory as canonical JSON: equal inventories give equal bytes. Holds no secret.

    The format is docs/formats/inventory.md. Raises `LimitExceeded` where `load_inventory` would not read it.
    """
    hint = "take it of a part: name a prefix, as in registry.local/arcdata"
    return readable(_written(inventory), "inventory", limit=INVENTORY_BYTES, values=INVENTORY_VALUES, hint=hint)


def load_inventory(raw: bytes) -> Inventory:
    """The inventory in the content of a file (docs/formats/inventory.md).

    Raises `DocumentInvalid`, its subject the path of what is wrong in the document.
    """
    return inventory_in(Value.from_json(raw, "inventory", limit=INVENTORY_BYTES, values=INVENTORY_VALUES, hint=_HINT))


def inventory_in(root: Value) -> Inventory:
    """The inventory that is this document, or an object of a larger one. Raises `DocumentInvalid`."""
    root.only(*_KEYS)
    if root.get("format").number() != FORMAT:
        raise root.get("format").wrong(f"{FORMAT}, the format that this version of transload reads")
    manifests = [_manifest_in(entry) for entry in root.get("manifests").items()]
    blobs = [_blob_in(entry) for entry in root.get("blobs").items()]
    described = {manifest.digest: manifest for manifest in manifests}
    sizes = dict(blobs)
    for key, distinct, listed in (("manifests", described, manifests), ("blobs", sizes, blobs)):
        if len(distinct) != len(listed):
            raise root.get(key).fail("a digest is listed twice")
    digests = ([manifest.digest for manifest in manifests], [digest for digest, _ in blobs])
    repositories: dict[str, RepositoryContent] = {}
    for entry in root.get("repositories").items():
        name = entry.only("name", "tags", "manifests", "blobs").get("name").read(_repository)
        if name in repositories:
            raise entry.get("name").fail(f"{name!r} is listed twice")
        repositories[name] = _repository_in(entry, *digests)
    prefix, blobs_per_repository = root.get("prefix").read(_repository), root.get("scoped").truth()
    target, notes = root.get("target").text(), tuple(note.text() for note in root.get("notes").items())
    with root.get("repositories").explained():
        return Inventory(
            target=target,
            prefix=prefix,
            blobs_per_repository=blobs_per_repository,
            manifests=described,
            blobs=sizes,
            repositories=repositories,
            notes=notes,
        )


# --- out


def _text(value: object) -> str:
    """Pure ASCII, so that no editor, mail gateway or locale changes the bytes."""
    return json.dumps(value, separators=(",", ":"), sort_keys=True)


def _lines(items: Sequence[object]) -> str:
    """One item per line, so that tools can compare inventories by line."""
    return "[\n" + ",\n".join(map(_text, items)) + "\n]" if items else "[]"


def _described(descriptor: Descriptor) -> dict[str, Any]:
    return {"digest": descriptor.digest, "media_type": descriptor.media_type, "size": descriptor.size}


def _numbers(digests: Iterable[Digest]) -> Mapping[Digest, int]:
    return {digest: number for number, digest in enumerate(digests)}


def _repositories_out(
    repositories: Mapping[str, RepositoryContent], manifests: Mapping[Digest, int], blobs: Mapping[Digest, int]
) -> Iterable[dict[str, Any]]:
    for name in sorted(repositories):
        content = repositories[name]
        yield {
            "name": name,
            "tags": {tag: manifests[digest] for tag, digest in content.tags.items()},
            "manifests": sorted(manifests[digest] for digest in content.manifests),
            "blobs": sorted(blobs[digest] for digest in content.blobs),
        }


# --- in


def _manifest_in(entry: Value) -> Descriptor:
    entry.only("digest", "media_type", "size")
    media_type = entry.get("media_type").text()
    if not is_printable(media_type):
        raise entry.get("media_type").wrong("printable text")
    return Descriptor(media_type, entry.get("digest").read(Digest), entry.get("size").number())


def _blob_in(entry: Value) -> tuple[Digest, int]:
    entry.only("digest", "size")
    return entry.get("digest").read(Digest), entry.get("size").number()


def _repository_in(entry: Value, manifests: Sequence[Digest], blobs: Sequence[Digest]) -> RepositoryContent:
    held = frozenset(manifests[index] for index in entry.get("manifests").numbers(len(manifests)))
    tags = {}
    for key, index in entry.get("tags").entries():
        with index.explained():
            tag = check_tag(key)
        tags[tag] = manifests[index.number(len(manifests))]
        if tags[tag] not in held:
            raise index.wrong("the number of a manifest of this repository")
    return RepositoryContent(tags, held, frozenset(blobs[index] for index in entry.get("blobs").numbers(len(blobs))))


def _repository(text: str) -> str:
    return check_repository(text) if text else text  # empty: the repository that has the prefix as its name
