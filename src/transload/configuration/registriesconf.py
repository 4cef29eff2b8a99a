"""`registries.conf.d` of podman, buildah, skopeo and CRI-O: mirrors for prefixes of names, certificates and logins.

Rules: containers-registries.conf(5), version 2; containers-certs.d(5); containers-auth.json(5). A mirror has the place
of a prefix, and a prefix may be a single tag, so another tag at the target can be said, too.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import PurePosixPath

from transload.configuration.mirroring import check_some_are_found, is_led, keeps_its_name, lost_notes
from transload.configuration.nodelogin import basic
from transload.configuration.relocation import MovedImage, Relocation
from transload.configuration.tomlout import Value, toml_table
from transload.configuration.trust import authority_file, check_something_is_said, path_on_nodes, place_notes
from transload.configuration.wishes import ConfigFile, Configuration
from transload.errors import UsageError
from transload.login import Login
from transload.oci.reference import named_registry

FILE = PurePosixPath("registries.conf.d/50-transload.conf")
_CERTIFICATES = "/etc/containers/certs.d"


def registries_conf(relocation: Relocation, engine: str, after: str, login: str) -> Configuration:
    """The files for `engine`; `after` says where they go and what makes it read them, `login` where auth.json goes.

    Raises `UsageError` if no image would be found, or for a registry that these files cannot name.
    """
    _check_registry(relocation.registry, engine)
    check_something_is_said(relocation)
    lost = [image for image in relocation.images if not _is_said(relocation, image)]
    otherwise = "name the report of a run that copied the images whole"
    check_some_are_found(relocation, lost, "pods name digests that are not there", otherwise)
    tables = [*_tables(relocation)]
    files = [ConfigFile(path=FILE, content="\n".join(tables).encode())] if tables else []
    files += authority_file(relocation, PurePosixPath("certs.d", relocation.registry, "ca.crt"))
    if relocation.reach.login is not None:
        files.append(_auth_file(relocation.registry, relocation.reach.login))
    fallback = ["what the registry does not have is asked of the registry that pods name, if nodes reach it"]
    return Configuration(
        files=tuple(files),
        notes=(
            after,
            *([login] if relocation.reach.login is not None else []),
            *(fallback if relocation.images else []),
            *_authority_notes(relocation),
            *lost_notes(lost, "pods name a digest that is not there"),
            *place_notes(relocation),
        ),
    )


def _check_registry(registry: str, engine: str) -> None:
    """Raises `UsageError` for a host that is a repository of Docker's Hub to these programs."""
    if named_registry(f"{registry}/image")[0] != registry:
        raise UsageError(
            f"{engine} reads {registry}/… as a repository of docker.io, since {registry} has no dot and no port",
            hint=f"write the port as well, as in --pull-from {registry}:443, or the full name of the host",
        )


def _is_said(relocation: Relocation, image: MovedImage) -> bool:
    """Whether a prefix leads to it: that of its repository, or its name with the tag."""
    return image.source.name.digest is None or (keeps_its_name(image) and is_led(relocation.close_rules, image))


def _tables(relocation: Relocation) -> Iterator[str]:
    insecure: dict[str, Value] = {}
    if relocation.reach.plain_http or relocation.reach.insecure_tls:
        insecure = {"insecure": True}
        yield toml_table("[[registry]]", {"location": relocation.registry, **insecure})
    for source, target in [*_by_repository(relocation), *_by_tag(relocation)]:
        if source != target:
            yield toml_table("[[registry]]", {"prefix": source, "location": source})
            yield toml_table("[[registry.mirror]]", {"location": target, **insecure})


def _by_repository(relocation: Relocation) -> Iterator[tuple[str, str]]:
    for rule in relocation.close_rules:
        yield rule.source, rule.target


def _by_tag(relocation: Relocation) -> Iterator[tuple[str, str]]:
    """Images that are not where their repository leads, each with a prefix of its own: the longest match is used."""
    for image in relocation.images:
        is_elsewhere = image.is_renamed_tag or not is_led(relocation.close_rules, image)
        if is_elsewhere and image.source.name.digest is None:
            yield str(image.source), f"{image.target.registry}/{image.target.name.repository}:{image.target.name.tag}"


def _authority_notes(relocation: Relocation) -> Iterator[str]:
    if path := path_on_nodes(relocation.reach):
        yield f"link {path} as {_CERTIFICATES}/{relocation.registry}/ca.crt on every node: these programs look there"


def _auth_file(registry: str, login: Login) -> ConfigFile:
    document = {"auths": {registry: {"auth": basic(login)}}}
    content = json.dumps(document, indent=2).encode() + b"\n"
    return ConfigFile(path=PurePosixPath("auth.json"), content=content, secret=True)
