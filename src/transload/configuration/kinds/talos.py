"""A patch for Talos' machine configuration: mirrors, certificates and logins under `machine.registries`.

Rules: Talos' reference of v1alpha1, RegistriesConfig. Talos makes containerd's `hosts.toml` of it, so that it can say
what containerd can.
"""

from __future__ import annotations

from base64 import b64encode
from pathlib import PurePosixPath
from typing import Any

from transload.configuration.mirroring import (
    RegistryMirror,
    asked_by_mirrors,
    check_some_are_found,
    fallback_notes,
    lost_images,
    lost_notes,
    registry_mirrors,
)
from transload.configuration.nodelogin import login_fields
from transload.configuration.relocation import Relocation
from transload.configuration.trust import certificates, check_has_name, check_something_is_said, place_notes, url
from transload.configuration.wishes import ConfigFile, Configuration, Wishes
from transload.configuration.yamlout import yaml_text

FILE = PurePosixPath("talos-registries.yaml")
_LIMIT = "Talos can move a whole registry below a prefix, and change no name"
_APPLY = f"apply it with talosctl patch machineconfig --nodes … --patch @{FILE}"
_REBOOT = "Talos gives containerd the login when a node starts: reboot the nodes"


def write(relocation: Relocation, wishes: Wishes) -> Configuration:
    """The patch. Raises `UsageError` if no image would be found."""
    check_has_name(relocation.registry, "Talos")
    check_something_is_said(relocation)
    moved = registry_mirrors(relocation)
    lost = lost_images(relocation, asked_by_mirrors(relocation, moved))
    otherwise = "name images as they are at the registry, as the kind kustomize does"
    check_some_are_found(relocation, lost, _LIMIT, otherwise)
    registries: dict[str, Any] = {}
    mirrors = {mirror.registry: _mirror(relocation, mirror, wishes.no_fallback) for mirror in moved}
    if relocation.reach.plain_http:
        mirrors.setdefault(relocation.registry, {"endpoints": [url(relocation)]})
    if mirrors:
        registries["mirrors"] = dict(sorted(mirrors.items()))
    if config := _config(relocation):
        registries["config"] = {relocation.registry: config}
    file = ConfigFile(
        path=FILE,
        content=yaml_text({"machine": {"registries": registries}}),
        secret=relocation.reach.login is not None,
    )
    notes = [
        _APPLY,
        *([_REBOOT] if file.secret else []),
        *fallback_notes(relocation.images, wishes.no_fallback, "; --no-fallback stops that"),
    ]
    notes += lost_notes(lost, "Talos cannot change the name of a repository, a tag or a digest")
    return Configuration(files=(file,), notes=(*notes, *place_notes(relocation)))


def _mirror(relocation: Relocation, mirror: RegistryMirror, no_fallback: bool) -> dict[str, Any]:
    """Endpoints with the whole path, which Talos would else end with /v2."""
    only = {"skipFallback": True} if no_fallback else {}
    if mirror.prefixes == ("",):
        return {"endpoints": [url(relocation)], **only}
    paths = [f"/v2/{prefix}".rstrip("/") for prefix in mirror.prefixes]
    return {"endpoints": [url(relocation) + path for path in paths], "overridePath": True, **only}


def _config(relocation: Relocation) -> dict[str, Any]:
    reach = relocation.reach
    config: dict[str, Any] = {}
    tls: dict[str, Any] = {}
    if authority := certificates(reach):
        tls["ca"] = b64encode(authority).decode()
    if reach.insecure_tls:
        tls["insecureSkipVerify"] = True
    if tls:
        config["tls"] = tls
    if reach.login is not None:
        config["auth"] = login_fields(reach.login, "identityToken")
    return config
