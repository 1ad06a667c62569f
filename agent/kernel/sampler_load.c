/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/kernel/sampler_priv.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "sampler.skel.h"

#define KERNEL_MIN_MAJOR 5
#define KERNEL_MIN_MINOR 15
#define BTF_PATH "/sys/kernel/btf/vmlinux"
#define BIT_PERFMON 38
#define BIT_BPF 39
#define PID_NAMESPACE_FIRST 0xEFFFFFFCU /* PROC_PID_INIT_INO */

static int no_print(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	(void)level;
	(void)fmt;
	(void)ap;
	return 0;
}

/* Find "KEY<blank>VALUE" in a small file of /proc; the value is cut at its line's end. */
static bool read_field(const char *path, const char *key, char *value, size_t size)
{
	char line[512];
	bool found = false;
	FILE *file = fopen(path, "re");

	if (!file)
		return false;
	while (!found && fgets(line, sizeof(line), file)) {
		if (strncmp(line, key, strlen(key)) != 0)
			continue;
		line[strcspn(line, "\n")] = '\0';
		snprintf(value, size, "%.*s", (int)size - 1,
			 line + strlen(key) + strspn(line + strlen(key), " \t"));
		found = true;
	}
	fclose(file);
	return found;
}

static bool kernel_too_old(char release[65])
{
	struct utsname name;
	unsigned int major = 0, minor = 0;

	if (uname(&name) < 0)
		return false;
	snprintf(release, 65, "%.64s", name.release);
	if (sscanf(release, "%u.%u", &major, &minor) != 2)
		return false;
	return major < KERNEL_MIN_MAJOR || (major == KERNEL_MIN_MAJOR && minor < KERNEL_MIN_MINOR);
}

static int explain_eperm(struct err *err)
{
	char text[256] = "";
	unsigned long long caps = 0;

	if (read_field("/proc/self/status", "CapEff:", text, sizeof(text)))
		caps = strtoull(text, NULL, 16);
	if (!(caps >> BIT_BPF & 1))
		return err_set(err, -EPERM,
			       "BPF is refused: the capability BPF is missing "
			       "(securityContext.capabilities.add: [BPF, PERFMON])");
	if (!(caps >> BIT_PERFMON & 1))
		return err_set(err, -EPERM,
			       "BPF is refused: the capability PERFMON is missing "
			       "(securityContext.capabilities.add: [BPF, PERFMON])");
	if (read_field("/sys/kernel/security/lockdown", "", text, sizeof(text)) &&
	    strstr(text, "[confidentiality]"))
		return err_set(err, -EPERM,
			       "BPF is refused: the kernel is locked down (%s); boot it with "
			       "lockdown=integrity or less",
			       text);
	return err_set(err, -EPERM,
		       "BPF is refused although the capabilities BPF and PERFMON are there: "
		       "a seccomp profile or LSM denies bpf(2)");
}

static int explain(int code, struct err *err)
{
	char release[65] = "";
	bool old = kernel_too_old(release);

	if (code == -EPERM)
		return explain_eperm(err);
	if (access(BTF_PATH, R_OK) < 0)
		return err_set(err, -ENOTSUP,
			       "this kernel (%s) has no " BTF_PATH ": it must be built with "
			       "CONFIG_DEBUG_INFO_BTF=y",
			       release);
	if (old)
		return err_set(err, -ENOTSUP,
			       "kernel %s is too old: %d.%d is the first that will do", release,
			       KERNEL_MIN_MAJOR, KERNEL_MIN_MINOR);
	if (code == -ENOMEM)
		return err_set(err, code,
			       "no memory for the BPF maps: raise the container's memory limit");
	return err_set(err, code, "kernel %s refuses the BPF programs: %s", release,
		       strerror(-code));
}

/* The number of the v1 hierarchy that the memory controller is on: "memory<tab>HIERARCHY<tab>...".
 */
static int memory_hierarchy(struct err *err)
{
	char text[256];
	int hierarchy = 0;

	if (read_field("/proc/cgroups", "memory\t", text, sizeof(text)))
		hierarchy = (int)strtol(text, NULL, 10);
	if (hierarchy <= 0)
		return err_set(err, -ENOTSUP,
			       "/proc/cgroups: the memory controller is on no v1 hierarchy, "
			       "and there is no cgroup2 mount either");
	return hierarchy;
}

