/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>

#include "tests/unit/lib/observe/http_rig.h"

static const char health[] = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";

static void turn(struct fixture *f, int ms)
{
	uint64_t end = uv_hrtime() + (uint64_t)ms * 1000000;

	while (uv_hrtime() < end) {
		uv_run(&f->loop, UV_RUN_NOWAIT);
		usleep(1000);
	}
}

static bool is_open(int fd)
{
	char c;
	ssize_t nr = recv(fd, &c, 1, MSG_DONTWAIT | MSG_PEEK);

	return nr > 0 || (nr < 0 && errno == EAGAIN);
}

static size_t open_of(const int *fd, size_t nr)
{
	size_t open = 0;

	for (size_t i = 0; i < nr; i++)
		open += is_open(fd[i]);
	return open;
}

static void close_all(const int *fd, size_t nr)
{
	for (size_t i = 0; i < nr; i++)
		close(fd[i]);
}

/* The probe of the kubelet comes from address 127.0.0.`from`, and is answered within a second. */
static void check_alive(struct fixture *f, int from)
{
	uint64_t began = uv_hrtime();
	char answer[4096];

	ask_by(f, connect_from(from, http_port(f->http)), health, answer, sizeof(answer));
	assert_memory_equal(answer, "HTTP/1.1 200", 12);
	assert_true(uv_hrtime() - began < 1000000000U);
}

/* Each connection takes two files of this process. */
static void allow_files(void)
{
	struct rlimit limit;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = MIN(limit.rlim_max, 8192);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_true(limit.rlim_cur > 2500);
}

static void a_thousand_that_say_nothing_keep_no_probe_out(void **state)
{
	struct fixture f = { .ready = true };
	int idle[1000];

	(void)state;
	allow_files();
	start(&f);
	for (size_t i = 0; i < ARRAY_SIZE(idle); i++) {
		idle[i] = connect_to(http_port(f.http));
		if (i % 100 == 99)
			check_alive(&f, 1);
	}
	turn(&f, 20);
	check_alive(&f, 1);
	check_alive(&f, 2);
	assert_in_range(open_of(idle, ARRAY_SIZE(idle)), 1, HTTP_PER_ADDRESS_MAX);
	close_all(idle, ARRAY_SIZE(idle));
	stop(&f);
}

static void many_addresses_keep_no_probe_out(void **state)
{
	struct fixture f = { .ready = true };
	int idle[1000];

	(void)state;
	allow_files();
	start(&f);
	for (size_t i = 0; i < ARRAY_SIZE(idle); i++)
		idle[i] = connect_from(2 + (int)i / 4, http_port(f.http));
	turn(&f, 20);
	check_alive(&f, 1);
	assert_in_range(open_of(idle, ARRAY_SIZE(idle)), 100, HTTP_CONNECTIONS_MAX);
	close_all(idle, ARRAY_SIZE(idle));
	stop(&f);
}

static void an_address_crowds_out_only_its_own(void **state)
{
	struct fixture f = { .ready = true };
	int first, idle[200];

	(void)state;
	start(&f);
	first = connect_from(2, http_port(f.http));
	turn(&f, 2);
	for (size_t i = 0; i < ARRAY_SIZE(idle); i++)
		idle[i] = connect_from(3, http_port(f.http));
	for (int i = 0; i < 100 && open_of(idle, ARRAY_SIZE(idle)) > HTTP_PER_ADDRESS_MAX; i++)
		turn(&f, 10);
	assert_int_equal(open_of(idle, ARRAY_SIZE(idle)), HTTP_PER_ADDRESS_MAX);
	assert_true(is_open(idle[ARRAY_SIZE(idle) - 1]));
	assert_true(is_open(first));
	close(first);
	close_all(idle, ARRAY_SIZE(idle));
	stop(&f);
}

/* A byte now and then is no request. */
static void a_request_has_its_time_as_a_whole(void **state)
{
	struct fixture f = { .idle_ms = 200 };
	int fd, sent = 0;

	(void)state;
	start(&f);
	fd = connect_to(http_port(f.http));
	for (int i = 0; i < 20 && is_open(fd); i++) {
		sent += send(fd, &health[i], 1, MSG_NOSIGNAL) == 1;
		turn(&f, 40);
	}
	assert_false(is_open(fd));
	assert_in_range(sent, 3, 12);
	close(fd);
	stop(&f);
}

/* And what he has is seen to be not all. */
static void a_reader_that_takes_nothing_goes(void **state)
{
	static const char request[] = "GET /stream HTTP/1.0\r\n\r\n";
	struct fixture f = { .has_pages = true, .idle_ms = 200 };
	int fd, small = 4096;
	char answer[65536];

	(void)state;
	start(&f);
	f.stream_bytes = (size_t)64 * 1024 * 1024;
	fd = connect_to(http_port(f.http));
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	assert_int_equal(write(fd, request, strlen(request)), (ssize_t)strlen(request));
	turn(&f, 100);
	assert_int_equal(f.open_streams, 1);
	for (int i = 0; i < 100 && f.open_streams; i++)
		turn(&f, 20);
	assert_int_equal(f.open_streams, 0);
	while (recv(fd, answer, sizeof(answer), MSG_DONTWAIT) > 0)
		;
	assert_int_equal(errno, ECONNRESET);
	close(fd);
	stop(&f);
}

/* Takes every file there is.  Returns how many. */
static size_t take_files(int *fd, size_t max)
{
	size_t nr = 0;

	while (nr < max && (fd[nr] = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0)
		nr++;
	assert_true(nr < max);
	return nr;
}

static void set_files(rlim_t nr)
{
	struct rlimit limit;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = nr;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

static void do_nothing(uv_timer_t *timer)
{
	(void)timer;
}

static void without_files_a_probe_is_let_in_and_the_loop_rests(void **state)
{
	struct fixture f = { .ready = true };
	int taken[512], probe[3], silent[3];
	size_t nr;
	int turns = 0;
	uint64_t end;
	char answer[4096];

	(void)state;
	set_files(400);
	start(&f);
	for (size_t i = 0; i < ARRAY_SIZE(silent); i++)
		silent[i] = connect_from(2, http_port(f.http));
	for (size_t i = 0; i < ARRAY_SIZE(probe); i++)
		probe[i] = connect_to(http_port(f.http));
	nr = take_files(taken, ARRAY_SIZE(taken));
	for (size_t i = 0; i < ARRAY_SIZE(probe); i++)
		ask_by(&f, probe[i], health, answer, sizeof(answer));
	uv_timer_init(&f.loop, &f.alive);
	uv_timer_start(&f.alive, do_nothing, 10, 10);
	for (end = uv_hrtime() + 200000000; uv_hrtime() < end; turns++)
		uv_run(&f.loop, UV_RUN_ONCE);
	assert_in_range(turns, 0, 100);
	uv_close((uv_handle_t *)&f.alive, NULL);
	close_all(taken, nr);
	check_alive(&f, 1);
	close_all(silent, ARRAY_SIZE(silent));
	stop(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_thousand_that_say_nothing_keep_no_probe_out),
		cmocka_unit_test(many_addresses_keep_no_probe_out),
		cmocka_unit_test(an_address_crowds_out_only_its_own),
		cmocka_unit_test(a_request_has_its_time_as_a_whole),
		cmocka_unit_test(a_reader_that_takes_nothing_goes),
		cmocka_unit_test(without_files_a_probe_is_let_in_and_the_loop_rests),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
