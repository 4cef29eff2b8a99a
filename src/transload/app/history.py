"""The transfer records of an image at a target: found by what refers to it, read, and proved with a key."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from transload.app.location import Location, is_local
from transload.app.signedrecord import judged
from transload.bundle.format.keys import PublicKey
from transload.catalog.selected import join
from transload.errors import LimitExceeded, NotFound, ReferenceInvalid, TransloadError, UsageError
from transload.files import local_errors, read_file
from transload.limits import ENVELOPE_BYTES, RECEIPT_BYTES, RECEIPT_VALUES
from transload.oci import Descriptor, Digest, Manifest, Name, Reference, verified
from transload.oci.reference import shown
from transload.ports import Source
from transload.report import gateattestation
from transload.report.foundrecord import FoundRecord
from transload.report.transferrecord import ARTIFACT_TYPE, PREDICATE_TYPE, RECEIPT_TYPE
from transload.report.transferrecord import shown as target_shown
from transload.threads import Cancellation, in_parallel
from transload.trust.dsse import IN_TOTO, MEDIA_TYPE
from transload.trust.statement import Statement
from transload.values import evolve, frozen

_RECORDS = 1000  # a run each day for three years
_RECORD_BYTES = 256 << 10  # the record of one image has three thousand; this is for very many checks
HINT = "mirror and push attach one with --record-at-target"


@frozen(kw_only=True)
class _Kind:
    """What is looked for at an image: its name for people, its types, and how much of it is read at a time."""

    name: str
    plural: str
    artifact_type: str
    predicate_type: str
    limit: int
    threads: int


_RECORD = _Kind(
    name="a transfer record",
    plural="transfer records",
    artifact_type=ARTIFACT_TYPE,
    predicate_type=PREDICATE_TYPE,
    limit=_RECORD_BYTES,
    threads=8,
)
_GATE = _Kind(
    name="what a gate said",
    plural="attestations of gates",
    artifact_type=gateattestation.ARTIFACT_TYPE,
    predicate_type=gateattestation.PREDICATE_TYPE,
    limit=ENVELOPE_BYTES,
    threads=2,  # each may have 16 MiB
)


@frozen(kw_only=True)
class History:
    """The records of one image, oldest first. `image` is its name, `digest` what it stands for.

    `gates` is what gates said of it, as records whose predicate is that of docs/formats/gate-attestation.md, without
    the text that the program wrote.
    """

    image: str
    digest: Digest
    records: tuple[FoundRecord, ...]
    gates: tuple[FoundRecord, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The `history` object of docs/formats/json-output.md."""
        return {
            "image": self.image,
            "digest": self.digest,
            "records": [found.to_json() for found in self.records],
            "gates": [found.to_json() for found in self.gates],
        }

    @property
    def holds(self) -> bool:
        """Whether something of this target is there, and nothing is wrong with any of that.

        What came along from elsewhere does not say how the image came here, and it has other signers.
        """
        own = [found for found in (*self.records, *self.gates) if not found.carried]
        return bool(own) and not any(found.problem for found in own)


def is_file(text: str) -> bool:
    """Whether this names a file with a record, and no image: a tag has another end."""
    return text.lower().endswith(".json")


def record_in_file(path: Path, key: PublicKey | None = None) -> FoundRecord:
    """The transfer record or receipt in a file, without the inventory. One that `key` did not sign has a problem.

    Raises `LocalError`, and `DocumentInvalid` for a file that is neither.
    """
    with local_errors("reading", path):
        content = read_file(path, RECEIPT_BYTES + 1)
    bare = FoundRecord(digest=Digest.of(content), verified=None if key is None else False)
    found = judged(bare, content, key, _unknown_type, limit=RECEIPT_BYTES, values=RECEIPT_VALUES)
    return evolve(found, record={name: value for name, value in found.record.items() if name != "inventory"})


def _unknown_type(said: Statement) -> str | None:
    if said.predicate_type in {PREDICATE_TYPE, RECEIPT_TYPE}:
        return None
    return f"its predicate is of another type: {said.predicate_type[:80]!r}"


