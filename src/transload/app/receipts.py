"""Receipts: what a push says that the target holds now, for the site that packed (docs/formats/receipt.md)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from transload.app.mirror import Prepared
from transload.app.signedrecord import Opened, encoded
from transload.bundle.format.keys import PublicKey
from transload.bundle.format.signing import Signer
from transload.documents.value import readable
from transload.errors import (
    BundleForeignSignature,
    BundleUnsigned,
    DocumentInvalid,
    HostGivenUp,
    LedgerTampered,
)
from transload.inventory.file import inventory_in, inventory_out
from transload.inventory.inventory import Inventory
from transload.inventory.take import inventory_of_names
from transload.limits import RECEIPT_BYTES, RECEIPT_VALUES
from transload.oci import Name
from transload.planning.plan import ManifestStep
from transload.report.result import Result
from transload.report.transferrecord import (
    PREDICATE_TYPE,
    RECEIPT_TYPE,
    has_arrived,
    receipt_of,
    shown,
)
from transload.threads import Cancellation
from transload.trust import statement
from transload.trust.statement import Statement
from transload.values import evolve

_VERSIONS = RECEIPT_TYPE.removesuffix("v1")
_AGAIN = "have it written again: transload push --receipt FILE"


# --- writing


def receipt_content(
    prepared: Prepared,
    result: Result,
    record: Statement,
    signer: Signer | None,
    cancellation: Cancellation | None = None,
) -> bytes:
    """The receipt of a run that has this record. The target is asked only for images that it had before.

    Raises `LimitExceeded` where `read_receipt` would not read it, and `Interrupted`, unless the run was interrupted
    itself: then nothing more is asked.
    """
    held = _held(prepared, result, None if result.interrupted else cancellation or Cancellation())
    arrived = sum(map(has_arrived, result.images))
    wanted = sum(not (image.excused and image.problem is not None) for image in result.images)
    of_bundle = prepared.carrier.images if prepared.carrier else 0
    said = receipt_of(record, inventory_out(held), complete=arrived >= max(wanted, of_bundle))
    hint = "push fewer images at a time, or carry an inventory back: transload inventory"
    content = said.encode()
    readable(content, "receipt", limit=RECEIPT_BYTES, values=RECEIPT_VALUES, hint=hint)
    content = encoded(said, signer)
    return readable(content, "receipt", limit=RECEIPT_BYTES, values=RECEIPT_VALUES, hint=hint)


def _held(prepared: Prepared, result: Result, cancellation: Cancellation | None) -> Inventory:
    """What the target holds of the images that have arrived; without `cancellation`, as far as the plan knows it."""
    steps, manifests = tuple(_stored(prepared, result)), prepared.plan.manifests
    known = {step.digest: manifests[step.digest] for step in steps}
    names = [Name(step.name.repository, step.name.tag, step.digest) for step in steps]
    left_out = {child for step in steps for child in step.left_out}
    if cancellation is None:
        left_out |= {child.digest for manifest in known.values() for child in manifest.manifests}
    else:
        names += _unchanged(prepared, result)
    try:
        held = inventory_of_names(
            prepared.target,
            names,
            known,
            prepared.location.prefix,
            left_out=left_out,
            cancellation=cancellation,
        )
    except HostGivenUp as error:
        if cancellation is None:
            raise
        held = _held(prepared, result, None)
        held = evolve(held, notes=(*held.notes, f"what the target had before was not asked: {error.message}"))
    return evolve(held, target=shown(held.target))


def _unchanged(prepared: Prepared, result: Result) -> Iterator[Name]:
    for planned, image in zip(prepared.plan.images, result.images, strict=True):
        if has_arrived(image) and not planned.goals and image.digest is not None:
            yield Name(planned.target.repository, planned.target.tag, image.digest)


def _stored(prepared: Prepared, result: Result) -> Iterator[ManifestStep]:
    """The manifests that were stored for images which have arrived: all that these need, and what refers to them."""
    steps, seen = prepared.plan.steps, set[int]()
    pairs = zip(prepared.plan.images, result.images, strict=True)
    pending = [goal for planned, image in pairs if has_arrived(image) for goal in planned.goals]
    while pending:
        number = pending.pop()
        step = steps[number]
        if number not in seen and isinstance(step, ManifestStep):
            seen.add(number)
            pending += step.needs
            yield step


# --- reading


_KEYS = re.compile(rb'\s*\{\s*"(payload|payloadType|signatures|_type|subject|predicateType|predicate)"')


def is_receipt(raw: bytes) -> bool:
    """Whether JSON may be a statement or an envelope: its first key is one of theirs, and inventories have others."""
    return _KEYS.match(raw) is not None


def read_receipt(raw: bytes, path: Path, verifier: PublicKey | None) -> Inventory:
    """What the target holds by the receipt in the file at `path`. With `verifier`, its key must have signed it.

    A note of the inventory says which images did not arrive. Raises `DocumentInvalid`, `BundleUnsigned`,
    `BundleForeignSignature`, `LedgerTampered`.
    """
    opened = Opened.of(raw, "receipt", limit=RECEIPT_BYTES, values=RECEIPT_VALUES)
    if verifier is not None:
        _check_signature(opened, path, verifier)
    root = opened.root()
    said = statement.statement_in(root)
    _check_type(said, path)
    held = inventory_in(root.get("predicate").get("inventory"))
    return evolve(held, notes=(*_lacking(said, path), *held.notes))


def _check_signature(opened: Opened, path: Path, verifier: PublicKey) -> None:
    if opened.envelope is None:
        raise BundleUnsigned(
            f"the receipt {path} is not signed",
            subject=str(path),
            hint=f"{_AGAIN} --sign-key KEY",
        )
    problem = opened.unproved(verifier)
    if problem is None:
        return
    if verifier.key_id in opened.signed_by:
        raise LedgerTampered(
            f"the signature does not match the receipt {path}: it was changed after it was signed",
            subject=str(path),
            hint=f"do not use it: {_AGAIN}",
        )
    raise BundleForeignSignature(
        f"the receipt {path} is signed with the key {_keys(opened.signed_by)}, expected {verifier.key_id}",
        subject=str(path),
        hint="use the public key of the site that wrote it, if you trust it",
    )


def _keys(keys: Sequence[str]) -> str:
    """The keys that a signature names, short: a stranger wrote them."""
    return ", ".join(key[:80] or "without a name" for key in keys[:3])


def _check_type(said: Statement, path: Path) -> None:
    kind = said.predicate_type
    if kind == RECEIPT_TYPE:
        return
    if kind == PREDICATE_TYPE:
        raise DocumentInvalid(
            f"{path} is a transfer record, which does not say what the target holds",
            subject=str(path),
            hint="take the receipt of a push (transload push --receipt FILE), or an inventory (transload inventory)",
        )
    if kind.startswith(_VERSIONS):
        raise DocumentInvalid(
            f"{path} is a receipt of version {kind[len(_VERSIONS) :][:20]!r}, this version of transload reads v1",
            subject=str(path),
            hint="use the version of transload that wrote it, or a later one",
        )
    raise DocumentInvalid(f"{path} is no receipt: it states {kind[:80]!r}", subject=str(path), hint=_AGAIN)


def _lacking(said: Statement, path: Path) -> Iterator[str]:
    """A sentence for who packs, if the push did not bring everything."""
    if said.predicate.get("complete") is True:
        return
    images, bundle = said.predicate.get("images"), said.predicate.get("bundle")
    listed = len(images) if isinstance(images, list) else 0
    carried = bundle.get("images") if isinstance(bundle, dict) else None
    wanted = max(listed, carried if type(carried) is int else 0)
    yield (
        f"by the receipt {path.name}, {len(said.subjects)} of {wanted} images are at the target: the others are packed "
        f"again; transload history {path.name} shows what became of them"
    )
