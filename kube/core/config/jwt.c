/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/core/config/jwt.h"

#include <errno.h>
#include <string.h>

#include "lib/core/text/encode.h"
#include "lib/core/text/json.h"

#define DEPTH_MAX 8
#define EXP_MAX_S 253402300799LL /* the year 9999 */

/* Three parts, none empty; *ret_part is the second. */
static bool split(const char *token, size_t len, const char **ret_part, size_t *ret_len)
{
	size_t at = 0;

	for (int i = 0; i < 3; i++) {
		size_t n = base64url_span(token + at, len - at);

		if (n == 0 || n % 4 == 1)
			return false;
		if (i == 1) {
			*ret_part = token + at;
			*ret_len = n;
		}
		at += n;
		if (i < 2 && (at >= len || token[at++] != '.'))
			return false;
	}
	return at == len;
}

static bool is_text(const json_t *json, const char *text)
{
	return json_is_string(json) && json_string_length(json) == strlen(text) &&
	       strcmp(json_string_value(json), text) == 0;
}

/* `aud` is one name or a list of them. */
static bool names_audience(const json_t *aud, const char *audience)
{
	const json_t *item;
	size_t i;

	json_array_foreach(aud, i, item)
	{
		if (is_text(item, audience))
			return true;
	}
	return is_text(aud, audience);
}

int jwt_peek(const char *token, size_t len, const char *audience, struct jwt_peek *ret_peek,
	     struct err *err)
{
	cleanup(freep) char *bytes = NULL;
	json_auto_t *payload = NULL;
	const json_t *exp;
	const char *part = NULL;
	size_t part_size = 0;
	ptrdiff_t size;

	if (!split(token, len, &part, &part_size))
		return err_set(err, -EINVAL, "the token is not a JSON Web Token");
	bytes = xmalloc(BASE64_BYTES(part_size));
	size = base64url_decode(part, part_size, bytes);
	if (size < 0 || json_parse_bounded(bytes, (size_t)size, DEPTH_MAX, &payload, NULL) < 0 ||
	    !json_is_object(payload))
		return err_set(err, -EINVAL, "the token's payload is not a JSON object");
	exp = json_object_get(payload, "exp");
	if (!json_is_integer(exp) || json_integer_value(exp) < 0 ||
	    json_integer_value(exp) > EXP_MAX_S)
		return err_set(err, -EINVAL, "the token does not say when it expires");
	ret_peek->exp_wall_s = json_integer_value(exp);
	ret_peek->has_audience = names_audience(json_object_get(payload, "aud"), audience);
	return 0;
}
