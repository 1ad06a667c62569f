/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_CORE_SYMBOL_IMAGES_H
#define AGENT_CORE_SYMBOL_IMAGES_H

/* What the youngest processes of the node have mapped, as the kernel told it: for those that are gone
 * before /proc/PID/maps can be read.  Pure.
 *
 * Only processes whose fork or exec was seen are here, IMAGES_MAX of them; the eldest go.  By the time a process
 * of a second ago is needed, it has been sampled and the caller holds its images.
 */

#include "agent/core/symbol/sideband_parse.h"

#define IMAGES_MAX 1024
#define IMAGES_MAPPINGS 128 /* of one image; more are not kept */

struct image {
	unsigned refs;
	bool shared; /* by a parent and its child: who maps more gets a copy */
	size_t nr;
	struct sideband_mapping *mapping; /* in the order of their making */
};

struct images;

struct images *images_new(void);
void images_free(struct images *images);

void images_take(struct images *images, const struct sideband_event *event);

/* The process's image and the one it had before its last exec, each NULL if there is none; what they map
 * later is seen there too.  The caller gives them back by image_put(). */
void images_get(const struct images *images, uint32_t pid, struct image *ret_image[2]);
void image_put(struct image *image);

/* The mapping that covers `addr`, or NULL. */
const struct sideband_mapping *image_find(const struct image *image, uint64_t addr);

#endif