/* Room for 2048 distinct stacks a CPU in a window, which is every sample's own for 10 s at 200 Hz, on
 * up to 6 CPUs.  More CPUs share that (64 have 39 MB of maps in all): the processes of one service
 * have stacks in common.  A sample that finds the map full goes by the ring buffer, whole, and is
 * counted as overflow; so that ring grows with the CPUs. */
#define ROWS_MIN 4096
#define ROWS_PER_CPU 2048
#define ROWS_MAX 12288
#define RING_MIN (512U * 1024)
#define RING_MAX (4U * 1024 * 1024)

/* 256 KB a CPU; the kernel wants a power of two. */
static uint32_t ring_bytes(int cpus)
{
	uint32_t bytes = RING_MIN;

	while (bytes < RING_MAX && bytes / (256 * 1024) < (uint32_t)cpus)
		bytes *= 2;
	return bytes;
}

static void size_maps(struct sampler *s, const struct sampler_options *options)
{
	struct sampler_bpf *skel = s->skel;
	uint32_t rows = options->rows;

	if (!rows)
		rows = MIN(MAX(ROWS_PER_CPU * (uint32_t)s->possible_cpus, ROWS_MIN), ROWS_MAX);
	bpf_map__set_max_entries(skel->maps.counts0, rows);
	bpf_map__set_max_entries(skel->maps.counts1, rows);
	bpf_map__set_max_entries(skel->maps.stacks0, 3 * rows);
	bpf_map__set_max_entries(skel->maps.stacks1, 3 * rows);
	bpf_map__set_max_entries(skel->maps.overflow, options->ring_bytes
							      ? options->ring_bytes
							      : ring_bytes(s->possible_cpus));
	skel->rodata->prof_slots = options->slots ? options->slots : PROF_SLOTS;
	if (options->cgroups)
		bpf_map__set_max_entries(skel->maps.cgroups, options->cgroups);
	bpf_map__set_max_entries(skel->maps.states,
				 skel->rodata->prof_slots * (uint32_t)s->possible_cpus);
}

/* Without the tracepoints new cgroups are found by the rescan only. */
static void choose_tracepoints(struct sampler_bpf *skel)
{
	struct {
		const char *name;
		struct bpf_program *program;
	} tp[] = {
		{ "cgroup_mkdir", skel->progs.cgroup_mkdir },
		{ "cgroup_rmdir", skel->progs.cgroup_rmdir },
		{ "cgroup_rename", skel->progs.cgroup_rename },
	};

	for (size_t i = 0; i < ARRAY_SIZE(tp); i++)
		if (libbpf_find_vmlinux_btf_id(tp[i].name, BPF_TRACE_RAW_TP) <= 0)
			bpf_program__set_autoload(tp[i].program, false);
}

/* 0 for the first one, and when it is not known. */
static uint32_t pid_namespace(void)
{
	struct stat st;

	if (stat("/proc/self/ns/pid", &st) < 0 || st.st_ino == PID_NAMESPACE_FIRST)
		return 0;
	return (uint32_t)st.st_ino;
}

static int map_classes(struct sampler *s, struct err *err)
{
	void *classes = mmap(NULL, PROF_CLASSES * sizeof(*s->cls), PROT_READ | PROT_WRITE,
			     MAP_SHARED, bpf_map__fd(s->skel->maps.classes), 0);

	if (classes == MAP_FAILED)
		return err_set(err, -errno, "mapping the map of classes: %s", strerror(errno));
	s->cls = classes;
	return 0;
}

int sampler_load(struct sampler *s, const struct sampler_options *options, struct err *err)
{
	uint64_t seed;
	int r, hierarchy = 0;

	libbpf_set_print(no_print);
	s->possible_cpus = libbpf_num_possible_cpus();
	if (s->possible_cpus <= 0)
		return err_set(err, -EIO, "/sys/devices/system/cpu/possible can not be read");
	if (options->v1) {
		hierarchy = memory_hierarchy(err);
		if (hierarchy < 0)
			return hierarchy;
	}
	if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
		return err_set(err, -EIO, "getrandom: %s", strerror(errno));
	s->skel = sampler_bpf__open();
	if (!s->skel)
		return explain(-errno, err);
	s->skel->rodata->prof_seed = seed;
	s->skel->rodata->prof_hierarchy = hierarchy;
	s->skel->rodata->prof_pid_namespace = pid_namespace();
	size_maps(s, options);
	choose_tracepoints(s->skel);
	r = sampler_bpf__load(s->skel);
	return r < 0 ? explain(r, err) : map_classes(s, err);
}
