"""`transload.mirror(..., through=...)`: what is refused before anything is asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import transload
from transload.errors import Unreachable, UsageError

IMAGE, TO = "quay.invalid/acme/app:1", "registry.invalid/x"


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"through": "containerd"}, "through is docker or podman"),
        ({"keep": True}, "keep is for it"),
        ({"through": "docker", "to": ["oci:a", "oci:b"]}, "one target"),
        ({"through": "docker", "limits": transload.Limits(max_bytes="1GB")}, "max_bytes does not go with through"),
        ({"through": "podman", "platforms": ["linux/amd64", "linux/arm64"]}, "copies one platform"),
    ],
)
def test_what_an_engine_cannot_do(options: dict[str, Any], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        transload.mirror(IMAGE, **({"to": TO} | options))


def test_an_engine_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nobody.sock")
    with pytest.raises(Unreachable, match="no docker engine at"):
        transload.mirror(IMAGE, to=TO, through="docker")
