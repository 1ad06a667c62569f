/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/core/push/push_answer.h"

#include <stdio.h>
#include <string.h>

#include "lib/core/text/json.h"
#include "lib/core/text/utf8.h"

#define DEPTH 16
#define WORD_BYTES 32
#define WHY_BYTES 300

enum grpc_code {
	GRPC_CANCELLED = 1,
	GRPC_UNKNOWN = 2,
	GRPC_INVALID_ARGUMENT = 3,
	GRPC_DEADLINE_EXCEEDED = 4,
	GRPC_PERMISSION_DENIED = 7,
	GRPC_RESOURCE_EXHAUSTED = 8,
	GRPC_OUT_OF_RANGE = 11,
	GRPC_UNIMPLEMENTED = 12,
	GRPC_UNAUTHENTICATED = 16,
};

/* What a body says: {"code": "invalid_argument" (Pyroscope) or 3 (Parca), "message": "..."}. */
struct said {
	char code[WORD_BYTES]; /* "" = nothing */
	char message[WHY_BYTES];
};

static void read_body(const struct push_answer *answer, struct said *ret_said)
{
	json_auto_t *json = NULL;
	const json_t *code;
	const char *message;

	memset(ret_said, 0, sizeof(*ret_said));
	if (json_parse_bounded(answer->text, answer->len, DEPTH, &json, NULL) < 0) {
		utf8_clean(answer->text, answer->len, ret_said->message, WHY_BYTES);
		return;
	}
	code = json_object_get(json, "code");
	message = json_string_value(json_object_get(json, "message"));
	if (json_is_string(code))
		utf8_clean(json_string_value(code), json_string_length(code), ret_said->code,
			   WORD_BYTES);
	else if (json_is_integer(code))
		snprintf(ret_said->code, WORD_BYTES, "%lld", (long long)json_integer_value(code));
	if (message)
		utf8_clean(message, strlen(message), ret_said->message, WHY_BYTES);
}

static bool contains(const struct push_answer *answer, const char *text)
{
	return answer->len && memmem(answer->text, answer->len, text, strlen(text));
}

/* Pyroscope takes each series of a request by itself, and says of those it did not take "push series with index N". */
static uint32_t failed_series(const struct push_answer *answer, size_t nr)
{
	static const char mark[] = "push series with index ";
	const char *at = answer->text, *end = at + answer->len;
	uint32_t failed = 0;

	while (at < end && (at = memmem(at, (size_t)(end - at), mark, sizeof(mark) - 1))) {
		size_t index = 0;

		at += sizeof(mark) - 1;
		if (at == end || *at < '0' || *at > '9')
			continue;
		for (; at < end && *at >= '0' && *at <= '9' && index < PUSH_BATCH; at++)
			index = 10 * index + (size_t)(*at - '0');
		if (index < nr)
			failed |= 1U << index;
	}
	return failed;
}

/* When it names all of them none was taken, and the answer is that of each. */
static void find_partial(const struct push_answer *answer, size_t nr, struct push_verdict *verdict)
{
	uint32_t failed = failed_series(answer, nr);

	if (!failed || (size_t)__builtin_popcount(failed) == nr)
		return;
	verdict->limited = verdict->outcome == PUSH_RATE_LIMITED;
	verdict->failed = failed;
	verdict->outcome = PUSH_PARTIAL;
}

static enum push_outcome rejected(const struct push_answer *answer)
{
	return contains(answer, "ingestion window") || contains(answer, "too old") ? PUSH_TOO_OLD
										   : PUSH_REJECTED;
}

static enum push_outcome of_grpc(const struct push_answer *answer, int status)
{
	switch (status) {
	case 0:
		return PUSH_OK;
	case GRPC_INVALID_ARGUMENT:
	case GRPC_OUT_OF_RANGE:
		return rejected(answer);
	case GRPC_RESOURCE_EXHAUSTED:
		return PUSH_RATE_LIMITED;
	case GRPC_PERMISSION_DENIED:
	case GRPC_UNIMPLEMENTED:
	case GRPC_UNAUTHENTICATED:
		return PUSH_REFUSED;
	case GRPC_UNKNOWN:
		return PUSH_DOUBTFUL;
	default:
		return PUSH_FAILED;
	}
}

static enum push_outcome of_http(const struct push_answer *answer, const struct said *said)
{
	switch (answer->code) {
	case 408:
	case 499:
		return PUSH_FAILED;
	case 413:
		return PUSH_TOO_LARGE;
	case 429:
		return PUSH_RATE_LIMITED;
	case 400:
	case 422:
		/* Pyroscope's older doors say so of a rate limit. */
		if (contains(answer, "resource_exhausted"))
			return PUSH_RATE_LIMITED;
		return rejected(answer);
	case 501:
		return PUSH_REFUSED;
	default:
		break;
	}
	if (answer->code >= 200 && answer->code < 300)
		return PUSH_OK;
	if (answer->code < 500)
		return PUSH_REFUSED;
	return answer->code == 500 && strcmp(said->code, "2") == 0 ? PUSH_DOUBTFUL : PUSH_FAILED;
}

static enum push_outcome outcome_of(const struct push_answer *answer, const struct said *said)
{
	if (!answer->connected)
		return PUSH_UNREACHABLE;
	if (!answer->answered)
		return PUSH_FAILED_LINK;
	if (answer->grpc && answer->code == 200 && answer->grpc_status < 0)
		return PUSH_FAILED_LINK;
	if (answer->grpc && answer->grpc_status >= 0)
		return of_grpc(answer, answer->grpc_status);
	return of_http(answer, said);
}

static void explain(const struct push_answer *answer, const struct said *said, struct err *ret_why)
{
	if (answer->answered && answer->grpc_status >= 0)
		err_text(ret_why, "gRPC status %d: %s", answer->grpc_status, said->message);
	else if (answer->answered && said->code[0])
		err_text(ret_why, "HTTP %d, %s: %s", answer->code, said->code, said->message);
	else if (answer->answered)
		err_text(ret_why, "HTTP %d: %s", answer->code, said->message);
	else
		err_text(ret_why, "%s", said->message);
}

void push_verdict_of(const struct push_answer *answer, size_t nr, struct push_verdict *ret_verdict)
{
	struct said said;

	*ret_verdict = (struct push_verdict){ 0 };
	read_body(answer, &said);
	ret_verdict->outcome = outcome_of(answer, &said);
	ret_verdict->retry_after_ns = MIN(MAX(answer->retry_after_ns, 0), PUSH_RETRY_AFTER_MAX_NS);
	if (ret_verdict->outcome == PUSH_OK)
		return;
	explain(answer, &said, &ret_verdict->why);
	if (answer->answered && !answer->grpc && nr > 1 && answer->code >= 400)
		find_partial(answer, nr, ret_verdict);
}
