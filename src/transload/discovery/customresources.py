"""Custom resources: fields that their projects define as images, and what looks like an image in kinds unknown here.

The definitions are those of the projects' API references: Prometheus Operator (monitoring.coreos.com/v1), Argo
(argoproj.io/v1alpha1), CloudNativePG (postgresql.cnpg.io/v1), Strimzi (kafka.strimzi.io/v1beta2), Tekton
(tekton.dev/v1), Knative (serving.knative.dev/v1, operator.knative.dev/v1beta1).
"""

from __future__ import annotations

from collections.abc import Iterator

from transload.discovery import anykind
from transload.discovery.fieldpath import FieldPath
from transload.discovery.finding import Discovered, Place
from transload.discovery.judging import judged, question
from transload.discovery.values import at, text
from transload.documents.value import Value

_TEMPLATES = (
    *("templates[].container.image", "templates[].script.image", "templates[].containerSet.containers[].image"),
    *("templates[].initContainers[].image", "templates[].sidecars[].image"),
    *("templateDefaults.container.image", "templateDefaults.script.image"),
)
_STEPS = ("steps[].image", "sidecars[].image", "stepTemplate.image")
_TASKS = tuple(f"{tasks}[].taskSpec.{step}" for tasks in ("tasks", "finally") for step in _STEPS)


def _below(path: str, fields: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"{path}.{field}" for field in fields)


_FIELDS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(
        [f"argoproj.io/{kind}" for kind in ("Workflow", "WorkflowTemplate", "ClusterWorkflowTemplate")],
        _below("spec", _TEMPLATES),
    ),
    "argoproj.io/CronWorkflow": _below("spec.workflowSpec", _TEMPLATES),
    "postgresql.cnpg.io/Cluster": ("spec.imageName", "spec.postgresql.extensions[].image.reference"),
    **dict.fromkeys(
        ("postgresql.cnpg.io/ImageCatalog", "postgresql.cnpg.io/ClusterImageCatalog"), ("spec.images[].image",)
    ),
    "kafka.strimzi.io/Kafka": (
        *("spec.kafka.image", "spec.kafka.brokerRackInitImage", "spec.zookeeper.image"),
        *("spec.entityOperator.topicOperator.image", "spec.entityOperator.userOperator.image"),
        *("spec.entityOperator.tlsSidecar.image", "spec.kafkaExporter.image", "spec.cruiseControl.image"),
    ),
    **dict.fromkeys(
        [f"kafka.strimzi.io/{kind}" for kind in ("KafkaConnect", "KafkaMirrorMaker2", "KafkaBridge")],
        ("spec.image", "spec.clientRackInitImage"),
    ),
    **dict.fromkeys(("tekton.dev/Task", "tekton.dev/ClusterTask", "tekton.dev/StepAction"), _below("spec", _STEPS)),
    "tekton.dev/TaskRun": _below("spec.taskSpec", _STEPS),
    "tekton.dev/Pipeline": _below("spec", _TASKS),
    "tekton.dev/PipelineRun": _below("spec.pipelineSpec", _TASKS),
    **dict.fromkeys(
        ("operator.knative.dev/KnativeServing", "operator.knative.dev/KnativeEventing"),
        ("spec.registry.default", "spec.registry.override.*"),
    ),
    **dict.fromkeys(
        [f"monitoring.coreos.com/{kind}" for kind in ("Prometheus", "PrometheusAgent", "Alertmanager", "ThanosRuler")],
        ("spec.image", "spec.thanos.image"),
    ),
}
"""The fields of a kind, called by its group, that are images by definition."""

_OPERATED = {
    "monitoring.coreos.com/Prometheus": "quay.io/prometheus/prometheus",
    "monitoring.coreos.com/PrometheusAgent": "quay.io/prometheus/prometheus",
    "monitoring.coreos.com/Alertmanager": "quay.io/prometheus/alertmanager",
    "monitoring.coreos.com/ThanosRuler": "quay.io/thanos/thanos",
}
"""What Prometheus Operator runs for a kind that names no image, with its `version`, unless its flags say otherwise."""

_DEFAULTED = {
    "postgresql.cnpg.io/Cluster": ("ghcr.io/cloudnative-pg/postgresql", ("spec.imageName", "spec.imageCatalogRef")),
    "kafka.strimzi.io/Kafka": ("quay.io/strimzi/kafka", ("spec.kafka.image",)),
    "kafka.strimzi.io/KafkaConnect": ("quay.io/strimzi/kafka", ("spec.image",)),
    "kafka.strimzi.io/KafkaMirrorMaker2": ("quay.io/strimzi/kafka", ("spec.image",)),
    "kafka.strimzi.io/KafkaBridge": ("quay.io/strimzi/kafka-bridge", ("spec.image",)),
}
"""What the operator of a kind runs in a version of its own choice, unless one of these fields is there."""

_BUILT = {"kafka.strimzi.io/KafkaConnect": "spec.build.output.image"}  # what is built there and pushed, not pulled


def custom_resource(document: Value, kind: str, within: str) -> Iterator[Discovered]:
    """The images that an object of another API names; `kind` has its group before it."""
    seen: set[str] = {_BUILT[kind]} if kind in _BUILT else set()
    for field in _FIELDS.get(kind, ()):
        path = FieldPath.parse(field)
        seen.update(value.path for value in path.values(document))
        yield from path.read(document, within, kind.rpartition("/")[2])
    if kind in _OPERATED:
        seen.add("spec.baseImage")  # it has its tag in a field of its own
        yield from _operated(document, _OPERATED[kind], within)
    if kind in _DEFAULTED:
        usual, chosen = _DEFAULTED[kind]
        if not any(True for field in chosen for _ in FieldPath.parse(field).values(document)):
            place = Place.of(at(document, "spec"), within)
            yield question(usual, place, f"no {chosen[0].rpartition('.')[2]}: the operator's own default is used")
    yield from anykind.fields(document, within, seen)


def _operated(document: Value, usual: str, within: str) -> Iterator[Discovered]:
    """What Prometheus Operator runs without an `image`: `baseImage` (deprecated) with its digest, tag or version.

    Prometheus Operator's API reference: "baseImage", "sha", "tag", "version".
    """
    spec = at(document, "spec")
    if text(spec, "image"):
        return
    base, version = text(spec, "baseImage") or usual, text(spec, "version")
    tag = text(spec, "tag") or (version and f"v{version.removeprefix('v')}")
    digest = text(spec, "sha") and f"@sha256:{text(spec, 'sha')}"
    place = Place.of(spec, within)
    if tag or digest:
        yield judged(base + (digest or f":{tag}"), place, "operator's version", "likely")
    else:
        yield question(base, place, "no image and no version: the operator's own default is used")
