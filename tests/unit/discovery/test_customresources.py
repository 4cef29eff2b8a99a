"""Images in custom resources: what projects define, and what looks like an image where nobody knows the kind."""

import json
from typing import Any

import pytest

from transload.discovery.finding import Discovered, Finding, Irrelevant, Question
from transload.discovery.judging import NO_TAG
from transload.discovery.kinds import read_file

DIGEST = "sha256:" + "ab" * 32
Found = list[tuple[str, str, str]]


def read(document: dict[str, Any]) -> list[Discovered]:
    return list(read_file(json.dumps(document).encode(), "-"))


def resource(kind: str, spec: object, **more: object) -> dict[str, Any]:
    group, _, name = kind.rpartition("/")
    return {
        "apiVersion": f"{group}/v1",
        "kind": name,
        "metadata": {"name": "x", "namespace": "y"},
        "spec": spec,
        **more,
    }


def found(document: dict[str, Any]) -> Found:
    return [(item.text, item.rule, item.sureness) for item in read(document) if isinstance(item, Finding)]


def asked(document: dict[str, Any]) -> list[tuple[str, str]]:
    return [(item.text, item.reason) for item in read(document) if isinstance(item, Question)]


def certain(rule: str, *texts: str) -> Found:
    return [(text, rule, "certain") for text in texts]


def test_prometheus_operator() -> None:
    prometheus = {
        "image": "quay.io/prometheus/prometheus:v3.1.0",
        "version": "3.0.0",
        "thanos": {"image": "quay.io/thanos/thanos:v0.37.2", "version": "0.37.2"},
        "containers": [{"name": "prometheus", "args": ["--x"]}, {"name": "side", "image": "a/side:1"}],
    }
    assert found(resource("monitoring.coreos.com/Prometheus", prometheus)) == [
        *certain("Prometheus", "quay.io/prometheus/prometheus:v3.1.0", "quay.io/thanos/thanos:v0.37.2"),
        ("a/side:1", "pod", "certain"),
    ]


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        ({"version": "0.28.0"}, "quay.io/prometheus/alertmanager:v0.28.0"),
        ({"version": "v0.28.0", "tag": "main"}, "quay.io/prometheus/alertmanager:main"),
        ({"baseImage": "mirror.example/am", "tag": "1"}, "mirror.example/am:1"),
        ({"sha": "ab" * 32, "tag": "1"}, f"quay.io/prometheus/alertmanager@{DIGEST}"),
    ],
)
def test_what_prometheus_operator_makes_of_versions_is_likely(spec: dict[str, str], text: str) -> None:
    assert found(resource("monitoring.coreos.com/Alertmanager", spec)) == [(text, "operator's version", "likely")]


def test_an_operator_that_chooses_alone_is_a_question() -> None:
    ((text, reason),) = asked(resource("monitoring.coreos.com/Alertmanager", {"replicas": 3}))
    assert text == "quay.io/prometheus/alertmanager"
    assert "the operator's own default" in reason


@pytest.mark.parametrize(
    ("kind", "spec", "text"),
    [
        ("postgresql.cnpg.io/Cluster", {"instances": 3}, "ghcr.io/cloudnative-pg/postgresql"),
        ("kafka.strimzi.io/Kafka", {"kafka": {"version": "3.9.0"}}, "quay.io/strimzi/kafka"),
        ("kafka.strimzi.io/KafkaConnect", {"replicas": 1}, "quay.io/strimzi/kafka"),
        ("kafka.strimzi.io/KafkaMirrorMaker2", {"replicas": 1}, "quay.io/strimzi/kafka"),
        ("kafka.strimzi.io/KafkaBridge", {"replicas": 1}, "quay.io/strimzi/kafka-bridge"),
    ],
)
def test_an_image_that_a_kind_leaves_to_its_operator_is_asked_for(kind: str, spec: object, text: str) -> None:
    ((asked_for, reason),) = asked(resource(kind, spec))
    assert asked_for == text
    assert reason.endswith(": the operator's own default is used")


def test_an_image_from_a_catalog_is_no_question() -> None:
    catalog = {"imageCatalogRef": {"kind": "ImageCatalog", "name": "x", "major": 17}}
    assert asked(resource("postgresql.cnpg.io/Cluster", catalog)) == []


def test_a_name_for_all_images_of_knative_is_a_question() -> None:
    document = resource("operator.knative.dev/KnativeServing", {"registry": {"default": "r.example/a/${NAME}:v1"}})
    assert [text for text, _ in asked(document)] == ["r.example/a/${NAME}:v1"]


TEMPLATES = [
    {"container": {"image": "a:1"}, "sidecars": [{"image": "b:1"}]},
    {"script": {"image": "c:1", "source": "echo"}, "initContainers": [{"image": "d:1"}]},
    {"containerSet": {"containers": [{"image": "e:1"}]}},
    {"container": {"image": "{{inputs.parameters.image}}"}},
]


