"""What `configure` writes for clusters, read by the programs that read it: kubectl, and Kustomize in it."""

import base64
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.real.apiserver import discovery
from tests.real.programs import program
from tests.unit.configuration import engines
from tests.unit.configuration.relocations import ONE, OTHER, many, moved, relocation
from transload.configuration import Configuration, Reach, Relocation, Wishes
from transload.configuration.kinds import KINDS
from transload.login import Login

TARGET = "registry.local:5000/mirror"


@pytest.fixture
def kubectl() -> str:
    return program("kubectl")


def run(*command: str | Path) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def write(configuration: Configuration, folder: Path) -> list[Path]:
    paths = [folder.joinpath(*file.path.parts) for file in configuration.files]
    for path, file in zip(paths, configuration.files, strict=True):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file.content)
    return paths


def kustomized(kubectl: str, manifests: str, moved_to: Relocation, folder: Path, *, pin: bool = False) -> list[Any]:
    """What Kustomize makes of manifests with the component over them."""
    write(KINDS["kustomize"].write(moved_to, Wishes(pin=pin)), folder)
    folder.joinpath("manifests.yaml").write_text(manifests)
    folder.joinpath("kustomization.yaml").write_text(
        yaml.safe_dump({"resources": ["manifests.yaml"], "components": ["transload-images"]})
    )
    return list(yaml.safe_load_all(run(kubectl, "kustomize", folder)))


def pod(name: str, *images: str) -> dict[str, Any]:
    containers = [{"name": f"c{number}", "image": image} for number, image in enumerate(images)]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": {"containers": containers}}


WORKLOADS = {"Deployment": "apps/v1", "StatefulSet": "apps/v1", "DaemonSet": "apps/v1", "Job": "batch/v1"}


def workload(kind: str) -> dict[str, Any]:
    spec = pod("x", "redis:7")["spec"] | {"initContainers": [{"name": "i", "image": "quay.io/a/b:1"}]}
    return {
        "apiVersion": WORKLOADS[kind],
        "kind": kind,
        "metadata": {"name": kind.lower()},
        "spec": {"template": {"spec": spec}},
    }


def images_in(value: Any) -> list[str]:
    if isinstance(value, list):
        return [image for item in value for image in images_in(item)]
    if not isinstance(value, dict):
        return []
    own = [value["image"]] if isinstance(value.get("image"), str) else []
    return own + [image for item in value.values() for image in images_in(item)]


MOVED = relocation(
    moved("redis:7", f"{TARGET}/library/redis:7", ONE), moved("quay.io/a/b:1", f"{TARGET}/a/b:one", OTHER)
)


