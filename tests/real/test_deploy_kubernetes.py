"""deploy/kubernetes and deploy/openshift: read by kubectl, and held against the schemas that Kubernetes publishes."""

from __future__ import annotations

import base64
import gzip
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.kubernetesschemas import validated
from tests.podsecurity import violations
from tests.real.programs import program
from tests.test_deploy import DEPLOY

FOLDERS = ("kubernetes", "openshift")
OLDEST, NEWEST = "1.31", "1.37"
"""The first in which podFailurePolicy is there for good; the last whose schemas the package has."""


@pytest.fixture(scope="module", autouse=True)
def _recent() -> None:
    command = [program("kubectl"), "version", "--client", "-o", "json"]
    version = json.loads(subprocess.run(command, capture_output=True, text=True, timeout=240, check=False).stdout)
    if "kustomizeVersion" not in version:
        pytest.skip("this kubectl is older than 1.24: it knows neither batch/v1 nor patches")


def kubectl(*words: object) -> str:
    command = [program("kubectl"), *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=240, check=True).stdout


def built(name: str) -> str:
    """What `kubectl apply -k` would send."""
    return kubectl("kustomize", DEPLOY / name)


def of_kind(kind: str, text: str) -> dict[str, Any]:
    found: dict[str, Any]
    (found,) = (document for document in yaml.safe_load_all(text) if document["kind"] == kind)
    return found


def pod(text: str) -> dict[str, Any]:
    specification: dict[str, Any] = of_kind("CronJob", text)["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    return specification


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
@pytest.mark.parametrize("name", FOLDERS)
def test_all_of_it_meets_the_published_schemas(name: str, version: str, tmp_path: Path) -> None:
    (tmp_path / "all.yaml").write_text(built(name))
    assert validated(tmp_path / "all.yaml", version) == 5


def test_a_folder_of_shares_with_a_plan_meets_the_published_schemas(tmp_path: Path) -> None:
    copied = tmp_path / "shares"
    shutil.copytree(DEPLOY / "kubernetes" / "shares", copied)
    (copied / "plan.json.gz").write_bytes(gzip.compress(b"{}", mtime=0))
    text = kubectl("kustomize", copied)
    (tmp_path / "all.yaml").write_text(text)
    assert validated(tmp_path / "all.yaml", NEWEST) == 5
    maps = [document for document in yaml.safe_load_all(text) if document["kind"] == "ConfigMap"]
    (plan,) = (document for document in maps if "binaryData" in document)
    for job in (document for document in yaml.safe_load_all(text) if document["kind"] == "Job"):
        (volume,) = (each for each in job["spec"]["template"]["spec"]["volumes"] if each["name"] == "plan")
        assert volume["configMap"]["name"] == plan["metadata"]["name"]
        (container,) = job["spec"]["template"]["spec"]["containers"]
        assert container["image"] == "registry.local/tools/transload:0.1.0"


@pytest.mark.parametrize("path", sorted((DEPLOY / "kubernetes").glob("*.yaml")), ids=lambda path: path.name)
def test_each_file_meets_the_published_schemas(path: Path) -> None:
    if path.name not in {"kustomization.yaml", "images.yaml"}:  # of kustomize, and of transload
        assert validated(path, NEWEST) == 1


def test_a_wrong_field_would_be_seen(tmp_path: Path) -> None:
    text = (DEPLOY / "kubernetes" / "cronjob.yaml").read_text()
    (tmp_path / "wrong.yaml").write_text(text.replace("backoffLimit", "backofLimit"))
    with pytest.raises(AssertionError, match="backofLimit"):
        validated(tmp_path / "wrong.yaml", NEWEST)


def test_the_job_gets_the_files_that_are_generated() -> None:
    text = built("kubernetes")
    maps = {document["metadata"]["name"] for document in yaml.safe_load_all(text) if document["kind"] == "ConfigMap"}
    (container,) = pod(text)["containers"]
    named = {source["configMapRef"]["name"] for source in container["envFrom"]}
    named |= {volume["configMap"]["name"] for volume in pod(text)["volumes"] if "configMap" in volume}
    assert named - maps == {"transload-site-ca"}  # which is optional
    assert container["image"] == "registry.local/tools/transload:0.1.0"


def test_on_openshift_the_cluster_chooses_the_user() -> None:
    theirs, ours = pod(built("openshift")), pod(built("kubernetes"))
    assert ours["securityContext"]["runAsUser"] == ours["securityContext"]["fsGroup"] == 65532
    assert set(theirs["securityContext"]) == {"runAsNonRoot", "seccompProfile"}
    assert not list(violations(theirs))


def test_kubectl_reads_the_job_as_one() -> None:
    """It makes an object of its own of the file, which it writes again."""
    again = kubectl(
        *("set", "image", "--local", "-f", DEPLOY / "kubernetes" / "cronjob.yaml", "transload=registry.local/t:1"),
        *("-o", "yaml"),
    )
    assert pod(again)["containers"][0].pop("image") == "registry.local/t:1"
    read, written = pod(again), pod((DEPLOY / "kubernetes" / "cronjob.yaml").read_text())
    assert set(written) <= set(read)
    assert written["volumes"] == read["volumes"]
    assert written["securityContext"] == read["securityContext"]


def test_the_secret_is_what_kubectl_makes(tmp_path: Path) -> None:
    example = of_kind("Secret", (DEPLOY / "kubernetes" / "secret.example.yaml").read_text())
    (tmp_path / "logins.json").write_text(example["stringData"][".dockerconfigjson"])
    made = kubectl(
        *("-n", "transload", "create", "secret", "docker-registry", "transload-logins", "--dry-run=client"),
        *(f"--from-file={tmp_path / 'logins.json'}", "-o", "yaml"),
    )
    secret = of_kind("Secret", made)
    assert secret["type"] == example["type"]
    assert secret["metadata"]["name"] == example["metadata"]["name"]
    assert base64.b64decode(secret["data"][".dockerconfigjson"]).decode() == example["stringData"][".dockerconfigjson"]
