/* SPDX-License-Identifier: Apache-2.0 */
/* Each record: its length in two bytes, then itself. */
#include "agent/core/symbol/sideband_parse.h"
#include "agent/core/symbol/images.h"
#include "agent/core/symbol/ksymbols.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void look(const struct images *images, const struct sideband_event *event)
{
	struct image *image[2];

	images_get(images, event->pid, image);
	for (int i = 0; i < 2; i++) {
		if (image[i] && image[i]->nr > IMAGES_MAPPINGS)
			__builtin_trap();
		(void)image_find(image[i], event->mapping.start);
		image_put(image[i]);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ksymbols *ksymbols = ksymbols_new();
	struct images *images = images_new();

	while (size > 2) {
		size_t len = MIN((size_t)data[0] | (size_t)data[1] << 8, size - 2);
		cleanup(freep) char *record = xmalloc(len);
		struct sideband_event event;

		memcpy(record, data + 2, len);
		if (sideband_parse(record, len, &event)) {
			if (event.type == SIDEBAND_MMAP && event.mapping.start >= event.mapping.end)
				__builtin_trap();
			if (event.type == SIDEBAND_SYMBOL)
				ksymbols_take(ksymbols, &event.symbol);
			images_take(images, &event);
			look(images, &event);
		}
		data += 2 + len;
		size -= 2 + len;
	}
	images_free(images);
	ksymbols_free(ksymbols);
	return 0;
}
