# One Makefile, no recursion.  Everything it makes is in $(B).
# `make help` lists the targets; V=1 shows the commands; SANITIZE=address,undefined builds apart.
CC	?= cc
CLANG	?= clang
BPFTOOL	?= $(firstword $(wildcard /usr/sbin/bpftool) bpftool)
B	?= build$(if $(SANITIZE),-san)
PREFIX	?= /usr/local
Q	:= $(if $(V),,@)
say	= $(if $(V),,@printf '  %-6s %s\n' $(1) $@)
VERSION	:= 0.1.0

# Of clang's own version: 14 on Debian 12, 19 on Debian 13.
CLANG_RT := libclang-rt-$(if $(filter 13%,$(shell cat /etc/debian_version 2>/dev/null)),19,14)-dev
DEPS	:= build-essential pkg-config clang $(CLANG_RT) clang-format clang-tidy bpftool libbpf-dev \
	libelf-dev zlib1g-dev libjansson-dev libyaml-dev libwebsockets-dev \
	libwebsockets-evlib-uv libuv1-dev libssl-dev libcurl4-openssl-dev openssl libprotobuf-c-dev protobuf-c-compiler \
	protobuf-compiler libiberty-dev libcmocka-dev valgrind faketime libcap2-bin \
	curl python3 python3-yaml golang-go mmdebstrap iproute2
# What `make images` and `make e2e-cluster` need besides.
CLUSTER_DEPS := mmdebstrap buildah containerd runc containernetworking-plugins iptables conntrack

PKGS	:= libcurl jansson yaml-0.1 libwebsockets libuv libbpf openssl libprotobuf-c zlib
CFLAGS	?= -O2 -g
override CFLAGS	+= -std=gnu17 -Wall -Wextra -Werror -Wmissing-prototypes -Wstrict-prototypes \
	-Wwrite-strings -Wpointer-arith -Wshadow -Wvla -fno-common -fno-omit-frame-pointer \
	$(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-sanitize-recover=undefined)
# -iquote, not -I: "lib/err.h" is ours and <err.h> stays the system's.
CPPFLAGS += -D_GNU_SOURCE -DVERSION='"$(VERSION)"' -iquote . -iquote $(B)/gen $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
LDLIBS	+= $(shell pkg-config --libs $(PKGS) 2>/dev/null) -liberty

