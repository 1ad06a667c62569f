/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/core/status/condition.h"

#include <string.h>

#include "controller/core/status/status_read.h"
#include "lib/core/text/rfc3339.h"

/* The time of the last flip: kept while the status is what it was. */
static void transition_time(const struct condition_list *list, const char *type, const char *status,
			    char ret_text[RFC3339_MAX])
{
	const json_t *before = status_find(list->previous, type);
	const char *was = json_string_value(json_object_get(before, "status"));
	const char *since = json_string_value(json_object_get(before, "lastTransitionTime"));
	int64_t since_s;

	if (was && since && strcmp(was, status) == 0 && strlen(since) < RFC3339_MAX &&
	    rfc3339_parse(since, &since_s) == 0)
		memcpy(ret_text, since, strlen(since) + 1);
	else
		rfc3339_format(list->now_wall_s, ret_text);
}

/* In the place of the one of its type, if there is one. */
static void put_condition(struct condition_list *list, json_t *json)
{
	const char *type = json_string_value(json_object_get(json, "type"));
	json_t *there;
	size_t i;

	json_array_foreach(list->conditions, i, there)
	{
		if (strcmp(json_string_value(json_object_get(there, "type")), type) == 0) {
			json_array_set_new(list->conditions, i, json);
			return;
		}
	}
	json_array_append_new(list->conditions, json);
}

void condition_add(struct condition_list *list, const char *type, const struct verdict *verdict)
{
	const char *status = verdict->is ? "True" : "False";
	char since[RFC3339_MAX];
	json_t *json = json_object(), *message = json_string(verdict->message);

	transition_time(list, type, status, since);
	json_object_set_new(json, "type", json_string(type));
	json_object_set_new(json, "status", json_string(status));
	json_object_set_new(json, "reason", json_string(verdict->reason));
	/* An agent's reason may be anything, and cut within a character. */
	json_object_set_new(json, "message", message ? message : json_string("not valid UTF-8"));
	json_object_set_new(json, "observedGeneration", json_integer(list->generation));
	json_object_set_new(json, "lastTransitionTime", json_string(since));
	put_condition(list, json);
}
