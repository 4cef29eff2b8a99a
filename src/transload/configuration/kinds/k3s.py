"""The `registries.yaml` of k3s."""

from __future__ import annotations

from transload.configuration.registriesyaml import registries_yaml
from transload.configuration.relocation import Relocation
from transload.configuration.wishes import Configuration, Wishes


def write(relocation: Relocation, _wishes: Wishes) -> Configuration:
    """Mirrors, and how the registry is reached. Raises `UsageError` if no image would be found."""
    return registries_yaml(relocation, "k3s")
