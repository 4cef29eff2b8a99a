"""What is found in Kubernetes objects."""

import json
from typing import Any

import pytest

from transload.discovery.finding import Discovered, Finding, Irrelevant, Question, Unread
from transload.discovery.kinds import read_file

DIGEST = "sha256:" + "ab" * 32


def found(document: object, name: str = "-") -> list[Discovered]:
    return list(read_file(json.dumps(document).encode(), name))


def texts(document: object) -> list[tuple[str, str, str]]:
    return [(item.text, item.rule, item.sureness) for item in found(document) if isinstance(item, Finding)]


def questions(document: object) -> list[tuple[str, str]]:
    return [(item.text, item.reason) for item in found(document) if isinstance(item, Question)]


def pod(*containers: dict[str, Any], **spec: object) -> dict[str, Any]:
    return {"containers": list(containers), **spec}


def workload(kind: str, spec: dict[str, Any]) -> dict[str, Any]:
    template = {"spec": spec}
    metadata = {"name": "web", "namespace": "shop"}
    match kind:
        case "Pod":
            inner: dict[str, Any] = {"spec": spec}
        case "PodTemplate":
            inner = {"template": template}
        case "CronJob":
            inner = {"spec": {"jobTemplate": {"spec": {"template": template}}}}
        case _:
            inner = {"spec": {"template": template}}
    return {"apiVersion": "v1", "kind": kind, "metadata": metadata, **inner}


KINDS = ("Pod", "PodTemplate", "Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job", "CronJob")


@pytest.mark.parametrize("kind", [*KINDS, "ReplicationController"])
def test_every_kind_of_workload_has_its_pod_template(kind: str) -> None:
    spec = pod(
        {"image": "a:1"},
        initContainers=[{"image": "b:1"}],
        ephemeralContainers=[{"image": "c:1"}],
        volumes=[{"name": "x", "image": {"reference": "quay.io/models/d:1"}}, {"name": "y", "emptyDir": {}}],
    )
    assert texts(workload(kind, spec)) == [
        ("b:1", "init container", "certain"),
        ("a:1", "pod", "certain"),
        ("c:1", "ephemeral container", "certain"),
        ("quay.io/models/d:1", "image volume", "certain"),
    ]


def test_a_place_names_the_object_and_the_way_in_it() -> None:
    (finding,) = found({"apiVersion": "v1", "kind": "List", "items": [workload("Deployment", pod({"image": "a:1"}))]})
    assert str(finding.place) == "-: Deployment shop/web: spec.template.spec.containers[0].image"


def test_what_does_not_say_which_image_is_a_question() -> None:
    images = ("{{ .Values.a }}", "$(IMAGE)", "nginx", DIGEST, "A/B:1", "")
    asked = questions(workload("Pod", pod(*({"image": text} for text in images))))
    assert [text for text, _ in asked] == list(images)
    reasons = [reason.partition(":")[0] for _, reason in asked]
    assert reasons == [
        "it is a template",
        "it is a template",
        "it has no tag, so it means whatever has the tag latest today",
        "it is a digest without a repository",
        *reasons[4:5],
        "the container names no image",
    ]
    assert "capital letters" in reasons[4] or "not a" in reasons[4]


def test_arguments_and_variables_are_likely_unless_operators_say_so() -> None:
    container = {
        "image": "operator:1",
        "command": ["run", "--image", "side:2", "--config=/etc/x.yaml"],
        "args": ["--reloader-image=quay.io/a/reloader:v1", "crane copy registry.k8s.io/pause:3.9 x", "--image=plain"],
        "env": [
            {"name": "RELATED_IMAGE_DB", "value": f"quay.io/a/db@{DIGEST}"},
            {"name": "SIDE", "value": "quay.io/a/side:1"},
            {"name": "PROXY_IMAGE", "value": "envoy:v1"},
            {"name": "ADDRESS", "value": "db.example:5432"},
            {"name": "FROM_SECRET", "valueFrom": {"secretKeyRef": {"name": "x", "key": "y"}}},
        ],
    }
    assert texts(workload("Pod", pod(container))) == [
        ("operator:1", "pod", "certain"),
        (f"quay.io/a/db@{DIGEST}", "RELATED_IMAGE", "certain"),
        ("quay.io/a/side:1", "environment variable", "likely"),
        ("envoy:v1", "environment variable", "likely"),
        ("side:2", "argument --image", "likely"),
        ("quay.io/a/reloader:v1", "argument --reloader-image", "likely"),
        ("registry.k8s.io/pause:3.9", "argument", "likely"),
    ]
    assert [text for text, _ in questions(workload("Pod", pod(container)))] == ["plain"]


