"""The segments of a blob that several connections read at a time: who reads which bytes, and which come next. No I/O.

Invariants:
1. the segments follow one another without a gap, from the next byte that is handed on to `frontier`;
2. a byte is handed on once, and only when all before it were;
3. a segment has one reader at a time, which adds bytes at its end; what it leaves over becomes a segment without one;
   its end may come nearer while it is read, since another one took the second half.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from transload.limits import SEGMENT_BYTES, SEGMENT_LEAST_BYTES
from transload.registry.room import BLOCK
from transload.values import define, field

_ROUND_TRIPS = 32  # a segment that takes so many of them is hardly slower than an endless one
_SPREAD = 2  # segments have so many times the length that the room allows, since they are half full on average


def segment_bytes(share: int, readers: int, *, rate: float, latency_s: float) -> int:
    """How long segments should be for so many readers. Pure.

    `share` is the memory in bytes for what comes too early, `rate` that of one connection in bytes a second.

    >>> segment_bytes(32 << 20, 8, rate=20e6, latency_s=0.04), segment_bytes(32 << 20, 8, rate=2e6, latency_s=0.001)
    (8388608, 1048576)
    """
    fitting = min(_SPREAD * share // max(1, readers), SEGMENT_BYTES)
    enough = int(_ROUND_TRIPS * rate * latency_s)
    return max(SEGMENT_LEAST_BYTES, min(fitting, enough))


@define(eq=False)
class Block:
    """Memory with `used` bytes in it."""

    memory: bytearray
    used: int = 0


@define(eq=False)
class Segment:
    """Bytes from `start` to before `end`, of which those before `at` have come. `left`: how often it was given up."""

    start: int
    end: int
    at: int = field(kw_only=True)
    claimed: bool = field(default=False, kw_only=True)
    left: int = field(default=0, kw_only=True)
    blocks: deque[Block] = field(factory=deque, kw_only=True)

    @property
    def is_whole(self) -> bool:
        """Whether all of its bytes have come."""
        return self.at >= self.end

    def pack(self, piece: memoryview) -> memoryview:
        """Put bytes into the last block, as many as fit. Returns the rest."""
        if not self.blocks or not piece:
            return piece
        block = self.blocks[-1]
        size = min(len(piece), BLOCK - block.used)
        block.memory[block.used : block.used + size] = piece[:size]
        block.used += size
        self.at += size
        return piece[size:]


class Segments:
    """The bytes of a blob from `start` to before `end`. Not safe for threads by itself."""

    def __init__(self, start: int, end: int) -> None:
        self.position = start
        """The next byte to hand on."""
        self.frontier = start
        """The first byte that belongs to no segment yet."""
        self.end = end
        self._queue: deque[Segment] = deque()
        self._claims = 0

    @property
    def head(self) -> Segment | None:
        """The segment that the next byte lies in."""
        return self._queue[0] if self._queue else None

    @property
    def left(self) -> int:
        """How many bytes no reader has yet."""
        return self.end - self.frontier + sum(part.end - part.at for part in self._queue if not part.claimed)

    @property
    def _missing(self) -> int:
        return self.end - self.frontier + sum(part.end - part.at for part in self._queue)

    def can_claim(self, ahead: int) -> bool:
        """Whether there is a segment to read, less than `ahead` bytes before the next one to hand on."""
        return any(not part.claimed for part in self._queue) or (
            self.frontier < self.end and self.frontier - self.position < ahead
        )

    def claim(self, length: int, ahead: int, readers: int, least: int = SEGMENT_LEAST_BYTES) -> Segment | None:
        """The next segment to read, of `length` bytes as a rule, at least `least`; None if there is none now.

        Of many, the first ones are shorter, so that they end one after the other; and the last ones, so that all end
        together: each reader gets its share of all bytes that have not come yet.
        """
        for part in self._queue:
            if not part.claimed:
                part.claimed = True
                return part
        if not self.can_claim(ahead):
            return None
        share = self._missing // max(1, readers)
        if self._claims < readers and share > length:
            length = length * (self._claims + 1) // readers
        length = max(least, min(length, share))
        if self.end - self.frontier - length < least // 2:
            length = self.end - self.frontier
        self._claims += 1
        part = Segment(self.frontier, min(self.frontier + length, self.end), at=self.frontier, claimed=True)
        self.frontier = part.end
        self._queue.append(part)
        return part

    def split(self, least: int, lead: int) -> Segment | None:
        """The second half of the longest segment that is being read, for a reader that has nothing else to do.

        None if less than `least` bytes of it are to come. The other reader goes on for `lead` bytes until this one
        has its first; then both end together.
        """
        part = max((part for part in self._queue if part.claimed), key=lambda part: part.end - part.at, default=None)
        if part is None or part.end - part.at < max(least, lead + 2):
            return None
        half = Segment(part.at + (part.end - part.at + lead) // 2, part.end, at=0, claimed=True)
        half.at, part.end = half.start, half.start
        self._queue.insert(self._queue.index(part) + 1, half)
        return half

    def longest(self) -> int:
        """How many bytes are to come of the longest segment that is being read."""
        return max((part.end - part.at for part in self._queue if part.claimed), default=0)

    def put_back(self, part: Segment) -> None:
        """The reader of a segment leaves it. What it lacks is read by another one, before anything new."""
        if part.is_whole:
            return
        if part.at == part.start:
            part.claimed, part.left = False, part.left + 1
            return
        rest = Segment(part.at, part.end, at=part.at, left=part.left + 1)
        part.end = part.at
        self._queue.insert(self._queue.index(part) + 1, rest)

    def next_block(self) -> Block | None:
        """The next bytes, which count as handed on; None if they have not come yet."""
        while self._queue:
            head = self._queue[0]
            if head.blocks:
                block = head.blocks.popleft()
                self.position += block.used
                return block
            if not head.is_whole:
                return None
            self._queue.popleft()
        return None

    def worth_waiting_for(self, seconds: float, rate: float, *, before: int = 0) -> int | None:
        """Up to where to read on for so many seconds before all ends: to the last gap that closes by then, and keeps
        bytes behind it that came early. None if that is nowhere.

        `rate` is that of each connection in bytes a second; `before` is how many bytes the first segment waits for.
        """
        worth, kept, is_gap = None, 0, before > 0
        if before > rate * seconds:
            return None
        for part in self._queue:
            if is_gap and part.blocks:
                kept += sum(block.used for block in part.blocks)
                worth = part.start if kept >= BLOCK else worth
            rest = part.end - part.at
            if rest and (not part.claimed or rest > rate * seconds):
                break
            is_gap = is_gap or rest > 0
        return worth

    def stop_here(self) -> None:
        """Begin no new segment; those that have begun are read to their ends."""
        self.end = self.frontier

    def drop(self) -> Iterator[bytearray]:
        """The blocks of all bytes that are not handed on; nothing follows."""
        while self._queue:
            yield from (block.memory for block in self._queue.popleft().blocks)
