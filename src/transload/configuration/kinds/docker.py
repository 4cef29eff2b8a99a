"""Docker's `daemon.json`: a mirror of Docker's Hub, registries without TLS; and `certs.d`.

Rules: dockerd's reference, "Daemon configuration file" and "Run a local registry mirror": mirrors are asked for images
of docker.io only, and dockerd refuses a mirror with a path.
"""

from __future__ import annotations

import json
from pathlib import PurePosixPath
from typing import Any

from transload.configuration.mirroring import (
    RegistryMirror,
    asked_by_mirrors,
    check_some_are_found,
    lost_images,
    lost_notes,
)
from transload.configuration.relocation import Relocation
from transload.configuration.trust import (
    authority_file,
    check_not_the_path_alone,
    check_something_is_said,
    path_on_nodes,
    place_notes,
    url,
)
from transload.configuration.wishes import ConfigFile, Configuration, InputFile, Wishes
from transload.errors import UsageError
from transload.limits import DAEMON_BYTES, DAEMON_VALUES
from transload.oci.reference import DEFAULT_REGISTRY
from transload.strictjson import NotJson, read_json

FILE = PurePosixPath("daemon.json")
_LIMIT = "Docker mirrors docker.io only, and only to the root of a registry"
_OTHERWISE = (
    "name images as they are at the registry, as the kind kustomize does; without a release, certificates and "
    "registries without TLS are written"
)


def write(relocation: Relocation, wishes: Wishes) -> Configuration:
    """The daemon's configuration, merged into a given one.

    Raises `UsageError` if no image would be found, or if the given file is no configuration.
    """
    check_something_is_said(relocation)
    check_not_the_path_alone(relocation, "Docker", "/etc/docker/certs.d")
    hub = RegistryMirror(registry=DEFAULT_REGISTRY, prefixes=("",))
    lost = lost_images(relocation, asked_by_mirrors(relocation, [hub]))
    check_some_are_found(relocation, lost, _LIMIT, _OTHERWISE)
    additions: dict[str, list[str]] = {}
    if relocation.images:
        additions["registry-mirrors"] = [url(relocation)]
    if relocation.reach.plain_http or relocation.reach.insecure_tls:
        additions["insecure-registries"] = [_insecure(relocation)]
    files = list(authority_file(relocation, PurePosixPath("certs.d", relocation.registry, "ca.crt")))
    if additions:
        files.insert(0, ConfigFile(path=FILE, content=_merged(wishes.inputs, additions)))
    notes = ["copy the files into /etc/docker, then run systemctl reload docker; docker info shows what it took"]
    if path := path_on_nodes(relocation.reach):
        notes.append(f"link {path} as /etc/docker/certs.d/{relocation.registry}/ca.crt: Docker looks there")
    return Configuration(files=tuple(files), notes=(*notes, *lost_notes(lost, _LIMIT), *place_notes(relocation)))


def _insecure(relocation: Relocation) -> str:
    """The registry; dockerd does not start with an IPv6 address that has no port (seen in 20.10)."""
    if relocation.registry.endswith("]"):
        raise UsageError(
            f"dockerd takes no {relocation.registry} among insecure-registries, and would not start",
            hint=f"write the port, too: --pull-from {relocation.registry}:{80 if relocation.reach.plain_http else 443}",
        )
    return relocation.registry


def _given(inputs: tuple[InputFile, ...]) -> dict[str, Any]:
    """The configuration that is there already. Raises `UsageError`."""
    if not inputs:
        return {}
    if len(inputs) > 1:
        raise UsageError(f"{len(inputs)} files are given, and Docker has one", hint="name its daemon.json alone")
    name = inputs[0].name
    if not inputs[0].content.strip():
        return {}  # an empty one, which dockerd takes
    try:
        document = read_json(inputs[0].content, limit=DAEMON_BYTES, values=DAEMON_VALUES)
    except NotJson as error:
        raise UsageError(f"{name} {error.verdict}", hint="give the daemon.json that dockerd reads") from error
    if not isinstance(document, dict):
        raise UsageError(f"{name} is no object in braces", hint="give the daemon.json that dockerd reads")
    return document


def _merged(inputs: tuple[InputFile, ...], additions: dict[str, list[str]]) -> bytes:
    """The given document with our entries behind those that are there; every other key stays as it is."""
    document = _given(inputs)
    merged = dict(document)
    for key, values in additions.items():
        there = document.get(key) or []
        if not isinstance(there, list):
            raise UsageError(f"{key} in {inputs[0].name} is no list", hint="give the daemon.json that dockerd reads")
        merged[key] = [*there, *(value for value in values if value not in there and f"{value}/" not in there)]
    return json.dumps(merged, indent=2, ensure_ascii=False).encode() + b"\n"
