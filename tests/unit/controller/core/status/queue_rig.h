/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_UNIT_CONTROLLER_CORE_STATUS_QUEUE_RIG_H
#define TESTS_UNIT_CONTROLLER_CORE_STATUS_QUEUE_RIG_H

/* A status_queue as the state of a test, and what is sent of it. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "controller/core/status/status_queue.h"

#define SECOND NSEC_PER_SEC

static __attribute__((unused)) int dropped;

static inline void on_drop(struct status_entry *entry)
{
	(void)entry;
	dropped++;
}

static inline int setup(void **state)
{
	dropped = 0;
	*state = status_queue_new(on_drop);
	return 0;
}

static inline int teardown(void **state)
{
	status_queue_free(*state);
	return 0;
}

static inline struct object named(const char *name, const char *uid)
{
	return (struct object){ .kind = OBJECT_POLICY,
				.ns = (char *)"payments",
				.name = (char *)name,
				.uid = (char *)uid };
}

static inline int value_of(const json_t *status)
{
	return (int)json_integer_value(json_object_get(status, "value"));
}

/* What is sent next is this. */
static inline struct status_entry *sends(struct status_queue *queue, int64_t now_ns,
					 const char *name, int value)
{
	struct status_entry *entry = status_queue_next(queue, now_ns);

	assert_non_null(entry);
	assert_string_equal(entry->name, name);
	assert_int_equal(value_of(entry->sent), value);
	return entry;
}

static inline void sends_nothing(struct status_queue *queue, int64_t now_ns)
{
	assert_null(status_queue_next(queue, now_ns));
}

static inline void done(struct status_queue *queue, struct status_entry *entry,
			enum status_outcome outcome)
{
	status_queue_done(queue, entry, outcome, NULL, 0, UINT64_MAX / 2);
}

#endif
