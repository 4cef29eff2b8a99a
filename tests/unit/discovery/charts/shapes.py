"""Charts in the shapes of public ones, written anew: which fields they have, and how their templates use them."""

import io
import tarfile
from collections.abc import Mapping
from pathlib import Path

Texts = Mapping[str, str | bytes]


def packed(files: Texts, name: str = "chart") -> bytes:
    """The `.tgz` of a chart with these files."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w:gz") as tar:
        for path, text in files.items():
            content = text.encode() if isinstance(text, str) else text
            info = tarfile.TarInfo(f"{name}/{path}")
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return raw.getvalue()


def laid_out(files: Texts, root: Path) -> Path:
    """A chart's folder with these files."""
    for path, text in files.items():
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text.encode() if isinstance(text, str) else text)
    return root


def about(name: str, more: str = "", app: str = "1.0.0") -> str:
    """A `Chart.yaml`."""
    return f"apiVersion: v2\nname: {name}\nversion: 1.2.3\nappVersion: {app!r}\n{more}"


POD = """apiVersion: v1
kind: Pod
metadata:
  name: {name}
spec:
  containers:
    - name: main
      image: {image}
"""

GLOBAL_REGISTRY: Texts = {
    # A registry for all images in `global`, parts for each, one switched off; the names are made in a helper.
    "Chart.yaml": about("cache", app="7.2.4"),
    "values.yaml": """\
global:
  imageRegistry: ""
image:
  registry: docker.io
  repository: acme/cache
  tag: 7.2.4-debian-12-r9
  digest: ""
metrics:
  enabled: true
  image:
    registry: docker.io
    repository: acme/cache-exporter
    tag: 1.58.0-debian-12-r4
    digest: ""
volumePermissions:
  enabled: false
  image:
    registry: docker.io
    repository: acme/os-shell
    tag: 12-debian-12-r18
""",
    "templates/_helpers.tpl": """\
{{- define "cache.name" -}}
{{- $registry := .root.registry -}}
{{- with .global.imageRegistry }}{{ $registry = . }}{{ end -}}
{{- printf "%s/%s:%s" $registry .root.repository .root.tag -}}
{{- end -}}
{{- define "cache.image" -}}
{{ include "cache.name" (dict "root" .Values.image "global" .Values.global) }}
{{- end -}}
{{- define "cache.metrics.image" -}}
{{ include "cache.name" (dict "root" .Values.metrics.image "global" .Values.global) }}
{{- end -}}
{{- define "cache.permissions.image" -}}
{{ include "cache.name" (dict "root" .Values.volumePermissions.image "global" .Values.global) }}
{{- end -}}
""",
    "templates/pod.yaml": """\
apiVersion: v1
kind: Pod
metadata:
  name: {{ .Release.Name }}
  labels:
    app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
spec:
  {{- if .Values.volumePermissions.enabled }}
  initContainers:
    - name: permissions
      image: {{ include "cache.permissions.image" . }}
  {{- end }}
  containers:
    - name: cache
      image: {{ include "cache.image" . }}
    {{- if .Values.metrics.enabled }}
    - name: metrics
      image: {{ template "cache.metrics.image" . }}
    {{- end }}
""",
}
