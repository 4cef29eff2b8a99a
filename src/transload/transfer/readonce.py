"""A target whose manifests are about to be read: what a name stands for is found by reading, and kept for the proof."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from transload.errors import (
    CredentialsRejected,
    Interrupted,
    NotFound,
    ProtocolTrouble,
    ServerTrouble,
    Stalled,
    TooManyRequests,
    TransloadError,
    Unreachable,
    as_result,
)

if TYPE_CHECKING:
    from transload.oci import Descriptor, Manifest, Name
    from transload.ports import Target

_KEPT_BYTES = 32 << 20  # beyond that, manifests are read a second time
_OF_ALL = (Unreachable, CredentialsRejected, Interrupted)  # what is so for one image is so for the next
_OF_ONE = (ProtocolTrouble, ServerTrouble, TooManyRequests, Stalled)  # of these, it may be this image's alone


class ReadOnce:
    """`target`, where `resolve` reads the manifest, so that `fetch` of the same name asks for nothing.

    If a manifest cannot be read, only that image is in trouble: `resolve` asks what the name stands for, and `fetch`
    raises why it cannot. Each manifest is given out once; all else is the target's.
    """

    def __init__(self, target: Target) -> None:
        self._target = target
        self._kept: dict[Name, Manifest | TransloadError] = {}
        self._room = _KEPT_BYTES
        self._lock = threading.Lock()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._target, name)

    def resolve(self, name: Name) -> Descriptor:
        """See `Source`."""
        try:
            manifest = self._target.fetch(name)
        except NotFound as error:
            self._keep(name, error)
            raise
        except TransloadError as error:
            if isinstance(error, _OF_ALL) and not isinstance(error, _OF_ONE):
                raise
            descriptor = self._target.resolve(name)
            self._keep(name, error)
            return descriptor
        self._keep(name, manifest)
        return manifest.descriptor

    def fetch(self, name: Name) -> Manifest:
        """See `Source`."""
        with self._lock:
            kept = self._kept.pop(name, None)
            self._room += _weight(kept)
        if isinstance(kept, TransloadError):
            raise kept
        return kept or self._target.fetch(name)

    def _keep(self, name: Name, found: Manifest | TransloadError) -> None:
        weight = _weight(found)
        with self._lock:
            if weight <= self._room:
                self._room -= weight
                self._kept[name] = as_result(found) if isinstance(found, TransloadError) else found


def _weight(kept: Manifest | TransloadError | None) -> int:
    return 0 if kept is None or isinstance(kept, TransloadError) else kept.weight
