"""Recovery volumes: what they say of a bundle, and where each byte of them is (docs/formats/recovery.md). Pure.

Blocks of all volumes with the same position form a stripe. From K recovery volumes, any K blocks of each stripe are
made again. Volumes are numbered through: 1 to N are those of the bundle, N+1 to N+K the recovery volumes.

Nothing here is believed more than the ledger: sums say where the damage is, digests in the ledger whether a repair is
right.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from functools import cached_property

from transload.bundle.format.entries import STREAM_BYTES
from transload.bundle.format.tarheader import BLOCK as TAR_BLOCK
from transload.bundle.format.tarheader import END, header, header_size, padding
from transload.bundle.format.volumes import Cut
from transload.documents.value import Value
from transload.errors import MemberDamaged, TransloadError, UsageError
from transload.limits import RECOVERY_SUMS_BYTES, SMALL_JSON_BYTES, SMALL_JSON_VALUES, SYMBOLS
from transload.linedjson import lined
from transload.oci import Digest
from transload.values import define, frozen
from transload.wording import number_of

KIND = "transload-recovery"
FORMAT = 1
BLOCK_BYTES = 1 << 20
LARGEST_BLOCK_BYTES = 4 << 20
SUM_BYTES = 32
_UNKNOWN = Digest(f"sha256:{'0' * 64}")
_FOLDER = "transload/recovery"
DESCRIPTION = re.compile(rb"transload/recovery/([0-9a-f]{64})\.json\0")
HEADERS_BYTES = 4096  # how far before the end of a file its last header is looked for


@define(frozen=True, slots=False, kw_only=True)
class Description:
    """What all recovery volumes of a bundle say alike. Sizes are bytes.

    `ledger` is the digest of the bundle's ledger, `size` that of its stream, `volume_bytes` as in the ledger, `rows`
    the number of recovery volumes, `sums` the digest of the table of block sums.
    """

    ledger: Digest
    size: int
    volume_bytes: int | None
    rows: int
    block_bytes: int
    sums: Digest

    @cached_property
    def cut(self) -> Cut:
        """How the stream is cut into volumes."""
        return Cut(self.size, self.volume_bytes)

    @property
    def volumes(self) -> int:
        """The number of volumes of the bundle, without recovery volumes."""
        return self.cut.count

    @property
    def numbers(self) -> range:
        """The numbers of all volumes, recovery volumes last."""
        return range(1, self.volumes + self.rows + 1)

    @property
    def parity_bytes(self) -> int:
        """The size of the parity in each recovery volume: that of the largest volume."""
        return self.cut.size_of(1)

    @property
    def stripes(self) -> int:
        """How many blocks the largest volume has."""
        return -(-self.parity_bytes // self.block_bytes)

    def stripes_of(self, number: int) -> range:
        """The stripes in which a volume has a block."""
        return range(-(-self.content_bytes(number) // self.block_bytes))

    @property
    def sums_bytes(self) -> int:
        """The size of the table of sums."""
        return self.stripes * len(self.numbers) * SUM_BYTES

    def content_bytes(self, number: int) -> int:
        """The size of a volume, or of the parity in a recovery volume."""
        return self.cut.size_of(number) if number <= self.volumes else self.parity_bytes

    def length(self, number: int, stripe: int) -> int:
        """The length of a volume's block in a stripe; 0 if the volume ends before it."""
        return max(0, min(self.block_bytes, self.content_bytes(number) - stripe * self.block_bytes))

    # --- the file of a recovery volume

    @cached_property
    def raw(self) -> bytes:
        """The content of the description."""
        return lined(
            {
                "kind": KIND,
                "format": FORMAT,
                "ledger": self.ledger,
                "size": self.size,
                "volume_size": self.volume_bytes,
                "volumes": self.volumes,
                "recovery_volumes": self.rows,
                "block_size": self.block_bytes,
                "sums": self.sums,
            }
        )

    @cached_property
    def id(self) -> str:
        """The SHA-256 of the description in hexadecimal digits: the name of this set of recovery volumes."""
        return hashlib.sha256(self.raw).hexdigest()

    def parity_name(self, row: int) -> str:
        """The name of the member with the parity of a row, which counts from 1."""
        return f"{_FOLDER}/{self.id}.r{row:02}"

    @property
    def before_sums(self) -> int:
        """The bytes before the first copy of the sums."""
        return 2 * TAR_BLOCK + len(self.raw) + padding(len(self.raw))

    @property
    def parity_offset(self) -> int:
        """The offset of the parity in the file."""
        sums = self.sums_bytes + padding(self.sums_bytes)
        return self.before_sums + sums + header_size(self.parity_name(1), self.parity_bytes)

    @property
    def after_parity(self) -> int:
        """The offset behind the parity and its padding."""
        return self.parity_offset + self.parity_bytes + padding(self.parity_bytes)

    @property
    def file_bytes(self) -> int:
        """The size of the file of a recovery volume."""
        sums = TAR_BLOCK + self.sums_bytes + padding(self.sums_bytes)
        return self.after_parity + sums + TAR_BLOCK + len(self.raw) + padding(len(self.raw)) + len(END)

    @property
    def copies_of_sums(self) -> tuple[int, int]:
        """The offsets of the two copies of the sums."""
        return self.before_sums, self.after_parity + TAR_BLOCK

    def leading(self, sums: bytes, row: int) -> tuple[bytes, ...]:
        """What is in the file of a row before its parity."""
        return *self._told, *self._summed(sums), header(self.parity_name(row), self.parity_bytes)

    def trailing(self, sums: bytes) -> tuple[bytes, ...]:
        """What is in the file behind the parity."""
        return bytes(padding(self.parity_bytes)), *self._summed(sums), *self._told, END

    @property
    def _told(self) -> tuple[bytes, ...]:
        return header(f"{_FOLDER}/{self.id}.json", len(self.raw)), self.raw, bytes(padding(len(self.raw)))

    def _summed(self, sums: bytes) -> tuple[bytes, ...]:
        name = f"{_FOLDER}/{self.id}.sums"
        return header(name, len(sums)), sums, bytes(padding(len(sums)))

    @classmethod
    def decode(cls, raw: bytes) -> Description:
        """Read and check. Raises `MemberDamaged` for all that is not exactly as `raw` writes it."""
        try:
            root = Value.from_json(
                raw, "description", limit=SMALL_JSON_BYTES, values=SMALL_JSON_VALUES, hint="repair the bundle"
            )
            description = cls(
                ledger=root.get("ledger").read(Digest),
                size=_within(root.get("size"), STREAM_BYTES),
                volume_bytes=root.get("volume_size").maybe(lambda size: _within(size, STREAM_BYTES)),
                rows=_within(root.get("recovery_volumes"), SYMBOLS),
                block_bytes=_within(root.get("block_size"), LARGEST_BLOCK_BYTES),
                sums=root.get("sums").read(Digest),
            )
            check_size(description)
            if description.raw == raw:
                return description
        except (TransloadError, ValueError) as error:
            raise MemberDamaged(f"the description of a recovery volume is damaged: {error}") from error
        raise MemberDamaged("the description of a recovery volume does not have its form")