# Every file below some folders: $(call below,lib kube,*.c).
below	= $(sort $(shell find $(1) -name '$(2)'))
objs	= $(patsubst %.c,$(B)/%.o,$(call below,$(1),*.c))
PROTO	:= $(patsubst proto/%.proto,$(B)/gen/proto/%.pb-c.o,$(wildcard proto/*.proto))
LIB	:= $(call objs,lib) $(PROTO)
KUBE	:= $(filter-out $(B)/kube/example/%,$(call objs,kube))
CTL	:= $(call objs,controller)
AGENT	:= $(call objs,agent)
BPF	:= $(patsubst bpf/%.bpf.c,$(B)/gen/%.skel.h,$(wildcard bpf/*.bpf.c))
# A test sees the modules of its own side, without main(); `both`: the two daemons, without what each has under the
# same name.
PARTS_lib := $(LIB)
PARTS_bpf := $(LIB)

PARTS_controller := $(LIB) $(KUBE) $(filter-out $(B)/controller/main.o,$(CTL))
PARTS_kube := $(LIB) $(KUBE)
PARTS_agent := $(LIB) $(filter-out $(B)/agent/main.o,$(AGENT))
PARTS_both := $(LIB) $(KUBE) $(filter-out $(addprefix $(B)/controller/,main.o settings.o daemon.o) $(B)/agent/main.o $(B)/agent/daemon/settings.o,$(CTL) $(AGENT))
SIDES	:= lib bpf kube controller agent both
UNIT	:= $(patsubst tests/%.c,$(B)/%,$(call below,tests/unit,test_*.c))
FUZZ	:= $(patsubst tests/%.c,$(B)/%,$(call below,tests/fuzz,fuzz_*.c))
BENCHES	:= $(patsubst bench/%.c,$(B)/bench/%,$(wildcard bench/*.c))
TOOLS	:= $(patsubst e2e/tools/%.c,$(B)/e2e/%,$(wildcard e2e/tools/*.c))

all: $(B)/rubato-controller $(B)/rubato-agent
$(B)/rubato-controller: $(CTL) $(KUBE) $(LIB)
$(B)/rubato-agent: $(AGENT) $(LIB)
$(B)/rubato-controller $(B)/rubato-agent:
	$(call say,LD)
	$(Q)$(CC) $(CFLAGS) -Wl,--as-needed $(LDFLAGS) -o $@ $^ $(LDLIBS)

# kube/README.md shows it.
$(B)/kube/example/%: $(B)/kube/example/%.o $(KUBE) $(LIB)
	$(call say,LD)
	$(Q)$(CC) $(CFLAGS) -Wl,--as-needed $(LDFLAGS) -o $@ $^ $(LDLIBS)

# The generated headers exist before anything of ours is compiled.
$(B)/%.o: %.c Makefile | $(PROTO:.o=.h)
	$(call say,CC)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

# protobuf-c: never committed; its code is not held to our warnings.
$(B)/gen/proto/%.pb-c.c $(B)/gen/proto/%.pb-c.h &: proto/%.proto
	$(call say,PROTO)
	@mkdir -p $(@D)
	$(Q)protoc-c --c_out=$(B)/gen proto/$*.proto
$(B)/gen/proto/%.pb-c.o: $(B)/gen/proto/%.pb-c.c
	$(Q)$(CC) -D_GNU_SOURCE -iquote $(B)/gen -I $(B)/gen $(filter-out -Werror -Wall -Wextra -Wm% -Ws% -Ww% -Wp%,$(CFLAGS)) -c -o $@ $<

# BPF: object, then skeleton header; both are build products, never committed.
$(AGENT): | $(BPF)
$(B)/bpf/%.bpf.o: bpf/%.bpf.c Makefile
	$(call say,BPF)
	@mkdir -p $(@D)
	$(Q)$(CLANG) -target bpf -mcpu=v3 -D__TARGET_ARCH_x86 -O2 -g -Wall -Werror -iquote . -I/usr/include/$(shell $(CC) -dumpmachine) \
		-MMD -MP -c -o $@ $<
$(B)/gen/%.skel.h: $(B)/bpf/%.bpf.o
	$(call say,SKEL)
	@mkdir -p $(@D)
	$(Q)$(BPFTOOL) gen skeleton $< name $(*)_bpf > $@.tmp && sed 's,return err;,& /* NOLINT: the analyzer sees a leak where libbpf frees */,' $@.tmp > $@ && rm $@.tmp

check: $(UNIT) $(B)/rubato-controller $(B)/rubato-agent $(B)/kube/example/follow_pods
	$(Q)tests/check-layers.sh $(B)
	$(Q)tests/check-docs.py $(B)/rubato-controller $(B)/rubato-agent
	$(Q)tests/check-chart.py
	$(Q)tests/check-alerts.py
	$(Q)tests/run-unit.sh $(UNIT)
fuzz: $(FUZZ)
	$(Q)tests/run-fuzz.sh $(or $(RUNS),20000) $^
define side
$(B)/unit/$(1)/%: tests/unit/$(1)/%.c $(PARTS_$(1))
	$$(call say,TEST)
	@mkdir -p $$(@D)
	$$(Q)$$(CC) $$(CPPFLAGS) $$(CFLAGS) -MMD -MP -o $$@ $$< $(PARTS_$(1)) $$(LDLIBS) -lcmocka
$(B)/fuzz/$(1)/%: tests/fuzz/$(1)/%.c $(PARTS_$(1):$(B)/%.o=$(B)-fuzz/%.o)
	$$(call say,FUZZ)
	@mkdir -p $$(@D)
	$$(Q)$$(CLANG) $$(CPPFLAGS) -O1 -g -fsanitize=fuzzer,address,undefined -o $$@ $$< $(PARTS_$(1):$(B)/%.o=$(B)-fuzz/%.o) $$(LDLIBS)
endef
$(foreach s,$(SIDES),$(eval $(call side,$(s))))
$(B)-fuzz/%.o: %.c Makefile | $(PROTO:.o=.h) $(BPF)
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(CPPFLAGS) -std=gnu17 -O1 -g -fsanitize=fuzzer-no-link,address,undefined -MMD -MP -c -o $@ $<
$(B)-fuzz/gen/proto/%.pb-c.o: $(B)/gen/proto/%.pb-c.c
	@mkdir -p $(@D)
	$(Q)$(CLANG) -D_GNU_SOURCE -iquote $(B)/gen -I $(B)/gen -O1 -g -fsanitize=fuzzer-no-link,address,undefined -c -o $@ $<

$(B)/e2e/%: e2e/tools/%.c Makefile
	$(call say,TOOL)
	@mkdir -p $(@D)
	$(Q)$(CC) -D_GNU_SOURCE -iquote . -O2 -g -fno-omit-frame-pointer -fno-optimize-sibling-calls -Wall -Wextra -Werror -pthread -o $@ $< -lm

$(B)/bench/%: bench/%.c $(PARTS_agent)
	$(call say,BENCH)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -o $@ $< $(PARTS_agent) $(LDLIBS)

tools: $(TOOLS)
demo: all tools
	$(Q)B=$(B) e2e/demo.sh
e2e: all tools
	$(Q)B=$(B) e2e/run.sh $(E2E)
e2e-newcomer: all tools
	$(Q)B=$(B) python3 -B e2e/newcomer.py
e2e-images: images
	$(Q)B=$(B) PYTHONPATH=images python3 -B e2e/images.py $(E2E)
e2e-cluster: all tools images
	$(Q)B=$(B) python3 -B e2e/cluster.py $(E2E)
cluster-up: all tools
	$(Q)B=$(B) python3 -B e2e/cluster_up.py up
cluster-down:
	$(Q)B=$(B) python3 -B e2e/cluster_up.py down
e2e-kernels: all tools $(B)/unit/agent/kernel/test_sampler_kernel
	$(Q)B=$(B) python3 -B e2e/kernels.py
# What a cluster installs: built in a Debian 13 of its own, so it needs nothing of what is built here.
images:
	$(Q)B=$(B) PYTHONPATH=e2e python3 -B images/build.py
bench: all tools $(BENCHES)
	$(Q)B=$(B) bench/run.sh $(BENCH)
bench-scale: all $(BENCHES)
	$(Q)B=$(B) bench/run.sh kube_scale

SOURCES	= $(call below,lib kube controller agent bpf tests e2e/tools bench,*.[ch])
HEADERS	= $(filter %.h,$(SOURCES))
TIDY	:= $(patsubst %.c,$(B)/tidy/%.ok,$(call below,lib kube controller agent,*.c))
lint: lint-format lint-headers $(TIDY)
lint-format:
	$(Q)clang-format --dry-run -Werror $(SOURCES)
lint-headers: $(BPF) $(PROTO:.o=.h)
	$(Q)for h in $(HEADERS); do $(CC) $(CPPFLAGS) $(CFLAGS) -Wno-unused-function -fsyntax-only -x c $$h || exit 1; done
$(B)/tidy/compile_flags.txt: Makefile
	@mkdir -p $(@D)
	$(Q)printf '%s\n' $(CPPFLAGS) -iquote$(CURDIR) -iquote$(abspath $(B))/gen -std=gnu17 > $@
$(B)/tidy/%.ok: %.c $(HEADERS) .clang-tidy | $(B)/tidy/compile_flags.txt $(BPF) $(PROTO:.o=.h)
	$(call say,TIDY)
	@mkdir -p $(@D)
	$(Q)clang-tidy --quiet -p $(B)/tidy $< 2>$@.err || { cat $@.err; exit 1; }
	$(Q)touch $@
format:
	$(Q)clang-format -i $(SOURCES)

deps: WANTED = $(DEPS)
deps-cluster: WANTED = $(CLUSTER_DEPS)
deps deps-cluster:
	$(Q)missing=; for p in $(WANTED); do dpkg-query -W -f '$${Status}' $$p 2>/dev/null | grep -q 'ok installed' || missing="$$missing $$p"; done; \
	if [ -n "$$missing" ]; then apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $$missing; fi
	$(Q)tests/prometheus.sh >/dev/null || echo "no promtool: the tests of the alerts will be skipped"
# Everything CI runs.  Each stage prints its own count; the last line is the sum.
test:
	$(Q)B=$(B) tests/run-all.sh
install: all
	install -D -t $(DESTDIR)$(PREFIX)/bin $(B)/rubato-controller $(B)/rubato-agent
clean:
	rm -rf build build-san build-fuzz build-san-fuzz
help:
	@sed -n 's/^## //p' Makefile
## make            build rubato-controller and rubato-agent into build/
## make deps       install every package the build and the tests need (Debian 12 or 13, as root)
## make deps-cluster  ... and those of images and the cluster
## make demo       one machine, no cluster: raise one namespace to 100 Hz and watch it drop back (root)
## make check      unit tests, the layer check, docs against code; add SANITIZE=address,undefined for ASan and UBSan
## make test       everything CI runs: lint, check, sanitizers, fuzz, e2e
## make e2e        end to end on the real kernel (root); E2E=NAME runs one
## make e2e-newcomer  the README's commands as printed, in a bare Debian 12 (root; some minutes)
## make images     build/images/: OCI images of both daemons, made in a Debian 13 of their own (root)
## make e2e-images what is in them, and both started from them; E2E=--again builds them again on a bare Debian 13, with make check
## make e2e-cluster  the chart on a real cluster of one node that comes up and goes down again (root); E2E=NAME runs one
## make cluster-up, make cluster-down  such a cluster to try things in: build/cluster/kubectl
## make e2e-kernels  the agent on the kernels of Debian 12 and 13, in qemu (no root; some minutes)
## make bench      the figures of docs/performance.md; BENCH=NAME runs one
## make bench-scale  the figures of 150,000 pods, beside a client-go informer (Go, 10 GB, 10 minutes); PODS=NR for fewer
## make fuzz       every fuzz target for RUNS inputs (20000)
## make lint       headers alone, clang-format, clang-tidy
## make format     reformat the sources
## make install    into $(DESTDIR)$(PREFIX)/bin
## make clean      remove what was built
.PHONY: all tools images e2e-images e2e-cluster cluster-up cluster-down deps-cluster check fuzz lint lint-format lint-headers format deps test demo e2e e2e-newcomer e2e-kernels bench bench-scale install clean help
.SECONDARY:
-include $(shell find $(B) $(B)-fuzz -name '*.d' 2>/dev/null)
