"""`registries.yaml` of k3s and RKE2: mirrors with rewritten repositories, certificates and logins.

Rules: "Private Registry Configuration" of both. k3s keeps rewrites in a map of Go, so that it tries them in any order
and uses the first that matches: they are written so that only one can match.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath
from typing import Any

from transload.configuration.mirroring import (
    asked_by_rules,
    check_some_are_found,
    fallback_notes,
    led_to,
    lost_images,
    lost_notes,
)
from transload.configuration.nodelogin import login_fields
from transload.configuration.relocation import PrefixRule, Relocation
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
from transload.configuration.wishes import ConfigFile, Configuration
from transload.configuration.yamlout import yaml_text

_AUTHORITY = "registry-ca.crt"
_WITHOUT = "; the option --disable-default-registry-endpoint of a node stops that"


def registries_yaml(relocation: Relocation, distribution: str) -> Configuration:
    """The file for `distribution`, which is k3s or rke2. Raises `UsageError` if no image would be found."""
    check_has_name(relocation.registry, distribution)
    check_something_is_said(relocation)
    lost = lost_images(relocation, asked_by_rules(relocation))
    otherwise = "name images as they are at the registry, as the kind kustomize does"
    check_some_are_found(relocation, lost, f"{distribution} cannot change a tag", otherwise)
    document: dict[str, Any] = {"mirrors": _mirrors(relocation)}
    folder = f"/etc/rancher/{distribution}"
    if config := _config(relocation, folder):
        document["configs"] = {relocation.registry: config}
    secret = relocation.reach.login is not None
    file = ConfigFile(path=PurePosixPath("registries.yaml"), content=yaml_text(document), secret=secret)
    authority = authority_file(relocation, PurePosixPath(_AUTHORITY))
    what = f"{file.path} and {_AUTHORITY}" if authority else str(file.path)
    notes = (
        f"copy {what} into {folder} on every node, servers and agents, and restart {distribution} there",
        *fallback_notes(relocation.images, False, _WITHOUT),
        *lost_notes(lost, f"{distribution} cannot change a tag or a digest"),
        *place_notes(relocation),
    )
    return Configuration(files=(file, *authority), notes=notes)


def _mirrors(relocation: Relocation) -> dict[str, Any]:
    """A mirror for each registry that pods name. Older k3s uses certificates only for registries that have one."""
    endpoint = {"endpoint": [url(relocation)]}
    mirrors: dict[str, Any] = {relocation.registry: endpoint} if needs_words(relocation.reach) else {}
    by_registry: dict[str, list[PrefixRule]] = defaultdict(list)
    for rule in relocation.rules:
        by_registry[rule.source.partition("/")[0]].append(rule)
    for registry, rules in by_registry.items():
        rewrite = dict(_rewrites(relocation, registry, rules))
        mirrors[registry] = {"endpoint": [url(relocation)], **({"rewrite": rewrite} if rewrite else {})}
    return dict(sorted(mirrors.items()))


def _rewrites(relocation: Relocation, registry: str, rules: Sequence[PrefixRule]) -> Iterator[tuple[str, str]]:
    """Patterns and what they make of a repository; none if every repository has its own name at the target."""
    if [(rule.source, rule.target) for rule in rules] == [(registry, relocation.registry)]:
        return
    overlap = any(one is not other and other.covers(one.source) for one in rules for other in rules)
    if not overlap:
        yield from (_rewrite(_path(rule.source), _path(rule.target)) for rule in rules)
        return
    for repository in sorted({image.source_repository for image in relocation.images}):
        if repository.startswith(f"{registry}/"):
            yield f"^{_quoted(_path(repository))}$", _path(led_to(relocation.rules, repository))


def _rewrite(source: str, target: str) -> tuple[str, str]:
    """One rule: the slash goes with the source, unless the target is the root or the source may be a repository."""
    if not source:
        return "^(.*)$", f"{target}/$1"
    return (f"^{_quoted(source)}(/.*)?$", f"{target}$1") if target else (f"^{_quoted(source)}/(.*)$", "$1")


def _path(place: str) -> str:
    return place.partition("/")[2]


def _quoted(repository: str) -> str:
    """A repository in a regular expression: of its letters only the dot means something there."""
    return repository.replace(".", r"\.")


def _config(relocation: Relocation, folder: str) -> dict[str, Any]:
    reach = relocation.reach
    tls: dict[str, Any] = {}
    if path := path_on_nodes(reach) or (f"{folder}/{_AUTHORITY}" if certificates(reach) else None):
        tls["ca_file"] = path
    if reach.insecure_tls:
        tls["insecure_skip_verify"] = True
    return {
        **({"auth": login_fields(reach.login)} if reach.login else {}),
        **({"tls": tls} if tls else {}),
    }
