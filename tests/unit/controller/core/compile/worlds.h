/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_UNIT_CONTROLLER_CORE_COMPILE_WORLDS_H
#define TESTS_UNIT_CONTROLLER_CORE_COMPILE_WORLDS_H

/* Random clusters (world.h), compiled. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "controller/core/compile/compile.h"
#include "tests/unit/controller/world.h"

#define WORLDS 250
#define OBJECTS 24
#define SECOND NSEC_PER_SEC

static const char *const nodes[] = { "n1", "n2" };

/* A world of random objects, with boosts that began at times of their own, all before 20 s. */
static inline struct store *random_world(struct random *random)
{
	struct store *store = store_new();

	for (size_t i = 0; i < OBJECTS; i++)
		world_apply(store, NULL, random_object(random, random_kind(random)),
			    (int64_t)random_below(random, 20) * SECOND);
	return store;
}

static inline void compile(const struct store *store, const char *node, int64_t now_ns,
			   struct plan *ret_plan)
{
	struct compiler *compiler = compiler_new(NULL);
	struct compile_result result;

	compiler_compile(compiler, store, node, now_ns, &result);
	compiler_free(compiler);
	assert_int_equal(result.left_out, 0);
	*ret_plan = result.plan;
}

#endif
