"""What was learnt about one registry, so that what failed is not tried again. Callers may keep it between runs."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any, Literal

UploadMode = Literal["stream", "put", "pieces"]
"""One streaming PATCH; one PUT with the whole body; several PATCHes of bounded size."""

FIRST_PIECE = 64 << 20
SMALLEST_PIECE = 256 << 10
LARGEST_PIECE = 256 << 20
REFUSALS = 3
_MODES: tuple[UploadMode, ...] = ("stream", "put", "pieces")
_FLAGS = ("ranges", "head", "head_tells", "referrers_api", "resumes", "put_with_body")


class Capabilities:
    """Findings about one registry. None means not known yet. Safe for threads; sizes in bytes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
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

    @classmethod
    def from_json(cls, document: object) -> Capabilities:
        """Read the result of `to_json`. Invalid values count as unknown; they can be learnt again."""
        capabilities = cls()
        if not isinstance(document, Mapping):
            return capabilities
        mode, piece = document.get("upload_mode"), document.get("piece_bytes")
        if mode in _MODES:
            capabilities.upload_mode = mode
        if isinstance(piece, int) and SMALLEST_PIECE <= piece <= LARGEST_PIECE:
            capabilities.piece_bytes = piece
        for name in ("mounts_accepted", "mounts_refused"):
            count = document.get(name)
            setattr(capabilities, name, count if isinstance(count, int) and count >= 0 else 0)
        for name in _FLAGS:
            if isinstance(document.get(name), bool):
                setattr(capabilities, name, document[name])
        return capabilities

    def to_json(self) -> dict[str, Any]:
        """What is known, as JSON values."""
        with self._lock:
            known: dict[str, Any] = {"upload_mode": self.upload_mode, "piece_bytes": self.piece_bytes}
            # one try is left, to notice a registry that supports mounts by now
            known |= {"mounts_accepted": self.mounts_accepted, "mounts_refused": min(self.mounts_refused, REFUSALS - 1)}
            known |= {name: getattr(self, name) for name in _FLAGS}
        return {name: value for name, value in known.items() if value is not None}

    # --- mounts

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

    def takes_no_patch(self) -> None:
        """The registry does not know PATCH: send whole bodies with the PUT."""
        with self._lock:
            self.upload_mode = "put"

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
            return True

    def piece_size(self, wanted_minimum: int) -> int:
        """The size of the pieces of an upload. The registry's minimum is respected, up to `LARGEST_PIECE`."""
        return min(max(self.piece_bytes or FIRST_PIECE, wanted_minimum), LARGEST_PIECE)
