"""What was learnt about one registry, so that what failed is not tried again. `registry.known` keeps it between runs.

What an earlier run found may be wrong by now, so it is only a guess until this run confirms it:

1. a way of uploading that the registry refuses now is forgotten, and the usual way is tried (`doubts_uploads`);
2. a power that the registry lacked is tried once more in each run (`rules_out`, `mounts_worth_trying`);
3. a power that the registry had is used, and every use of it can also do without.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any, Literal, get_args

UploadMode = Literal["stream", "put", "pieces"]
"""One streaming PATCH; one PUT with the whole body; several PATCHes of bounded size."""

Power = Literal[
    "ranges",
    "head",
    "head_tells",
    "referrers_api",
    "resumes",
    "put_with_body",
    "refuses_wrong_digest",
    "asks_login",
    "single_post",
    "faster_in_parts",
]
"""What a registry has or lacks: parts of blobs; HEAD of manifests, HEAD that states sizes; the referrers API; uploads
that continue after a broken connection; a body with the last request of an upload; refusing it for a wrong digest;
asking for a login; small blobs in one request; several connections that read one blob faster than one."""

FIRST_PIECE = 64 << 20
SMALLEST_PIECE = 256 << 10
LARGEST_PIECE = 256 << 20
REFUSALS = 3
_LOST = 2
Direction = Literal["reads", "writes"]
_AT_A_TIME = 64
_MODES: tuple[UploadMode, ...] = get_args(UploadMode)
_POWERS: tuple[Power, ...] = get_args(Power)
_DIRECTIONS: tuple[Direction, ...] = get_args(Direction)
_WAYS = {"upload_mode", "piece_bytes", "put_with_body"}


class Capabilities:
    """Findings about one registry. None means not known yet. Safe for threads; sizes in bytes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._guesses: set[str] = set()
        self._mounts_before: bool | None = None
        self._streamed_before = False
        self.upload_mode: UploadMode = "stream"
        self.streamed = False
        self.piece_bytes: int | None = None
        self.mounts_accepted = 0
        self.mounts_refused = 0
        self.ranges: bool | None = None
        self.head: bool | None = None
        self.head_tells: bool | None = None
        self.referrers_api: bool | None = None
        self.resumes: bool | None = None
        self.put_with_body: bool | None = None
        self.refuses_wrong_digest: bool | None = None
        self.asks_login: bool | None = None
        self.single_post: bool | None = None
        self.faster_in_parts: bool | None = None
        self._lost_with_put: int | None = 0
        self._at_a_time: dict[Direction, int] = {}
        self.takes_open_end = True
        """Whether a body without a length has not failed in this run; it is not remembered."""

    @classmethod
    def from_json(cls, document: object) -> Capabilities:
        """Guesses from the result of `to_json`. Invalid values count as unknown; they can be learnt again."""
        capabilities = cls()
        if not isinstance(document, Mapping):
            return capabilities
        mode, piece = document.get("upload_mode"), document.get("piece_bytes")
        capabilities._streamed_before = mode == "stream"
        if mode in _MODES and mode != "stream":
            capabilities.upload_mode = mode
            capabilities._guesses.add("upload_mode")
        if isinstance(piece, int) and SMALLEST_PIECE <= piece <= LARGEST_PIECE:
            capabilities.piece_bytes = piece
            capabilities._guesses.add("piece_bytes")
        for name in _POWERS:
            if isinstance(document.get(name), bool):
                setattr(capabilities, name, document[name])
                capabilities._guesses.add(name)
        for direction in _DIRECTIONS:
            count = document.get(f"{direction}_at_a_time")
            if type(count) is int and 1 <= count <= _AT_A_TIME:
                capabilities._at_a_time[direction] = count
        mounts = _mounts_of(document)
        capabilities._mounts_before = mounts
        # one try is left, to notice a registry that supports mounts by now
        capabilities.mounts_refused = REFUSALS - 1 if mounts is False else 0
        return capabilities

    def to_json(self) -> dict[str, Any]:
        """What is known, as JSON values: guesses that nothing has contradicted, too."""
        with self._lock:
            known: dict[str, Any] = {"piece_bytes": self.piece_bytes, "mounts": self.mounts}
            if self.streamed or self._streamed_before or self.upload_mode != "stream":
                known["upload_mode"] = self.upload_mode
            known |= {name: getattr(self, name) for name in _POWERS}
            known |= {f"{direction}_at_a_time": count for direction, count in self._at_a_time.items()}
        return {name: value for name, value in known.items() if value is not None}

    # --- powers

    def learn(self, power: Power, there: bool) -> None:
        """Note that this run has seen the registry have a power, or lack it."""
        with self._lock:
            setattr(self, power, there)
            self._guesses.discard(power)

    def is_settled(self, power: Power) -> bool:
        """Whether this run itself knows whether the registry has a power."""
        with self._lock:
            return getattr(self, power) is not None and power not in self._guesses

    def rules_out(self, power: Power) -> bool:
        """Whether the registry lacks a power, so that it is not used. The first caller may try a mere guess again."""
        with self._lock:
            if getattr(self, power) is not False:
                return False
            if power in self._guesses:
                self._guesses.discard(power)
                return False
            return True

    def resume_failed(self) -> None:
        """One upload could not continue. Where this run has seen another continue, that says nothing."""
        if self.resumes is None or not self.is_settled("resumes"):
            self.learn("resumes", False)

    # --- how much at a time

    def at_a_time(self, direction: Direction) -> int | None:
        """How many bodies at a time were found to be useful; None if nothing is known."""
        return self._at_a_time.get(direction)

    def reads_well(self, count: int) -> None:
        """So many bodies at a time are useful when they are read from the registry."""
        with self._lock:
            self._at_a_time["reads"] = count

    def writes_well(self, count: int) -> None:
        """So many bodies at a time are useful when they are sent to the registry."""
        with self._lock:
            self._at_a_time["writes"] = count

    # --- mounts

    @property
    def mounts(self) -> bool | None:
        """Whether the registry mounts blobs; None if it has not been asked often enough."""
        if self.mounts_accepted:
            return True
        return False if self.mounts_refused >= REFUSALS else self._mounts_before

    @property
    def mounts_worth_trying(self) -> bool:
        """False after `REFUSALS` refused mounts without a single success."""
        return self.mounts_accepted > 0 or self.mounts_refused < REFUSALS

    def mount_answered(self, accepted: bool) -> None:
        """Count the answer to a mount."""
        with self._lock:
            if accepted:
                self.mounts_accepted += 1
            else:
                self.mounts_refused += 1

    # --- uploads

    def uploads_confirmed(self) -> None:
        """An upload sent in the way that is known by now was stored."""
        with self._lock:
            self._guesses -= _WAYS

    def doubts_uploads(self) -> bool:
        """Forget how an earlier run had to upload, since the registry refuses that now. False if none had said so."""
        with self._lock:
            if not self._guesses & _WAYS:
                return False
            self._guesses -= _WAYS
            self.upload_mode, self.piece_bytes, self.put_with_body = "stream", None, None
            return True

    def put_was_kept(self) -> None:
        """An upload whose content came with the last request was stored."""
        self._lost_with_put = None

    def put_was_lost(self) -> None:
        """The registry did not know the upload whose content came with the last request.

        That may be chance. Twice, before any such upload was stored, means that it has to be sent by PATCH.
        """
        with self._lock:
            if self._lost_with_put is None:
                return
            self._lost_with_put += 1
            lasting = self._lost_with_put >= _LOST
        if lasting:
            self.learn("put_with_body", False)

    def way_of_uploading(self) -> tuple[UploadMode, int | None]:
        """How large blobs are sent now: the mode, and the size of pieces."""
        with self._lock:
            return self.upload_mode, self.piece_bytes

    def upload_as(self, mode: UploadMode, piece_bytes: int | None) -> None:
        """Go back to an earlier `way_of_uploading`: what was learnt since was only a trial."""
        with self._lock:
            self.upload_mode, self.piece_bytes = mode, piece_bytes

    def takes_no_patch(self) -> None:
        """The registry does not know PATCH: send whole bodies with the PUT."""
        with self._lock:
            self.upload_mode = "put"
            self._guesses.discard("upload_mode")

    def takes_less_than(self, size: int) -> bool:
        """A body of `size` bytes was too large: send smaller pieces. False when pieces cannot get any smaller."""
        with self._lock:
            current = self.piece_bytes if self.upload_mode == "pieces" else None
            if current is not None and current < size:
                return True  # another upload has learnt it already
            smaller = FIRST_PIECE if current is None and size > FIRST_PIECE else max(size // 4, SMALLEST_PIECE)
            if smaller >= size:
                return False
            self.upload_mode, self.piece_bytes = "pieces", smaller
            self._guesses -= {"upload_mode", "piece_bytes"}
            return True

    def piece_size(self, wanted_minimum: int) -> int:
        """The size of the pieces of an upload. The registry's minimum is respected, up to `LARGEST_PIECE`."""
        return min(max(self.piece_bytes or FIRST_PIECE, wanted_minimum), LARGEST_PIECE)


def _mounts_of(document: Mapping[str, Any]) -> bool | None:
    """Whether mounts worked. Versions up to 0.1 wrote two counts."""
    if isinstance(document.get("mounts"), bool):
        return bool(document["mounts"])
    accepted, refused = document.get("mounts_accepted"), document.get("mounts_refused")
    if isinstance(accepted, int) and accepted > 0:
        return True
    return False if isinstance(refused, int) and refused >= REFUSALS - 1 else None
