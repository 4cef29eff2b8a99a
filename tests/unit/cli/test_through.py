"""`--through`: what an engine cannot do is said before anything is done."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.engines.scripted import answer, scripted
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
        (["plan", *IMAGE, "--to", "docker:", "-o", "plan.json"], 2, "a plan for an engine has no steps to save"),
        (["mirror", *IMAGE, "--to", "docker:"], 5, "no docker engine at unix://"),
        (["mirror", *IMAGE, "--to", "docker:", "--max-bytes", "1GB"], 2, "--max-bytes does not go with an engine"),
        (["mirror", *IMAGE, "--to", "docker:", "--referrers"], 2, "--referrers is nothing that an engine can do"),
        (["plan", "--from", "docker:", "arcdata", *TO], 2, "--from docker:mcr.microsoft.com/arcdata"),
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


def test_an_image_that_is_too_big_for_the_engine_does_not_stop_the_next(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    full = b'{"errorDetail":{"message":"write /x: no space left on device"}}'
    version, none = answer(200, b'{"Version":"20.10"}'), answer(404, b'{"message":"no such image"}')
    pushed = answer(200, b'{"aux":{"Digest":"sha256:%s"}}' % (b"b" * 64))
    too_big = [none, none, answer(200, full), none, none]
    copied = [none, none, answer(200, b"{}"), answer(201, b""), pushed, none, none]
    with scripted(version, *too_big, *copied) as engine:
        monkeypatch.setenv("DOCKER_HOST", f"unix://{engine.path}")
        code = main(["mirror", *IMAGE, "quay.invalid/acme/small:1", "--to", "127.0.0.1:1/x", *THROUGH])
    told = "".join(capsys.readouterr())
    assert code == 1, told
    assert "1 of 2 images failed, 1 copied" in told
    assert "the disk of the docker engine is full" in told
    assert "not verified, because transload itself cannot ask 127.0.0.1:1 (there is no connection" in told


def test_an_engine_that_ends_ends_the_run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with scripted(answer(200, b'{"Version":"20.10"}'), b"") as engine:
        monkeypatch.setenv("DOCKER_HOST", f"unix://{engine.path}")
        code = main(["mirror", *IMAGE, "quay.invalid/acme/small:1", "--to", "127.0.0.1:1/x", *THROUGH])
    told = "".join(capsys.readouterr())
    assert code == 5, told
    assert "1 failed, 1 not tried" in told
