"""Images, indexes, artifacts and whole releases from a seed: the same bytes on every machine, cheap to make.

>>> built = image("docs", layers=(1000, 2000))
>>> [blob.size for blob in built.manifest.layers]
[2598, 3622]
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal

from transload.oci import Descriptor, Digest, Manifest, Name, Platform
from transload.oci import mediatype as types
from transload.ports import Target
from transload.testing.layers import Content, Layer, layer, noise
from transload.values import frozen

Family = Literal["oci", "docker"]

AMD64 = Platform("linux", "amd64")
ARM64 = Platform("linux", "arm64", "v8")
SIGNATURE = "application/vnd.dev.cosign.artifact.sig.v1+json"

_CREATED = "2024-01-01T00:00:00Z"
_TYPES: dict[Family, tuple[str, str, str, str]] = {
    "oci": (types.OCI_MANIFEST, types.OCI_CONFIG, types.OCI_LAYER_GZIP, types.OCI_INDEX),
    "docker": (types.DOCKER_MANIFEST, types.DOCKER_CONFIG, types.DOCKER_LAYER_GZIP, types.DOCKER_LIST),
}


@frozen
class Built:
    """A manifest with all that belongs to it: its own blobs, and the children of an index."""

    manifest: Manifest
    contents: tuple[Content, ...] = ()
    children: tuple[Built, ...] = ()

    @property
    def digest(self) -> Digest:
        """The manifest's digest."""
        return self.manifest.digest

    @property
    def descriptor(self) -> Descriptor:
        """The manifest's descriptor."""
        return self.manifest.descriptor

    @property
    def blobs(self) -> dict[Digest, bytes]:
        """Every blob of this manifest and of its children, in memory: for small images."""
        return {descriptor.digest: raw for descriptor, raw in self.walk_blobs()}

    def walk(self) -> Iterator[Built]:
        """Children before parents, this one last."""
        for child in self.children:
            yield from child.walk()
        yield self

    def walk_contents(self) -> Iterator[Content]:
        """Every blob once; its bytes are made only when they are read."""
        seen = set()
        for built in self.walk():
            for content in built.contents:
                if content.descriptor.digest not in seen:
                    seen.add(content.descriptor.digest)
                    yield content

    def walk_blobs(self) -> Iterator[tuple[Descriptor, bytes]]:
        """Every blob once with its bytes; one is in memory at a time."""
        return ((content.descriptor, content.read()) for content in self.walk_contents())


def image(
    seed: object,
    layers: Iterable[int | Layer] = (1000, 20_000),
    platform: Platform = AMD64,
    family: Family = "oci",
    annotations: Mapping[str, str] | None = None,
    algorithm: str = "sha256",
    subject: Descriptor | None = None,
) -> Built:
    """An image that a container engine can load. `layers` are file sizes in bytes, or layers to share with others.

    `algorithm` is that of the blobs' digests. Only OCI manifests get `annotations` and `subject`.
    """
    manifest_type, config_type, layer_type, _ = _TYPES[family]
    made = [
        entry.typed(layer_type) if isinstance(entry, Layer) else layer(f"{seed}/{number}", entry, layer_type, algorithm)
        for number, entry in enumerate(layers)
    ]
    config = Content.of(_json(_config(seed, platform, made)), config_type, algorithm)
    document: dict[str, Any] = {
        "schemaVersion": 2,
        "mediaType": manifest_type,
        "config": config.descriptor.to_json(),
        "layers": [entry.descriptor.to_json() for entry in made],
    }
    if family == "oci":
        document |= _optional(annotations, subject)
    return Built(Manifest.parse(_json(document)), (config, *made))


def index(
    children: Sequence[tuple[Built, Platform | None] | Built],
    family: Family = "oci",
    annotations: Mapping[str, str] | None = None,
) -> Built:
    """An index of `children`, each with its platform."""
    pairs = [(entry, None) if isinstance(entry, Built) else entry for entry in children]
    entries = [
        built.descriptor.to_json() | ({"platform": platform.to_json()} if platform else {}) for built, platform in pairs
    ]
    document = {"schemaVersion": 2, "mediaType": _TYPES[family][3], "manifests": entries}
    if family == "oci":
        document |= _optional(annotations, None)
    return Built(Manifest.parse(_json(document)), (), tuple(built for built, _ in pairs))


