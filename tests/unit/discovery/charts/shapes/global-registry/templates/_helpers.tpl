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
