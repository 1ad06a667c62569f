/* SPDX-License-Identifier: Apache-2.0 */

/* What becomes of a paged list when one of its pages does not come. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "kube/core/watch/watch_fsm.h"

static struct watch_do step(struct watch_state *state, struct watch_event event)
{
	return watch_step(state, &event, 1, 0);
}

/* A list of which two pages have come; the third is asked for. */
static void begin(struct watch_state *state)
{
	watch_init(state);
	state->list_only = true;
	step(state, (struct watch_event){ .type = WATCH_START });
	step(state, (struct watch_event){
			    .type = WATCH_PAGE, .resource_version = "7", .continue_token = "two" });
	step(state, (struct watch_event){ .type = WATCH_PAGE,
					  .resource_version = "7",
					  .continue_token = "three" });
}

/* `event` comes instead of page three.  After the wait, is it asked for again, with all before it kept? */
static void after(struct watch_event event, bool goes_on)
{
	struct watch_state state;
	struct watch_do todo;
	char query[WATCH_QUERY_MAX];

	begin(&state);
	todo = step(&state, event);
	if (todo.wait_ns)
		todo = step(&state, (struct watch_event){ .type = WATCH_START });
	assert_int_equal(todo.ask, WATCH_ASK_LIST);
	watch_query(&state, query);
	assert_int_equal(todo.begin, !goes_on);
	assert_int_equal(strstr(query, "continue=three") != NULL, goes_on);
}

static struct watch_event refused(struct watch_status status)
{
	return (struct watch_event){ .type = WATCH_REFUSED_HTTP, .status = status };
}

static void a_busy_server_is_asked_for_the_same_page_again(void **state)
{
	(void)state;
	after(refused((struct watch_status){ .code = 429, .retry_after_ns = NSEC_PER_SEC }), true);
	after(refused((struct watch_status){ .code = 503 }), true);
	after(refused((struct watch_status){ .code = 401 }), true);
}

static void so_is_one_that_does_not_answer(void **state)
{
	(void)state;
	after((struct watch_event){ .type = WATCH_FAILED }, true);
	after((struct watch_event){ .type = WATCH_FAILED, .failure = WATCH_FAIL_CONNECT }, true);
	after((struct watch_event){ .type = WATCH_FAILED, .failure = WATCH_FAIL_TLS }, true);
	after((struct watch_event){ .type = WATCH_DEADLINE }, true);
}

static void a_page_that_is_gone_begins_the_list_anew(void **state)
{
	(void)state;
	after(refused((struct watch_status){ .code = 410 }), false);
	after(refused((struct watch_status){ .code = 400 }), false);
	after(refused((struct watch_status){ .code = 404 }), false);
}

static void retry_after_is_waited_for(void **state)
{
	struct watch_state watch;
	struct watch_do todo;

	(void)state;
	begin(&watch);
	todo = step(&watch, refused((struct watch_status){ .code = 429,
							   .retry_after_ns = 9 * NSEC_PER_SEC }));
	assert_true(todo.wait_ns >= 9 * NSEC_PER_SEC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_busy_server_is_asked_for_the_same_page_again),
		cmocka_unit_test(so_is_one_that_does_not_answer),
		cmocka_unit_test(a_page_that_is_gone_begins_the_list_anew),
		cmocka_unit_test(retry_after_is_waited_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