def place_of(image: str, store: Location | None) -> tuple[Location, Name]:
    """Where an image is: at the registry that its name begins with, or in `store`, under the prefix there.

    Raises `ReferenceInvalid`, and `UsageError` for a store that is no target.
    """
    if is_local(image) and not image.startswith(("docker:", "podman:")):  # there are images of these names
        scheme, _, rest = image.partition(":")
        raise UsageError(
            f"{shown(image)!r} is a store, and an image was expected",
            hint=f"write the image and its store apart: REPOSITORY:TAG --from {scheme}:{shown(rest) or 'DIR'}",
        )
    if store is None:
        reference = Reference.parse(image)
        return Location("registry", reference.registry), reference.name
    store.check_target()
    name = Name.parse(image)
    if name.tag is None and name.digest is None:
        raise ReferenceInvalid(f"{image[:200]!r} has neither a tag nor a digest", hint="write it: repository:tag")
    return store, evolve(name, repository=join(store.prefix, name.repository))


def history_of(
    store: Source, name: Name, key: PublicKey | None = None, cancellation: Cancellation | None = None
) -> History:
    """The records of the image `name` in `store`. With `key`, a record that it did not sign has a problem.

    Raises `NotFound` if there is no such image, or it has no record; `LimitExceeded` for more than a thousand; and
    what reading raises, but what is wrong with one record is told of it.
    """
    history = read_history(store, name, key, cancellation)
    if not (history.records or history.gates):
        raise NotFound(f"{name} has no transfer record at {store.locator}", subject=str(name), hint=HINT)
    return history


def read_history(
    store: Source,
    name: Name,
    key: PublicKey | None = None,
    cancellation: Cancellation | None = None,
    *,
    with_gates: bool = True,
) -> History:
    """The same, perhaps without a record; without `with_gates` only the records are read."""
    image = store.resolve(name)
    referrers = store.refers.referrers(name.repository, image.digest) if store.refers else ()
    records, gates = (
        [referrer for referrer in referrers if referrer.artifact_type == kind.artifact_type]
        for kind in (_RECORD, _GATE)
    )

    def found(listed: list[Descriptor], kind: _Kind) -> tuple[FoundRecord, ...]:
        if len(listed) > _RECORDS:
            raise LimitExceeded(f"{name} has {len(listed)} {kind.plural}, the limit is {_RECORDS}", subject=str(name))
        each = partial(_found, store, name.repository, kind=kind, image=image.digest, key=key)
        return tuple(sorted(in_parallel(each, listed, kind.threads, cancellation), key=_when))

    gated = found(gates, _GATE) if with_gates else ()
    return History(image=str(name), digest=image.digest, records=found(records, _RECORD), gates=gated)


def _when(found: FoundRecord) -> tuple[str, str]:
    return (str(found.record.get("finishedOn", "")), found.digest)


def _found(
    store: Source, repository: str, referrer: Descriptor, *, kind: _Kind, image: Digest, key: PublicKey | None
) -> FoundRecord:
    bare = FoundRecord(digest=referrer.digest, verified=None if key is None else False)
    try:
        manifest = store.fetch(Name(repository, None, referrer.digest))
        layer = _layer(manifest)
        if layer is None or manifest.subject is None or manifest.subject.digest != image:
            return evolve(bare, problem=f"it is not {kind.name} of this image")
        content = _content(store, repository, layer, kind.limit)
        found = _without_text(judged(bare, content, key, lambda said: _misfit(said, image, kind)))
        named = found.record.get("target")
        return evolve(found, carried=isinstance(named, str) and named != target_shown(store.locator))
    except TransloadError as error:
        if error.exit_code in {3, 5, 130}:  # the registry, and not this record
            raise
        return evolve(bare, problem=error.message)


def _without_text(found: FoundRecord) -> FoundRecord:
    """The same without what a program wrote, which can be 4 MiB."""
    output = found.record.get("output")
    if not isinstance(output, dict):
        return found
    said = {name: value for name, value in output.items() if name != "text"}
    return evolve(found, record={**found.record, "output": said})


def _misfit(said: Statement, image: Digest, kind: _Kind) -> str | None:
    if said.predicate_type == kind.predicate_type:
        return None if said.is_about(image) else "it is about another image"
    return _unknown_type(said) or f"it is not {kind.name}"


def _layer(manifest: Manifest) -> Descriptor | None:
    """The layer with the record; None if this is not the artifact that a record is."""
    layers = [layer for layer in manifest.layers if layer.media_type in {MEDIA_TYPE, IN_TOTO}]
    return layers[0] if len(layers) == len(manifest.layers) == 1 else None


def _content(store: Source, repository: str, layer: Descriptor, limit: int) -> bytes:
    if layer.size > limit:
        raise LimitExceeded(f"it has {layer.size} bytes, the limit is {limit}", subject=layer.digest)
    with store.open(repository, layer) as chunks:
        return verified(chunks, layer.digest, layer.size)
