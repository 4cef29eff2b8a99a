"""Recovery volumes beside a bundle that is being packed, or that is there already."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from transload.bundle.format.blueprint import Blueprint, Sign, lay_out
from transload.bundle.format.contents import Contents
from transload.bundle.format.evencut import even_volume_bytes
from transload.bundle.format.recovery import Description, planned, split_recovery_name
from transload.bundle.format.signing import Signer
from transload.bundle.reading.checking import CheckedPart, members_of, volumes_of
from transload.bundle.reading.reader import BundleStore
from transload.bundle.writing.partial import has_volumes, is_finished
from transload.bundle.writing.recovery import RecoveryWriter
from transload.bundle.writing.sums import listed_sums
from transload.errors import LocalError, MemberDamaged, TransloadError, UsageError, VolumeDamaged
from transload.events import ActivityListener, Counting
from transload.threads import Cancellation
from transload.values import frozen

_NAMED = 3  # files in one sentence


@frozen(kw_only=True)
class Division:
    """How a bundle is divided: volumes of at most `volume_bytes`, or `volumes` of one size; `recovery` more."""

    volume_bytes: int | None = None
    volumes: int | None = None
    recovery: int = 0

    def __attrs_post_init__(self) -> None:
        if self.volume_bytes is not None and self.volumes is not None:
            raise UsageError(
                "a size and a number of volumes are two ways to cut a bundle",
                hint="give one of --volume-size and --volume-count",
            )
        if self.recovery < 0:
            raise UsageError(f"{self.recovery} recovery volumes are not possible", hint="give a number from 0 on")

    def laid_out(self, path: Path, contents: Contents, signer: Signer | None) -> Blueprint:
        """The layout of the bundle at `path`: that of the bundle which is there, if it differs only in its cut.

        Raises what `lay_out` and `even_volume_bytes` raise.
        """
        sign = signer and _signing_once(path, signer)
        if self.volumes is None and not self.recovery:
            return lay_out(contents, self.volume_bytes, sign)
        sized = lay_out(contents, self.volume_bytes, signer and _sized)
        if self.volumes is None and has_volumes(path, sized.cut):
            plain = lay_out(contents, self.volume_bytes, sign)
            if is_finished(path, plain):
                return plain
        even = even_volume_bytes(sized.cut.size, most_bytes=self.volume_bytes, count=self.volumes, rows=self.recovery)
        return lay_out(contents, even, sign)


def _sized(_ledger: bytes) -> bytes:
    """In place of a signature where only sizes count, which it does not change: a signer may ask for a PIN."""
    return b"-"


def _signing_once(path: Path, signer: Signer) -> Sign:
    """Signs as `signer` does, and takes the signature that the bundle at `path` has, if it is by this key and good.

    A program may sign differently each time (ECDSA), and the bundle that is there would be taken for another one.
    """

    def sign(ledger: bytes) -> bytes:
        with contextlib.suppress(TransloadError, OSError):
            there = BundleStore(path, verifier=signer.public)
            if there.signature is not None and there.ledger.encode() == ledger:
                return there.signature.encode()
        return signer(ledger)

    return sign


@frozen
class RecoveryVolumes:
    """The recovery volumes of one bundle: where, and what they are."""

    path: Path
    description: Description

    @classmethod
    def planned(cls, path: Path, blueprint: Blueprint, recovery: int) -> RecoveryVolumes | None:
        """None without recovery volumes. Raises `UsageError`, and `BundleExists` if a name is taken."""
        if not recovery:
            return None
        volumes = cls(path, planned(blueprint.cut, blueprint.digest, recovery))
        volumes.writer().check_free()
        return volumes

    def writer(self, read: Callable[[int], object] = lambda _length: None) -> RecoveryWriter:
        """What writes them."""
        return RecoveryWriter(self.path, self.description, read)

    @property
    def files(self) -> tuple[Path, ...]:
        """The recovery volumes that the bundle has when these are written: more than asked for, if it had more."""
        writer = self.writer()
        return writer.files_there() or writer.files

    @property
    def note(self) -> str | None:
        """What is to be said if the bundle has more recovery volumes than were asked for: they are kept."""
        there, rows = len(self.writer().files_there()), self.description.rows
        if there <= rows:
            return None
        return f"the bundle has {there} recovery volumes, more than --recovery {rows} asks for: all are kept"

    def _damaged(self, bundle: BundleStore, part: CheckedPart, error: TransloadError) -> TransloadError:
        """What is wrong with the bundle, with the volumes that it is in, and what to do where the bundle was made."""
        members = (member for member in members_of(bundle.ledger) if member.path == part.subject)
        volumes = [number for member in members for number in volumes_of(member, bundle.cut)]
        files = _named([bundle.file_name(number) for number in volumes] or [part.subject])
        delete = f"delete the files of {self.path}, and run the same command again: it packs the bundle anew"
        mend = f"transload repair {self.path} mends it from the recovery volumes that are there"
        return (VolumeDamaged if bundle.mender else MemberDamaged)(
            f"the bundle is damaged, in {files}, so no recovery volumes were made: {error.message}",
            subject=part.subject,
            hint=mend if bundle.mender and part.made_good else delete,
        )

    def complete(self, working: ActivityListener, cancellation: Cancellation, *, fresh: bool) -> tuple[Path, ...]:
        """Write the recovery volumes, unless they are there; returns what was written.

        A bundle that is not `fresh` is verified before.

        Raises what is wrong with the bundle, `DiskFull`, `Busy`, `Interrupted`.
        """
        writer = self.writer()
        if writer.files_there():
            return ()
        writer.check_space()
        if not fresh:
            hashing = Counting(working, "hashing", self.description.size)
            bundle = BundleStore(self.path)
            for part in bundle.check(_counted(hashing, cancellation)):
                if part.error is not None and part.subject not in bundle.recovery_files:  # they are written again
                    raise self._damaged(bundle, part, part.error) from part.error
        counting = Counting(working, "protecting", self.description.size)
        self.writer(_counted(counting, cancellation)).write()
        return writer.files


def recovery_notes(bundle: BundleStore) -> Iterator[str]:
    """What is to be said of recovery volumes that were made, if none of them is there that fits the bundle."""
    if bundle.mender is not None:
        return
    if bundle.foreign_recovery:
        files = _named([path.name for path in bundle.foreign_recovery])
        yield f"{files} cannot repair this bundle: of another one, or damaged as a whole"
        return
    listed: Mapping[str, str] = {}
    with contextlib.suppress(LocalError):
        listed = listed_sums(bundle.folder)
    if any(bundle.file_name(volume) not in listed for volume in bundle.cut.numbers):  # the list is not of this bundle
        return
    lost = sorted(name for name in listed if (split := split_recovery_name(name)) and split[0] == bundle.name)
    if lost:
        yield (
            f"no recovery volume is here, though {_named(lost)} {'was' if len(lost) == 1 else 'were'} made: "
            "--volumes DIR looks for them elsewhere; where they are lost, pack --recovery makes them again"
        )


def _named(files: Sequence[str]) -> str:
    more = f" and {len(files) - _NAMED} more" if len(files) > _NAMED else ""
    return ", ".join(files[:_NAMED]) + more


def _counted(counting: Counting, cancellation: Cancellation) -> Callable[[int], None]:
    def read(length: int) -> None:
        cancellation.check()
        counting.add(length)

    return read