@pytest.mark.parametrize("prefix", ["", "docker-pullable://", "docker.io://"])
def test_the_digest_that_a_node_runs_belongs_to_the_image_of_the_specification(prefix: str) -> None:
    document = workload("Pod", pod({"name": "web", "image": "nginx:1.27"}))
    status = {"name": "web", "image": "sha256:" + "cd" * 32, "imageID": f"{prefix}docker.io/library/nginx@{DIGEST}"}
    document["status"] = {"containerStatuses": [status]}
    (_, node) = found(document)
    assert isinstance(node, Finding)
    assert (node.text, node.rule, node.digest) == ("nginx:1.27", "node", DIGEST)


def test_an_image_that_a_node_did_not_pull_is_a_question() -> None:
    document = workload("Pod", pod({"name": "web", "image": "local:1"}))
    document["status"] = {"containerStatuses": [{"name": "web", "image": "local:1", "imageID": f"docker://{DIGEST}"}]}
    assert [text for text, _ in questions(document)] == [f"docker://{DIGEST}"]


def test_a_list_of_one_kind_does_not_repeat_the_kind() -> None:
    item = workload("Deployment", pod({"image": "a:1"}))
    del item["kind"], item["apiVersion"]
    assert texts({"apiVersion": "apps/v1", "kind": "DeploymentList", "items": [item]}) == [("a:1", "pod", "certain")]


def test_what_can_name_no_image_is_counted_and_what_is_wrong_is_told() -> None:
    service = {"apiVersion": "v1", "kind": "Service", "spec": {}}
    assert [type(item) for item in found(service)] == [Irrelevant]
    wrong = workload("Deployment", {"initContainers": [{"image": "a:1"}], "containers": "none"})
    one, other = found({"apiVersion": "v1", "kind": "List", "items": [wrong]})
    assert isinstance(one, Finding)
    assert isinstance(other, Unread)
    assert "expected a list" in other.reason


@pytest.mark.parametrize("content", [b"kind: Pod", b"kind: [a]\napiVersion: v1", b"- kind: Pod", b"text"])
def test_odd_documents_are_of_no_kind(content: bytes) -> None:
    assert [type(item) for item in read_file(content, "a.yaml")] == [Irrelevant]


def test_merge_keys_and_the_objects_of_a_template() -> None:
    text = """\
x: &base {image: "base:1"}
apiVersion: v1
kind: Pod
spec: {containers: [{<<: *base, name: a}]}
---
apiVersion: template.openshift.io/v1
kind: Template
objects:
- {apiVersion: v1, kind: Pod, spec: {containers: [{image: "app:1"}, {image: "app:${TAG}"}]}}
"""
    items = list(read_file(text.encode(), "a.yaml"))
    assert [item.text for item in items if isinstance(item, Finding)] == ["base:1", "app:1"]
    assert [item.text for item in items if isinstance(item, Question)] == ["app:${TAG}"]
    assert [str(item.place) for item in items[:2]] == [
        "a.yaml:1: Pod: spec.containers[0].image",
        "a.yaml:9: Pod: spec.containers[0].image",
    ]


def test_other_kinds_with_a_pod_at_a_known_place() -> None:
    template = {"spec": pod({"image": "a:1"})}
    config = {"apiVersion": "v1", "kind": "DeploymentConfig", "spec": {"template": template}}
    assert texts(config) == [("a:1", "pod", "certain")]
    revision = {"apiVersion": "apps/v1", "kind": "ControllerRevision", "data": {"spec": {"template": template}}}
    assert texts(revision) == [("a:1", "kept for a rollback", "likely")]
    assert [type(item) for item in found({"apiVersion": "v1", "kind": "Quota", "spec": {"containers": "x"}})] == [
        Irrelevant
    ]


@pytest.mark.parametrize("as_yaml", [False, True])
def test_a_list_of_a_custom_kind_as_the_api_writes_it(as_yaml: bool) -> None:
    items = [{"spec": {"image": "a:1"}}, None, {"spec": {"image": 5}}, {"spec": {"image": "b:1"}}]
    document = {"apiVersion": "monitoring.coreos.com/v1", "kind": "PrometheusList", "items": items}
    text = json.dumps(document)
    items_found = list(read_file(text.encode(), "a.yaml" if as_yaml else "a.json"))
    named = [(item.text, item.rule) for item in items_found if isinstance(item, Finding)]
    assert [item for item in named if item[0] != "5"] == [("a:1", "Prometheus"), ("b:1", "Prometheus")]


@pytest.mark.parametrize("replicas", [[], {}, None, True, "x"])
def test_odd_replicas_are_no_old_revision(replicas: object) -> None:
    spec = {"replicas": replicas, "template": {"spec": pod({"image": "a:1"})}}
    document = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": {"ownerReferences": [{}]}, "spec": spec}
    assert texts(document) == [("a:1", "pod", "certain")]
