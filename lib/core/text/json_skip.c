/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/core/text/json_skip.h"

#include <endian.h>
#include <string.h>

#define BLOCK 64
#define EACH_BYTE (UINT64_MAX / 255)
#define HIGH_BITS (EACH_BYTE << 7)

/* --- a block: one bit for each of its bytes --- */

struct block {
	uint64_t quote, backslash, open, close;
};

/* The high bit of each byte of the word that is `c`. */
static uint64_t bytes_that_are(uint64_t word, unsigned char c)
{
	uint64_t differs = word ^ (EACH_BYTE * c);

	return ~(((differs & ~HIGH_BITS) + ~HIGH_BITS) | differs) & HIGH_BITS;
}

/* The high bits of the eight bytes, one beside the other: the product moves that of byte i to bit 56 + i. */
static uint64_t gather(uint64_t high_bits)
{
	return (high_bits >> 7) * 0x0102040810204080ULL >> 56;
}

static struct block look(const char *text)
{
	struct block block = { 0 };

	for (unsigned int i = 0; i < BLOCK; i += 8) {
		uint64_t word, folded;

		memcpy(&word, text + i, sizeof(word));
		word = le64toh(word);
		/* '[' and '{' differ by this bit only, as do ']' and '}'. */
		folded = word | EACH_BYTE * 0x20;
		block.quote |= gather(bytes_that_are(word, '"')) << i;
		block.backslash |= gather(bytes_that_are(word, '\\')) << i;
		block.open |= gather(bytes_that_are(folded, '{')) << i;
		block.close |= gather(bytes_that_are(folded, '}')) << i;
	}
	return block;
}

/* From each set bit up to the one before the next: all set. */
static uint64_t between(uint64_t bits)
{
	for (unsigned int by = 1; by < 64; by *= 2)
		bits ^= bits << by;
	return bits;
}

/* --- objects and arrays --- */

struct nest {
	size_t depth, levels;
	bool in_string, escaped; /* at the beginning of the next block */
	bool too_deep;
};

/* What stands behind a backslash. */
static uint64_t escaped(struct nest *nest, uint64_t backslash)
{
	uint64_t bits = nest->escaped;

	backslash &= ~bits;
	nest->escaped = false;
	while (backslash) {
		uint64_t lowest = backslash & -backslash;

		bits |= lowest << 1;
		nest->escaped = !(lowest << 1);
		backslash &= ~(lowest | lowest << 1);
	}
	return bits;
}

/* Go through a block.  Returns what of it belongs to the value when that ends in it, else 0. */
static unsigned int go_through(struct nest *nest, const char *text)
{
	struct block block = look(text);
	uint64_t quote = block.quote & ~escaped(nest, block.backslash);
	uint64_t inside = between(quote) ^ (nest->in_string ? UINT64_MAX : 0);
	uint64_t brackets = (block.open | block.close) & ~inside;

	nest->in_string = inside >> 63;
	for (; brackets; brackets &= brackets - 1) {
		unsigned int at = (unsigned int)__builtin_ctzll(brackets);

		nest->depth += block.open >> at & 1 ? 1 : -1UL;
		if (!nest->depth)
			return at + 1;
		nest->too_deep |= nest->depth > nest->levels;
	}
	return 0;
}

const char *json_skip_nested(const char *at, const char *end, size_t levels, bool *ret_too_deep)
{
	struct nest nest = { .levels = levels };
	unsigned int last = 0;

	for (; end - at >= BLOCK && !last && !nest.too_deep; at += last ? last : BLOCK)
		last = go_through(&nest, at);
	if (!last && !nest.too_deep) {
		char rest[BLOCK] = { 0 };

		memcpy(rest, at, (size_t)(end - at));
		last = go_through(&nest, rest);
		at += last;
	}
	*ret_too_deep = nest.too_deep;
	return last && !nest.too_deep ? at : NULL;
}

/* --- strings --- */

static bool is_escaped(const char *begin, const char *at)
{
	const char *first = at;

	while (first > begin && first[-1] == '\\')
		first--;
	return (at - first) % 2;
}

const char *json_skip_string(const char *at, const char *end)
{
	const char *begin = at + 1, *quote = at;

	do {
		quote++;
		quote = quote < end ? memchr(quote, '"', (size_t)(end - quote)) : NULL;
	} while (quote && is_escaped(begin, quote));
	return quote ? quote + 1 : NULL;
}
