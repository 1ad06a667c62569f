/* SPDX-License-Identifier: Apache-2.0 */

/* A file of ours, and lists of mounts that say what it lies on. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "agent/process/mounts.h"

#define PID 17

struct proc {
	char dir[32], path[64], first[64];
	int fd, file;
	struct statx st;
};

static int setup(void **state)
{
	struct proc *proc = xcalloc(1, sizeof(*proc));

	strcpy(proc->dir, "/tmp/rubato-mounts-XXXXXX");
	assert_non_null(mkdtemp(proc->dir));
	snprintf(proc->path, sizeof(proc->path), "%s/17", proc->dir);
	assert_int_equal(mkdir(proc->path, 0700), 0);
	snprintf(proc->first, sizeof(proc->first), "%s/1", proc->dir);
	assert_int_equal(mkdir(proc->first, 0700), 0);
	proc->fd = open(proc->dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	proc->file = open(proc->dir, O_PATH | O_CLOEXEC);
	assert_int_equal(statx(proc->file, "", AT_EMPTY_PATH, 0x1000, &proc->st), 0);
	*state = proc;
	return 0;
}

static int teardown(void **state)
{
	struct proc *proc = *state;
	cleanup(freep) char *list = xasprintf("%s/mountinfo", proc->path);
	cleanup(freep) char *first = xasprintf("%s/mountinfo", proc->first);

	unlink(list);
	unlink(first);
	rmdir(proc->path);
	rmdir(proc->first);
	rmdir(proc->dir);
	close(proc->fd);
	close(proc->file);
	free(proc);
	return 0;
}

static void put_list_of(const char *process, const char *text)
{
	cleanup(freep) char *list = xasprintf("%s/mountinfo", process);
	FILE *file = fopen(list, "we");

	assert_non_null(file);
	fputs(text, file);
	assert_int_equal(fclose(file), 0);
}

static void put_list(const struct proc *proc, const char *text)
{
	put_list_of(proc->path, text);
}

/* The file's own mount is of this type, another of the same device of the other. */
static char *list_of(const struct proc *proc, const char *own, const char *other)
{
	unsigned int major_nr = proc->st.stx_dev_major, minor_nr = proc->st.stx_dev_minor;

	return xasprintf("1 0 0:999 / / rw - fuse x rw\n"
			 "999998 1 %u:%u / /other rw - %s x rw\n"
			 "%llu 1 %u:%u / /own rw - %s x rw\n",
			 major_nr, minor_nr, other,
			 own ? (unsigned long long)proc->st.stx_mnt_id : 999999ULL,
			 own ? major_nr : 0, own ? minor_nr : 998, own ? own : "fuse");
}

static void check(const struct proc *proc, const char *own, const char *other, int wanted)
{
	cleanup(freep) char *text = list_of(proc, own, other);

	put_list(proc, text);
	assert_int_equal(mounts_may_block(proc->fd, PID, proc->file), wanted);
}

static void the_files_own_mount_decides(void **state)
{
	check(*state, "ext4", "fuse", 0);
	check(*state, "fuse.mute", "ext4", 1);
}

static void a_process_that_left_for_other_mounts_is_judged_by_the_device(void **state)
{
	check(*state, NULL, "overlay", 0);
	check(*state, NULL, "nfs4", 1);
}

static void what_is_not_listed_may_block(void **state)
{
	put_list(*state, "1 0 0:999 / / rw - ext4 x rw\n");
	assert_int_equal(
		mounts_may_block(((struct proc *)*state)->fd, PID, ((struct proc *)*state)->file),
		1);
}

static void after_chroot_the_first_process_knows_the_mount(void **state)
{
	const struct proc *proc = *state;
	cleanup(freep) char *good = list_of(proc, "ext4", "fuse");
	cleanup(freep) char *bad = list_of(proc, "fuse", "ext4");

	put_list(proc, "");
	put_list_of(proc->first, good);
	assert_int_equal(mounts_may_block(proc->fd, PID, proc->file), 0);
	put_list_of(proc->first, bad);
	assert_int_equal(mounts_may_block(proc->fd, PID, proc->file), 1);
}

static void a_process_that_is_gone_cannot_tell(void **state)
{
	const struct proc *proc = *state;

	assert_int_equal(mounts_may_block(proc->fd, PID + 1, proc->file), -ENOENT);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(the_files_own_mount_decides),
		CASE(a_process_that_left_for_other_mounts_is_judged_by_the_device),
		CASE(what_is_not_listed_may_block),
		CASE(after_chroot_the_first_process_knows_the_mount),
		CASE(a_process_that_is_gone_cannot_tell),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
