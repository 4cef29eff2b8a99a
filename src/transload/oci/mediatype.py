"""Media types of manifests, of both families, and what is known about layers."""

from __future__ import annotations

OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_ARTIFACT = "application/vnd.oci.artifact.manifest.v1+json"  # withdrawn before 1.1, still found in registries
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_EMPTY = "application/vnd.oci.empty.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar"
OCI_LAYER_GZIP = "application/vnd.oci.image.layer.v1.tar+gzip"
OCI_LAYER_ZSTD = "application/vnd.oci.image.layer.v1.tar+zstd"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
DOCKER_LAYER_GZIP = "application/vnd.docker.image.rootfs.diff.tar.gzip"
DOCKER_SCHEMA1 = "application/vnd.docker.distribution.manifest.v1+json"
DOCKER_SCHEMA1_SIGNED = "application/vnd.docker.distribution.manifest.v1+prettyjws"
DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar"  # in no specification, but written by some

INDEXES = frozenset({OCI_INDEX, DOCKER_LIST})
IMAGES = frozenset({OCI_MANIFEST, DOCKER_MANIFEST})
SCHEMA1 = frozenset({DOCKER_SCHEMA1, DOCKER_SCHEMA1_SIGNED})
MANIFESTS = INDEXES | IMAGES | {OCI_ARTIFACT}
_ENVELOPES = {  # of notation; of cosign's tags; of attestations
    *("application/jose+json", "application/cose"),
    "application/vnd.dev.cosign.simplesigning.v1+json",
    "application/vnd.dsse.envelope.v1+json",
}
_BUNDLES = "application/vnd.dev.sigstore.bundle"  # .v0.3+json, or +json;version=0.2 in its older spelling
UNCOMPRESSED_LAYERS = frozenset({OCI_LAYER, DOCKER_LAYER})

# The order of preference. Schema 1 is included only so that a registry sends it and does not answer 404.
ACCEPT = (OCI_INDEX, OCI_MANIFEST, DOCKER_LIST, DOCKER_MANIFEST, OCI_ARTIFACT, DOCKER_SCHEMA1_SIGNED, DOCKER_SCHEMA1)

# Every layer of every image has one of these few texts, so they are kept in memory once.
SHARED = {text: text for text in (*MANIFESTS, OCI_CONFIG, OCI_LAYER_GZIP, DOCKER_CONFIG, DOCKER_LAYER_GZIP)}


def is_foreign(media_type: str) -> bool:
    """Whether a layer of this type need not be in the registry (Windows base layers before June 2023)."""
    return ".foreign." in media_type or ".nondistributable." in media_type


def is_config(media_type: str) -> bool:
    """Whether a config of this type may be that of an image: artifacts have types of their vendors."""
    return media_type in {OCI_CONFIG, DOCKER_CONFIG} or not media_type.startswith("application/vnd.")


def is_file_layer(media_type: str) -> bool:
    """Whether a layer of this type has files of an image."""
    return media_type.startswith(("application/vnd.oci.image.layer.", "application/vnd.docker.image.rootfs."))


def is_signature(media_type: str) -> bool:
    """Whether a layer of this type is a signature or an attestation."""
    return media_type in _ENVELOPES or is_sigstore_bundle(media_type)


def is_sigstore_bundle(media_type: str) -> bool:
    """Whether it is the type of a Sigstore bundle, of any version. The artifact has it, and its layer."""
    return media_type.startswith(_BUNDLES)


def is_printable(media_type: str) -> bool:
    """Whether this fits in a header: printable ASCII only. RFC 6838 allows less, but publishers use more."""
    return media_type.isascii() and media_type.isprintable()
