"""What the target lacks below a name that it has.

A registry takes a manifest only with everything below it, so this is not asked of registries on ordinary runs
(docs/decisions/0006); with `Request.recheck` it is. In a folder it costs no request, so there it is always looked for.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

from transload.errors import AccessDenied, CorruptError, NotFound
from transload.graph import Allowance
from transload.limits import IMAGE_MANIFESTS, IMAGE_MANIFESTS_BYTES
from transload.oci import Descriptor, Digest, Manifest, Name
from transload.planning.parts import LeftOut
from transload.planning.request import Request
from transload.ports import Target


def is_rechecked(request: Request, target: Target) -> bool:
    """Whether names that the target has are not believed."""
    return request.recheck or getattr(target, "paths", None) is not None


class Completeness:
    """Asks `target` for everything below its names, each content once. Safe for threads.

    `wrong` are the manifests that are there, but cannot be read or are damaged.
    """

    def __init__(self, target: Target) -> None:
        self._target = target
        self._known: dict[tuple[str, Digest], bool] = {}
        self._lock = threading.Lock()
        self.wrong: set[tuple[str, Digest]] = set()

    def lacking(
        self, name: Name, root: Descriptor, keep: Callable[[Descriptor], bool] = lambda _: True
    ) -> tuple[Descriptor, ...]:
        """What is missing or damaged of the image that `name` stands for. Children without `keep` need not be there.

        Below a manifest that is missing nothing is looked for. Raises errors of the target (`Unreachable`, …).
        """
        left_out = LeftOut(self._target, name.repository)
        allowance = Allowance("an image", IMAGE_MANIFESTS_BYTES)
        lacking: dict[Digest, Descriptor] = {}
        below, seen = [root], {root.digest}
        while below:
            descriptor = below.pop()
            manifest = self._manifest(name.at(descriptor.digest), descriptor)
            if manifest is None:
                lacking[descriptor.digest] = descriptor
                continue
            allowance.take(left_out.meet(manifest))
            blobs = (blob for blob in manifest.blobs if not blob.is_foreign)
            lacking.update({blob.digest: blob for blob in blobs if not self._holds(name.repository, blob)})
            wanted = (child for child in manifest.manifests if child not in left_out and keep(child))
            for child in wanted:
                if child.digest not in seen and len(seen) < IMAGE_MANIFESTS:
                    seen.add(child.digest)
                    below.append(child)
        return tuple(lacking.values())

    def _manifest(self, name: Name, descriptor: Descriptor) -> Manifest | None:
        try:
            return self._target.fetch(name)
        except (NotFound, AccessDenied):
            return None
        except CorruptError:
            with self._lock:
                self.wrong.add((self._scope(name.repository), descriptor.digest))
            return None

    def _holds(self, repository: str, blob: Descriptor) -> bool:
        key = (self._scope(repository), blob.digest)
        with self._lock:
            known = self._known.get(key)
        if known is None:
            try:
                known = self._target.exists(repository, blob)
            except AccessDenied:
                known = False
            with self._lock:
                self._known[key] = known
        return known

    def _scope(self, repository: str) -> str:
        return repository if self._target.blobs_per_repository else ""


def notes_on(label: str, lacking: tuple[Descriptor, ...]) -> Iterator[str]:
    """A sentence for people on what is missing of an image."""
    if lacking:
        what = lacking[0].digest.short if len(lacking) == 1 else f"{len(lacking)} pieces of content"
        yield f"the target has {label} without {what} (missing or damaged): to be brought again"
