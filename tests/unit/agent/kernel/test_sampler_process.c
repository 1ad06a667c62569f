/* SPDX-License-Identifier: Apache-2.0 */

/* Whose a sample is, on the running kernel: images of a process, PID namespaces, threads of the kernel's own. */

#include "tests/unit/agent/sampler_rig.h"

#include <linux/io_uring.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/syscall.h>

#define EXEC_CHAIN "exec-chain" /* our name when we are one of it */
#define EXECS 20
#define BURN_NS (60 * NSEC_PER_MSEC)

static int64_t cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec;
}

static void burn(void)
{
	int64_t end = cpu_ns() + BURN_NS;

	while (cpu_ns() < end)
		chain();
}

/* Runs this program anew, `left` times, each for a while. */
static void exec_again(int left)
{
	char text[16], name[] = EXEC_CHAIN, *argv[] = { name, text, NULL };

	burn();
	if (left == 0)
		for (;;)
			pause();
	snprintf(text, sizeof(text), "%d", left - 1);
	execv("/proc/self/exe", argv);
	_exit(1);
}

static void begin_execs(void)
{
	exec_again(EXECS);
}

static void each_exec_makes_another_image(void **state)
{
	struct bench *b = *state;

	open_sampler(b, 0);
	make_cgroup(b);
	bind(b);
	set_class(b, CLS, 200, CAPS_ALL);
	start(b);
	spawn(b, begin_execs);
	for (int i = 0; i < 1500 && b->seen.image_nr < EXECS + 1; i++) {
		sleep_ms(20);
		sampler_poll(b->sampler, 1000);
	}
	assert_int_equal(b->seen.image_nr, EXECS + 1);
	assert_int_equal(b->seen.tgid, b->child);
}

static void the_process_has_the_number_that_our_proc_shows(struct bench *b)
{
	open_sampler(b, 0);
	make_cgroup(b);
	bind(b);
	set_class(b, CLS, 200, CAPS_ALL);
	start(b);
	spawn(b, chain);
	work(b, 200);
	drain(b);
	assert_true(b->seen.samples > 0);
	assert_int_equal(b->seen.tgid, b->child);
}

/* The number counts from one in there; outside the same process has another. */
static void in_a_pid_namespace_a_process_has_its_number_there(void **state)
{
	int status = 0;
	pid_t outer = fork();

	if (outer == 0) {
		pid_t inner;

		if (unshare(CLONE_NEWPID) < 0)
			_exit(77);
		inner = fork();
		if (inner == 0) {
			the_process_has_the_number_that_our_proc_shows(*state);
			_exit(teardown(state));
		}
		waitpid(inner, &status, 0);
		_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
	}
	waitpid(outer, &status, 0);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
		print_message("skipped: no right to make a PID namespace\n");
		skip();
	}
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* A thread of the kernel polls for our requests, at full speed. */
static void poll_by_io_uring(void)
{
	struct io_uring_params params = { .flags = IORING_SETUP_SQPOLL, .sq_thread_idle = 60000 };
	int fd;

	sleep_ms(50); /* until we are in our cgroup */
	fd = (int)syscall(SYS_io_uring_setup, 8, &params);
	if (fd < 0)
		_exit(1);
	for (int i = 0; i < 5; i++) { /* it may not have gone to sleep yet */
		syscall(SYS_io_uring_enter, fd, 0, 0, IORING_ENTER_SQ_WAKEUP, NULL, 0);
		sleep_ms(20);
	}
	for (;;)
		pause();
}

static void a_worker_of_io_uring_has_no_user_stack(void **state)
{
	struct bench *b = *state;
	struct io_uring_params params = { 0 };
	int fd = (int)syscall(SYS_io_uring_setup, 1, &params);

	if (fd < 0) {
		print_message("skipped: io_uring: %s\n", strerror(errno));
		skip();
	}
	close(fd);
	open_sampler(b, 0);
	make_cgroup(b);
	bind(b);
	set_class(b, CLS, 200, CAPS_ALL);
	start(b);
	spawn(b, poll_by_io_uring);
	run(b, 250);
	b->seen.samples = b->seen.with_user = 0;
	work(b, 200);
	drain(b);
	assert_true(b->seen.samples > 10);
	assert_int_equal(b->seen.with_user, 0);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		CASE(each_exec_makes_another_image),
		CASE(in_a_pid_namespace_a_process_has_its_number_there),
		CASE(a_worker_of_io_uring_has_no_user_stack),
	};

	if (strcmp(argv[0], EXEC_CHAIN) == 0)
		exec_again(argc > 1 ? atoi(argv[1]) : 0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
