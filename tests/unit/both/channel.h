/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_UNIT_BOTH_CHANNEL_H
#define TESTS_UNIT_BOTH_CHANNEL_H

/* One rig per test, for the tests of the channel. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/both/rig.h"

static struct rig rig;

static int setup(void **state)
{
	(void)state;
	rig_init(&rig);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	rig_release(&rig);
	return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
