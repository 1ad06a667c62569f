/* SPDX-License-Identifier: Apache-2.0 */

/* A status file is refused with a sentence, or reads back as what it was written from. */

#include <stdlib.h>
#include <string.h>

#include "controller/core/status/status_record.h"
#include "lib/core/limits.h"
#include "lib/core/text/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_round(const struct status_record *record)
{
	json_auto_t *json = status_record_to_json(record);
	struct status_record again = { 0 };
	char file[STATUS_FILE_NAME_MAX];

	if (status_record_from_json(json, &again, NULL) < 0)
		abort();
	if (again.generation != record->generation || strcmp(again.name, record->name) != 0 ||
	    strcmp(again.spec_hash, record->spec_hash) != 0)
		abort();
	status_record_file_name(record->kind, record->ns, record->name, file);
	if (strchr(file, '/') || file[0] == '.')
		abort();
	status_record_release(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	json_auto_t *json = NULL;
	struct status_record record = { 0 };
	struct err err = ERR_INIT;

	if (json_parse_bounded((const char *)data, size, LIMIT_JSON_DEPTH, &json, &err) < 0)
		return 0;
	if (status_record_from_json(json, &record, &err) < 0) {
		if (!err.text[0])
			abort();
		return 0;
	}
	check_round(&record);
	status_record_release(&record);
	return 0;
}
