"""What a cluster runs: pods of every state, nodes, old revisions, settings."""

import json
from typing import Any

import pytest

from transload.discovery.finding import Discovered, Finding, Irrelevant, Question
from transload.discovery.kinds import read_file
from transload.discovery.listing import listed

DIGEST, OTHER = (f"sha256:{letter * 64}" for letter in "ab")


def read(document: dict[str, Any]) -> list[Discovered]:
    return list(read_file(json.dumps(document).encode(), "-"))


def found(document: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [(item.text, item.rule, item.sureness) for item in read(document) if isinstance(item, Finding)]


def pod(name: str, image: str, identity: str, key: str = "containers") -> dict[str, Any]:
    statuses = {"containers": "containerStatuses", "ephemeralContainers": "ephemeralContainerStatuses"}[key]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {"containers": [], key: [{"name": "c", "image": image}]},
        "status": {statuses: [{"name": "c", "image": image, "imageID": identity}]},
    }


def test_two_digests_under_one_name_are_both_told() -> None:
    items = [
        pod("a", "app:1", f"docker.io/library/app@{DIGEST}"),
        pod("b", "app:1", f"docker.io/library/app@{OTHER}"),
    ]
    listing = listed(read({"apiVersion": "v1", "kind": "List", "items": items}))
    (image,) = listing.images
    assert image.running == (DIGEST, OTHER)
    assert len(image.places) == 4


def test_an_ephemeral_container_runs_too() -> None:
    document = pod("a", "debug:1", f"docker-pullable://debug@{DIGEST}", "ephemeralContainers")
    assert found(document) == [("debug:1", "ephemeral container", "certain"), ("debug:1", "node", "certain")]


def test_a_pod_without_a_tag_is_known_by_what_it_runs() -> None:
    document = pod("a", "app", f"docker.io/library/app@{DIGEST}")
    assert found(document) == [(f"docker.io/library/app@{DIGEST}", "node", "certain")]
    assert [item.text for item in read(document) if isinstance(item, Question)] == ["app"]


@pytest.mark.parametrize("identity", ["", None])
def test_a_pod_that_waits_runs_nothing_yet(identity: str | None) -> None:
    document = pod("a", "app:1", "x")
    document["status"]["containerStatuses"][0]["imageID"] = identity
    assert found(document) == [("app:1", "pod", "certain")]


def test_what_a_node_holds_is_likely() -> None:
    images = [
        {"names": [f"quay.io/a/b@{DIGEST}", "quay.io/a/b:1"], "sizeBytes": 5},
        {"names": [f"quay.io/a/c@{OTHER}"]},
        {"names": ["<none>@<none>", "<none>:<none>"]},
    ]
    document = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n"}, "status": {"images": images}}
    assert found(document) == [
        ("quay.io/a/b:1", "held by a node", "likely"),
        (f"quay.io/a/c@{OTHER}", "held by a node", "likely"),
    ]
    (question,) = [item for item in read(document) if isinstance(item, Question)]
    assert question.text == "<none>@<none>, <none>:<none>"


def test_an_old_revision_of_a_deployment_is_likely() -> None:
    spec = {"replicas": 0, "template": {"spec": {"containers": [{"image": "app:1"}]}}}
    metadata = {"name": "app-1", "ownerReferences": [{"kind": "Deployment"}]}
    document = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": metadata, "spec": spec}
    assert found(document) == [("app:1", "kept for a rollback", "likely")]


def test_settings_that_speak_of_images() -> None:
    data = {
        "queue-sidecar-image": f"gcr.io/knative-releases/queue@{DIGEST}",
        "config.yaml": "proxy:\n  image: quay.io/a/proxy:1\n  address: db.example:5432\n",
        "other.yaml": "# quay.io/a/old:1\nrepo: quay.io/a/other:1\n",
        "number": 5,
    }
    document = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": data}
    assert found(document) == [
        (f"gcr.io/knative-releases/queue@{DIGEST}", "ConfigMap", "likely"),
        ("quay.io/a/proxy:1", "ConfigMap", "likely"),
        ("quay.io/a/other:1", "ConfigMap", "likely"),
    ]
    assert [type(item) for item in read({**document, "kind": "Secret"})] == [Irrelevant]
