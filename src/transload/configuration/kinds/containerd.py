"""containerd's `certs.d`: one `hosts.toml` for each registry that pods name, and one for the private registry itself.

Rules: containerd's docs/hosts.md and docs/cri/registry.md. Seen in containerd 1.6 and held here:
a file without a `[host]` table is not read; a relative `ca` is relative to the file's own folder; `override_path` takes
the path of a host as it is, with its `/v2`; hosts are tried in the order of the file, `server` last.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath

from transload.configuration.mirroring import (
    asked_by_mirrors,
    check_some_are_found,
    fallback_notes,
    lost_images,
    lost_notes,
    registry_mirrors,
)
from transload.configuration.nodelogin import basic
from transload.configuration.relocation import Relocation
from transload.configuration.tomlout import Value, toml_table, toml_text
from transload.configuration.trust import (
    authority_file,
    certificates,
    check_has_name,
    check_something_is_said,
    needs_words,
    path_on_nodes,
    place_notes,
    url,
)
from transload.configuration.wishes import ConfigFile, Configuration, Wishes
from transload.login import Login
from transload.oci.reference import DEFAULT_REGISTRY

FOLDER = PurePosixPath("certs.d")
_HUB = "https://registry-1.docker.io"
_LIMIT = "containerd can move a whole registry below a prefix, and change no name"
_PLACE = "copy the folder certs.d into /etc/containerd on every node: the next pull reads it"
_CONFIG = (
    'config.toml of containerd must have config_path = "/etc/containerd/certs.d" under '
    "[plugins.'io.containerd.grpc.v1.cri'.registry], from 2.0 on under [plugins.'io.containerd.cri.v1.images'.registry]"
)
_LOGIN = "if the registry wants a login, write it into these files with --with-login"


def write(relocation: Relocation, wishes: Wishes) -> Configuration:
    """The tree. Raises `UsageError` if no image would be found, or if there is nothing to say."""
    check_has_name(relocation.registry, "containerd")
    check_something_is_said(relocation)
    moved = registry_mirrors(relocation)
    lost = lost_images(relocation, asked_by_mirrors(relocation, moved))
    check_some_are_found(
        relocation, lost, _LIMIT, "name images as they are at the registry, as the kind kustomize does"
    )
    prefixes = {mirror.registry: mirror.prefixes for mirror in moved}
    if needs_words(relocation.reach):
        prefixes[relocation.registry] = (*prefixes.get(relocation.registry, ()), "")
    files = [
        ConfigFile(
            path=FOLDER / registry / "hosts.toml",
            content=_hosts_toml(relocation, registry, prefixes[registry], wishes.no_fallback).encode(),
            secret=relocation.reach.login is not None,
        )
        for registry in sorted(prefixes)
    ]
    authority = authority_file(relocation, FOLDER / relocation.registry / "ca.crt")
    notes = [_PLACE, _CONFIG, *fallback_notes(relocation.images, wishes.no_fallback, "; --no-fallback stops that")]
    notes += [] if relocation.reach.login else [_LOGIN]
    why = "containerd cannot change the name of a repository, a tag or a digest"
    return Configuration(files=(*files, *authority), notes=(*notes, *lost_notes(lost, why), *place_notes(relocation)))


def _hosts_toml(relocation: Relocation, registry: str, prefixes: Sequence[str], no_fallback: bool) -> str:
    """The file for one registry; several prefixes are tried one after the other, and `server` at the end.

    Without a way back, the last prefix is the server as well, since containerd would else fill in the registry itself.
    """
    server: dict[str, Value] = {"server": _server(relocation, registry)}
    if no_fallback and registry != relocation.registry:
        server = {"server": _url(relocation, prefixes[-1]), **_host(relocation, registry, prefixes[-1])}
    tables = [toml_table("", server)]
    for prefix in dict.fromkeys(prefixes):
        key = f"host.{toml_text(_url(relocation, prefix))}"
        tables.append(toml_table(f"[{key}]", _host(relocation, registry, prefix)))
        if relocation.reach.login is not None:
            tables.append(toml_table(f"[{key}.header]", {"Authorization": [_authorization(relocation.reach.login)]}))
    return "\n".join(tables)


def _url(relocation: Relocation, prefix: str) -> str:
    return f"{url(relocation)}/v2/{prefix}" if prefix else url(relocation)


def _server(relocation: Relocation, registry: str) -> str:
    """Where the registry itself is, which containerd asks last."""
    if registry == relocation.registry:
        return url(relocation)
    return _HUB if registry == DEFAULT_REGISTRY else f"https://{registry}"


def _host(relocation: Relocation, registry: str, prefix: str) -> dict[str, Value]:
    reach = relocation.reach
    values: dict[str, Value] = {"capabilities": ["pull", "resolve"]}
    if prefix:
        values["override_path"] = True
    if path := path_on_nodes(reach):
        values["ca"] = path
    elif certificates(reach) is not None:
        values["ca"] = "ca.crt" if registry == relocation.registry else f"../{relocation.registry}/ca.crt"
    if reach.insecure_tls:
        values["skip_verify"] = True
    return values


def _authorization(login: Login) -> str:
    """The header that containerd sends with every request to this host. Raises `UsageError` for an identity
    token, which a header cannot carry."""
    if login.registry_token:
        return f"Bearer {login.registry_token.reveal()}"
    return f"Basic {basic(login)}"
