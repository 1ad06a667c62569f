/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_SINK_PUSH_SPOOL_H
#define AGENT_SINK_PUSH_SPOOL_H

/* A directory of profiles that wait for a backend, one file each; what it holds survives the agent.
 *
 * A file appears whole, mode 0600.  Files of other names are left alone and not counted.  One agent at a time
 * uses it: the directory is locked.  Not synced: after a power cut some may be damaged, which their checksum shows. */

#include "lib/core/base.h"
#include "lib/core/err.h"

struct push_spool;

/* DIR/NAME is made if it is not there.  On failure err names the path; -EBUSY when another agent uses it. */
must_check int push_spool_open(const char *dir, const char *name, struct push_spool **ret_spool,
			       struct err *err);
void push_spool_free(struct push_spool *spool);

/* Call `found` for each file, in the order of seq; what was half written is removed.  `bytes`: of the disk. */
void push_spool_each(struct push_spool *spool,
		     void (*found)(void *ctx, const char *ns, int64_t start_ns, uint64_t seq,
				   size_t bytes),
		     void *ctx);

/* A file by what its name is made of (push_file_name()). */
struct push_spool_key {
	const char *ns;
	int64_t start_ns;
	uint64_t seq;
};

/* Returns what it takes of the disk, or a negative errno; nothing half-written stays. */
must_check int64_t push_spool_write(struct push_spool *spool, const struct push_spool_key *key,
				    const uint8_t *data, size_t len, struct err *err);
/* The caller frees *ret_data. */
must_check int push_spool_read(struct push_spool *spool, const struct push_spool_key *key,
			       uint8_t **ret_data, size_t *ret_len, struct err *err);
void push_spool_remove(struct push_spool *spool, const struct push_spool_key *key);

#endif
