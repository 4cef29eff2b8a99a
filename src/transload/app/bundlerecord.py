"""The transfer record that a bundle carries of its own packing: put into it, found in it (docs/formats/bundle.md).

It is one of the bundle's extra files, so the ledger has its digest. It says when the packing began, and a run that goes
on with the bundle takes the record that the first one made: else its bytes would be others.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path

from transload.app.mirror import Prepared
from transload.app.recording import check_recorded_by
from transload.app.signedrecord import Opened, encoded, judged
from transload.bundle.format.contents import ExtraFile
from transload.bundle.format.entries import StoredExtra
from transload.bundle.format.keys import PublicKey
from transload.bundle.format.ledger import Ledger
from transload.bundle.format.signing import Signer
from transload.bundle.format.volumes import JOURNAL, RECORD
from transload.bundle.reading.checking import volumes_of
from transload.bundle.reading.reader import BundleStore
from transload.errors import LimitExceeded, TransloadError
from transload.files import Folder, local_errors, read_file, write_all
from transload.limits import ENVELOPE_BYTES
from transload.oci import Digest, verified
from transload.oci.cosign import subject_of
from transload.planning import planfile
from transload.report.foundrecord import FoundRecord
from transload.report.transferrecord import (
    PREDICATE_TYPE,
    Carrier,
    Check,
    gate_checks,
    record_of_packing,
)
from transload.trust.statement import Statement
from transload.values import evolve, frozen
from transload.version import __version__

NAME = "transfer-record.json"
"""The name of the record among the extra files of a bundle."""

_FINISHED = "a bundle gets its name when all its content has its digest"


@frozen(kw_only=True)
class InBundle:
    """The record that is put into a bundle: the run that packs it, and who answers for it, as they wrote it.

    Raises `UsageError` for a `recorded_by` that cannot be shown.
    """

    run_id: str
    began_wall_s: float
    recorded_by: str | None = None

    def __attrs_post_init__(self) -> None:
        check_recorded_by(self.recorded_by)


# --- packing


@frozen
class PackingRecord:
    """The record as a file of the bundle that is being packed, and where it is kept for a run that goes on."""

    file: ExtraFile
    _kept: Path | None

    @classmethod
    def made(
        cls, wanted: InBundle, prepared: Prepared, signer: Signer | None, folder: Path | None
    ) -> PackingRecord | None:
        """The record of the bundle that `prepared` fills; None if that holds no image. It is kept in `folder`.

        If an earlier run has made one that says the same, it is that one. Raises `LimitExceeded`, and what `signer`
        raises.
        """
        said = _said(wanted, prepared)
        if said is None:
            return None
        out = Path(prepared.location.value)
        kept = None if folder is None else folder / _kept_name(folder == out.parent, out, said)
        for earlier in _earlier(out, kept):
            if _says_the_same(earlier, said, signer):
                return cls(ExtraFile.made(NAME, earlier), kept)
        content = encoded(said, signer)
        if len(content) > ENVELOPE_BYTES:
            raise LimitExceeded(
                f"the transfer record of the bundle would have {len(content)} bytes, {ENVELOPE_BYTES} are allowed",
                hint="pack fewer images at a time, or leave --record-in-bundle out",
            )
        return cls(ExtraFile.made(NAME, content), kept)

    def keep(self) -> None:
        """Keep it until the bundle is finished. A bundle that is underway has kept its own. Raises `LocalError`."""
        kept, content = self._kept, self.file.content
        if kept is None or content is None or kept.with_name(kept.name.removesuffix(RECORD) + JOURNAL).exists():
            return
        with local_errors("writing", kept):
            kept.parent.mkdir(parents=True, exist_ok=True)
            with Folder(kept.parent).open(kept.name, "a+") as file:  # no other name, which a kill would leave behind
                try:
                    file.truncate(0)
                    write_all(file, content)
                    os.fsync(file.fileno())
                except OSError:
                    kept.unlink(missing_ok=True)
                    raise


def _kept_name(beside: bool, out: Path, said: Statement) -> str:
    """The name of the file; in the folder for media, where bundles of one name meet, one that `clean` knows."""
    if beside:
        return f"{out.name}{RECORD}"
    identity = f"{out.name} {json.dumps(_lasting(said), default=str, sort_keys=True)}"
    return f"{Digest.of(identity.encode()).encoded[:32]}.record.media"


def _said(wanted: InBundle, prepared: Prepared) -> Statement | None:
    return record_of_packing(
        prepared.plan,
        prepared.location.locator,
        run_id=wanted.run_id,
        began_wall_s=wanted.began_wall_s,
        version=__version__,
        plan_digest=prepared.plan_digest or planfile.digest(prepared.plan),
        checks=tuple(_checks(prepared)),
        recorded_by=wanted.recorded_by,
    )


def _checks(prepared: Prepared) -> Iterator[Check]:
    yield Check(name="content-digests", result="passed", detail=_FINISHED)
    yield from prepared.checks
    for name, gates in sorted(prepared.gates.items()):
        yield from gate_checks(name, gates)


def _earlier(out: Path, kept: Path | None) -> Iterator[bytes]:
    """The records that earlier runs may have made of this bundle. What cannot be read is no such record."""
    if kept is not None:
        with contextlib.suppress(TransloadError, OSError):
            yield read_file(kept, ENVELOPE_BYTES + 1)
    with contextlib.suppress(TransloadError, OSError):
        bundle = BundleStore(out)
        stored = _stored(bundle.ledger)
        if stored is not None:
            yield _content(bundle, stored)


def _says_the_same(earlier: bytes, said: Statement, signer: Signer | None) -> bool:
    """Whether a record says the same of the same images, whenever it was made, and has the same signer."""
    with contextlib.suppress(TransloadError):
        opened = Opened.of(earlier, "record")
        if (opened.envelope is None) != (signer is None) or (signer and opened.unproved(signer.public)):
            return False
        return _lasting(opened.statement()) == _lasting(said)
    return False


def _lasting(said: Statement) -> tuple[object, ...]:
    """What two records of one bundle have in common: not the run, its time, its tool, nor what a gate has written."""
    predicate = {key: value for key, value in said.predicate.items() if key not in {"runId", "startedOn", "tool"}}
    checks = [{key: check[key] for key in check if key != "detail"} for check in predicate.pop("checks", ())]
    return tuple((one.name, str(one.digest)) for one in said.subjects), predicate, checks


# --- reading


def carrier_of(bundle: BundleStore) -> Carrier:
    """The bundle as a record of a push names it, with the record that it carries."""
    return Carrier(name=bundle.name, digest=bundle.digest, images=len(bundle.ledger.images), record=record_in(bundle))


def record_in(bundle: BundleStore) -> FoundRecord | None:
    """The record that a bundle carries, proved with the key that the bundle was opened with; None if it has none.

    What is wrong with it is its `problem`: no push fails because of it.
    """
    stored = _stored(bundle.ledger)
    if stored is None:
        return None
    key: PublicKey | None = bundle.verifier
    bare = FoundRecord(digest=stored.digest, verified=None if key is None else False)
    if volumes_of(stored, bundle.cut) != (1,):  # nobody is asked for a medium for its sake
        return evolve(bare, problem="it was not read: it does not lie in the first volume")
    try:
        return judged(bare, _content(bundle, stored), key, lambda said: _misfit(said, bundle.ledger))
    except TransloadError as error:
        return evolve(bare, problem=error.message)


def _stored(ledger: Ledger) -> StoredExtra | None:
    return next((extra for extra in ledger.extras if extra.name == NAME), None)


def _content(bundle: BundleStore, stored: StoredExtra) -> bytes:
    if stored.size > ENVELOPE_BYTES:
        raise LimitExceeded(f"it has {stored.size} bytes, the limit is {ENVELOPE_BYTES}", subject=NAME)
    with bundle.open_extra(NAME) as chunks:
        return verified(chunks, stored.digest, stored.size)


def _misfit(said: Statement, ledger: Ledger) -> str | None:
    """Why it is not the record of this bundle; None if it is."""
    if said.predicate_type != PREDICATE_TYPE:
        return f"its predicate is of another type: {said.predicate_type[:80]!r}"
    plan = said.predicate.get("plan")
    named = plan.get("digest") if isinstance(plan, dict) else None
    if ledger.plan_digest is None or named != {ledger.plan_digest.algorithm: ledger.plan_digest.encoded}:
        return "it is the record of another bundle: its plan is another one"
    about = {subject.digest for subject in said.subjects}
    if about != _images(ledger) | (about & _companions(ledger)):
        return "it is the record of another bundle: its images are others"
    return None


def _images(ledger: Ledger) -> set[Digest]:
    here = [entry.image for entry in ledger.images if not entry.image.present]
    return {image.root.digest for image in here if subject_of(image.name.tag) is None}


def _companions(ledger: Ledger) -> set[Digest]:
    return {entry.image.root.digest for entry in ledger.images if subject_of(entry.image.name.tag) is not None}
