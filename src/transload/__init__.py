"""Move a vendor's release of container images into a private registry: complete, unchanged, provably so."""

__version__ = "0.1.0"
