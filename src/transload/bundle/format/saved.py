"""The `manifest.json` of a bundle, in the form of `docker save`: so docker, podman and skopeo load its images by name.

The form is defined by docker's reader (image/tarexport), not by a specification. Each entry names one image for one
platform, because the form cannot say more. Pure; docs/formats/bundle.md has the rule.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Container, Iterable, Iterator

from transload.limits import SAVED_BYTES, SAVED_VALUES
from transload.oci import Descriptor, Digest, Manifest, Name, mediatype
from transload.oci.imagelayout import blob_path
from transload.strictjson import NotJson, check_size, values_in

SAVED = "manifest.json"
_CONFIGS = frozenset({mediatype.OCI_CONFIG, mediatype.DOCKER_CONFIG})
# Docker reads zstd only from version 23 on, and one entry that it cannot read ends the whole `docker load`.
_LAYERS = mediatype.UNCOMPRESSED_LAYERS | {mediatype.OCI_LAYER_GZIP, mediatype.DOCKER_LAYER_GZIP}
_PREFERRED = (("linux", "amd64"), ("linux", "arm64"))

ManifestOf = Callable[[Digest], Manifest | None]
"""The manifest with a digest; None if the bundle does not hold it."""


def saved_content(
    roots: Iterable[tuple[Name, Digest]], manifest_of: ManifestOf, carried: Container[Digest]
) -> bytes | None:
    """The `manifest.json` for these images, one line for each that can be loaded; None if there is none.

    `roots` are the images in the bundle with the digests of their topmost manifests, in order; `carried` are all
    digests in the bundle. It is left out too if it would be larger than what readers accept.
    """
    lines: list[str] = []
    size = values = 0
    for name, manifest in _loadable(roots, manifest_of, carried):
        lines.append(_line(name, manifest))
        size += len(lines[-1])
        values += values_in(lines[-1].encode("ascii"))
        if size > SAVED_BYTES or values > SAVED_VALUES:  # with many images: the others need not be looked at
            return None
    raw = ("[\n" + ",\n".join(lines) + "\n]\n").encode("ascii")
    try:
        check_size(raw, SAVED_BYTES, SAVED_VALUES)
    except NotJson:
        return None
    return raw if lines else None


def _loadable(
    roots: Iterable[tuple[Name, Digest]], manifest_of: ManifestOf, carried: Container[Digest]
) -> Iterator[tuple[Name, Manifest]]:
    for name, root in roots:
        manifest = manifest_of(root) if name.tag and name.repository else None
        chosen = manifest and _chosen(manifest, manifest_of, carried)
        if chosen:
            yield name, chosen


def _chosen(root: Manifest, manifest_of: ManifestOf, carried: Container[Digest]) -> Manifest | None:
    """The image for one platform: linux/amd64, else linux/arm64, else the first that is complete."""
    if not root.is_index:
        return root if _is_complete(root, carried) else None
    for child in sorted(root.manifests, key=_rank):
        manifest = manifest_of(child.digest)
        if manifest is not None and _is_complete(manifest, carried):
            return manifest
    return None


def _rank(child: Descriptor) -> int:
    platform = (child.platform.os, child.platform.architecture) if child.platform else None
    return _PREFERRED.index(platform) if platform in _PREFERRED else len(_PREFERRED)


def _is_complete(manifest: Manifest, carried: Container[Digest]) -> bool:
    """Whether this is an image, and the bundle holds everything that an engine needs of it."""
    return (
        manifest.config is not None
        and manifest.config.media_type in _CONFIGS
        and bool(manifest.layers)
        and all(layer.media_type in _LAYERS for layer in manifest.layers)
        and all(blob.digest in carried for blob in manifest.blobs)
    )


def _line(name: Name, manifest: Manifest) -> str:
    config = manifest.config
    assert config is not None  # noqa: S101 - `_is_complete` has looked
    entry = {
        "Config": blob_path(config.digest),
        "RepoTags": [f"{name.repository}:{name.tag}"],
        "Layers": [blob_path(layer.digest) for layer in manifest.layers],
    }
    return json.dumps(entry, separators=(",", ":"))
