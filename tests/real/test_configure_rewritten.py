"""Rewritten manifests and the secret for Azure Arc, read by kubectl."""

from __future__ import annotations

import base64
import json
import subprocess
from pathlib import Path

import pytest

from tests.real.programs import program
from tests.unit.configuration.test_arcdata import RELEASE, configured, moved, relocated
from transload.configuration import Wishes
from transload.configuration.kinds import KINDS
from transload.login import Login


@pytest.fixture
def kubectl() -> str:
    return program("kubectl")


def _read(kubectl: str, path: Path) -> list[dict[str, object]]:
    """The objects of a file as kubectl reads them, one after the other."""
    command = (kubectl, "annotate", "--local", "-f", path, "-o", "json", "read-by=kubectl")
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    decoder, objects, rest = json.JSONDecoder(), [], done.stdout.strip()
    while rest:
        item, end = decoder.raw_decode(rest)
        objects.append(item)
        rest = rest[end:].lstrip()
    return objects


def test_kubectl_reads_the_rewritten_job_with_all_its_styles(kubectl: str, tmp_path: Path) -> None:
    image = f"mcr.microsoft.com/arcdata/arc-bootstrapper:{RELEASE}"
    job = (
        "\ufeff# the job\r\napiVersion: batch/v1\r\nkind: Job\r\nmetadata: {name: up}\r\nspec:\r\n  template:\r\n"
        f'    spec:\r\n      containers:\r\n      - name: a\r\n        image: &it\r\n          "{image}"  # {image}\r\n'
        f"        args: [-image, *it, --sidecar-image={image}, '{image}']\r\n"
    )
    path = tmp_path / "job.yaml"
    path.write_bytes(configured(moved(), "job.yaml", job).files[0].content)
    [read] = _read(kubectl, path)
    container = read["spec"]["template"]["spec"]["containers"][0]  # type: ignore[index]
    target = f"registry.local:5000/mirror/arc-bootstrapper:{RELEASE}"
    assert container["image"] == target
    assert container["args"] == ["-image", target, f"--sidecar-image={target}", target]


def test_kubectl_takes_the_secret_that_az_reads(kubectl: str, tmp_path: Path) -> None:
    written = KINDS["arcdata"].write(relocated(moved(), login=Login("ann", 'p:w"d')), Wishes(namespace="arc"))
    path = tmp_path / "secret.yaml"
    path.write_bytes(written.files[1].content)
    [ours] = _read(kubectl, path)
    command = ("create", "secret", "docker-registry", "arc-private-registry", "--dry-run=client", "-o", "json")
    login = ("--docker-server=registry.local:5000", "--docker-username=ann", '--docker-password=p:w"d')
    done = subprocess.run((kubectl, *command, *login), capture_output=True, timeout=60, check=True)
    theirs = json.loads(done.stdout)
    assert ours["type"] == theirs["type"]
    # What kubectl prints is of any shape, so its types say nothing.
    read = [json.loads(base64.b64decode(secret["data"][".dockerconfigjson"])) for secret in (ours, theirs)]  # type: ignore[index]
    assert read[0] == read[1]
