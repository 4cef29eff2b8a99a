"""What nodes and clusters must be told, so that they pull from the private registry: pure writers of their files."""

from transload.configuration.relocation import MovedImage, PrefixRule, Reach, Relocation
from transload.configuration.wishes import ConfigFile, Configuration, InputChart, InputFile, Wishes

__all__ = [
    "ConfigFile",
    "Configuration",
    "InputChart",
    "InputFile",
    "MovedImage",
    "PrefixRule",
    "Reach",
    "Relocation",
    "Wishes",
]