def _within(value: Value, limit: int) -> int:
    number = value.number()
    if not 1 <= number <= limit:
        raise value.wrong(f"a number from 1 to {limit}")
    return number


def block_bytes_for(cut: Cut, rows: int) -> int:
    """The size of the blocks for a bundle of this size: as small as the table of sums allows. Raises `UsageError`."""
    block_bytes = BLOCK_BYTES
    while block_bytes <= LARGEST_BLOCK_BYTES:
        if -(-cut.size_of(1) // block_bytes) * (cut.count + rows) * SUM_BYTES <= RECOVERY_SUMS_BYTES:
            return block_bytes
        block_bytes *= 2
    largest = RECOVERY_SUMS_BYTES // SUM_BYTES * LARGEST_BLOCK_BYTES
    raise UsageError(
        f"recovery volumes are for bundles of up to {largest >> 40} TiB, recovery volumes included",
        hint="pack the release in several bundles, or without --recovery",
    )


def check_rows(cut: Cut, rows: int) -> None:
    """Raises `UsageError` if there are too many volumes and recovery volumes, or no recovery volumes."""
    if not 1 <= rows < SYMBOLS or cut.count + rows > SYMBOLS:
        raise UsageError(
            f"{number_of(cut.count, 'volume')} and {number_of(rows, 'recovery volume')} "
            "are not possible: at least one recovery volume, "
            f"and at most {SYMBOLS} together",
            hint="choose larger volumes, or another number for --recovery",
        )


def check_size(description: Description) -> None:
    """Raises `UsageError` for a description that is over the limits."""
    check_rows(description.cut, description.rows)
    if description.sums_bytes > RECOVERY_SUMS_BYTES:
        raise UsageError(
            f"a table of {description.sums_bytes} bytes of sums, {RECOVERY_SUMS_BYTES} are allowed",
            hint="choose larger blocks",
        )


def planned(cut: Cut, ledger: Digest, rows: int, block_bytes: int | None = None) -> Description:
    """What `rows` recovery volumes for a bundle with this ledger will be, before the sums are known.

    Raises `UsageError` if there are too many, or the bundle is too large.
    """
    check_rows(cut, rows)
    return Description(
        ledger=ledger,
        size=cut.size,
        volume_bytes=cut.volume_bytes,
        rows=rows,
        block_bytes=block_bytes or block_bytes_for(cut, rows),
        sums=_UNKNOWN,
    )


@frozen
class Protection:
    """A description and its table of sums: all that is needed to find damage, and to mend it.

    `sums` has one SHA-256 for each block: those of volume 1 in order, then those of volume 2, at last those of the
    recovery volumes. A volume that ends early has the sum of nothing for the blocks that it lacks.
    """

    description: Description
    sums: bytes

    def sum_of(self, number: int, stripe: int) -> bytes:
        """The SHA-256 of a block."""
        start = ((number - 1) * self.description.stripes + stripe) * SUM_BYTES
        return self.sums[start : start + SUM_BYTES]

    def is_right(self, number: int, stripe: int, block: bytes) -> bool:
        """Whether these are the bytes of a block."""
        return self.digest(block) == self.sum_of(number, stripe)

    @staticmethod
    def digest(block: bytes) -> bytes:
        """The sum of a block."""
        return hashlib.sha256(block).digest()

    def stretches(self, number: int) -> Iterator[tuple[int, bytes]]:
        """Everything in a recovery volume's file but its parity: offsets and bytes."""
        offset, row = 0, number - self.description.volumes
        for piece in self.description.leading(self.sums, row):
            yield offset, piece
            offset += len(piece)
        offset = self.description.parity_offset + self.description.parity_bytes
        for piece in self.description.trailing(self.sums):
            yield offset, piece
            offset += len(piece)


def recovery_name(name: str, row: int) -> str:
    """The name of a recovery volume's file; rows count from 1.

    >>> recovery_name("release", 2)
    'release.r02.tar'
    """
    return f"{name}.r{row:02}.tar"


_FILE = re.compile(r"(.+?)\.r([0-9]{2,3})\.tar", re.DOTALL | re.IGNORECASE)


def split_recovery_name(text: str) -> tuple[str, int] | None:
    """The bundle name and the row in the name of a recovery volume's file; None for any other name.

    >>> split_recovery_name("release.r02.tar"), split_recovery_name("release.002.tar")
    (('release', 2), None)
    """
    form = _FILE.fullmatch(text)
    return (form[1], int(form[2])) if form else None
