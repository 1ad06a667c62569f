/* SPDX-License-Identifier: Apache-2.0 */
/* The demo's service of namespace "search": answers queries until SIGTERM by scoring documents and
 * sorting the hits, on two threads. */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#define HITS 4096

static atomic_bool stop;

static void on_term(int sig)
{
	(void)sig;
	stop = true;
}

__attribute__((noinline)) static uint32_t score_document(uint32_t doc, uint32_t query)
{
	uint32_t score = doc ^ query;

	for (int i = 0; i < 200; i++)
		score = (score << 5 | score >> 27) * 2654435761U + doc;
	return score;
}

static int by_score(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

__attribute__((noinline)) static void rank_hits(uint32_t *hits)
{
	qsort(hits, HITS, sizeof(*hits), by_score);
}

__attribute__((noinline)) static void answer_query(uint32_t *hits, uint32_t query)
{
	for (uint32_t doc = 0; doc < HITS; doc++)
		hits[doc] = score_document(doc, query);
	rank_hits(hits);
}

static void *serve(void *arg)
{
	static _Thread_local uint32_t hits[HITS];

	for (uint32_t query = (uint32_t)(uintptr_t)arg; !stop; query += 2)
		answer_query(hits, query);
	return NULL;
}

int main(void)
{
	pthread_t other;

	signal(SIGTERM, on_term);
	if (pthread_create(&other, NULL, serve, (void *)1) != 0)
		return 1;
	serve(NULL);
	pthread_join(other, NULL);
	return 0;
}
