"""podman, buildah and skopeo: `registries.conf.d`, certificates, and a login file."""

from __future__ import annotations

from transload.configuration.registriesconf import registries_conf
from transload.configuration.relocation import Relocation
from transload.configuration.wishes import Configuration, Wishes

_AFTER = (
    "copy the folders into /etc/containers, or for one user into $HOME/.config/containers; the next pull reads them"
)
_LOGIN = "auth.json goes to $XDG_RUNTIME_DIR/containers/auth.json, for root to /run/containers/0/auth.json"


def write(relocation: Relocation, wishes: Wishes) -> Configuration:
    """Mirrors for the prefixes of the images. Raises `UsageError` for a registry that the file cannot name."""
    return registries_conf(relocation, "podman", _AFTER, _LOGIN, no_fallback=wishes.no_fallback)
