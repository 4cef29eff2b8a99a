"""The bundle: a release on its way over an air gap, as one tar stream cut into volumes (docs/formats/bundle.md)."""

from transload.bundle.format.blueprint import Blueprint, lay_out
from transload.bundle.format.contents import BundledImage, Contents, ExtraFile, Prerequisite
from transload.bundle.format.volumes import parse_volume_size
from transload.bundle.reading.reader import BundleStore
from transload.bundle.writing.writer import BundleWriter

__all__ = [
    "Blueprint",
    "BundleStore",
    "BundleWriter",
    "BundledImage",
    "Contents",
    "ExtraFile",
    "Prerequisite",
    "lay_out",
    "parse_volume_size",
]
