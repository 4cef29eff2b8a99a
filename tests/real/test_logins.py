"""Files that a real `skopeo login` writes are read as skopeo means them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.real.servers import Registry, Skopeo
from transload.login import Login, Secret
from transload.registry.credentials import DockerConfig


@pytest.mark.parametrize("namespace", ["", "/team", "/team/inner"])
def test_login_files(htpasswd_registry: Registry, skopeo: Skopeo, tmp_path: Path, namespace: str) -> None:
    user = htpasswd_registry.user
    assert user
    file = tmp_path / "auth.json"
    skopeo(
        *("login", "--tls-verify=false", f"--authfile={file}", f"--username={user.name}"),
        *(f"--password={user.password}", htpasswd_registry.host + namespace),
    )
    config = DockerConfig.load([file])
    assert config.login(htpasswd_registry.host, "team/inner/app") == Login(user.name, Secret(user.password))
    assert config.login("other.example", "team/inner/app") is None
    assert (config.login(htpasswd_registry.host, "other/app") is None) == bool(namespace)
