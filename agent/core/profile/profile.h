/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_CORE_PROFILE_PROFILE_H
#define AGENT_CORE_PROFILE_PROFILE_H

/* One profile: the CPU time of one container at one rate in one window, by stack.  Pure.
 *
 * Stacks are kept normalized: an address is a place in a file, not in a process, so that all
 * processes of the container that run the same code merge and no process id is left in the key.
 *
 * Who calls what (agent/core/profile/collect.c):
 *	process_seen event	symbolizer_process_seen()	agent/symbolize/symbolize.h
 *	sample			symbolizer_add(), into profile_new() of its (container, rate)
 *	end of the window	symbolizer_resolve() over all profiles, then symbolizer_encode() for
 *				the sinks (agent/sink/) and profile_free() for each,
 *				then symbolizer_tick() once
 *
 * Bounds: PROFILE_ROWS stacks and PROFILE_FRAMES frames; what comes after that is added to one row
 * "[other]", so that the sum stays exact.
 */

#include "agent/core/model/array_index.h"
#include "lib/core/base.h"
#include "lib/core/plan/plan.h"

#define PROFILE_ROWS 32768
#define PROFILE_FRAMES (1024UL * 1024)
#define PROFILE_STACK 260 /* frames of one stack: kernel, user and two marks */

/* What `frame.file` may be besides the id of a file (agent/process/files.h). */
enum frame_file {
	FRAME_NAMED,  /* addr is an enum frame_name */
	FRAME_KERNEL, /* addr is a kernel address */
	FRAME_FILES,  /* ids of files begin here */
};

enum frame_name {
	FRAME_OTHER,	 /* "[other]": rows that were folded together */
	FRAME_EXITED,	 /* "[process exited]": gone before its mappings were read */
	FRAME_TRUNCATED, /* "[truncated]": the stack went on */
	FRAME_BROKEN,	 /* "[broken stack]": the walk could not go on */
	FRAME_UNKNOWN,	 /* "[unknown]": no mapping covers the address */
	FRAME_ANON,	 /* "[anon]": code in anonymous memory, e.g. of a JIT compiler */
	FRAME_VDSO,	 /* "[vdso]" */
	FRAME_UNATTRIBUTED, /* "[unattributed]": CPU time seen but given to no sample when the container ended */
	FRAME_NAME_NR
};

/* A normalized frame.  For a file, addr is the offset in it.  The address of a call, not of the
 * return: one less than what the stack held, but in the leaf. */
struct frame {
	uint64_t addr;
	uint32_t file;
};

const char *frame_name(enum frame_name name);

/* What a finished profile is labelled with.  Strings are borrowed; NULL reads as "". */
struct profile_meta {
	const char *ns, *pod, *container, *node, *service;
	const char *cid;		/* the container's id; NULL or "" = none */
	const struct plan_label *label; /* pod labels passed on by allow-list */
	size_t label_nr;
	uint32_t rate_hz;    /* > 0 */
	int64_t start_ns;    /* CLOCK_REALTIME when the window began */
	int64_t duration_ns; /* its real length */
	bool bare;	     /* the pprof bears no labels: the request that it goes in does */
};

/* A distinct stack. */
struct profile_row {
	uint64_t cpu_ns;
	uint32_t first, nr; /* in profile.stack */
};

struct profile {
	struct frame *frame; /* distinct frames */
	size_t frame_nr;
	uint32_t *stack; /* indices of frames, row after row, leaf first */
	size_t stack_nr;
	struct profile_row *row;
	size_t row_nr;
	uint64_t cpu_ns, samples; /* sum of all rows; number of samples in them */
	uint64_t other_ns;	  /* what is in no row: the table was full */
	uint32_t main_file;	  /* the program of the first process; 0 = not known */
	struct array_index by_frame, by_stack;
};

struct profile *profile_new(void);
void profile_free(struct profile *profile);

/* Add one stack, leaf first, 1..PROFILE_STACK frames.  symbolizer_add() calls this. */
void profile_add(struct profile *profile, const struct frame *frame, size_t nr, uint64_t cpu_ns,
		 uint64_t samples);

#endif
