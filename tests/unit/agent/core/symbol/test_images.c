/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "agent/core/symbol/images.h"

static void forks(struct images *images, uint32_t parent, uint32_t pid)
{
	images_take(images, &(struct sideband_event){
				    .type = SIDEBAND_FORK, .pid = pid, .parent = parent });
}

static void execs(struct images *images, uint32_t pid)
{
	images_take(images, &(struct sideband_event){ .type = SIDEBAND_EXEC, .pid = pid });
}

static void maps(struct images *images, uint32_t pid, uint64_t start, uint64_t ino)
{
	images_take(images,
		    &(struct sideband_event){
			    .type = SIDEBAND_MMAP,
			    .pid = pid,
			    .mapping = { .start = start, .end = start + 0x1000, .ino = ino },
		    });
}

/* The inode at `addr` in the process's image (0) or the one before (1); 0 = nothing there. */
static uint64_t inode_at(const struct images *images, uint32_t pid, int which, uint64_t addr)
{
	const struct sideband_mapping *found;
	struct image *image[2];
	uint64_t ino;

	images_get(images, pid, image);
	found = image_find(image[which], addr);
	ino = found ? found->ino : 0;
	image_put(image[0]);
	image_put(image[1]);
	return ino;
}

static void an_exec_begins_a_new_image_and_the_old_one_is_kept_beside(void **state)
{
	struct images *images = images_new();

	(void)state;
	execs(images, 7);
	maps(images, 7, 0x1000, 11);
	execs(images, 7);
	maps(images, 7, 0x5000, 12);
	assert_int_equal(inode_at(images, 7, 0, 0x5fff), 12);
	assert_int_equal(inode_at(images, 7, 0, 0x6000), 0);
	assert_int_equal(inode_at(images, 7, 0, 0x1000), 0);
	assert_int_equal(inode_at(images, 7, 1, 0x1000), 11);
	images_free(images);
}

static void a_child_has_what_its_parent_had_and_adds_for_itself(void **state)
{
	struct images *images = images_new();

	(void)state;
	execs(images, 7);
	maps(images, 7, 0x1000, 11);
	forks(images, 7, 8);
	maps(images, 8, 0x5000, 12);
	maps(images, 7, 0x6000, 13);
	assert_int_equal(inode_at(images, 8, 0, 0x1000), 11);
	assert_int_equal(inode_at(images, 8, 0, 0x5000), 12);
	assert_int_equal(inode_at(images, 8, 0, 0x6000), 0);
	assert_int_equal(inode_at(images, 7, 0, 0x5000), 0);
	images_free(images);
}

static void of_overlapping_mappings_the_later_is_there(void **state)
{
	struct images *images = images_new();

	(void)state;
	execs(images, 7);
	maps(images, 7, 0x1000, 11);
	maps(images, 7, 0x1800, 12);
	assert_int_equal(inode_at(images, 7, 0, 0x17ff), 11);
	assert_int_equal(inode_at(images, 7, 0, 0x1800), 12);
	images_free(images);
}

static void a_process_number_is_used_again(void **state)
{
	struct images *images = images_new();

	(void)state;
	execs(images, 7);
	maps(images, 7, 0x1000, 11);
	forks(images, 1, 7);
	assert_int_equal(inode_at(images, 7, 0, 0x1000), 0);
	assert_int_equal(inode_at(images, 7, 1, 0x1000), 0);
	images_free(images);
}

static void a_child_that_takes_the_place_of_its_parent_has_nothing(void **state)
{
	struct images *images = images_new();

	(void)state;
	/* The parent is the eldest: the child takes its place. */
	execs(images, 1);
	maps(images, 1, 0x1000, 11);
	for (uint32_t pid = 2; pid <= IMAGES_MAX; pid++)
		forks(images, 1, pid);
	assert_int_equal(inode_at(images, IMAGES_MAX, 0, 0x1000), 11);
	forks(images, 1, 5000);
	assert_int_equal(inode_at(images, 5000, 0, 0x1000), 0);
	images_free(images);
}

static void the_eldest_go_and_what_is_held_stays(void **state)
{
	struct images *images = images_new();
	struct image *held[2];

	(void)state;
	execs(images, 7);
	maps(images, 7, 0x1000, 11);
	images_get(images, 7, held);
	for (uint32_t pid = 100; pid < 100 + IMAGES_MAX; pid++)
		execs(images, pid);
	assert_int_equal(inode_at(images, 7, 0, 0x1000), 0);
	assert_int_equal(image_find(held[0], 0x1000)->ino, 11);
	image_put(held[0]);
	image_put(held[1]);
	images_free(images);
}

static void who_holds_an_image_sees_what_is_mapped_later(void **state)
{
	struct images *images = images_new();
	struct image *held[2];

	(void)state;
	execs(images, 7);
	images_get(images, 7, held);
	maps(images, 7, 0x1000, 11);
	assert_int_equal(image_find(held[0], 0x1000)->ino, 11);
	image_put(held[0]);
	image_put(held[1]);
	images_free(images);
}

static void an_image_is_bounded(void **state)
{
	struct images *images = images_new();

	(void)state;
	execs(images, 7);
	for (uint64_t i = 0; i < 2 * IMAGES_MAPPINGS; i++)
		maps(images, 7, 0x1000 * (i + 1), i + 1);
	assert_int_equal(inode_at(images, 7, 0, 0x1000), 1);
	assert_int_equal(inode_at(images, 7, 0, 0x1000 * IMAGES_MAPPINGS), IMAGES_MAPPINGS);
	assert_int_equal(inode_at(images, 7, 0, 0x1000 * (IMAGES_MAPPINGS + 1)), 0);
	images_free(images);
}

static void mappings_of_a_process_that_was_here_before_us_are_not_kept(void **state)
{
	struct images *images = images_new();

	(void)state;
	maps(images, 7, 0x1000, 11);
	assert_int_equal(inode_at(images, 7, 0, 0x1000), 0);
	images_free(images);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_exec_begins_a_new_image_and_the_old_one_is_kept_beside),
		cmocka_unit_test(a_child_has_what_its_parent_had_and_adds_for_itself),
		cmocka_unit_test(of_overlapping_mappings_the_later_is_there),
		cmocka_unit_test(a_process_number_is_used_again),
		cmocka_unit_test(a_child_that_takes_the_place_of_its_parent_has_nothing),
		cmocka_unit_test(the_eldest_go_and_what_is_held_stays),
		cmocka_unit_test(who_holds_an_image_sees_what_is_mapped_later),
		cmocka_unit_test(an_image_is_bounded),
		cmocka_unit_test(mappings_of_a_process_that_was_here_before_us_are_not_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
