"""A chart as the OCI artifact that `helm push` makes of it, with the same digest each time.

(Helm documentation, "Use OCI-based registries", "Helm chart manifest".)
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from transload.charts.chart import Chart
from transload.charts.metadata import annotations_of, config_of
from transload.errors import CorruptError, LimitExceeded
from transload.limits import CHART_PACKED_BYTES, PROVENANCE_BYTES
from transload.oci import Descriptor, Digest, Manifest, Name, verified
from transload.oci import mediatype as types
from transload.ports import Source
from transload.values import field, frozen

CONFIG = "application/vnd.cncf.helm.config.v1+json"
CONTENT = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
PROVENANCE = "application/vnd.cncf.helm.chart.provenance.v1.prov"
_OLD_CONTENT = "application/tar+gzip"  # Helm before 3.7


@frozen
class Artifact:
    """The manifest of a chart, and its blobs."""

    manifest: Manifest
    blobs: Mapping[Digest, bytes] = field(repr=False)


def artifact_of(chart: Chart) -> Artifact:
    """The artifact for a chart: its config, its archive unchanged, and its provenance if it has one."""
    contents = [(CONFIG, config_of(chart.metadata)), (CONTENT, chart.content)]
    if chart.provenance is not None:
        contents.append((PROVENANCE, chart.provenance))
    config, *layers = (
        {"mediaType": media_type, "digest": str(Digest.of(content)), "size": len(content)}
        for media_type, content in contents
    )
    document = {
        "schemaVersion": 2,
        "mediaType": types.OCI_MANIFEST,
        "config": config,
        "layers": layers,
        "annotations": annotations_of(chart.metadata),
    }
    raw = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
    return Artifact(Manifest.parse(raw), {Digest.of(content): content for _, content in contents})


def chart_in(manifest: Manifest, source: Source, repository: str, origin: str) -> Chart:
    """The chart that an artifact in a store holds. Raises `CorruptError` if it holds none, `LimitExceeded`."""
    archive = _layer(manifest, (CONTENT, _OLD_CONTENT))
    if archive is None:
        raise CorruptError(
            f"{origin} is not a chart",
            subject=origin,
            hint="it is an image, or an artifact of another kind; name it without oci://",
        )
    provenance = _layer(manifest, (PROVENANCE,))
    return Chart.parse(
        _read(source, repository, archive, CHART_PACKED_BYTES, origin),
        origin,
        None if provenance is None else _read(source, repository, provenance, PROVENANCE_BYTES, origin),
    )


def carried_chart(source: Source, name: Name) -> Chart | None:
    """The chart that a name in a store stands for; None if it stands for something else. Raises as `chart_in` does."""
    manifest = source.fetch(name)
    if manifest.config is None or manifest.config.media_type != CONFIG:
        return None
    return chart_in(manifest, source, name.repository, str(name))


def _layer(manifest: Manifest, media_types: Iterable[str]) -> Descriptor | None:
    return next((layer for layer in manifest.layers if layer.media_type in media_types), None)


def _read(source: Source, repository: str, descriptor: Descriptor, limit: int, origin: str) -> bytes:
    if descriptor.size > limit:
        raise LimitExceeded(f"{origin} has a part of {descriptor.size} bytes, the limit is {limit}", subject=origin)
    with source.open(repository, descriptor) as chunks:
        return verified(chunks, descriptor.digest, descriptor.size)
