"""A body that may end early, so that the request is complete and the registry keeps what it got.

docker-registry 2.8 drops an upload whose request breaks off, but goes on after one that ended as it should. A body
with a length cannot end early, one without (`Transfer-Encoding: chunked`) can.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from transload.net.address import Url
from transload.ports import Chunk
from transload.registry.capabilities import Capabilities

_FRAME = 96 << 10
"""Each frame is copied to be sent with its length: a small one costs less, since its memory is used again."""


class OpenEnd:
    """Passes chunks on until there are none, or until getting them fails: then the body ends, and `error` says why."""

    def __init__(self, chunks: Iterable[Chunk]) -> None:
        self.error: Exception | None = None
        self.sent = 0
        self._chunks = chunks

    def __iter__(self) -> Iterator[Chunk]:
        try:
            for chunk in self._chunks:
                for start in range(0, len(chunk), _FRAME):
                    frame = memoryview(chunk)[start : start + _FRAME]
                    yield frame
                    self.sent += len(frame)
        except Exception as error:  # raised again once the registry has answered
            self.error = error


def is_worth_it(capabilities: Capabilities, address: str) -> bool:
    """Whether a body without a length saves what it brings: at a distribution (its addresses have a `_state`) that does
    not go on after a break. Other registries may wait for a length for ever (ECR).
    """
    if capabilities.resumes is not False or not capabilities.takes_open_end:
        return False
    return any(pair.startswith("_state=") for pair in (Url.parse(address).query or "").split("&"))
