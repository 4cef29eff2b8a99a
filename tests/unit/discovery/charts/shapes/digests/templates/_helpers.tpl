{{- define "ingress.image" -}}
{{- if .chroot -}}{{- printf "%s-chroot" .image -}}{{- else -}}{{- printf "%s" .image -}}{{- end }}
{{- end -}}
{{- define "ingress.digest" -}}
{{- if .chroot -}}{{- if .digestChroot -}}{{- printf "@%s" .digestChroot -}}{{- end }}
{{- else -}}{{ if .digest -}}{{- printf "@%s" .digest -}}{{- end -}}
{{- end -}}
{{- end -}}
