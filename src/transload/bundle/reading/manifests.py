"""What the manifests of a bundle say: the subjects of referrers; and how they share memory with the ledger."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from transload.bundle.format.entries import StoredBlob
from transload.bundle.format.ledger import Ledger
from transload.errors import LimitExceeded, TransloadError, as_result
from transload.limits import REFERRERS_BYTES
from transload.oci import Descriptor, Digest, Manifest, verified
from transload.oci.manifest import may_have_subject
from transload.values import evolve, frozen
from transload.wording import in_words


@frozen
class Referring:
    """The referrers of each subject, and the manifests that could not be read, with their errors."""

    referrers: Mapping[Digest, tuple[Descriptor, ...]]
    unread: tuple[tuple[StoredBlob, TransloadError], ...]


def referring(ledger: Ledger, read: Callable[[StoredBlob], bytes], name: str) -> Referring:
    """Look at every manifest, since the ledger could hide one; `read` gives its bytes.

    Most say nothing of a subject, and are not parsed. Raises `LimitExceeded`, with the `name` of the bundle.
    """
    referrers: dict[Digest, list[Descriptor]] = {}
    unread: list[tuple[StoredBlob, TransloadError]] = []
    weight = 0
    for stored in ledger.blobs:
        if not stored.descriptor.is_manifest:
            continue
        try:
            raw = read(stored)
            if not may_have_subject(raw):
                verified((raw,), stored.digest, stored.size)
                continue
            manifest = Manifest.parse(raw, stored.descriptor.media_type, stored.digest)
        except TransloadError as error:
            unread.append((stored, as_result(error)))
            continue
        if manifest.subject is not None:
            referrer = manifest.as_referrer
            weight += referrer.weight
            if weight > REFERRERS_BYTES:
                raise LimitExceeded(f"the referrers in {name} take more than {in_words(REFERRERS_BYTES)}")
            referrers.setdefault(manifest.subject.digest, []).append(referrer)
    return Referring({subject: tuple(own) for subject, own in referrers.items()}, tuple(unread))


def sharing(ledger: Ledger, manifest: Manifest) -> Manifest:
    """The same manifest, with the ledger's descriptors where they say the same: a second set takes megabytes."""

    def shared(blob: Descriptor) -> Descriptor:
        stored = ledger.by_digest.get(blob.digest)
        if stored is None or stored.descriptor != blob or not (blob.is_bare and stored.descriptor.is_bare):
            return blob
        return stored.descriptor

    config = manifest.config and shared(manifest.config)
    return evolve(manifest, config=config, layers=tuple(map(shared, manifest.layers)))
