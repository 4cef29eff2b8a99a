"""deploy/ci: held against the schemas that GitHub and GitLab publish, and the steps that mirror run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.real.servers import Registry
from tests.real.vendor import IMAGES, NEW, store_at
from tests.test_deploy import DEPLOY

SCHEMAS = {"github-actions.yml": "github-workflows", "gitlab-ci.yml": "gitlab-ci"}


def read(name: str) -> Any:
    return yaml.safe_load((DEPLOY / "ci" / name).read_text())


def checked(path: Path, schema: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", f"vendor.{schema}", str(path)]
    return subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)


@pytest.mark.parametrize("name", SCHEMAS)
def test_it_meets_the_published_schema(name: str, tmp_path: Path) -> None:
    done = checked(DEPLOY / "ci" / name, SCHEMAS[name])
    assert done.returncode == 0, done.stdout
    wrong = (DEPLOY / "ci" / name).read_text().replace("timeout", "timeoutt")
    (tmp_path / name).write_text(wrong)
    assert "timeoutt" in checked(tmp_path / name, SCHEMAS[name]).stdout


class Job:
    """The step that mirrors, in a folder with `images.yaml`, run by the shell that the service takes."""

    def __init__(self, name: str, folder: Path) -> None:
        self.folder = folder
        if name.startswith("github"):
            steps = read(name)["jobs"]["mirror"]["steps"]
            (step,) = (step for step in steps if step.get("name") == "Mirror")
            self.shell = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]]
        else:
            self.shell = ["sh", "-e", "-c", "\n".join(read(name)["mirror"]["script"])]
        (folder / "bin").mkdir()
        (folder / "bin/sleep").write_text(f"#!/bin/sh\necho $1 >>{folder}/waited\n")
        (folder / "bin/sleep").chmod(0o755)

    def __call__(self, source: str, target: Registry, **more: str) -> int:
        images = [f"{source}/arcdata/{name}:{NEW}" for name in IMAGES[:2]]
        (self.folder / "images.yaml").write_text(json.dumps({"kind": "ImageSet", "version": 1, "images": images}))
        variables = {
            "PATH": f"{self.folder}/bin:{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": str(self.folder),
            "TRANSLOAD_STATE_DIR": str(self.folder / ".transload"),
            "TRANSLOAD_TO": f"{target.host}/ci",
            "TRANSLOAD_TARGET_USERNAME": "",  # what GitHub makes of a variable that nobody has set
            "TRANSLOAD_TARGET_PASSWORD": "",
        }
        return subprocess.run(
            self.shell, cwd=self.folder, env={**variables, **more}, timeout=240, check=False
        ).returncode

    @property
    def waited(self) -> list[str]:
        return (self.folder / "waited").read_text().split()


@pytest.fixture(params=SCHEMAS)
def job(request: pytest.FixtureRequest, tmp_path: Path) -> Job:
    return Job(request.param, tmp_path)


def test_the_job_mirrors_with_a_login(job: Job, vendor: Registry, htpasswd_registry: Registry, tmp_path: Path) -> None:
    user = htpasswd_registry.user
    assert user
    login = {"TRANSLOAD_TARGET_USERNAME": user.name, "TRANSLOAD_TARGET_PASSWORD": user.password}
    for _ in range(2):
        assert job(vendor.host, htpasswd_registry, **login) == 0
    assert {path.name for path in tmp_path.glob("report.*")} == {"report.md", "report.json"}
    assert list((tmp_path / ".transload").iterdir())
    with store_at(htpasswd_registry, user) as store:
        assert {f"ci/arcdata/{name}" for name in IMAGES[:2]} <= set(store.repositories())
    assert job(vendor.host, htpasswd_registry, TRANSLOAD_TARGET_USERNAME=user.name, TRANSLOAD_TARGET_PASSWORD="x") == 3


def test_without_a_login_it_is_anonymous(job: Job, vendor: Registry, registry: Registry) -> None:
    assert job(vendor.host, registry) == 0


def test_github_tries_again_what_may_succeed(vendor: Registry, registry: Registry, tmp_path: Path) -> None:
    job = Job("github-actions.yml", tmp_path)
    assert job("127.0.0.1:9", registry) == 5
    assert job.waited == ["0", "300", "900"]
    (tmp_path / "waited").unlink()
    assert job(vendor.host, registry, TRANSLOAD_TO="127.0.0.1:9/ci", TRANSLOAD_JOBS="none") == 2
    assert job.waited == ["0"]


def test_stopped_by_a_limit_is_no_failure(vendor: Registry, start_registry: Any, tmp_path: Path) -> None:
    job = Job("github-actions.yml", tmp_path)
    assert job(vendor.host, start_registry(), TRANSLOAD_MAX_BYTES="1kB") == 0
    assert "limit of bytes" in (tmp_path / "report.md").read_text()
    assert job.waited == ["0"]
