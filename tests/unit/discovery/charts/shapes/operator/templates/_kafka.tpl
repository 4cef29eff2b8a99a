{{- define "streams.kafka" -}}
{{- $registry := default .Values.defaultImageRegistry .Values.kafka.image.registry -}}
{{- $repository := default .Values.defaultImageRepository .Values.kafka.image.repository -}}
{{- $version := .Values.kafka.image.tagPrefix | default .Values.defaultImageTag }}
            - name: STREAMS_KAFKA_IMAGES
              value: |
                3.7.0={{ $registry }}/{{ $repository }}/{{ .Values.kafka.image.name }}:{{ $version }}-kafka-3.7.0
                3.7.1={{ $registry }}/{{ $repository }}/{{ .Values.kafka.image.name }}:{{ $version }}-kafka-3.7.1
{{- end -}}
