"""The bundle: a release on its way over an air gap, as one tar stream cut into volumes (docs/formats/bundle.md)."""

from transload.bundle.contents import BundledImage, Contents, Extra, Prerequisite
from transload.bundle.format import Blueprint, lay_out
from transload.bundle.reader import BundleStore
from transload.bundle.volumes import parse_volume_size
from transload.bundle.writer import BundleWriter

__all__ = [
    "Blueprint",
    "BundleStore",
    "BundleWriter",
    "BundledImage",
    "Contents",
    "Extra",
    "Prerequisite",
    "lay_out",
    "parse_volume_size",
]
