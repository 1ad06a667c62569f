/* SPDX-License-Identifier: Apache-2.0 */
/* The demo's service of namespace "payments": settles batches until SIGTERM.  Most of its time goes
 * into checking signatures, which is what the boost is there to show. */
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

struct entry {
	uint64_t account, amount, signature;
};

#define BATCH 512

static volatile sig_atomic_t stop;

static void on_term(int sig)
{
	(void)sig;
	stop = 1;
}

__attribute__((noinline)) static uint64_t modular_power(uint64_t base, uint64_t exponent)
{
	uint64_t result = 1;

	for (; exponent; exponent >>= 1) {
		if (exponent & 1)
			result = (uint64_t)((unsigned __int128)result * base %
					    0xffffffffffffffc5ULL);
		base = (uint64_t)((unsigned __int128)base * base % 0xffffffffffffffc5ULL);
	}
	return result;
}

__attribute__((noinline)) static int verify_signature(const struct entry *entry)
{
	return modular_power(entry->account | 3, entry->signature | 1) != 0;
}

__attribute__((noinline)) static void post_to_ledger(uint64_t *ledger, const struct entry *entry)
{
	uint64_t line = entry->account;

	for (int i = 0; i < 600; i++) {
		line = line * 2862933555777941757ULL + 3037000493ULL;
		ledger[line >> 48] += entry->amount;
	}
}

__attribute__((noinline)) static void settle_batch(uint64_t *ledger, struct entry *batch)
{
	for (int i = 0; i < BATCH; i++) {
		batch[i].signature = batch[i].signature * 6364136223846793005ULL + 1;
		if (verify_signature(&batch[i]))
			post_to_ledger(ledger, &batch[i]);
	}
}

int main(void)
{
	static struct entry batch[BATCH];
	uint64_t *ledger = calloc(1 << 16, sizeof(*ledger));

	if (!ledger)
		return 1;
	signal(SIGTERM, on_term);
	for (uint64_t i = 0; i < BATCH; i++)
		batch[i] = (struct entry){ i * 7919, i, ~i };
	while (!stop)
		settle_batch(ledger, batch);
	printf("%llu\n", (unsigned long long)ledger[1]);
	free(ledger);
	return 0;
}
