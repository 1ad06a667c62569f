/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/symbolize/kernel_names.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/core/symbol/kallsyms.h"
#include "agent/core/symbol/ksymbols.h"
#include "lib/core/hash.h"

#define TEXT_BYTES (8UL * 1024) /* a read gives at most a page, a line is shorter */

struct kernel_names {
	char *path, *modules;
	uint64_t modules_hash; /* which ones there were, and where, when the last reading began */
	uint32_t version;
	struct kallsyms *table; /* NULL = none yet, or not readable */
	struct kallsyms *next;	/* the one being read, or NULL */
	struct ksymbols *later; /* that came since the first reading began */
	int fd;			/* of the reading; -1 = not open yet */
	bool had;		/* a reading has ended */
	int64_t begun_ns, pause_ns;
	char text[TEXT_BYTES];
	size_t len;
};

/* Of names and places; how often they are used changes all the time.  0 = there is no list. */
static uint64_t hash_modules(const char *path)
{
	FILE *file = fopen(path, "re");
	char line[512], name[64], place[32];
	uint64_t hash = 0;

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "%63s %*s %*s %*s %*s %31s", name, place) == 2)
			hash = hash_u64(hash ^ hash_bytes(name, strlen(name))) ^
			       hash_bytes(place, strlen(place));
	if (file)
		fclose(file);
	return hash;
}

static void begin(struct kernel_names *names, int64_t now_ns)
{
	names->modules_hash = hash_modules(names->modules);
	names->next = kallsyms_new();
	names->begun_ns = now_ns;
	names->len = 0;
}

struct kernel_names *kernel_names_new(const char *path, const char *modules, int64_t now_ns)
{
	struct kernel_names *names = xcalloc(1, sizeof(*names));

	names->path = xstrdup(path);
	names->modules = xstrdup(modules);
	names->fd = -1;
	names->later = ksymbols_new();
	names->pause_ns = KERNEL_NAMES_REFRESH_NS;
	begin(names, now_ns);
	return names;
}

static void close_file(struct kernel_names *names)
{
	if (names->fd >= 0)
		close(names->fd);
	names->fd = -1;
}

void kernel_names_free(struct kernel_names *names)
{
	if (!names)
		return;
	close_file(names);
	kallsyms_free(names->table);
	kallsyms_free(names->next);
	ksymbols_free(names->later);
	free(names->path);
	free(names->modules);
	free(names);
}

void kernel_names_check(struct kernel_names *names, int64_t now_ns)
{
	if (!names->next && hash_modules(names->modules) != names->modules_hash)
		begin(names, now_ns);
}

void kernel_names_take(struct kernel_names *names, const struct sideband_symbol *symbol)
{
	ksymbols_take(names->later, symbol);
	if (!symbol->gone)
		names->version++;
}

uint32_t kernel_names_version(const struct kernel_names *names)
{
	return names->version;
}

bool kernel_names_reading(const struct kernel_names *names)
{
	return names->next != NULL;
}

bool kernel_names_known(const struct kernel_names *names)
{
	return names->table != NULL;
}

/* Hand over the complete lines and keep the rest. */
static void take_lines(struct kernel_names *names)
{
	const char *at = names->text, *end = names->text + names->len, *newline;

	while ((newline = memchr(at, '\n', (size_t)(end - at))) != NULL) {
		kallsyms_add(names->next, at, (size_t)(newline - at));
		at = newline + 1;
	}
	names->len = (size_t)(end - at);
	if (names->len == TEXT_BYTES) /* no line is that long */
		names->len = 0;
	memmove(names->text, at, names->len);
}

static void end(struct kernel_names *names)
{
	close_file(names);
	kallsyms_free(TAKE_PTR(names->table));
	names->had = true;
	names->version++;
	ksymbols_forget_gone(names->later);
	if (kallsyms_finish(names->next))
		names->table = TAKE_PTR(names->next);
	kallsyms_free(TAKE_PTR(names->next));
}

void kernel_names_step(struct kernel_names *names)
{
	size_t sum = 0;
	ssize_t len = 1;

	if (!names->next)
		return;
	if (names->fd < 0)
		names->fd = open(names->path, O_RDONLY | O_CLOEXEC);
	while (sum < KERNEL_NAMES_SLICE && len > 0) {
		len = read(names->fd, names->text + names->len, TEXT_BYTES - names->len);
		if (len > 0) {
			names->len += (size_t)len;
			sum += (size_t)len;
			take_lines(names);
		}
	}
	if (len <= 0)
		end(names);
}

void kernel_names_need(struct kernel_names *names)
{
	while (!names->had)
		kernel_names_step(names);
}

const char *kernel_names_find(struct kernel_names *names, uint64_t addr, int64_t now_ns)
{
	const char *name = ksymbols_find(names->later, addr);

	if (!name && names->table)
		name = kallsyms_find(names->table, addr);
	if (!name && !names->next && now_ns - names->begun_ns >= names->pause_ns) {
		begin(names, now_ns);
		names->pause_ns = MIN(2 * names->pause_ns, KERNEL_NAMES_REFRESH_MAX_NS);
	}
	return name;
}

bool kernel_names_offset(const struct kernel_names *names, uint64_t addr, uint64_t *ret_offset)
{
	return names->table && kallsyms_offset(names->table, addr, ret_offset);
}
