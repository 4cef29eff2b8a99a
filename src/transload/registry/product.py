"""Which product answers as a registry, as far as its name and its first answer tell, and how it frees bytes. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

from transload.registry.headers import Challenge

Product = Literal["harbor", "nexus", "artifactory", "gitlab", "quay", "acr", "ecr", "transload"]

_HOSTS: dict[str, Product] = {"azurecr.io": "acr", "amazonaws.com": "ecr", "quay.io": "quay"}

_FREES: dict[Product, str] = {
    "harbor": "an administrator starts it: Administration, Clean Up, Garbage Collection; or POST "
    '/api/v2.0/system/gc/schedule with {"schedule": {"type": "Manual"}}',
    "nexus": 'its tasks "Docker - Delete unused manifests and images" and then "Admin - Compact blob store" do it',
    "artifactory": "it does so by itself, or at once with POST /artifactory/api/system/storage/gc",
    "gitlab": "by itself where its metadata database is on, else with: gitlab-ctl registry-garbage-collect",
    "quay": "it does so by itself, after the time for which its time machine keeps tags",
    "acr": "it does so by itself; with soft delete, after the days that it keeps deleted artifacts",
    "ecr": "it does so by itself",
    "transload": "prune the folder that it serves: transload prune oci:DIR --unused --yes",
}


def product_of(host: str, headers: Mapping[str, str], offered: Iterable[Challenge] = ()) -> Product | None:
    """The product at `host`, by the headers of an answer from `/v2/` and the logins it offers; None if nothing tells.

    Harbor names itself as the service of its tokens, GitLab in a header (container-registry!166), Nexus and
    transload as the server, Artifactory in a header of its own. Distribution and zot do not tell.
    """
    server = headers.get("Server", "")
    if any(challenge.get("service") == "harbor-registry" for challenge in offered):
        return "harbor"
    if "Gitlab-Container-Registry-Version" in headers:
        return "gitlab"
    if server.startswith("Nexus/"):
        return "nexus"
    if server == "transload":
        return "transload"
    if server.startswith("Artifactory/") or "X-JFrog-Version" in headers or "X-Artifactory-Id" in headers:
        return "artifactory"
    name = host.partition(":")[0]
    return next((product for end, product in _HOSTS.items() if f".{name}".endswith(f".{end}")), None)


def how_bytes_are_freed(product: Product | None) -> str:
    """How a product frees the bytes of what was deleted, in words; None: a registry that does not tell what it is."""
    if product is not None:
        return _FREES[product]
    return "distribution wants a command for it, while nothing is pushed: registry garbage-collect CONFIG"
