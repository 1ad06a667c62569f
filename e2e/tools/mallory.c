/* SPDX-License-Identifier: Apache-2.0 */
/* A program that means harm, one way a run:
 *
 * mallory work		    burns CPU in mallory_work()
 * mallory chain NR	    execs itself so many times, each a new name, and works for 2 ms in between
 * mallory names	    gives itself another name of odd bytes each ms
 * mallory maps FILE NR	    runs code out of so many mappings of a file that it deletes
 * mallory cgroups DIR S    makes and removes directories of cgroups in DIR for so many seconds; prints how many
 * mallory hoard DIR NR	    makes so many, three deep, and leaves them; prints how many
 *
 * All but the last two run until they are killed.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096

static int64_t now_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

static void sleep_ms(long ms)
{
	nanosleep(&(struct timespec){ .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 }, NULL);
}

__attribute__((noinline)) static void mallory_work(int64_t ns)
{
	int64_t end = now_ns(CLOCK_PROCESS_CPUTIME_ID) + ns;
	volatile uint64_t x = 1;

	while (now_ns(CLOCK_PROCESS_CPUTIME_ID) < end)
		for (int i = 0; i < 2000; i++)
			x = x * 6364136223846793005ULL + 1;
}

static _Noreturn void work(void)
{
	for (;;) {
		mallory_work(4000000);
		sleep_ms(16);
	}
}

static int chain(char **argv, long left)
{
	char name[64], more[32];

	mallory_work(2000000);
	if (left <= 0)
		work();
	snprintf(name, sizeof(name), "link-\x1b[31m-\xff-%ld\n", left);
	snprintf(more, sizeof(more), "%ld", left - 1);
	argv[0] = name;
	argv[2] = more;
	execv("/proc/self/exe", argv);
	return 1;
}

static _Noreturn void names(void)
{
	char name[16];

	for (unsigned i = 0;; i++) {
		for (size_t j = 0; j < sizeof(name) - 1; j++)
			name[j] = (char)(1 + (i * 7 + j * 31) % 255);
		name[sizeof(name) - 1] = '\0';
		prctl(PR_SET_NAME, name);
		mallory_work(1000000);
		sleep_ms(4);
	}
}

/* mov %rdi,%rax; 1: dec %rax; jnz 1b; ret */
static const uint8_t code[] = { 0x48, 0x89, 0xf8, 0x48, 0xff, 0xc8, 0x75, 0xfb, 0xc3 };

static int maps(const char *path, long nr)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0700);
	void (**run)(long rounds) = calloc((size_t)nr, sizeof(*run));

	if (fd < 0 || !run || ftruncate(fd, 2 * PAGE) < 0 ||
	    pwrite(fd, code, sizeof(code), 0) != sizeof(code))
		return 1;
	unlink(path);
	/* Of different rights in turn, so that the kernel does not merge them. */
	for (long i = 0; i < nr; i++) {
		run[i] = mmap(NULL, PAGE, PROT_READ | PROT_EXEC, i & 1 ? MAP_SHARED : MAP_PRIVATE,
			      fd, 0);
		if (run[i] == MAP_FAILED)
			return 1;
	}
	for (long i = 0;; i = (i + 1) % nr) {
		run[i](1000000);
		sleep_ms(2);
	}
}

static int cgroups(const char *dir, double seconds)
{
	int64_t end = now_ns(CLOCK_MONOTONIC) + (int64_t)(seconds * 1e9);
	char path[4096];
	long made = 0;

	while (now_ns(CLOCK_MONOTONIC) < end) {
		snprintf(path, sizeof(path), "%s/storm-%ld", dir, made % 512);
		made += mkdir(path, 0700) == 0;
		rmdir(path);
	}
	printf("%ld\n", made);
	return 0;
}

static int hoard(const char *dir, long nr)
{
	char path[4096];
	long made = 0;

	for (long i = 0; i < nr; i += 3) {
		int len = snprintf(path, sizeof(path), "%s/hoard-%ld", dir, i);

		made += mkdir(path, 0700) == 0;
		len += snprintf(path + len, sizeof(path) - (size_t)len, "/a");
		made += mkdir(path, 0700) == 0;
		snprintf(path + len, sizeof(path) - (size_t)len, "/b");
		made += mkdir(path, 0700) == 0;
	}
	printf("%ld\n", made);
	return 0;
}

int main(int argc, char **argv)
{
	const char *how = argc > 1 ? argv[1] : "";

	if (strcmp(how, "work") == 0)
		work();
	if (strcmp(how, "chain") == 0 && argc == 3)
		return chain(argv, atol(argv[2]));
	if (strcmp(how, "names") == 0)
		names();
	if (strcmp(how, "maps") == 0 && argc == 4)
		return maps(argv[2], atol(argv[3]));
	if (strcmp(how, "cgroups") == 0 && argc == 4)
		return cgroups(argv[2], atof(argv[3]));
	if (strcmp(how, "hoard") == 0 && argc == 4)
		return hoard(argv[2], atol(argv[3]));
	return 2;
}
