"""Images laid into the folder of a docker-registry in the form in which it stores them itself.

To push one takes ten requests. The form: registry/storage/paths.go of distribution 2.8.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from tests.real.servers import Registry
from transload.oci import Digest
from transload.testing.images import Built
from transload.testing.releases import SeededRelease


def lay(registry: Registry, built: Built, repository: str, tag: str) -> str:
    """Store an image under a name; the reference to it. The registry keeps its images in files."""
    root = registry.root / "docker/registry/v2"
    held = root / "repositories" / repository
    for content in built.walk_contents():
        _blob(root, content.descriptor.digest, content.read)
        _link(held / "_layers", content.descriptor.digest)
    for each in built.walk():
        _blob(root, each.digest, partial(bytes, each.manifest.raw))
        _link(held / "_manifests/revisions", each.digest)
    _link(held / "_manifests/tags" / tag / "index", built.digest)
    (held / "_manifests/tags" / tag / "current").mkdir(exist_ok=True)
    (held / "_manifests/tags" / tag / "current/link").write_text(built.digest)
    return f"{registry.host}/{repository}:{tag}"


def lay_release(registry: Registry, made: SeededRelease, prefix: str) -> None:
    """Store a whole release, with its repositories under `prefix`."""
    for name, built in made.images.items():
        lay(registry, built, f"{prefix}/{name}", made.tag)


def _blob(root: Path, digest: Digest, read: Callable[[], bytes]) -> None:
    place = root / "blobs" / digest.algorithm / digest.encoded[:2] / digest.encoded / "data"
    if not place.exists():
        place.parent.mkdir(parents=True)
        place.write_bytes(read())


def _link(folder: Path, digest: Digest) -> None:
    place = folder / digest.algorithm / digest.encoded / "link"
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(digest)
