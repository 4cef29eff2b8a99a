"""`--through`: what an engine cannot do is said before anything is done."""

from __future__ import annotations

from pathlib import Path

import pytest

from transload.cli.main import main

IMAGE = ["quay.invalid/acme/app:1"]
TO = ["--to", "registry.invalid/x"]
THROUGH = ["--through", "docker"]
BY_DIGEST = f"quay.invalid/acme/app@sha256:{'a' * 64}"


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("TRANSLOAD_CONFIG", str(tmp_path / "none.yaml"))
    monkeypatch.setenv("TRANSLOAD_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nobody.sock")


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["mirror", *IMAGE, *TO, *THROUGH], 5, "no docker engine at unix://"),
        (["plan", *IMAGE, *TO, *THROUGH], 5, "check DOCKER_HOST, or start it: systemctl start docker"),
        (["mirror", *IMAGE, *TO, "--keep"], 2, "--keep is for copies through an engine"),
        (["mirror", *IMAGE, "--to", "oci:out", *THROUGH], 2, "an engine pushes to a registry, and oci:out is none"),
        (["mirror", *IMAGE, *TO, "--to", "oci:out", *THROUGH], 2, "--through copies to one target"),
        (["plan", *IMAGE, *TO, "--to", "oci:out", *THROUGH], 2, "--through copies to one target"),
        (["plan", *IMAGE, *TO, "-o", "plan.json", *THROUGH], 2, "has no steps to save"),
        (["mirror", *IMAGE, *TO, "--if-new", *THROUGH], 2, "--if-new does not go with --through"),
        (["mirror", *IMAGE, *TO, "--max-bytes", "1GB", *THROUGH], 2, "--max-bytes does not go with --through"),
        (["mirror", *IMAGE, *TO, "--referrers", *THROUGH], 2, "--referrers is nothing that an engine can do"),
        (["mirror", *IMAGE, *TO, "--recheck", *THROUGH], 2, "--recheck is nothing that an engine can do"),
        (
            ["mirror", *IMAGE, *TO, "--platform", "linux/amd64", "--platform", "linux/arm64", *THROUGH],
            2,
            "an engine copies one platform of an image",
        ),
        (["mirror", BY_DIGEST, *TO, *THROUGH], 2, "an engine pushes tags only"),
        (["mirror", "--from", "docker:", "app:1", *TO, *THROUGH], 2, "an engine pulls from registries"),
        (["mirror", *IMAGE, *TO, "--through", "containerd"], 2, "'containerd' is not one of 'docker', 'podman'"),
    ],
)
def test_what_cannot_be_done(arguments: list[str], code: int, told: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == code
    printed = capsys.readouterr()
    assert told in printed.out + printed.err