@pytest.mark.parametrize("kind", ["Workflow", "WorkflowTemplate", "ClusterWorkflowTemplate", "CronWorkflow"])
def test_argo_workflows(kind: str) -> None:
    spec: dict[str, Any] = {"templates": TEMPLATES}
    document = resource(f"argoproj.io/{kind}", {"workflowSpec": spec} if kind == "CronWorkflow" else spec)
    assert sorted(found(document)) == certain(kind, "a:1", "b:1", "c:1", "d:1", "e:1")
    assert [text for text, _ in asked(document)] == ["{{inputs.parameters.image}}"]


@pytest.mark.parametrize(
    ("kind", "spec", "texts"),
    [
        ("postgresql.cnpg.io/Cluster", {"imageName": "ghcr.io/cloudnative-pg/postgresql:17.2"}, None),
        ("postgresql.cnpg.io/ImageCatalog", {"images": [{"major": 17, "image": "ghcr.io/a/postgresql:17"}]}, None),
        (
            "kafka.strimzi.io/Kafka",
            {
                "kafka": {"version": "3.9.0", "image": "quay.io/strimzi/kafka:0.45.0-kafka-3.9.0"},
                "entityOperator": {"topicOperator": {"image": "quay.io/strimzi/operator:0.45.0"}, "userOperator": {}},
                "kafkaExporter": {"image": "quay.io/strimzi/exporter:1"},
            },
            None,
        ),
        ("tekton.dev/Task", {"steps": [{"image": "a:1"}], "sidecars": [{"image": "b:1"}]}, ["a:1", "b:1"]),
        ("tekton.dev/Pipeline", {"tasks": [{"taskSpec": {"steps": [{"image": "a:1"}]}}]}, ["a:1"]),
        ("operator.knative.dev/KnativeServing", {"registry": {"override": {"activator": "r.example/a:1"}}}, None),
    ],
)
def test_projects_that_define_their_images(kind: str, spec: dict[str, Any], texts: list[str] | None) -> None:
    words = texts or [word for word in json.dumps(spec).split('"') if word.startswith(("ghcr", "quay", "r.example"))]
    assert found(resource(kind, spec)) == certain(kind.rpartition("/")[2], *words)


def test_what_a_build_pushes_is_not_needed() -> None:
    build = {"output": {"type": "docker", "image": "registry.example/me/connect:1"}, "plugins": []}
    assert found(resource("kafka.strimzi.io/KafkaConnect", {"image": "a:1", "build": build})) == certain(
        "KafkaConnect", "a:1"
    )


def test_a_knative_service_has_a_pod_template() -> None:
    spec = {
        "template": {"spec": {"containers": [{"image": "ghcr.io/a/hello:1", "env": [{"name": "A", "value": "b"}]}]}}
    }
    assert found(resource("serving.knative.dev/Service", spec)) == certain("pod", "ghcr.io/a/hello:1")


def test_a_kind_that_nobody_knows() -> None:
    spec = {
        "image": "a/farm:1",
        "headGroup": {"template": {"spec": {"containers": [{"image": "b:1", "args": ["--helper-image=c:1"]}]}}},
        "pods": {"initContainers": [{"image": "d:1"}]},
        "exporter": {"image": {"registry": "quay.io", "repository": "a/exporter", "tag": "v2"}},
        "proxy": {"repository": "r.example/proxy", "digest": DIGEST},
        "where": "r.example/plain:1",
        "logo": {"image": "logo.png"},
        "site": "https://r.example/x:1",
        "empty": {"image": ""},
        "odd": {"image": 5, "containers": "none"},
    }
    document = resource("example.com/Farm", spec, status={"image": "r.example/status:1"})
    assert found(document) == [
        ("a/farm:1", "field image", "likely"),
        ("b:1", "pod", "certain"),
        ("c:1", "argument --helper-image", "likely"),
        ("d:1", "init container", "likely"),
        ("quay.io/a/exporter:v2", "field image", "likely"),
        (f"r.example/proxy@{DIGEST}", "field image", "likely"),
        ("r.example/plain:1", "value", "likely"),
    ]
    assert asked(document) == [("logo.png", NO_TAG)]


def test_a_kind_without_images_is_counted() -> None:
    assert [type(item) for item in read(resource("cert-manager.io/Issuer", {"acme": {}}))] == [Irrelevant]
    schema = {"versions": [{"schema": {"openAPIV3Schema": {"properties": {"image": {"type": "string"}}}}}]}
    assert [type(item) for item in read(resource("apiextensions.k8s.io/CustomResourceDefinition", schema))] == [
        Irrelevant
    ]


def test_containers_in_a_list_of_lists_are_containers() -> None:
    spec = {"initContainers": [[{"image": "a:1"}], "x", None, {"image": 5}]}
    assert found(resource("example.com/Farm", spec)) == [("a:1", "init container", "likely")]
