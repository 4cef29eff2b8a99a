"""Values of the OCI specifications: digests, references, descriptors, platforms, manifests. No input or output."""

from transload.oci.descriptor import Descriptor
from transload.oci.digest import Digest, Verifier, verified
from transload.oci.manifest import Manifest
from transload.oci.platform import Platform
from transload.oci.reference import Name, Reference

__all__ = ["Descriptor", "Digest", "Manifest", "Name", "Platform", "Reference", "Verifier", "verified"]
