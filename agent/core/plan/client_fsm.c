/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/core/plan/client_fsm.h"

#include <string.h>

#define BACKOFF_FIRST_MS 500
#define BACKOFF_MAX_MS 30000
#define REFUSED_MAX_MS 5000 /* a restart in place is soon over */
#define REFUSED_NS (60 * NSEC_PER_SEC)

void client_fsm_init(struct client_fsm *fsm, const struct control_epoch *newest, const char *have,
		     int64_t now_ns)
{
	*fsm = (struct client_fsm){
		.at = now_ns,
		.lost_at = now_ns,
		.spread_ms = CLIENT_SPREAD_MS,
		.newest = *newest,
	};
	client_fsm_applied(fsm, have);
}

void client_fsm_applied(struct client_fsm *fsm, const char *hash)
{
	memmove(fsm->have, hash, strlen(hash) + 1);
}

enum client_todo client_fsm_tick(struct client_fsm *fsm, int64_t now_ns)
{
	if (fsm->phase == CLIENT_SYNCED || now_ns < fsm->at)
		return CLIENT_DO_NOTHING;
	if (fsm->phase != CLIENT_WAIT)
		return CLIENT_DO_CLOSE;
	fsm->phase = CLIENT_CONNECT;
	fsm->at = now_ns + CLIENT_CONNECT_NS;
	return CLIENT_DO_CONNECT;
}

int64_t client_fsm_wake_ns(const struct client_fsm *fsm)
{
	return fsm->phase == CLIENT_SYNCED ? INT64_MAX : fsm->at;
}

void client_fsm_connected(struct client_fsm *fsm, int64_t now_ns)
{
	fsm->phase = CLIENT_HELLO;
	fsm->at = now_ns + CLIENT_SESSION_NS;
}

/* Full jitter: evenly within the whole interval, so that a fleet does not come back in step. */
static int64_t part_of_ms(int64_t ms, uint32_t rnd)
{
	return (int64_t)(((uint64_t)ms * NSEC_PER_MSEC >> 16) * (rnd >> 16));
}

static int64_t backoff_ms(const struct client_fsm *fsm, bool refused, int64_t now_ns)
{
	int64_t most =
		refused && now_ns - fsm->lost_at < REFUSED_NS ? REFUSED_MAX_MS : BACKOFF_MAX_MS;

	return MIN(most, (int64_t)BACKOFF_FIRST_MS << MIN(fsm->failures, 10U));
}

void client_fsm_lost(struct client_fsm *fsm, bool refused, uint32_t rnd, int64_t now_ns)
{
	bool was_synced = fsm->phase == CLIENT_SYNCED;
	int64_t most_ms;

	if (was_synced) {
		fsm->lost_at = now_ns;
		if (now_ns - fsm->synced_at >= CLIENT_CALM_NS)
			fsm->failures = 0;
	}
	most_ms = backoff_ms(fsm, refused, now_ns);
	if (was_synced)
		most_ms = MAX(fsm->failures ? most_ms : 0, (int64_t)fsm->spread_ms);
	fsm->failures++;
	fsm->phase = CLIENT_WAIT;
	fsm->session = (struct control_epoch){ 0 };
	fsm->at = now_ns + part_of_ms(most_ms, rnd);
}

enum client_verdict client_fsm_session(struct client_fsm *fsm,
				       const struct control_session *session, int64_t now_ns)
{
	int order = control_epoch_cmp(&session->epoch, &fsm->newest);

	if (fsm->phase != CLIENT_HELLO && fsm->phase != CLIENT_SYNCED)
		return CLIENT_NONSENSE;
	if (order < 0)
		return CLIENT_STALE;
	if (order > 0)
		fsm->gen = 0;
	if (fsm->phase == CLIENT_HELLO)
		fsm->synced_at = now_ns;
	fsm->phase = CLIENT_SYNCED;
	fsm->newest = fsm->session = session->epoch;
	fsm->spread_ms = session->spread_ms;
	return CLIENT_TAKE;
}

static enum client_verdict believe(const struct client_fsm *fsm, const struct control_epoch *epoch)
{
	if (control_epoch_cmp(epoch, &fsm->newest) < 0)
		return CLIENT_STALE;
	if (fsm->phase != CLIENT_SYNCED || control_epoch_cmp(epoch, &fsm->session) != 0)
		return CLIENT_NONSENSE;
	return CLIENT_TAKE;
}

enum client_verdict client_fsm_plan(struct client_fsm *fsm, const struct control_head *head,
				    bool is_delta)
{
	enum client_verdict verdict = believe(fsm, &head->epoch);

	if (verdict != CLIENT_TAKE)
		return verdict;
	if (head->gen <= 0 || !head->hash[0])
		return CLIENT_NONSENSE;
	if (head->gen <= fsm->gen)
		return CLIENT_DROP;
	fsm->gen = head->gen;
	if (strcmp(head->hash, fsm->have) == 0)
		return CLIENT_SAME;
	if (is_delta && (!head->base[0] || strcmp(head->base, fsm->have) != 0))
		return CLIENT_NO_BASE;
	return CLIENT_TAKE;
}

enum client_verdict client_fsm_ttl(const struct client_fsm *fsm, const struct control_epoch *epoch)
{
	return believe(fsm, epoch);
}
