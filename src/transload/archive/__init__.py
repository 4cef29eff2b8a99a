"""Archives that other tools write, as sources: OCI archives, and the output of `docker save` and `podman save`."""

from transload.archive.store import ArchiveStore

__all__ = ["ArchiveStore"]
