"""The OCI image layout: a folder as a store (OCI image specification, image-layout.md)."""

from transload.layout.store import LayoutStore

__all__ = ["LayoutStore"]
