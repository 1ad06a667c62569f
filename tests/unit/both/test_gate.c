/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/both/channel.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>

/* Connections that are nobody's: they do not keep agents out. */

static pid_t crowd;

/* The start of a handshake: a record of 512 bytes is announced, five of them come. */
static const unsigned char hello[] = { 0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3 };

static int connect_to(int port)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0)
		_exit(1);
	return fd;
}

/* Hold `nr` connections, each with `len` bytes of a handshake, and open each again when it is closed. */
static void hold(int port, size_t nr, size_t len)
{
	struct pollfd *end = xcalloc(nr, sizeof(*end));
	char room[256];

	for (size_t i = 0; i < nr; i++)
		end[i] = (struct pollfd){ .fd = connect_to(port), .events = POLLIN };
	for (size_t i = 0; i < nr; i++)
		if (len && send(end[i].fd, hello, len, MSG_NOSIGNAL) < 0)
			break;
	for (;;) {
		poll(end, (nfds_t)nr, -1);
		for (size_t i = 0; i < nr; i++) {
			if (!end[i].revents || recv(end[i].fd, room, sizeof(room), 0) > 0)
				continue;
			close(end[i].fd);
			usleep(1000);
			end[i].fd = connect_to(port);
			if (len && send(end[i].fd, hello, len, MSG_NOSIGNAL) < 0)
				continue;
		}
	}
}

static void come(int port, size_t nr, size_t len)
{
	struct rlimit limit;

	fflush(NULL);
	crowd = fork();
	if (crowd)
		return;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	hold(port, nr, len);
}

static void go(void)
{
	kill(crowd, SIGKILL);
	waitpid(crowd, NULL, 0);
}

static void check_crowd(size_t nr, size_t len)
{
	int port = rig_start_hub_at(&rig, 0);
	bool came;

	come(port, nr, len);
	rig_wait(&rig, 1000);
	assert_int_equal(rig_start_client(&rig, port), 0);
	came = rig_until(&rig, rig_is_connected, 15000);
	rig_wait(&rig, 2000);
	go();
	assert_true(came);
	assert_int_equal(rig.losses, 0);
}

static void idle_connections_keep_no_agent_out(void **state)
{
	(void)state;
	check_crowd(1000, 0);
}

static void half_open_handshakes_keep_no_agent_out(void **state)
{
	(void)state;
	check_crowd(1000, sizeof(hello));
}

static double turned_out(const char *reason)
{
	return metric_get(metrics_counter(rig.hub_metrics, "rubato_controller_turned_out_total", "",
					  METRIC_LABELS("reason", reason)));
}

static void who_never_finishes_is_turned_out(void **state)
{
	int port = rig_start_hub_at(&rig, 0);

	(void)state;
	come(port, 3, 0);
	rig_wait(&rig, 6000);
	go();
	rig_wait(&rig, 100);
	/* By libwebsockets' own limit, or by ours. */
	assert_true(metric_get(metrics_counter(rig.hub_metrics, "rubato_controller_accepts_total",
					       "", METRIC_NO_LABELS)) > 3);
	assert_true(turned_out("crowded") == 0);
}

static double cpu_seconds(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (double)usage.ru_utime.tv_sec + (double)usage.ru_stime.tv_sec +
	       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void without_descriptors_the_loop_rests_and_recovers(void **state)
{
	int port = rig_start_hub_at(&rig, 0);
	struct rlimit limit, low;
	double before, failures;
	int fd;

	(void)state;
	getrlimit(RLIMIT_NOFILE, &limit);
	fd = open("/dev/null", O_RDONLY);
	close(fd);
	low = (struct rlimit){ .rlim_cur = (rlim_t)fd + 4, .rlim_max = limit.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	come(port, 40, 0);
	rig_wait(&rig, 500);
	before = cpu_seconds();
	rig_wait(&rig, 2000);
	before = cpu_seconds() - before;
	go();
	failures = metric_get(metrics_counter(rig.hub_metrics,
					      "rubato_controller_accept_failures_total", "",
					      METRIC_LABELS("errno", "EMFILE")));
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_true(failures > 0);
	assert_true(before < 0.5);
	assert_int_equal(rig_start_client(&rig, port), 0);
	assert_true(rig_until(&rig, rig_is_connected, 15000));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(who_never_finishes_is_turned_out),
		TEST(idle_connections_keep_no_agent_out),
		TEST(half_open_handshakes_keep_no_agent_out),
		TEST(without_descriptors_the_loop_rests_and_recovers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