def test_kustomize_leads_every_container_of_every_workload_to_the_registry(kubectl: str, tmp_path: Path) -> None:
    objects = [workload(kind) for kind in WORKLOADS]
    cron = {"schedule": "0 1 * * *", "jobTemplate": {"spec": workload("Job")["spec"]}}
    objects.append({"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "c"}, "spec": cron})
    made = kustomized(kubectl, yaml.safe_dump_all(objects), MOVED, tmp_path)
    assert len(made) == 5
    for item in made:
        assert sorted(images_in(item)) == [f"{TARGET}/a/b:one", f"{TARGET}/library/redis:7"], item["kind"]


def test_kustomize_knows_all_spellings_and_touches_nothing_else(kubectl: str, tmp_path: Path) -> None:
    ours = ["redis:7", "library/redis", "docker.io/redis:6", "docker.io/library/redis:7", f"redis@{OTHER}"]
    others = ["redis-exporter:7", "quay.io/a/bc:1", "quay.io/redis:7", f"{TARGET}/library/redis:7"]
    made = kustomized(kubectl, yaml.safe_dump(pod("p", *ours, *others)), MOVED, tmp_path)
    there = f"{TARGET}/library/redis"
    assert images_in(made) == [f"{there}:7", there, f"{there}:6", f"{there}:7", f"{there}@{OTHER}", *others]


def test_kustomize_pins_each_tag_to_its_own_digest(kubectl: str, tmp_path: Path) -> None:
    two = relocation(moved("redis:7", f"{TARGET}/redis:7", ONE), moved("redis:6", f"{TARGET}/redis:6", OTHER))
    made = kustomized(kubectl, yaml.safe_dump(pod("p", "redis:7", "redis:6", "redis:5")), two, tmp_path, pin=True)
    assert images_in(made) == [f"{TARGET}/redis@{ONE}", f"{TARGET}/redis@{OTHER}", f"{TARGET}/redis:5"]


def test_kustomize_leaves_what_the_notes_say(kubectl: str, tmp_path: Path) -> None:
    item = pod("p", "redis:7")
    item["spec"]["ephemeralContainers"] = [{"name": "e", "image": "redis:7"}]
    item["spec"]["volumes"] = [{"name": "v", "image": {"reference": "redis:7"}}]
    custom = {"apiVersion": "x.io/v1", "kind": "Thing", "metadata": {"name": "t"}, "spec": {"image": "redis:7"}}
    made = kustomized(kubectl, yaml.safe_dump_all([item, custom]), MOVED, tmp_path)
    by_kind = {item["kind"]: item["spec"] for item in made}
    assert by_kind["Pod"]["ephemeralContainers"][0]["image"] == "redis:7"
    assert by_kind["Pod"]["volumes"][0]["image"]["reference"] == "redis:7"
    assert by_kind["Thing"]["image"] == "redis:7"
    assert any("ephemeral containers" in note for note in KINDS["kustomize"].write(MOVED, Wishes()).notes)


def test_the_pull_secret_is_what_kubectl_makes(kubectl: str, tmp_path: Path) -> None:
    password = 'p:w"d'
    command = ("create", "secret", "docker-registry", "transload-pull", "--dry-run=client", "-o", "json")
    login = ("--docker-server=registry.local:5000", "--docker-username=me", f"--docker-password={password}")
    theirs = json.loads(run(kubectl, *command, *login, "--namespace=apps"))
    reach = Reach(login=Login("me", password))
    secret = KINDS["pull-secret"].write(
        Relocation(registry="registry.local:5000", reach=reach), Wishes(namespace="apps")
    )
    [path] = write(secret, tmp_path)
    ours = json.loads(run(kubectl, "annotate", "--local", "-f", path, "-o", "json", "read-by=kubectl"))
    assert ours["metadata"].pop("annotations") == {"read-by": "kubectl"}
    theirs["metadata"].pop("creationTimestamp", None)
    ours_data, theirs_data = (json.loads(base64.b64decode(item["data"].popitem()[1])) for item in (ours, theirs))
    assert ours_data == theirs_data
    assert ours == theirs


@pytest.mark.parametrize(("version", "since"), [("v1", "1.36"), ("v1beta1", "1.34"), ("v1alpha1", "1.32")])
def test_admission_policies_meet_the_published_schemas(version: str, since: str, tmp_path: Path) -> None:
    write(KINDS["admission-policy"].write(many(500), Wishes()), tmp_path)
    path = tmp_path / f"mutating-admission-policy-{version}.yaml"
    told = run(sys.executable, "-m", "kubernetes_validate", "--strict", "-k", since, path)
    assert told.count("passed") == 6  # three policies, and their bindings


def test_kubectl_reads_every_file(kubectl: str, tmp_path: Path) -> None:
    for word in ("admission-policy", "kyverno", "openshift"):
        for path in write(KINDS[word].write(many(500), Wishes()), tmp_path):
            read = run(kubectl, "annotate", "--local", "-f", path, "-o", "json", "read-by=kubectl")
            assert read.count('"read-by": "kubectl"') == sum(1 for _ in yaml.safe_load_all(path.read_bytes()))


KNOWN = {
    "v1": {"Secret": True, "ConfigMap": True},
    "admissionregistration.k8s.io/v1": {"MutatingAdmissionPolicy": False, "MutatingAdmissionPolicyBinding": False},
    "kyverno.io/v1": {"ClusterPolicy": False},
    "config.openshift.io/v1": {"ImageDigestMirrorSet": False, "ImageTagMirrorSet": False},
    "mutations.gatekeeper.sh/v1alpha1": {"AssignImage": False},
}
REACH = Reach(login=Login("me", "secret"), ca=b"-----BEGIN CERTIFICATE-----\n")


@pytest.mark.parametrize("word", ["pull-secret", "admission-policy", "kyverno", "openshift", "gatekeeper"])
def test_kubectl_would_create_every_object(word: str, kubectl: str, tmp_path: Path) -> None:
    images = relocation(moved("quay.io/a/b:1", "r.local:5000/a/b:1")).images
    files = write(
        KINDS[word].write(Relocation(registry="r.local:5000", images=images, reach=REACH), Wishes()), tmp_path
    )
    with discovery(KNOWN) as server:
        for path in files:
            if "v1beta1" not in path.name and "v1alpha1" not in path.name:  # the same in older clusters
                told = run(
                    *(kubectl, f"--server={server}", f"--cache-dir={tmp_path / 'cache'}", "create", "-f", path),
                    *("--dry-run=client", "--validate=false"),
                )
                assert told.count("created (dry run)") == sum(1 for _ in yaml.safe_load_all(path.read_bytes()))


def test_the_policies_of_five_hundred_images_find_them_all() -> None:
    to = many(500)
    asked = engines.pod(containers=[str(image.source) for image in to.images])
    wanted = engines.pod(containers=[str(image.target) for image in to.images])
    created = asked
    for policy in engines.policies("admission-policy", to):
        created = engines.admitted(policy, created)
    assert created == wanted
    [policy] = engines.policies("kyverno", to)
    assert engines.kyverno(policy, asked) == wanted
