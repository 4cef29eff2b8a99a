"""The chart repository that the documentation names, `https://charts.example.org`: three versions of one chart."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.unit.charts.building import archive, files, index_of
from tests.unit.registry.wire import Wire

HOST = "charts.example.org"
_METADATA = """apiVersion: v2
name: {name}
version: {version}
appVersion: v1.14.0
description: Certificates for workloads
"""
_VALUES = """image:
  repository: quay.io/jetstack/cert-manager-controller
webhook:
  image: {registry: quay.io, repository: jetstack/cert-manager-webhook, tag: v1.14.0}
"""
_POD = """apiVersion: v1
kind: Pod
spec:
  containers:
    - image: {{ .Values.image.repository }}:{{ .Chart.AppVersion }}
    - image: {{ with .Values.webhook.image }}{{ .registry }}/{{ .repository }}:{{ .tag }}{{ end }}
"""


@contextmanager
def chart_repository(certificate: Path) -> Iterator[int]:
    """The repository, served with a certificate; gives its port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    charts = {
        f"certificates-{version}.tgz": archive(
            "certificates", version, files={"values.yaml": _VALUES, "templates/pod.yaml": _POD}, metadata=_METADATA
        )
        for version in ("2.0.0-rc.1", "1.14.1", "1.14.0")
    }
    with Wire(files({"index.yaml": index_of(charts), **charts}), context) as wire:
        yield int(wire.host.rpartition(":")[2])
