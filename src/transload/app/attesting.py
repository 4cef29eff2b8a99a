"""The attestations of gates: written while images wait, attached to their images when these have arrived.

Invariants:
1. a statement lies in a file from the moment at which a gate has let its image pass until it is attached, so that a run
   that was ended before, or whose target did not answer, does not lose it: the next run attaches it;
2. whoever packs a bundle again, with the same gates, puts the same statements into it, so that an unfinished bundle can
   be gone on with. They are kept for 30 days.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from transload.app.attaching import artifact, put_artifact
from transload.app.signedrecord import encoded
from transload.errors import DocumentInvalid, TransloadError, as_result
from transload.files import local_errors, read_file, replace_file
from transload.limits import ENVELOPE_BYTES
from transload.oci import Descriptor, Digest, Manifest, Name
from transload.passing import PassedOn
from transload.planning.joining import with_referrers
from transload.planning.plan import Plan, PlannedImage
from transload.ports import Chunk, Source, Target
from transload.report.gateattestation import (
    ARTIFACT_TYPE,
    BILL_ARTIFACT_TYPE,
    BILL_TYPES,
    PREDICATE_TYPE,
    Shown,
    bill_statement,
    check_readable,
    gate_statement,
)
from transload.report.gated import GateResult
from transload.report.texts import count
from transload.threads import in_parallel
from transload.transfer import Outcome
from transload.transfer.outcome import Attachments
from transload.trust.dsse import IN_TOTO, MEDIA_TYPE
from transload.trust.statement import Statement
from transload.values import evolve, frozen

if TYPE_CHECKING:
    from transload.app.mirror import Prepared
    from transload.bundle.format.signing import Signer

_THREADS = 8
_TYPES = {PREDICATE_TYPE: ARTIFACT_TYPE} | dict.fromkeys(BILL_TYPES.values(), BILL_ARTIFACT_TYPE)


@frozen(kw_only=True)
class Attestation:
    """A statement in a file, about the image of a plan at position `number`. It stays there if it `stays`."""

    number: int
    path: Path
    media_type: str
    artifact_type: str
    stays: bool = False

    def content(self) -> bytes:
        """The statement, in an envelope if it is signed. Raises `LocalError`."""
        with local_errors("reading", self.path):
            return read_file(self.path, ENVELOPE_BYTES)


@frozen(kw_only=True)
class Attesting:
    """Writes what gates said into files of `folder`, for images on their way to `target`, signed by `signer` if any.

    With `again`, statements that are there already are taken instead of new ones. With `stays`, files stay there.
    """

    folder: Path
    target: str
    signer: Signer | None = None
    again: bool = False
    stays: bool = False

    def write(
        self, number: int, image: PlannedImage, result: GateResult, output: bytes, at_s: float
    ) -> tuple[list[Attestation], str | None]:
        """The attestations of one gate on one image, and why the bill of materials that it wrote is none, if so.

        Raises `LocalError`, and what signing raises.
        """
        assert image.digest is not None  # noqa: S101 - a gate has seen it
        shown = Shown(name=image.label, digest=image.digest, target=self.target, at_s=at_s)
        made = [self._kept(number, image, result.command, gate_statement(shown, result, output))]
        try:
            bill = bill_statement(shown, result, output)
            if bill is not None:
                check_readable(bill)
                made.append(self._kept(number, image, result.command, bill))
        except DocumentInvalid as error:
            return made, error.message
        return made, None

    def _kept(self, number: int, image: PlannedImage, command: str, statement: Statement) -> Attestation:
        attestation = self._attestation(number, image, command, statement.predicate_type)
        if not (self.again and attestation.path.is_file()):
            with local_errors("writing", attestation.path):
                attestation.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                replace_file(attestation.path, encoded(statement, self.signer), permissions=0o600)
        return attestation

    def waiting(self, number: int, image: PlannedImage, commands: Iterable[str]) -> Iterator[Attestation]:
        """What an earlier run wrote of an image that is at the target by now, and could not attach."""
        for command in commands:
            for kind in _TYPES:
                attestation = self._attestation(number, image, command, kind)
                if attestation.path.is_file():
                    yield attestation

    def _attestation(self, number: int, image: PlannedImage, command: str, kind: str) -> Attestation:
        signer = self.signer.key_id if self.signer else ""
        parts = (self.target, image.target.repository, str(image.digest), command, kind, signer)
        name = hashlib.sha256("\n".join(parts).encode()).hexdigest()
        return Attestation(
            number=number,
            path=self.folder / f"{name[:40]}.json",
            media_type=MEDIA_TYPE if self.signer else IN_TOTO,
            artifact_type=_TYPES[kind],
            stays=self.stays,
        )


def attach_all(attestations: Iterable[Attestation], plan: Plan, outcome: Outcome, target: Target) -> Attachments:
    """Attach to the images that have arrived what gates said of them; one error does not keep others from getting it.

    Those of one image follow each other: at registries without referrers, they change the same list.
    """
    by_image: defaultdict[tuple[str, Digest], dict[Path, Attestation]] = defaultdict(dict)
    for attestation in attestations:
        image, ended = plan.images[attestation.number], outcome.images[attestation.number]
        if image.digest is not None and ended.done and ended.error is None:
            by_image[image.target.repository, image.digest][attestation.path] = attestation

    def attached(of_image: tuple[tuple[str, Digest], Mapping[Path, Attestation]]) -> list[TransloadError | None]:
        (repository, digest), waiting = of_image
        return [_attached(attestation, repository, digest, plan, target) for attestation in waiting.values()]

    done = [one for each in in_parallel(attached, list(by_image.items()), _THREADS) for one in each]
    errors = [error for error in done if error is not None]
    if not errors:
        return Attachments(new=len(done))
    first = errors[0]
    first.message = f"{len(errors)} of {count(len(done), 'gate attestation')} could not be attached: {first.message}"
    first.hint = "the images are there; the same command attaches the rest, or none with --no-gate-attestations"
    return Attachments(new=len(done) - len(errors), failed=len(errors), error=first)


def _attached(
    attestation: Attestation, repository: str, digest: Digest, plan: Plan, target: Target
) -> TransloadError | None:
    try:
        manifest = plan.manifests.get(digest)
        put_artifact(
            target,
            repository,
            manifest.descriptor if manifest else target.resolve(Name(repository, None, digest)),
            content=attestation.content(),
            media_type=attestation.media_type,
            artifact_type=attestation.artifact_type,
        )
    except TransloadError as error:
        return as_result(error)
    if not attestation.stays:
        with suppress(OSError):
            attestation.path.unlink()
    return None


def carrying(prepared: Prepared) -> Prepared:
    """The same run, whose plan is that of a bundle, with its attestations as a part of what it carries.

    Raises `LocalError`.
    """
    plan = prepared.plan
    made: defaultdict[int, list[Manifest]] = defaultdict(list)
    files: dict[Digest, bytes | Path] = {}
    seen: set[Digest] = set()
    for attestation in prepared.attestations:
        digest = plan.images[attestation.number].digest
        assert digest is not None  # noqa: S101 - a gate has seen it
        manifest, ((config, empty), (layer, _)) = artifact(
            plan.manifests[digest].descriptor,
            content=attestation.content(),
            media_type=attestation.media_type,
            artifact_type=attestation.artifact_type,
        )
        files |= {config.digest: empty, layer.digest: attestation.path}
        if manifest.digest not in seen:
            made[attestation.number].append(manifest)
        seen.add(manifest.digest)
    sources = {locator: WithFiles(source, files) for locator, source in prepared.sources.items()}
    return evolve(prepared, plan=with_referrers(plan, made), sources=sources, attestations=())


class WithFiles(PassedOn):
    """A source that also has some blobs in files, or in memory."""

    def __init__(self, source: Source, files: Mapping[Digest, bytes | Path]) -> None:
        super().__init__(source)
        self._files = files

    def exists(self, repository: str, descriptor: Descriptor) -> bool:
        """See `Reads`."""
        return descriptor.digest in self._files or self._source.exists(repository, descriptor)

    def open(
        self, repository: str, descriptor: Descriptor, offset: int = 0, length: int | None = None
    ) -> AbstractContextManager[Iterator[Chunk]]:
        """See `Reads`."""
        file = self._files.get(descriptor.digest)
        if file is None:
            return self._source.open(repository, descriptor, offset, length)
        return _opened(file, offset, length)


@contextmanager
def _opened(file: bytes | Path, offset: int, length: int | None) -> Iterator[Iterator[Chunk]]:
    if isinstance(file, Path):
        with local_errors("reading", file):
            file = read_file(file, ENVELOPE_BYTES)
    yield iter([file[offset : None if length is None else offset + length]])
