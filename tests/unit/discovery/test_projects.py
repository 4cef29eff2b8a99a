"""Real projects' shapes, written anew: for each the references that are right, what must stay open, and nothing else.

The charts' shapes are beside this, in `charts`.
"""

from pathlib import Path

import pytest

from transload.discovery.finding import Finding, Question
from transload.discovery.kinds import read_file

PROJECTS = Path(__file__).parent / "projects"
_PINNED = "gcr.io/acme-releases/serving/queue@sha256:" + "1" * 64
_PIPELINES = "ghcr.io/acme/pipelines"

RIGHT = {
    "accelerators": {"nvcr.io/acme/validator:v24.3.0"},
    "ceph-operator": {
        "quay.io/acme/cephcsi:v3.11.0",
        "registry.k8s.io/sig-storage/csi-node-driver-registrar:v2.10.0",
        "quay.io/ceph/ceph:v18.2.2",
        "docker.io/acme/ceph-operator:v1.14.3",
    },
    "certificates": {
        "quay.io/acme/certificates-controller:v1.15.0",
        "quay.io/acme/certificates-acmesolver:v1.15.0",
        "quay.io/acme/certificates-startupcheck:v1.15.0",
    },
    "databases": {
        "ghcr.io/cloudnative-pg/postgresql:16.3",
        "ghcr.io/cloudnative-pg/cloudnative-pg:1.23.1",
        "ghcr.io/cloudnative-pg/pgbouncer:1.22.1",
    },
    "mesh": {"docker.io/acme/pilot:1.22.0"},
    "messaging-operator": {
        "quay.io/acme/operator:0.41.0",
        "quay.io/acme/kafka:0.41.0-kafka-3.6.2",
        "quay.io/acme/kafka:0.41.0-kafka-3.7.0",
        "quay.io/acme/kafka-bridge:0.28.0",
    },
    "monitoring": {
        "quay.io/prometheus/alertmanager:v0.27.0",
        "quay.io/prometheus/prometheus:v2.53.0",
        "quay.io/brancz/kube-rbac-proxy:v0.18.0",
        "quay.io/thanos/thanos:v0.35.1",
        "quay.io/prometheus-operator/prometheus-operator:v0.75.0",
        "quay.io/prometheus-operator/prometheus-config-reloader:v0.75.0",
    },
    "pipelines": {
        f"{_PIPELINES}/controller:v0.59.0@sha256:{'1' * 64}",
        f"{_PIPELINES}/entrypoint:v0.59.0@sha256:{'2' * 64}",
        f"{_PIPELINES}/nop:v0.59.0@sha256:{'3' * 64}",
        f"cgr.dev/chainguard/busybox@sha256:{'4' * 64}",
        "docker.io/library/registry:2.8",
        "quay.io/skopeo/stable:v1.15",
    },
    "serverless": {_PINNED, "ghcr.io/acme/hello:1.4"},
    "storage-manager": {
        "acmestore/manager:v1.6.2",
        "acmestore/engine:v1.6.2",
        "acmestore/instance-manager:v1.6.2",
        "acmestore/share-manager:v1.6.2",
        "acmestore/csi-attacher:v4.5.1",
        "acmestore/csi-provisioner:v3.6.4",
    },
    "workflows": {
        "ghcr.io/acme/tool:3",
        "ghcr.io/acme/report:2.1",
        "docker.io/curlimages/curl:8.8.0",
        "docker.io/library/postgres:16.3",
    },
}
OPEN = {
    "accelerators": {"nvcr.io/acme/driver:550.54.15", "nvcr.io/acme/k8s/container-toolkit:v1.15.0"},
    "mesh": {
        "auto",
        "proxyv2",
        "{{ annotation .ObjectMeta `sidecar.mesh.example/proxyImage` .Values.global.proxy.image }}",
    },
    "pipelines": {"$(params.builder)"},
    "workflows": {"{{inputs.parameters.tool}}"},
}


@pytest.mark.parametrize("project", RIGHT)
def test_what_a_project_names(project: str) -> None:
    read = list(read_file((PROJECTS / f"{project}.yaml").read_bytes(), f"{project}.yaml"))
    assert {item.text for item in read if isinstance(item, Finding)} == RIGHT[project]
    assert {item.text for item in read if isinstance(item, Question)} == OPEN.get(project, set())


def test_every_project_is_expected() -> None:
    assert {path.stem for path in PROJECTS.iterdir()} == set(RIGHT)
