"""Reads the volumes of a bundle block by block, and makes blocks again that are wrong or missing.

Every block is compared with its sum before it is used. One that is wrong, cannot be read or is not there is looked for
in other files, whatever their names; if no file has it, it is made again from the other blocks of its stripe. What
cannot be made again is read as it is: a wrong sum must not lose what the ledger would accept.
"""

from __future__ import annotations

import threading
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from transload.bundle.format.galois import add, recipe
from transload.bundle.format.recovery import Description, Protection, recovery_name
from transload.bundle.format.recoveryfile import protection_of
from transload.bundle.format.stream import PathOf, StreamReader
from transload.bundle.format.volumes import Cut
from transload.bundle.reading.locating import Located
from transload.errors import CorruptError, LocalError
from transload.files import local_errors, open_file, read_up_to
from transload.values import frozen

_CACHE_BYTES = 8 << 20
_NAMED = 4  # files in one message
_SAMPLES = 8  # blocks by which a file is recognised
_CANDIDATES = 2000  # files that are looked at


@frozen
class Place:
    """A file, and the offset of a volume's first block in it."""

    path: Path
    offset: int = 0


class Unmendable(CorruptError):
    """A stripe has lost more blocks than its recovery volumes replace."""


class Mender:
    """The volumes and recovery volumes that `protection` describes.

    `name` is that of the bundle. `named` gives the place of a volume by its name, if there is a file; `candidates` all
    files that may be volumes under other names. Safe to use from several threads.
    """

    def __init__(
        self,
        protection: Protection,
        name: str,
        named: Callable[[int], Place | None],
        candidates: Callable[[], Sequence[Path]],
    ) -> None:
        self.protection = protection
        self.description = protection.description
        self.named = named
        self._name = name
        self._tell: Callable[[int], None] = lambda _number: None
        self.wrong: dict[int, set[int]] = defaultdict(set)  # stripes whose block is not in its volume's own file
        self._lost: dict[int, set[int]] = defaultdict(set)  # stripes whose block is in no file
        self._unmendable: set[tuple[int, int]] = set()
        self._candidates = candidates
        self._others: dict[int, list[Place]] | None = None
        self._told: set[int] = set()
        self._lengths: dict[int, dict[int, int]] = {}
        self._blocks: OrderedDict[tuple[int, int], bytes] = OrderedDict()
        self._kept = max(2, _CACHE_BYTES // self.description.block_bytes)
        self._lock = threading.Lock()
        self._making = threading.Lock()  # one stripe at a time: it takes several blocks of memory, and all of a core

    def block(self, number: int, stripe: int) -> bytes:
        """A block as it should be. Raises `Unmendable`."""
        with self._lock:
            kept = self._blocks.get((number, stripe))
        if kept is not None:
            return kept
        block = self._read(number, stripe)
        if block is None:
            self._unmendable.add((number, stripe))
            with self._making:
                (block,) = self.made((number,), stripe)
            self._unmendable.discard((number, stripe))
        if number in self.wrong:
            self._tell_once(number)
        with self._lock:
            self._blocks[number, stripe] = block
            while len(self._blocks) > self._kept:
                self._blocks.popitem(last=False)
        return block

    def add(self, number: int, place: Place) -> None:
        """Note another file that a volume is in."""
        self._found[number].append(place)
        self._lost[number].clear()

    def has(self, place: Place, number: int, stripe: int) -> bool:
        """Whether a block is right in a file."""
        return self._right(place, number, stripe) is not None

    def is_right(self, number: int, stripe: int) -> bool:
        """Whether a block is right in the file that has the volume's name."""
        own = self.named(number)
        if own is not None and self._right(own, number, stripe) is not None:
            return True
        self.wrong[number].add(stripe)
        return False

    def check_mendable(self) -> None:
        """Try again to make the blocks that could not be made. Raises `Unmendable`."""
        for number, stripe in sorted(self._unmendable):
            self.block(number, stripe)

    def _tell_once(self, number: int) -> None:
        with self._lock:
            if number in self._told:
                return
            self._told.add(number)
        self._tell(number)

    def listen(self, tell: Callable[[int], None]) -> None:
        """Call `tell` with the number of each volume once, when damage of it is first made good."""
        self._tell = tell
        for number in sorted(self._told):
            tell(number)

    def file_name(self, number: int) -> str:
        """The name that the file of a volume or recovery volume should have."""
        if number <= self.description.volumes:
            return self.description.cut.file_name(self._name, number)
        return recovery_name(self._name, number - self.description.volumes)

    # --- reading

    def places(self, number: int) -> Iterator[Place]:
        """Where a volume may be: in the file with its name, then in others."""
        own = self.named(number)
        if own is not None:
            yield own
        yield from (place for place in self._found.get(number, ()) if place != own)

    def _read(self, number: int, stripe: int) -> bytes | None:
        """A block that is right, from any file; None if there is none."""
        if not self.description.length(number, stripe):
            return b""
        if stripe in self._lost[number]:
            return None
        own = self.named(number)
        if own is not None and (block := self._right(own, number, stripe)) is not None:
            return block
        self.wrong[number].add(stripe)
        for place in self._found.get(number, ()):
            if place != own and (block := self._right(place, number, stripe)) is not None:
                return block
        self._lost[number].add(stripe)
        return None

    def _right(self, place: Place, number: int, stripe: int) -> bytes | None:
        block = self._content(place, stripe, self.description.length(number, stripe))
        return block if block is not None and self.protection.is_right(number, stripe, block) else None

    def _content(self, place: Place, stripe: int, length: int) -> bytes | None:
        """What a file has in the place of a block; None if it cannot be read, as in a bad sector."""
        try:
            with open_file(place.path) as file:
                file.seek(place.offset + stripe * self.description.block_bytes)
                return read_up_to(file, length)
        except (OSError, LocalError):
            return None

    # --- making again

    def stripe(self, numbers: Sequence[int], stripe: int) -> list[bytes]:
        """Blocks of a stripe, read where they can be, the others made together. Raises `Unmendable`."""
        blocks = {number: self._read(number, stripe) for number in numbers}
        lost = tuple(number for number, block in blocks.items() if block is None)
        made = dict(zip(lost, self.made(lost, stripe), strict=True)) if lost else {}
        return [made[number] if block is None else block for number, block in blocks.items()]

    def made(self, wanted: tuple[int, ...], stripe: int) -> list[bytes]:
        """Blocks of a stripe, made from the others. Raises `Unmendable`."""
        quickly = self._made_unchecked(wanted, stripe)
        if quickly is not None:
            return quickly
        while True:
            recipes = self._recipes(wanted, stripe)
            sums = [0] * len(wanted)
            for number in dict.fromkeys(number for made in recipes for number in made):
                block = self._read(number, stripe)
                if block is None:  # one more is lost: begin again, without it
                    break
                add(sums, [made.get(number, 0) for made in recipes], block)
            else:
                return [self._proved(number, stripe, value) for number, value in zip(wanted, sums, strict=True)]

    def _made_unchecked(self, wanted: tuple[int, ...], stripe: int) -> list[bytes] | None:
        """The same without comparing the other blocks with their sums: if they are wrong, so is what is made of them.

        None if that does not work.
        """
        recipes, sums = self._recipes(wanted, stripe), [0] * len(wanted)
        for number in dict.fromkeys(number for made in recipes for number in made):
            place, length = next(self.places(number), None), self.description.length(number, stripe)
            block = self._content(place, stripe, length) if place is not None else None
            if block is None or len(block) < length:
                return None
            add(sums, [made.get(number, 0) for made in recipes], block)
        try:
            return [self._proved(number, stripe, value) for number, value in zip(wanted, sums, strict=True)]
        except Unmendable:
            return None

    def _recipes(self, wanted: tuple[int, ...], stripe: int) -> list[dict[int, int]]:
        volumes, rows = self.description.volumes, self.description.rows
        lost = {number for number in self.description.numbers if stripe in self._lost.get(number, ())} | set(wanted)
        missing = tuple(sorted(number for number in lost if number <= volumes))
        usable = tuple(row for row in range(1, rows + 1) if volumes + row not in lost)[: len(missing)]
        if len(usable) < len(missing):
            files = ", ".join(self.file_name(number) for number in sorted(lost)[:_NAMED])
            more = f" and {len(lost) - _NAMED} more" if len(lost) > _NAMED else ""
            offset = stripe * self.description.block_bytes
            raise Unmendable(f"the block at byte {offset} is wrong or missing in {files}{more}")
        return [dict(recipe(volumes, missing, usable, number)) for number in wanted]

    def _proved(self, number: int, stripe: int, value: int) -> bytes:
        whole = value.to_bytes(self.description.block_bytes, "little")
        block = whole[: self.description.length(number, stripe)]
        if not self.protection.is_right(number, stripe, block):
            raise Unmendable(
                f"the recovery volumes contradict each other at byte {stripe * self.description.block_bytes}"
            )
        return block

    # --- which file is which volume

    @property
    def _found(self) -> dict[int, list[Place]]:
        """Files in which volumes were recognised, whatever their names; looked for when a block is first wrong."""
        with self._lock:
            if self._others is None:
                self._others = defaultdict(list)
                for path in self._candidates()[:_CANDIDATES]:
                    for offset in (0, self.description.parity_offset):
                        place = Place(path, offset)
                        for number in self.recognised(place):
                            self._others[number].append(place)
            return self._others

    def recognised(self, place: Place) -> tuple[int, ...]:
        """The volumes that a file is by some of its blocks: mostly one, none if too much of it is wrong."""
        votes: Counter[int] = Counter()
        last = self.description.stripes - 1
        for stripe in sorted({sample * last // (_SAMPLES - 1) for sample in range(_SAMPLES)}):
            votes.update(self._matching(place, stripe))
            if [count for _, count in votes.most_common(2)] in ([2], [3, 1]):  # no need to read on
                break
        most = max(votes.values(), default=0)
        return tuple(sorted(number for number, count in votes.items() if count == most))

    def held_by(self, path: Path) -> tuple[int, ...]:
        """The volumes that a file is, whatever its name; mostly one or none."""
        held = (self.recognised(Place(path, offset)) for offset in (0, self.description.parity_offset))
        return next(filter(None, held), ())

    def sizes_of(self, place: Place, number: int) -> tuple[int, int]:
        """The size of the file of a volume, and the size that it should have."""
        end = place.offset + self.description.content_bytes(number)
        wanted = self.description.file_bytes if number > self.description.volumes else end
        with local_errors("looking at", place.path):
            size = place.path.stat().st_size
        joined = number < self.description.volumes and self.named(number + 1) == Place(place.path, end)
        return (end if joined and size > end else size), wanted

    def has_whole_file(self, number: int) -> bool:
        """Whether a volume has a file of the right size."""
        own = self.named(number)
        if own is None:
            return False
        size, wanted = self.sizes_of(own, number)
        return size == wanted

    def recognises_most(self) -> bool:
        """Whether half or more of some blocks are of this bundle, of those in files with its volumes' names."""
        volumes = [number for number in self.description.numbers[: self.description.volumes] if self.named(number)]
        right = total = 0
        for sample in range(_SAMPLES if volumes else 0):
            place = self.named(volumes[sample * len(volumes) // _SAMPLES])
            if place is not None:
                total += 1
                right += any(self._matching(place, sample * (self.description.stripes - 1) // (_SAMPLES - 1)))
        return 2 * right >= total > 0

    def _matching(self, place: Place, stripe: int) -> Iterator[int]:
        lengths = self._lengths.get(stripe)  # of the few stripes that samples are read from
        if lengths is None:
            lengths = {number: self.description.length(number, stripe) for number in self.description.numbers}
            self._lengths[stripe] = lengths
        for length in sorted(set(lengths.values()) - {0}):
            block = self._content(place, stripe, length)
            if block is None or len(block) < length:
                return
            if not any(block):  # zeros are in many volumes, and in what a bad copy left
                continue
            digest = self.protection.digest(block)
            yield from (
                number
                for number, own in lengths.items()
                if own == length and self.protection.sum_of(number, stripe) == digest
            )


class MendingReader(StreamReader):
    """Reads the stream through a mender; what cannot be made again is read from the file as it is."""

    def __init__(self, mender: Mender, cut: Cut, path_of: PathOf, offset: int) -> None:
        super().__init__(cut, path_of, offset)
        self._mender = mender

    def __enter__(self) -> MendingReader:
        return self

    def read_into(self, buffer: memoryview) -> int:
        """As `StreamReader`."""
        cut, block_bytes = self._mender.description.cut, self._mender.description.block_bytes
        done, end = 0, min(len(buffer), cut.size - self.offset)
        while done < end:
            span = next(cut.spans(self.offset, end - done))
            stripe, within = divmod(span.offset, block_bytes)
            length = min(span.length, block_bytes - within)
            count = self._read_block(buffer[done : done + length], span.volume, stripe, within)
            done += count
            if count < length:
                break
        return done

    def _read_block(self, buffer: memoryview, volume: int, stripe: int, within: int) -> int:
        try:
            block = self._mender.block(volume, stripe)
        except Unmendable:
            self.close()  # its open file may be at another place
            return super().read_into(buffer)
        buffer[:] = memoryview(block)[within : within + len(buffer)]
        self.offset += len(buffer)
        return len(buffer)


def mender_for(located: Located, description: Description) -> Mender | None:
    """What mends the bundle with these recovery volumes; None if their sums are damaged everywhere."""
    protection = protection_of(description, located.recovery_files())
    if protection is None:
        return None
    return Mender(protection, located.name, partial(_named, located, description), located.tar_files)


def _named(located: Located, description: Description, number: int) -> Place | None:
    if number > description.volumes:
        path = located.find_recovery(number - description.volumes)
        return None if path is None else Place(path, description.parity_offset)
    if located.whole is not None:
        return Place(located.whole, description.cut.start_of(number))
    path = located.find(number)
    return None if path is None else Place(path)
