{{/* SPDX-License-Identifier: Apache-2.0 */}}
{{- define "rubato.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end }}

{{/* "rubato" when that is the release's name, else RELEASE-rubato; room is left for the longest suffix. */}}
{{- define "rubato.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains (include "rubato.name" .) .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "rubato.name" .) | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end }}

{{- define "rubato.controller.name" -}}{{ include "rubato.fullname" . }}-controller{{- end }}
{{- define "rubato.agent.name" -}}{{ include "rubato.fullname" . }}-agent{{- end }}

{{/* Cluster-wide names carry the namespace: two releases of one name in two namespaces do not meet. */}}
{{- define "rubato.clusterName" -}}{{ include "rubato.controller.name" . }}.{{ .Release.Namespace }}{{- end }}

{{- define "rubato.controller.serviceAccountName" -}}
{{- if .Values.controller.serviceAccount.create -}}
{{- default (include "rubato.controller.name" .) .Values.controller.serviceAccount.name -}}
{{- else -}}
{{- required "controller.serviceAccount.name: with controller.serviceAccount.create=false it names the one to use" .Values.controller.serviceAccount.name -}}
{{- end -}}
{{- end }}

{{- define "rubato.agent.serviceAccountName" -}}
{{- if .Values.agent.serviceAccount.create -}}
{{- default (include "rubato.agent.name" .) .Values.agent.serviceAccount.name -}}
{{- else -}}
{{- required "agent.serviceAccount.name: with agent.serviceAccount.create=false it names the one to use" .Values.agent.serviceAccount.name -}}
{{- end -}}
{{- end }}

{{- define "rubato.selectorLabels" -}}
app.kubernetes.io/name: {{ include "rubato.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "rubato.labels" -}}
{{ include "rubato.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: rubato
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- with .Values.global.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* [root, component]: "controller" or "agent" */}}
{{- define "rubato.component.labels" -}}
{{ include "rubato.labels" (index . 0) }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end }}

{{/* Of pods: nothing that changes with the chart's version, or each upgrade would start all of them anew. */}}
{{- define "rubato.component.podLabels" -}}
{{ include "rubato.component.selectorLabels" . }}
{{- with (index . 0).Values.global.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "rubato.component.selectorLabels" -}}
{{ include "rubato.selectorLabels" (index . 0) }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end }}

{{/* [root, the image's values]: a digest wins over the tag; the tag is the chart's appVersion. */}}
{{- define "rubato.image" -}}
{{- $root := index . 0 -}}
{{- $image := index . 1 -}}
{{- with $image.registry }}{{ . }}/{{ end }}{{ $image.repository -}}
{{- if $image.digest }}@{{ $image.digest }}{{ else }}:{{ default $root.Chart.AppVersion $image.tag }}{{ end -}}
{{- end }}

{{- define "rubato.port" -}}
{{- mustRegexFind "[0-9]+$" . -}}
{{- end }}

{{- define "rubato.controller.address" -}}
{{ include "rubato.controller.name" . }}.{{ .Release.Namespace }}.svc
{{- end }}

{{- define "rubato.controller.tlsSecretName" -}}
{{- if eq .Values.tls.mode "secret" -}}
{{- required "tls.secret.controller: with tls.mode=secret it names the controller's Secret" .Values.tls.secret.controller -}}
{{- else -}}
{{ include "rubato.controller.name" . }}-tls
{{- end -}}
{{- end }}

{{- define "rubato.agent.tlsSecretName" -}}
{{- if eq .Values.tls.mode "secret" -}}
{{- required "tls.secret.agent: with tls.mode=secret it names the agents' Secret" .Values.tls.secret.agent -}}
{{- else -}}
{{ include "rubato.agent.name" . }}-tls
{{- end -}}
{{- end }}

{{/* The options of the controller, as its --config file; those of the values win. */}}
{{- define "rubato.controller.config" -}}
{{- $own := dict
  "listen" ":4320"
  "http-listen" ":8080"
  "tls-cert" "/etc/rubato/tls/tls.crt"
  "tls-key" "/etc/rubato/tls/tls.key"
  "tls-ca" "/etc/rubato/tls/ca.crt"
  "agent-identity" "token"
  "agent-audience" "rubato-controller"
  "agent-service-account" (printf "%s:%s" .Release.Namespace (include "rubato.agent.serviceAccountName" .))
  "log-format" "json" -}}
{{- toYaml (mergeOverwrite $own (deepCopy .Values.controller.config)) -}}
{{- end }}

{{/* [map, separator]: its entries as a YAML list of texts, sorted. */}}
{{- define "rubato.pairs" -}}
{{- $between := index . 1 -}}
{{- range $key, $value := index . 0 }}
- {{ printf "%s%s%v" $key $between $value | quote }}
{{- end }}
{{- end }}

{{/* [name, values]: the options of one backend. */}}
{{- define "rubato.agent.sink" -}}
{{- $name := index . 0 -}}
{{- $dir := printf "/etc/rubato/sinks/%s" $name -}}
{{- with index . 1 -}}
{{- $own := dict "" (required (printf "agent.sinks.%s.url: with enabled it is the backend's address" $name) .url)
  "-tenant" .tenant "-tenant-header" .tenantHeader "-max-age" .maxAge "-user" .username -}}
{{- if .username -}}{{- $_ := set $own "-password-file" (print $dir "/password") -}}{{- end -}}
{{- if .bearerToken -}}{{- $_ := set $own "-token-file" (print $dir "/token") -}}{{- end -}}
{{- if .tls.ca -}}{{- $_ := set $own "-tls-ca" (print $dir "/ca.crt") -}}{{- end -}}
{{- if .tls.clientCertificate -}}
{{- $_ := set $own "-tls-cert" (print $dir "/tls.crt") -}}
{{- $_ := set $own "-tls-key" (print $dir "/tls.key") -}}
{{- end -}}
{{- if and (or .username .bearerToken .tls.ca .tls.clientCertificate) (not .secretName) -}}
{{- fail (printf "agent.sinks.%s.secretName: it names the Secret that holds the credentials" $name) -}}
{{- end -}}
{{- if and .username .bearerToken -}}
{{- fail (printf "agent.sinks.%s: username or bearerToken, not both" $name) -}}
{{- end -}}
{{- range $key, $value := $own }}
{{- if $value }}
sink-{{ $name }}{{ $key }}: {{ $value | quote }}
{{- end }}
{{- end }}
{{- with .tenantMap }}
sink-{{ $name }}-tenant-map: {{- include "rubato.pairs" (list . "=") | nindent 2 }}
{{- end }}
{{- with .headers }}
sink-{{ $name }}-header: {{- include "rubato.pairs" (list . ": ") | nindent 2 }}
{{- end }}
{{- end -}}
{{- end }}

{{- define "rubato.agent.config" -}}
{{- $own := dict
  "controller" (printf "%s:4320" (include "rubato.controller.address" .))
  "tls-cert" "/etc/rubato/tls/tls.crt"
  "tls-key" "/etc/rubato/tls/tls.key"
  "tls-ca" "/etc/rubato/tls/ca.crt"
  "token-file" "/var/run/rubato/token"
  "state-dir" "/var/lib/rubato/state"
  "cgroup-root" "/host/sys/fs/cgroup"
  "http-listen" ":8081"
  "log-format" "json" -}}
{{- $sinks := .Values.agent.sinks -}}
{{- if $sinks.file.enabled -}}
{{- $_ := set $own "sink-file" "/var/lib/rubato/profiles" -}}
{{- $_ := set $own "sink-file-max" (int $sinks.file.maxMegabytes) -}}
{{- end -}}
{{- range $name := list "pyroscope" "parca" -}}
{{- $sink := get $sinks $name -}}
{{- if $sink.enabled -}}
{{- $own = mergeOverwrite $own (fromYaml (include "rubato.agent.sink" (list $name $sink))) -}}
{{- end -}}
{{- end -}}
{{- if or $sinks.pyroscope.enabled $sinks.parca.enabled -}}
{{- $_ := set $own "sink-queue" (int $sinks.queueMegabytes) -}}
{{- if $sinks.spool.enabled -}}
{{- $_ := set $own "sink-spool" "/var/lib/rubato/spool" -}}
{{- $_ := set $own "sink-spool-max" (int $sinks.spool.maxMegabytes) -}}
{{- end -}}
{{- with $sinks.labels -}}
{{- $_ := set $own "sink-label" (include "rubato.pairs" (list . "=") | fromYamlArray) -}}
{{- end -}}
{{- end -}}
{{- toYaml (mergeOverwrite $own (deepCopy .Values.agent.config)) -}}
{{- end }}

{{- define "rubato.agent.volumeMounts" -}}
- name: config
  mountPath: /etc/rubato/config
  readOnly: true
- name: tls
  mountPath: /etc/rubato/tls
  readOnly: true
- name: token
  mountPath: /var/run/rubato
  readOnly: true
- name: cgroup
  mountPath: /host/sys/fs/cgroup
  readOnly: true
- name: data
  mountPath: /var/lib/rubato
{{- range $name := list "pyroscope" "parca" }}
{{- $sink := get $.Values.agent.sinks $name }}
{{- if and $sink.enabled $sink.secretName }}
- name: sink-{{ $name }}
  mountPath: /etc/rubato/sinks/{{ $name }}
  readOnly: true
{{- end }}
{{- end }}
{{- with .Values.agent.volumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "rubato.agent.volumes" -}}
- name: config
  configMap:
    name: {{ include "rubato.agent.name" . }}
- name: tls
  secret:
    secretName: {{ include "rubato.agent.tlsSecretName" . }}
    defaultMode: 0400
# The only token in the pod: made for the controller, which has it reviewed.  The API server takes it from nobody.
- name: token
  projected:
    defaultMode: 0400
    sources:
      - serviceAccountToken:
          audience: {{ get (fromYaml (include "rubato.controller.config" .)) "agent-audience" | quote }}
          expirationSeconds: {{ .Values.agent.tokenExpirationSeconds | int }}
          path: token
- name: cgroup
  hostPath:
    path: /sys/fs/cgroup
    type: Directory
- name: data
  {{- if .Values.agent.hostPath }}
  hostPath:
    path: {{ .Values.agent.hostPath }}
    type: DirectoryOrCreate
  {{- else }}
  emptyDir: {}
  {{- end }}
{{- range $name := list "pyroscope" "parca" }}
{{- $sink := get $.Values.agent.sinks $name }}
{{- if and $sink.enabled $sink.secretName }}
- name: sink-{{ $name }}
  secret:
    secretName: {{ $sink.secretName }}
    defaultMode: 0400
{{- end }}
{{- end }}
{{- with .Values.agent.volumes }}
{{ toYaml . }}
{{- end }}
{{- end }}
