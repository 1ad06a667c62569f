/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLLER_CORE_OBJECT_FIELDS_H
#define CONTROLLER_CORE_OBJECT_FIELDS_H

/* Reading the fields of our own kinds strictly.  `path` is where `object` stands ("spec.limits"; "" at the top); every
 * error begins with the path of the field at fault, then ": ".  All return 0 or -EINVAL with err. */

#include "lib/core/base.h"
#include "lib/core/err.h"

#include <jansson.h>

/* `object` is absent (NULL) or a map of which every member is one of `name`; else the error names the nearest one. */
must_check int fields_check(const json_t *object, const char *path, const char *const *name,
			    size_t name_nr, struct err *err);

/* The member `name`, which must be of `type` if it is there; *ret_json is NULL when it is not. */
must_check int fields_get(const json_t *object, const char *path, const char *name, json_type type,
			  const json_t **ret_json, struct err *err);

/* A rate, 0..LIMIT_SAMPLE_RATE_HZ. */
must_check int fields_rate(const json_t *object, const char *path, const char *name, bool *ret_has,
			   uint32_t *ret_hz, struct err *err);

/* A duration within the bounds of a boost, written as the CRDs want it (a number and a unit, more than once:
 * "1h30m", "1.5m"); 0 when absent. */
must_check int fields_duration(const json_t *object, const char *path, const char *name,
			       int64_t *ret_ns, struct err *err);

/* A list of capability names as bits. */
must_check int fields_caps(const json_t *object, const char *path, const char *name, bool *ret_has,
			   uint32_t *ret_caps, struct err *err);

/* Lower-case letters, digits, "-" (and "." unless `label_only`), alphanumeric at both ends, 1..max
 * bytes: what Kubernetes allows as a name, hence safe as a part of ids and file names. */
bool name_valid(const char *text, size_t max, bool label_only);

#endif
