"""CRI-O: `registries.conf.d`, certificates, and a login file."""

from __future__ import annotations

from transload.configuration.registriesconf import registries_conf
from transload.configuration.relocation import Relocation
from transload.configuration.wishes import Configuration, Wishes

_AFTER = "copy the folders into /etc/containers on every node, and run systemctl reload crio there"
_LOGIN = "auth.json goes to the file that global_auth_file of crio.conf names"


def write(relocation: Relocation, wishes: Wishes) -> Configuration:
    """Mirrors for the prefixes of the images. Raises `UsageError` for a registry that the file cannot name."""
    return registries_conf(relocation, "CRI-O", _AFTER, _LOGIN, no_fallback=wishes.no_fallback)