def multi_platform(
    seed: object,
    layers: Iterable[int] = (1000, 20_000),
    platforms: Iterable[Platform] = (AMD64, ARM64),
    family: Family = "oci",
) -> Built:
    """An index of one image for each platform."""
    sizes = tuple(layers)
    return index([(image(f"{seed}/{platform}", sizes, platform, family), platform) for platform in platforms], family)


def artifact(
    seed: object,
    sizes: Iterable[int] = (300,),
    artifact_type: str = "application/vnd.example.artifact",
    subject: Built | Descriptor | None = None,
    annotations: Mapping[str, str] | None = None,
) -> Built:
    """An OCI artifact: an image manifest with an empty config (OCI image specification, manifest.md, "artifacts")."""
    config = Content.of(b"{}", types.OCI_EMPTY)
    made = [Content.of(b"".join(noise(f"{seed}/{number}", size)), artifact_type) for number, size in enumerate(sizes)]
    document: dict[str, Any] = {
        "schemaVersion": 2,
        "mediaType": types.OCI_MANIFEST,
        "artifactType": artifact_type,
        "config": config.descriptor.to_json(),
        "layers": [entry.descriptor.to_json() for entry in made],
    }
    document |= _optional(annotations, subject.descriptor if isinstance(subject, Built) else subject)
    return Built(Manifest.parse(_json(document)), (config, *made))


def signature(subject: Built | Descriptor, seed: object = "signature") -> Built:
    """An artifact that refers to `subject` and has a signature's type (it does not sign anything)."""
    return artifact(seed, (250,), SIGNATURE, subject, {"org.opencontainers.image.created": _CREATED})


def fill(store: Target, built: Built, repository: str, tag: str | None = None) -> Name:
    """Write `built` into `store` through the ports: missing blobs, children by digest, then the manifest itself.

    Returns the name under which it is stored. Raises what the store raises.
    """
    for content in built.walk_contents():
        if not store.exists(repository, content.descriptor):
            put(store, repository, content)
    for child in built.walk():
        if child is not built:
            store.put_manifest(Name(repository, None, child.digest), child.manifest, part=True)
    name = Name(repository, tag, None if tag else built.digest)
    store.put_manifest(name, built.manifest)
    return name


def put(store: Target, repository: str, content: Content) -> None:
    """Write one blob into `store`. An unfinished earlier attempt is continued."""
    with store.begin(repository, content.descriptor) as ingest:
        ingest.write(_skip(content.chunks(), ingest.offset))
        ingest.commit()


def _skip(chunks: Iterable[bytes], count: int) -> Iterator[bytes]:
    for chunk in chunks:
        if count < len(chunk):
            yield chunk[count:]
        count = max(0, count - len(chunk))


def _config(seed: object, platform: Platform, layers: Iterable[Layer]) -> dict[str, Any]:
    return {
        "created": _CREATED,
        **platform.to_json(),
        "config": {"Labels": {"org.example.seed": str(seed)}, "Cmd": ["/srv/run"]},
        "rootfs": {"type": "layers", "diff_ids": [entry.diff_id for entry in layers]},
        "history": [{"created": _CREATED, "created_by": "seed"} for _ in layers],
    }


def _optional(annotations: Mapping[str, str] | None, subject: Descriptor | None) -> dict[str, Any]:
    stated = {"annotations": dict(annotations or {}), "subject": subject.to_json() if subject else None}
    return {key: value for key, value in stated.items() if value}


def _json(document: Mapping[str, Any]) -> bytes:
    """JSON indented by three, as no tool writes it. So tests notice code that writes parsed content back."""
    return json.dumps(document, indent=3, ensure_ascii=False).encode()
