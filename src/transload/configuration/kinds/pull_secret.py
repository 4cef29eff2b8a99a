"""The Secret with which a cluster logs in to the registry.

Rules: Secrets of the type kubernetes.io/dockerconfigjson; kubelet knows user name and password of an entry in `auths`,
and no tokens (`DockerConfigEntry` in its credentialprovider package).
"""

from __future__ import annotations

import base64
import json
from pathlib import PurePosixPath

from transload.configuration.objects import namespace_name, object_name, objects_text
from transload.configuration.relocation import Relocation
from transload.configuration.wishes import ConfigFile, Configuration, Wishes
from transload.errors import UsageError
from transload.login import Login
from transload.oci.reference import DEFAULT_REGISTRY

NAME = "transload-pull"
_HUB = f"https://index.{DEFAULT_REGISTRY}/v1/"  # the key that all clients use for Docker's Hub


def write(relocation: Relocation, wishes: Wishes) -> Configuration:
    """One Secret, in a file for its owner only.

    Raises `UsageError` for a login without user name and password, and for a name that Kubernetes does not take.
    """
    name = object_name(wishes.name, NAME)
    metadata = {"name": name}
    if wishes.namespace is not None:
        metadata["namespace"] = namespace_name(wishes.namespace)
    host = _HUB if relocation.registry == DEFAULT_REGISTRY else relocation.registry
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": metadata,
        "type": "kubernetes.io/dockerconfigjson",
        "data": {".dockerconfigjson": _base64(json.dumps({"auths": {host: _entry(relocation)}}))},
    }
    file = ConfigFile(path=PurePosixPath(f"{name}.yaml"), content=objects_text(secret), secret=True)
    return Configuration(files=(file,), notes=_notes(name, wishes.namespace, file.path))


def _entry(relocation: Relocation) -> dict[str, str]:
    login = relocation.reach.login
    assert login is not None  # noqa: S101 - the kind needs it
    _check(login, relocation.registry)
    username, password = login.username, login.password.reveal()
    return {"username": username, "password": password, "auth": _base64(f"{username}:{password}")}


def _check(login: Login, registry: str) -> None:
    if login.identity_token or login.registry_token:
        raise UsageError(
            f"the login for {registry} is a token, and kubelet logs in with user name and password only",
            subject=registry,
            hint="make a user, a robot account or a repository token for clusters, and log in with that",
        )
    if not login.username or not login.password:
        raise UsageError(
            f"the login for {registry} has no user name or no password", subject=registry, hint="log in with both"
        )
    if ":" in login.username:
        raise UsageError(
            f"the user name for {registry} has a colon, which ends user names in a login", subject=registry
        )


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _notes(name: str, namespace: str | None, path: PurePosixPath) -> tuple[str, ...]:
    spot = f" -n {namespace}" if namespace else ""
    patch = json.dumps({"imagePullSecrets": [{"name": name}]})
    return (
        f"kubectl apply{spot} -f {path}, in each namespace whose pods pull",
        f"for all pods of a namespace: kubectl patch serviceaccount default{spot} -p '{patch}' (it replaces a list)",
        "pods that have imagePullSecrets of their own, or another service account, need the name there",
    )
