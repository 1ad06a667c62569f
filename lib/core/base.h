/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LIB_CORE_BASE_H
#define LIB_CORE_BASE_H

/* The few words that every file of ours uses: memory that cannot fail, scope-owned values, sizes.
 *
 * xmalloc() and friends end the process when memory is out, so nobody checks them; everything an
 * outsider can make grow is bounded (lib/core/limits.h) before it is stored.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#define must_check __attribute__((warn_unused_result))
#define cleanup(fn) __attribute__((cleanup(fn)))
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
/* <sys/param.h>, which <uv.h> includes, has its own. */
#undef MIN
#undef MAX
/* Each argument may be evaluated twice: no calls that change something. */
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))

/* Hand a pointer on: the value, and NULL is left behind so that cleanup() does nothing. */
#define TAKE_PTR(p)                                                                                \
	({                                                                                         \
		__auto_type take_ptr_ = (p);                                                       \
		(p) = NULL;                                                                        \
		take_ptr_;                                                                         \
	})

#define NSEC_PER_SEC 1000000000LL
#define NSEC_PER_MSEC 1000000LL

void *xmalloc(size_t size);
void *xcalloc(size_t nr, size_t size);
void *xrealloc(void *ptr, size_t nr, size_t size); /* nr * size, checked for overflow */
char *xstrdup(const char *text);
char *xstrndup(const char *text, size_t len);
char *xasprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* For cleanup(): free(*ptr). */
static inline void freep(void *ptr)
{
	free(*(void **)ptr);
}

/* Make room for one more element in `array` that holds `nr` of them; capacity is a power of two
 * derived from nr, so no third field is needed.  `array` may be NULL when nr is 0. */
#define GROW(array, nr)                                                                            \
	do {                                                                                       \
		if (((nr) & ((nr)-1)) == 0)                                                        \
			(array) =                                                                  \
				xrealloc((array), (nr) ? 2 * (size_t)(nr) : 1, sizeof(*(array)));  \
	} while (0)

#endif
