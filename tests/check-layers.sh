#!/bin/sh
# Fail when an include breaks the layering drawn in docs/architecture.md.
bad=0
deny() { # deny PATTERN FILE...: no FILE may include a header that matches PATTERN
	pattern=$1
	shift
	for f; do
		[ -f "$f" ] && grep -HnE "^#include [<\"]($pattern)" "$f" && bad=1
	done
}
io='uv\.h|curl/|libwebsockets|microhttpd|bpf/(lib)?bpf\.h|sampler\.skel'
core="controller/json_pick controller/model_keep controller/shared_text controller/cid controller/pod_pack controller/touch controller/json_lines controller/list_split controller/watch_fsm controller/watch_ask controller/watch_query controller/watch_read
	controller/kubeconfig controller/kubeconfig_read controller/kubeconfig_user controller/exec_credential controller/pem controller/kube_proxy controller/key_set
	controller/fields controller/rfc3339 controller/model_policy controller/model_pod controller/compile_part
	controller/compile_steps controller/compile_join controller/object_list controller/object_json controller/store_dump controller/model controller/selector controller/store controller/effective controller/compile
	controller/clock controller/status controller/status_read controller/status_queue controller/manifest controller/source_set controller/status_record
	controller/tracked controller/source_table agent/cgroup_name agent/cgroups agent/cgroups_bind
	agent/plan_index agent/table agent/resolve agent/cgroup_mount agent/collect
	agent/procmap agent/profile agent/pprof agent/pprof_writer agent/elf agent/elf_symbols agent/kallsyms
	agent/demangle agent/names agent/images agent/sideband_parse
	lib/err lib/buf lib/caps lib/json lib/json_skip lib/plan lib/plan_json lib/plan_delta lib/duration lib/utf8 lib/yaml lib/yaml_scalar lib/plan_hash lib/plan_parse lib/opamp lib/backoff
	controller/hub_fsm agent/client_fsm controller/jwt controller/token_review
	controller/token_cache controller/identity controller/status_grace controller/kube_event"
for module in $core; do
	deny "$io|lib/(log|loop|http)\\.h" "$module.c" "$module.h"
done
deny 'controller/|agent/' lib/*.[ch] bpf/*.[ch]
deny 'agent/' controller/*.[ch]
deny 'controller/' agent/*.[ch]
exit $bad
