"""Archives that other tools write, as sources: OCI archives, and what `docker save` and `podman save` leave behind."""

from transload.archive.store import ArchiveStore

__all__ = ["ArchiveStore"]
