/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/both/channel.h"

#include <fcntl.h>

/* Certificates of every wrong kind, on either side: nobody crashes, both logs say what is wrong, and with a
 * good one the agent is back. */

static char log_path[96];
static int real_stderr;

static void capture(void)
{
	int fd;

	snprintf(log_path, sizeof(log_path), "%s/log", rig.pki.dir);
	fd = open(log_path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0600);
	assert_true(fd >= 0);
	fflush(stderr);
	real_stderr = dup(2);
	dup2(fd, 2);
	close(fd);
	log_setup(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
}

static void release(void)
{
	fflush(stderr);
	dup2(real_stderr, 2);
	close(real_stderr);
	log_setup(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
}

/* A warning with all these words in one line. */
static bool warned(const char *message, const char *words)
{
	char line[2048];
	FILE *file = fopen(log_path, "re");
	bool found = false;

	while (!found && fgets(line, sizeof(line), file))
		found = strstr(line, "WARN") && strstr(line, message) && strstr(line, words);
	fclose(file);
	return found;
}

static void print_log(void)
{
	char line[2048];
	FILE *file = fopen(log_path, "re");

	while (fgets(line, sizeof(line), file))
		print_message("%s", line);
	fclose(file);
}

#define AGENTS "TLS with the controller fails"
#define CONTROLLERS "no agent can come in so"
#define REFUSED "an agent is refused"

static void expect(const char *message, const char *words)
{
	if (warned(message, words))
		return;
	print_log();
	fail_msg("no warning \"%s\" says \"%s\"", message, words);
}

static const struct pki_says good_agent = { .cn = NODE, .from_s = -3600, .to_s = 3600 };
static const struct pki_says good_controller = {
	.cn = "controller.test", .san = "DNS:controller.test", .from_s = -3600, .to_s = 3600
};

/* Try for a while with what is wrong, then with what is right. */
static void check(const char *message[2], const char *words[2])
{
	int port;

	capture();
	port = rig_start_hub_at(&rig, 0);
	assert_true(port > 0);
	assert_int_equal(rig_start_client(&rig, port), 0);
	rig_wait(&rig, 700);
	release();
	assert_false(rig.connected);
	for (int i = 0; i < 2; i++)
		if (message[i])
			expect(message[i], words[i]);
	rig_wait(&rig, 1000); /* files are compared by the time they were written */
	pki_leaf_of(&rig.pki, "agent", &good_agent);
	pki_leaf_of(&rig.pki, "controller", &good_controller);
	assert_true(rig_until(&rig, rig_is_connected, 15000));
}

static void check_agent(const struct pki_says *says, const char *controllers, const char *agents)
{
	pki_leaf_of(&rig.pki, "agent", says);
	check((const char *[]){ CONTROLLERS, AGENTS }, (const char *[]){ controllers, agents });
}

static void check_controller(const struct pki_says *says, const char *agents,
			     const char *controllers)
{
	pki_leaf_of(&rig.pki, "controller", says);
	check((const char *[]){ AGENTS, CONTROLLERS }, (const char *[]){ agents, controllers });
}

static void an_expired_agent(void **state)
{
	(void)state;
	check_agent(&(struct pki_says){ .cn = NODE, .from_s = -7200, .to_s = -3600 },
		    "the agent's certificate (CN=worker-1) expired at 2",
		    "the controller refuses us: our certificate");
}

static void an_agent_not_valid_yet(void **state)
{
	(void)state;
	check_agent(&(struct pki_says){ .cn = NODE, .from_s = 3600, .to_s = 7200 },
		    "the agent's certificate (CN=worker-1) is not valid before 2",
		    "the controller does not accept our certificate");
}

static void an_agent_for_the_wrong_purpose(void **state)
{
	(void)state;
	check_agent(
		&(struct pki_says){
			.cn = NODE, .eku = "serverAuth", .from_s = -3600, .to_s = 3600 },
		"the agent's certificate (CN=worker-1) is not for this side of TLS",
		"the controller does not accept our certificate");
}

static void foreign(const char *name, const struct pki_says *says)
{
	struct pki other, here = rig.pki;

	pki_init(&other);
	here.key = other.key;
	here.ca = other.ca;
	pki_leaf_of(&here, name, says);
	pki_release(&other);
}

static void an_agent_of_a_foreign_authority(void **state)
{
	(void)state;
	foreign("agent", &good_agent);
	check((const char *[]){ CONTROLLERS, AGENTS },
	      (const char *[]){
		      "(CN=worker-1) is signed by an authority (CN=test CA) that is not in ",
		      "the controller " });
}

static void an_agent_whose_certificate_names_no_node(void **state)
{
	(void)state;
	pki_leaf_of(&rig.pki, "agent", &(struct pki_says){ .from_s = -3600, .to_s = 3600 });
	check((const char *[]){ REFUSED, "no controller" },
	      (const char *[]){ "the certificate names no node: its CN must be the node's name",
				"4401 the certificate names no node" });
}

static bool is_worker_1(void *ctx, const char *name)
{
	(void)ctx;
	return strcmp(name, NODE) == 0;
}

static void an_agent_whose_certificate_names_another_than_a_node(void **state)
{
	(void)state;
	rig.is_node = is_worker_1;
	pki_leaf_of(&rig.pki, "agent",
		    &(struct pki_says){ .cn = "worker-9", .from_s = -3600, .to_s = 3600 });
	check((const char *[]){ REFUSED, "no controller" },
	      (const char *[]){
		      "no Node bears the name in the agent's certificate, \\\"worker-9\\\": "
		      "make one, or sign a certificate with the name of its node",
		      "4401 no Node bears the name in the agent's certificate, "
		      "\\\"worker-9\\\"" });
}

static void an_expired_controller(void **state)
{
	struct pki_says says = good_controller;

	(void)state;
	says.from_s = -7200;
	says.to_s = -3600;
	check_controller(&says, "the controller's certificate (CN=controller.test) expired at 2",
			 "the agent refuses us: our certificate");
}

static void a_controller_of_another_name(void **state)
{
	struct pki_says says = good_controller;

	(void)state;
	says.san = "DNS:elsewhere.test,DNS:other.test";
	check_controller(&says,
			 "the controller's certificate is for elsewhere.test, other.test, "
			 "expected was controller.test",
			 "the agent does not accept our certificate");
}

static void a_controller_of_a_foreign_authority(void **state)
{
	(void)state;
	foreign("controller", &good_controller);
	check((const char *[]){ AGENTS, CONTROLLERS },
	      (const char *[]){ "(CN=controller.test) is signed by an authority (CN=test CA)",
				"the agent " });
}

static void nobody_listens(void **state)
{
	(void)state;
	capture();
	assert_int_equal(rig_start_client(&rig, 1), 0);
	rig_wait(&rig, 500);
	release();
	expect("no controller", "refused");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_expired_agent),
		TEST(an_agent_not_valid_yet),
		TEST(an_agent_for_the_wrong_purpose),
		TEST(an_agent_of_a_foreign_authority),
		TEST(an_agent_whose_certificate_names_no_node),
		TEST(an_agent_whose_certificate_names_another_than_a_node),
		TEST(an_expired_controller),
		TEST(a_controller_of_another_name),
		TEST(a_controller_of_a_foreign_authority),
		TEST(nobody_listens),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
