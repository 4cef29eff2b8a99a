"""What the target is assumed to hold when a bundle is packed: by its inventory, or by the bundle that it got before."""

from __future__ import annotations

import stat
from collections.abc import Iterable
from pathlib import Path

from transload.app.receipts import is_receipt, read_receipt
from transload.bundle.format.keys import PublicKey, Signature, load_public_key
from transload.bundle.format.ledger import Ledger
from transload.bundle.format.signing import Signer
from transload.bundle.reading.reader import BundleStore
from transload.errors import BundleForeignSignature, BundleUnsigned, LedgerTampered, UsageError
from transload.files import check_kind, local_errors, read_file, replace_file
from transload.inventory.file import dump_inventory, load_inventory
from transload.inventory.inventory import Inventory, RepositoryContent
from transload.limits import INVENTORY_BYTES, RECEIPT_BYTES, SMALL_JSON_BYTES
from transload.oci import Descriptor, Digest
from transload.oci.imagelayout import MARKER
from transload.values import evolve


def far_side(against: Path | None, key: Path | None = None) -> Inventory:
    """What the target behind the air gap holds: nothing, or what the inventory, receipt or bundle at `against` says.

    Names are relative to the prefix there, as in a bundle. With `key`, files that it did not sign are refused.
    Raises `DocumentInvalid` for an invalid inventory, `BundleUnsigned`, `BundleForeignSignature`, `LedgerTampered`,
    `LocalError`, and what opening a bundle raises.
    """
    if against is None:
        if key is not None:
            raise UsageError("--against-key was given without --against", hint="add --against FILE")
        return Inventory(
            target="bundle:", prefix="", blobs_per_repository=True, manifests={}, blobs={}, repositories={}
        )
    verifier = load_public_key(key) if key else None
    if verifier is not None and (against / MARKER).is_file():
        raise BundleUnsigned(
            f"{against} is a folder in OCI layout, and folders carry no signature",
            subject=str(against),
            hint="name a signed bundle, or an inventory with its signature beside it",
        )
    if _is_inventory(against):
        return evolve(_read_inventory(against, verifier), prefix="")
    return inventory_of(BundleStore(against, verifier=verifier).ledger)


# --- inventories as files, signed on request


def signature_path(path: Path) -> Path:
    """The path of an inventory's signature: beside it, with `.sig` added to its name."""
    return path.with_name(f"{path.name}.sig")


def write_inventory(path: Path, inventory: Inventory, signer: Signer | None = None) -> None:
    """Write an inventory, and its signature in the form of a bundle's `ledger.sig`. Raises `LocalError`, and what
    `signer` raises, before anything is written.
    """
    raw = dump_inventory(inventory)
    signature = None if signer is None else signer(raw)
    with local_errors("writing", path):
        replace_file(path, raw)
    if signature is not None:
        with local_errors("writing", signature_path(path)):
            replace_file(signature_path(path), signature)


def _is_inventory(path: Path) -> bool:
    """Whether this is an inventory and not a bundle: a file without `.tar` in its name, or one that begins as JSON."""
    with local_errors("reading", path):
        check_kind(path, stat.S_ISREG, stat.S_ISDIR)
        if not path.is_file():
            return False
        return read_file(path, 1) == b"{" or not path.name.lower().endswith(".tar")


def _read_inventory(path: Path, verifier: PublicKey | None) -> Inventory:
    with local_errors("reading", path):
        raw = read_file(path, max(INVENTORY_BYTES, RECEIPT_BYTES) + 1)
    if is_receipt(raw):
        return read_receipt(raw, path, verifier)
    if verifier is not None:
        _check_signature(path, raw, verifier)
    return load_inventory(raw)


def _check_signature(path: Path, raw: bytes, verifier: PublicKey) -> None:
    beside = signature_path(path)
    if not beside.is_file():
        raise BundleUnsigned(
            f"the inventory {path} is not signed: there is no {beside.name} beside it",
            subject=str(path),
            hint="take it again with transload inventory --sign-key, and carry both files",
        )
    with local_errors("reading", beside):
        content = read_file(beside, SMALL_JSON_BYTES)
    try:
        signature = Signature.decode(content)
    except LedgerTampered as error:
        raise LedgerTampered(f"{beside} is not a signature, or it is damaged", subject=str(beside)) from error
    if (signature.key_id, signature.algorithm) != (verifier.key_id, verifier.algorithm):
        raise BundleForeignSignature(
            f"the inventory {path} is signed with the key {signature.key_id[:80]}, expected {verifier.key_id}",
            subject=str(path),
            hint="use the public key of the site that took it, if you trust it",
        )
    if not verifier.verify(raw, signature.value):
        raise LedgerTampered(
            f"the signature does not match the inventory {path}",
            subject=str(path),
            hint="do not use it: have it taken again, and signed",
        )


# --- an earlier bundle


def inventory_of(ledger: Ledger) -> Inventory:
    """What the target has after a push of this bundle, with the prerequisites that it had before."""
    manifests: dict[Digest, Descriptor] = {}
    blobs: dict[Digest, int] = {}
    contents: dict[str, RepositoryContent] = {}

    def put(repository: str, tags: dict[str, Digest], held: Iterable[Descriptor]) -> None:
        before = contents.get(repository, RepositoryContent({}, frozenset(), frozenset()))
        described = tuple(held)
        manifests.update({descriptor.digest: descriptor for descriptor in described if descriptor.is_manifest})
        blobs.update({descriptor.digest: descriptor.size for descriptor in described if not descriptor.is_manifest})
        contents[repository] = RepositoryContent(
            {**before.tags, **tags},
            before.manifests | {descriptor.digest for descriptor in described if descriptor.is_manifest},
            before.blobs | {descriptor.digest for descriptor in described if not descriptor.is_manifest},
        )

    for entry in ledger.images:
        image = entry.image
        tags = {image.name.tag: image.root.digest} if image.name.tag else {}
        put(image.name.repository, tags, (image.root, *(ledger.blobs[position].descriptor for position in entry.blobs)))
    for prerequisite in ledger.prerequisites:
        for repository in prerequisite.repositories:
            put(repository, {}, (prerequisite.descriptor,))
    return Inventory(
        target="bundle:", prefix="", blobs_per_repository=True, manifests=manifests, blobs=blobs, repositories=contents
    )
