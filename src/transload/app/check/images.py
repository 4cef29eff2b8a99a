"""Tries with tiny images which manifests a registry takes: `--deep`. They are deleted again where it deletes."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Callable, Iterator
from functools import partial

from transload.app.check.way import Way
from transload.errors import Interrupted, TransloadError
from transload.oci import Name
from transload.report.checkup import CheckPoint
from transload.report.texts import count
from transload.testing.images import Built, image, index, put
from transload.testing.layers import Content
from transload.values import frozen

ASPECTS = ("mounts", "ranges", "manifests", "sparse")
"""The aspects that only `--deep` tries."""
_BESIDE = "transload-check-mount"


@frozen
class Demands:
    """What a set needs: the media types of its manifests, and whether it has sparse indexes."""

    media_types: frozenset[str] = frozenset()
    sparse: bool = False


class Trial:
    """Tiny images in one repository. `points` stores them, `clear` deletes what was stored."""

    def __init__(self, way: Way, repository: str, second: str | None, demands: Demands) -> None:
        self._way = way
        self._demands = demands
        self._repository = repository
        self._second = second or f"{repository}/{_BESIDE}"
        seed = f"check {secrets.token_hex(8)}"
        self._oci, self._docker = image(seed, (500,)), image(f"{seed} docker", (500,), family="docker")
        self._stored: list[tuple[str, Built]] = []
        self._blobs: list[tuple[str, Content]] = []

    def points(self) -> Iterator[Callable[[], CheckPoint]]:
        """One call for each of `ASPECTS`, in an order that works."""
        yield self._manifests
        yield self._sparse
        yield self._ranges
        yield self._mounts

    def _manifests(self) -> CheckPoint:
        kinds = {
            "OCI image": self._oci,
            "docker image": self._docker,
            "OCI index": index([self._oci]),
            "docker list": index([self._docker], "docker"),
        }
        errors: dict[str, TransloadError] = {}
        for kind, built in kinds.items():
            try:
                self._store(built)
            except Interrupted:
                raise
            except TransloadError as error:
                errors[kind] = error
        taken = [kind for kind in kinds if kind not in errors]
        if not errors:
            return self._way.point("manifests", "ok", f"{', '.join(taken)} are taken", taken=taken, refused=[])
        first = next(iter(errors.values()))
        found = f"{', '.join(errors)} not taken: {first}"
        if not taken or any(kinds[kind].manifest.media_type in self._demands.media_types for kind in errors):
            return CheckPoint.failed("manifests", self._way.store.locator, first, found)
        advice = "images of these types cannot be copied there as they are"
        return self._way.point("manifests", "warning", found, advice, taken=taken, refused=list(errors))

    def _sparse(self) -> CheckPoint:
        lacking = index([self._oci, image("never stored", (10,))])
        try:
            self._put(lacking)
        except Interrupted:
            raise
        except TransloadError as error:
            found = "an index without some of its platforms is refused: use --narrow rewritten, which is the default"
            if self._demands.sparse:
                return CheckPoint.failed("sparse", self._way.store.locator, error, found)
            return self._way.point("sparse", "ok", found, takes_sparse=False)
        return self._way.point("sparse", "ok", "an index without some of its platforms is taken", takes_sparse=True)

    def _ranges(self) -> CheckPoint:
        (content, *_) = self._oci.contents
        with self._way.store.open(self._repository, content.descriptor, 10) as chunks:
            for _chunk in chunks:
                pass
        sends = self._way.store.capabilities.ranges is True
        found = "parts of blobs are sent" if sends else "blobs are sent only whole"
        return self._way.point("ranges", "ok", found, ranges=sends)

    def _mounts(self) -> CheckPoint:
        content = self._oci.contents[-1]
        mounted = self._way.store.mount(content.descriptor, self._repository, self._second)
        if mounted:
            self._blobs.append((self._second, content))
        found = "blobs are mounted" if mounted else "blobs are not mounted, so each repository gets its own"
        return self._way.point("mounts", "ok", found, mounts=mounted)

    def _store(self, built: Built) -> None:
        for content in built.contents:
            put(self._way.store, self._repository, content)
            self._blobs.append((self._repository, content))
        self._put(built)

    def _put(self, built: Built) -> None:
        self._way.store.put_manifest(Name(self._repository, None, built.digest), built.manifest)
        self._stored.append((self._repository, built))

    def clear(self) -> CheckPoint:
        """Delete what was stored, and say what stays."""
        deletes, left = self._way.store.deletes, 0
        for repository, built in reversed(self._stored):
            left += not _gone(partial(deletes.delete_manifest, Name(repository, None, built.digest)))
        for repository, content in reversed(self._blobs):
            _gone(partial(deletes.delete_blob, repository, content.descriptor.digest))
        if not left:
            return self._way.point("clean", "ok", "what was stored for this check is deleted again", left=0)
        found = f"{count(left, 'tiny manifest')} without a tag stay in {self._repository}: the registry did not delete"
        return self._way.point("clean", "warning", found, "let the registry collect its garbage", left=left)


def _gone(delete: Callable[[], None]) -> bool:
    """Whether this could be deleted."""
    with contextlib.suppress(TransloadError):
        delete()
        return True
    return False
