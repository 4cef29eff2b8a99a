"""Signatures of the Notary Project, as notation makes them: which of them hold, by whose certificates."""

from transload.trust.notation.authority import NotationTrust
from transload.trust.notation.options import read_notation

__all__ = ["NotationTrust", "read_notation"]
