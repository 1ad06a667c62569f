/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/probe.h"

#include "agent/core/model/want.h"
#include "agent/kernel/cgroup_scan.h"
#include "agent/kernel/sampler.h"

#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

/* linux/capability.h */
static const struct {
	int bit;
	const char *name, *without;
} capabilities[] = {
	{ 39, "BPF", "nothing works" },
	{ 38, "PERFMON", "nothing works" },
	{ 19, "SYS_PTRACE", "no names for functions of other users' processes" },
	{ 40, "CHECKPOINT_RESTORE", "no names for files that were deleted or replaced" },
	{ 2, "DAC_READ_SEARCH", "no names for files in private directories" },
	{ 34, "SYSLOG", "no names for kernel functions" },
};

enum verdict { GOOD, POOR, BAD };

struct probe {
	FILE *out;
	bool bad;
};

static void tell(struct probe *probe, enum verdict verdict, const char *what, const char *text)
{
	static const char *const word[] = { [GOOD] = "ok", [POOR] = "poor", [BAD] = "missing" };

	fprintf(probe->out, "%-8s %-22s %s\n", word[verdict], what, text);
	probe->bad |= verdict == BAD;
}

static void probe_kernel(struct probe *probe)
{
	cleanup(freep) char *text = NULL;
	struct utsname name;

	if (uname(&name) < 0)
		return;
	text = xasprintf("Linux %s on %s", name.release, name.machine);
	if (strcmp(name.machine, "x86_64") == 0)
		tell(probe, GOOD, "kernel", text);
	else
		tell(probe, BAD, "kernel", "only x86-64 is supported");
}

static void probe_btf(struct probe *probe)
{
	static const char path[] = "/sys/kernel/btf/vmlinux";

	if (access(path, R_OK) == 0)
		tell(probe, GOOD, "types (BTF)", path);
	else
		tell(probe, BAD, "types (BTF)",
		     "/sys/kernel/btf/vmlinux can not be read: a kernel with CONFIG_DEBUG_INFO_BTF "
		     "is needed");
}

static uint64_t effective_capabilities(void)
{
	FILE *file = fopen("/proc/self/status", "re");
	char line[256];
	uint64_t caps = 0;

	while (file && fgets(line, sizeof(line), file))
		if (strncmp(line, "CapEff:", 7) == 0)
			caps = strtoull(line + 7, NULL, 16);
	if (file)
		fclose(file);
	return caps;
}

static void probe_capabilities(struct probe *probe)
{
	uint64_t caps = effective_capabilities();

	for (size_t i = 0; i < ARRAY_SIZE(capabilities); i++) {
		cleanup(freep) char *what = xasprintf("CAP_%s", capabilities[i].name);
		cleanup(freep) char *text = NULL;

		if (caps >> capabilities[i].bit & 1) {
			tell(probe, GOOD, what, "");
			continue;
		}
		/* Older names of the same right; the programs are tried anyway. */
		text = xasprintf("without it %s; run as root or grant it", capabilities[i].without);
		tell(probe, POOR, what, text);
	}
}

static bool probe_cgroups(struct probe *probe, const char *root)
{
	struct cgroup_mount mount = { 0 };
	struct err err = ERR_INIT;
	cleanup(freep) char *text = NULL;

	if (cgroup_mount_find(root, &mount, &err) < 0) {
		tell(probe, BAD, "cgroups", err.text);
		return false;
	}
	text = xasprintf("version %d at %s", mount.v1 ? 1 : 2, mount.path);
	tell(probe, GOOD, "cgroups", text);
	cgroup_mount_release(&mount);
	return mount.v1;
}

static void ignore_cgroup(void *ctx, uint64_t id, const char *path)
{
	(void)ctx, (void)id, (void)path;
}

static void ignore_process(void *ctx, uint32_t tgid, uint64_t image, uint64_t cgroup)
{
	(void)ctx, (void)tgid, (void)image, (void)cgroup;
}

static void ignore_sample(void *ctx, const struct sample *sample)
{
	(void)ctx, (void)sample;
}

/* Load and attach for a moment, with every class off. */
static void probe_sampler(struct probe *probe, bool v1)
{
	static const struct sampler_events events = { .cgroup_made = ignore_cgroup,
						      .cgroup_gone = ignore_cgroup,
						      .process_seen = ignore_process,
						      .sample = ignore_sample };
	const struct sampler_options options = { .v1 = v1 };
	struct want *want = xcalloc(1, sizeof(*want));
	struct sampler *sampler = NULL;
	struct err err = ERR_INIT;
	int r = sampler_new(&options, &events, NULL, &sampler, &err);

	tell(probe, r < 0 ? BAD : GOOD, "BPF programs", r < 0 ? err.text : "loaded and verified");
	if (r == 0) {
		want->base_hz = 53;
		r = sampler_start(sampler, want, &err);
		tell(probe, r < 0 ? BAD : GOOD, "clock on each CPU",
		     r < 0 ? err.text : "attached, with the cgroup tracepoints");
	}
	sampler_free(sampler);
	free(want);
}

/* Without the right to see them, all addresses read as zero. */
static void probe_kallsyms(struct probe *probe)
{
	FILE *file = fopen("/proc/kallsyms", "re");
	uint64_t addr = 0;
	char line[512];

	for (int i = 0; file && addr == 0 && i < 100 && fgets(line, sizeof(line), file); i++)
		addr = strtoull(line, NULL, 16);
	if (file)
		fclose(file);
	tell(probe, addr ? GOOD : POOR, "kernel symbols",
	     addr ? "/proc/kallsyms"
		  : "hidden: kernel functions will have no names; grant CAP_SYSLOG, or set "
		    "kernel.kptr_restrict to 1 "
		    "or 0");
}

bool probe_print(const char *cgroup_root, FILE *out)
{
	struct probe probe = { .out = out };
	bool v1;

	probe_kernel(&probe);
	probe_btf(&probe);
	probe_capabilities(&probe);
	v1 = probe_cgroups(&probe, cgroup_root);
	probe_sampler(&probe, v1);
	probe_kallsyms(&probe);
	fprintf(out, "\n%s\n",
		probe.bad ? "rubato-agent can not run here; see what is missing above."
			  : "rubato-agent can run here.");
	return !probe.bad;
}
