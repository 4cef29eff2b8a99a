"""`registries.conf.d` of podman, buildah, skopeo and CRI-O: mirrors for prefixes of names, certificates and logins.

Rules: containers-registries.conf(5), version 2; containers-certs.d(5); containers-auth.json(5). The manual allows a
prefix with a tag, but a pull looks for the repository alone (seen in podman 4.3), so no other tag can be said.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import PurePosixPath

from transload.configuration.mirroring import (
    asked_by_rules,
    check_some_are_found,
    fallback_notes,
    led_to,
    lost_images,
    lost_notes,
)
from transload.configuration.nodelogin import basic
from transload.configuration.relocation import Relocation
from transload.configuration.tomlout import Value, toml_table
from transload.configuration.trust import (
    authority_file,
    check_has_name,
    check_not_the_path_alone,
    check_something_is_said,
    path_on_nodes,
    place_notes,
)
from transload.configuration.wishes import ConfigFile, Configuration
from transload.errors import UsageError
from transload.login import Login
from transload.oci.reference import named_registry

FILE = PurePosixPath("registries.conf.d/50-transload.conf")
_CERTIFICATES = "/etc/containers/certs.d"


def registries_conf(relocation: Relocation, engine: str, after: str, login: str, *, no_fallback: bool) -> Configuration:
    """The files for `engine`; `after` says where they go and what makes it read them, `login` where auth.json goes.

    Raises `UsageError` if no image would be found, or for a registry that these files cannot name.
    """
    _check_registry(relocation.registry, engine)
    check_something_is_said(relocation)
    check_not_the_path_alone(relocation, engine, _CERTIFICATES)
    lost = lost_images(relocation, asked_by_rules(relocation))
    otherwise = "name images as they are at the registry, as the kind kustomize does"
    check_some_are_found(relocation, lost, f"{engine} cannot change a tag", otherwise)
    tables = [*_tables(relocation, no_fallback)]
    files = [ConfigFile(path=FILE, content="\n".join(tables).encode())] if tables else []
    files += authority_file(relocation, PurePosixPath("certs.d", relocation.registry, "ca.crt"))
    if relocation.reach.login is not None:
        files.append(_auth_file(relocation.registry, relocation.reach.login))
    return Configuration(
        files=tuple(files),
        notes=(
            after,
            *([login] if relocation.reach.login is not None else []),
            *fallback_notes(relocation.images, no_fallback, "; --no-fallback stops that"),
            *_authority_notes(relocation),
            *lost_notes(lost, f"{engine} cannot change a tag or a digest"),
            *place_notes(relocation),
        ),
    )


def _check_registry(registry: str, engine: str) -> None:
    """Raises `UsageError` for a host that these programs cannot name, or take for a repository of Docker's Hub."""
    check_has_name(registry, engine)
    if named_registry(f"{registry}/image")[0] != registry:
        raise UsageError(
            f"{engine} reads {registry}/… as a repository of docker.io, since {registry} has no dot and no port",
            hint=f"write the port as well, as in --pull-from {registry}:443, or the full name of the host",
        )


def _tables(relocation: Relocation, no_fallback: bool) -> Iterator[str]:
    """A mirror of a prefix, or in its place the only location, for which no other is asked."""
    insecure: dict[str, Value] = {}
    if relocation.reach.plain_http or relocation.reach.insecure_tls:
        insecure = {"insecure": True}
        yield toml_table("[[registry]]", {"location": relocation.registry, **insecure})
    for source, target in _by_repository(relocation, no_fallback):
        if source == target:
            continue
        if no_fallback:
            yield toml_table("[[registry]]", {"prefix": source, "location": target, **insecure})
        else:
            yield toml_table("[[registry]]", {"prefix": source, "location": source})
            yield toml_table("[[registry.mirror]]", {"location": target, **insecure})


def _by_repository(relocation: Relocation, no_fallback: bool) -> Iterator[tuple[str, str]]:
    """Without a way back, each repository alone: nothing else may be cut off."""
    if no_fallback:
        for repository in dict.fromkeys(image.source_repository for image in relocation.images):
            yield repository, led_to(relocation.rules, repository)
    else:
        for rule in relocation.close_rules:
            yield rule.source, rule.target


def _authority_notes(relocation: Relocation) -> Iterator[str]:
    if path := path_on_nodes(relocation.reach):
        yield f"link {path} as {_CERTIFICATES}/{relocation.registry}/ca.crt on every node: these programs look there"


def _auth_file(registry: str, login: Login) -> ConfigFile:
    document = {"auths": {registry: {"auth": basic(login)}}}
    content = json.dumps(document, indent=2).encode() + b"\n"
    return ConfigFile(path=PurePosixPath("auth.json"), content=content, secret=True)
