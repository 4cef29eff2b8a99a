"""Checks that a ledger lists everything that its manifests need, so that a bundle is as complete as it says."""

from __future__ import annotations

from collections.abc import Set
from typing import TYPE_CHECKING

from transload.bundle.format.blueprint import saved_of
from transload.bundle.format.entries import LedgerImage
from transload.bundle.format.ledger import Ledger
from transload.errors import LedgerTampered, TransloadError
from transload.oci import Descriptor, Digest, Manifest, Name
from transload.values import frozen
from transload.wording import number_of

if TYPE_CHECKING:
    from transload.bundle.reading.reader import BundleStore


def contradiction(what: str) -> LedgerTampered:
    """The error for a ledger that does not match the content of its bundle."""
    return LedgerTampered(
        f"the ledger of the bundle does not match its content: {what}",
        subject="transload/ledger.json",
        hint="do not use this bundle: have it packed again",
    )


def check_accounts(ledger: Ledger, manifest: Manifest, left_out: Set[Digest]) -> None:
    """Check that everything directly below `manifest` is in the bundle, left out on purpose, or must be at the target.

    Raises `LedgerTampered`.
    """
    for blob in manifest.blobs:
        if not blob.is_foreign:
            _check(ledger, manifest, blob, "blob")
    for child in manifest.manifests:
        if child.digest not in left_out:
            _check(ledger, manifest, child, "manifest")


def _check(ledger: Ledger, manifest: Manifest, needed: Descriptor, what: str) -> None:
    stored = ledger.by_digest.get(needed.digest)
    descriptor = stored.descriptor if stored else ledger.assumed.get(needed.digest)
    need = f"{manifest.digest.short} needs {what} {needed.digest.short}"
    if descriptor is None:
        raise contradiction(f"{need}, which is neither in the bundle nor a prerequisite")
    if descriptor.size != needed.size:
        raise contradiction(f"{need} of {number_of(needed.size, 'byte')}, and it has {descriptor.size}")
    if what == "manifest" and descriptor.media_type != needed.media_type:
        raise contradiction(f"{need} of another type")


def saved_contradiction(store: BundleStore) -> TransloadError | None:
    """Check that `manifest.json` lists what the manifests say; the error, or None.

    What cannot be read says nothing here: the check of the members has its error.
    """
    if store.ledger.saved_digest is None:
        return None

    def manifest_of(digest: Digest) -> Manifest | None:
        return store.fetch(Name("", None, digest)) if digest in store.ledger.by_digest else None

    try:
        raw = saved_of(store.ledger, manifest_of)
    except TransloadError:
        return None
    if raw is None or Digest.of(raw, store.ledger.saved_digest.algorithm) != store.ledger.saved_digest:
        return contradiction("docker would load other images from its manifest.json")
    return None


class Accounts:
    """Walks the graphs of the images in one bundle. Remembers each manifest that it has read."""

    def __init__(self, store: BundleStore) -> None:
        self._store = store
        self._known: dict[Digest, _Facts] = {}

    def contradiction_in(self, image: LedgerImage) -> TransloadError | None:
        """Read every manifest of an image in the bundle, and check that every blob is listed; the error, or None.

        Referrers of the image belong to it. The ledger must list everything found among what the image needs.
        """
        listed = {self._store.ledger.blobs[position].digest for position in image.blobs}
        name, seen = image.image.name, {image.image.root.digest}
        pending = [image.image.root.digest]
        try:
            self._store.resolve(name)
            while pending:
                facts = self._facts(name.at(pending.pop()))
                unlisted = facts.here - listed
                if unlisted:
                    raise contradiction(f"{name} needs {min(unlisted).short}, which is not listed for it")
                pending += sorted(facts.next - seen)
                seen |= facts.next
        except TransloadError as error:
            return error
        return None

    def _facts(self, name: Name) -> _Facts:
        digest = name.digest
        assert digest is not None  # noqa: S101 - all callers name a digest
        if digest not in self._known:
            manifest = self._store.fetch(name)
            referrers = {referrer.digest for referrer in self._store.referrers(name.repository, digest)}
            self._known[digest] = _facts(self._store.ledger, manifest, referrers)
        return self._known[digest]


@frozen
class _Facts:
    """What the bundle holds of a manifest and directly below it (`here`), and the manifests to read next."""

    here: frozenset[Digest]
    next: frozenset[Digest]


def _facts(ledger: Ledger, manifest: Manifest, referrers: Set[Digest]) -> _Facts:
    stored = ledger.by_digest[manifest.digest]
    subject = manifest.subject.digest if manifest.subject else None
    if stored.subject != subject:
        raise contradiction(f"{manifest.digest.short} refers to another manifest than the ledger says")
    known = ledger.by_digest.keys()
    children = {child.digest for child in manifest.manifests} & known
    blobs = {blob.digest for blob in manifest.blobs} & known
    return _Facts(frozenset({manifest.digest, *blobs, *children}), frozenset(children | referrers))
