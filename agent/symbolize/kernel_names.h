/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_SYMBOLIZE_KERNEL_NAMES_H
#define AGENT_SYMBOLIZE_KERNEL_NAMES_H

/* The node's kernel functions, read from /proc/kallsyms slice by slice.
 *
 * The kernel takes 150 ms of CPU time to write that file, too long for an event loop: the owner calls
 * kernel_names_step() from a timer while kernel_names_reading().  Modules come later than we do: an unknown
 * address begins another reading, each time after a longer pause; the old table answers until it is done.  Of functions
 * that come one by one (BPF programs) the kernel tells.
 */

#include "lib/core/base.h"

#define KERNEL_NAMES_SLICE (48UL * 1024)	    /* bytes of one step: 1 to 2 ms */
#define KERNEL_NAMES_REFRESH_NS (60 * NSEC_PER_SEC) /* before the second reading */
#define KERNEL_NAMES_REFRESH_MAX_NS (3600 * NSEC_PER_SEC)

struct sideband_symbol;
struct kernel_names;

/* `path` is that of kallsyms, `modules` of the list of modules.  The first reading begins with the first step. */
struct kernel_names *kernel_names_new(const char *path, const char *modules, int64_t now_ns);
void kernel_names_free(struct kernel_names *names);

/* A reading is under way. */
bool kernel_names_reading(const struct kernel_names *names);

/* If modules came or went since the last reading began, begin another: an address may be another function's now. */
void kernel_names_check(struct kernel_names *names, int64_t now_ns);

/* The kernel told of a function that came or went. */
void kernel_names_take(struct kernel_names *names, const struct sideband_symbol *symbol);

/* Another one when an address may have got another name: a reading has ended, a function has come. */
uint32_t kernel_names_version(const struct kernel_names *names);

/* Go on with it. */
void kernel_names_step(struct kernel_names *names);

/* If there has been none yet, finish the first reading now. */
void kernel_names_need(struct kernel_names *names);

/* The first reading is done, and there was something to read (CAP_SYSLOG). */
bool kernel_names_known(const struct kernel_names *names);

/* The function at `addr`, valid until the next step, or NULL; then it may be asked again later. */
const char *kernel_names_find(struct kernel_names *names, uint64_t addr, int64_t now_ns);

/* The place of `addr` in the kernel's own text, the same on each start; false if it is not in it or that is not known. */
bool kernel_names_offset(const struct kernel_names *names, uint64_t addr, uint64_t *ret_offset);

#endif
