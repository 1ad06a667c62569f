/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/kernel/sampler_priv.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sampler.skel.h"

#define CPU_MAX 8192
#define ONLINE_PATH "/sys/devices/system/cpu/online"

struct cpus {
	int *cpu;
	size_t nr;
};

static void cpus_release(struct cpus *cpus)
{
	free(cpus->cpu);
}

/* One of "3" or "0-3"; returns what follows it, or NULL. */
static const char *parse_range(const char *text, struct cpus *cpus)
{
	char *end;
	long first = strtol(text, &end, 10);
	long last = first;

	if (end == text)
		return NULL;
	if (*end == '-')
		last = strtol(end + 1, &end, 10);
	if (first < 0 || last < first || last >= CPU_MAX)
		return NULL;
	cpus->cpu = xrealloc(cpus->cpu, cpus->nr + (size_t)(last - first) + 1, sizeof(*cpus->cpu));
	while (first <= last)
		cpus->cpu[cpus->nr++] = (int)first++;
	return end;
}

/* "0-3,8,10-11" */
static int parse_cpus(const char *text, struct cpus *cpus)
{
	do {
		text = parse_range(text, cpus);
	} while (text && *text++ == ',');
	return text && text[-1] == '\n' ? 0 : -EINVAL;
}

static int online_cpus(struct cpus *cpus, struct err *err)
{
	char text[4096] = "";
	FILE *file = fopen(ONLINE_PATH, "re");
	bool got = file && fgets(text, sizeof(text), file);

	if (file)
		fclose(file);
	if (!got || parse_cpus(text, cpus) < 0)
		return err_set(err, -EIO, ONLINE_PATH ": not a list of CPUs: \"%.40s\"", text);
	return 0;
}

static int explain_open(int code, int cpu, struct err *err)
{
	char level[16] = "?";
	FILE *file;

	if (code == -EMFILE || code == -ENFILE)
		return err_set(
			err, code,
			"perf_event_open on CPU %d: too many open files; raise RLIMIT_NOFILE", cpu);
	if (code != -EPERM && code != -EACCES)
		return err_set(err, code, "perf_event_open on CPU %d: %s", cpu, strerror(-code));
	file = fopen("/proc/sys/kernel/perf_event_paranoid", "re");
	if (file) {
		if (fgets(level, sizeof(level), file))
			level[strcspn(level, "\n")] = '\0';
		fclose(file);
	}
	return err_set(err, code,
		       "perf_event_open on CPU %d is refused: it needs the capability PERFMON, a "
		       "seccomp profile that "
		       "allows it, and on Debian and Ubuntu kernels kernel.perf_event_paranoid <= "
		       "2 (it is %s)",
		       cpu, level);
}

/* ret->cpu is set; the rest is written on success only. */
static int open_cpu(struct sampler *s, uint32_t base_hz, struct cpu_event *ret, struct err *err)
{
	/* sample_period, not freq: freq is refused above perf_event_max_sample_rate, which others
	 * lower. */
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_SW_CPU_CLOCK,
		.sample_period = NSEC_PER_SEC / base_hz,
		.read_format = PERF_FORMAT_TOTAL_TIME_ENABLED,
		.disabled = 1,
		.exclude_idle = 1,
	};
	int cpu = ret->cpu;
	int fd = (int)syscall(SYS_perf_event_open, &attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);
	struct bpf_link *link;
	int r;

	if (fd < 0)
		return explain_open(-errno, cpu, err);
	link = bpf_program__attach_perf_event(s->skel->progs.tick, fd);
	if (!link) {
		r = -errno;
		close(fd);
		return err_set(err, r, "attaching to the clock of CPU %d: %s", cpu, strerror(-r));
	}
	ret->link = link;
	ret->fd = fd;
	ret->enabled_ns = 0;
	return 0;
}

static void close_events(struct cpu_event *event, size_t nr)
{
	for (size_t i = 0; i < nr; i++)
		bpf_link__destroy(event[i].link);
	free(event);
}

/* Take over `event`, or none. */
static void use_events(struct sampler *s, struct cpu_event *event, size_t nr, uint32_t base_hz)
{
	close_events(s->cpu, s->cpu_nr);
	s->cpu = event;
	s->cpu_nr = nr;
	s->base_hz = base_hz;
}

static struct cpu_event *find_event(struct sampler *s, int cpu)
{
	for (size_t i = 0; i < s->cpu_nr; i++)
		if (s->cpu[i].cpu == cpu)
			return &s->cpu[i];
	return NULL;
}

/* A new base means new events: a program learns the period from its event, and
 * PERF_EVENT_IOC_PERIOD leaves what it is told at the old value.  The new event runs before the old
 * one stops. */
static int reopen(struct sampler *s, const struct cpus *cpus, uint32_t base_hz, bool keep,
		  struct err *err)
{
	struct cpu_event *event = xcalloc(cpus->nr, sizeof(*event));
	struct cpu_event *had;
	int r;

	for (size_t i = 0; i < cpus->nr; i++) {
		event[i].cpu = cpus->cpu[i];
		had = keep ? find_event(s, cpus->cpu[i]) : NULL;
		if (had && had->link)
			continue;
		r = open_cpu(s, base_hz, &event[i], err);
		if (r == -ENODEV) /* it went offline meanwhile; the next check takes it out */
			continue;
		if (r < 0) {
			close_events(event, cpus->nr);
			return r;
		}
	}
	for (size_t i = 0; keep && i < cpus->nr; i++) {
		had = find_event(s, cpus->cpu[i]);
		if (had && had->link) {
			event[i] = *had;
			had->link = NULL;
		}
	}
	use_events(s, event, cpus->nr, base_hz);
	return 0;
}

int sampler_set_base(struct sampler *s, uint32_t base_hz, struct err *err)
{
	cleanup(cpus_release) struct cpus cpus = { 0 };
	int r;

	if (base_hz == 0) {
		use_events(s, NULL, 0, 0);
		return 0;
	}
	r = online_cpus(&cpus, err);
	if (r < 0)
		return r;
	return reopen(s, &cpus, base_hz, false, err);
}

static bool same_cpus(const struct sampler *s, const struct cpus *cpus)
{
	if (s->cpu_nr != cpus->nr)
		return false;
	for (size_t i = 0; i < cpus->nr; i++)
		if (s->cpu[i].cpu != cpus->cpu[i] || !s->cpu[i].link)
			return false;
	return true;
}

/* A CPU that goes off takes its event out of the kernel's lists, and nobody puts it back: its time stands still. */
static void drop_dead(struct sampler *s)
{
	for (size_t i = 0; i < s->cpu_nr; i++) {
		struct cpu_event *event = &s->cpu[i];
		uint64_t value[2]; /* the count, the time enabled */

		if (!event->link || read(event->fd, value, sizeof(value)) != (ssize_t)sizeof(value))
			continue;
		if (value[1] == event->enabled_ns)
			bpf_link__destroy(TAKE_PTR(event->link));
		event->enabled_ns = value[1];
	}
}

int sampler_check_cpus(struct sampler *s, struct err *err)
{
	cleanup(cpus_release) struct cpus cpus = { 0 };
	int r;

	if (!s->base_hz)
		return 0;
	drop_dead(s);
	r = online_cpus(&cpus, err);
	if (r < 0 || same_cpus(s, &cpus))
		return r;
	return reopen(s, &cpus, s->base_hz, true, err);
}
