/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/control/control_priv.h"

#include <errno.h>
#include <string.h>

#include "lib/fs.h"

void control_token_forget(struct control_client *client)
{
	char *token = TAKE_PTR(client->token);

	if (token)
		explicit_bzero(token, strlen(token));
	free(token);
}

/* What is not plain ASCII could end the header and begin another. */
static bool is_plain(const char *token, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (token[i] <= ' ' || token[i] >= 0x7f)
			return false;
	return true;
}

static int check(const char *path, const char *token, size_t len, struct err *err)
{
	if (len == 0)
		return err_set(err, -EINVAL, "token file %s: it is empty", path);
	if (!is_plain(token, len))
		return err_set(err, -EINVAL, "token file %s: it does not hold one token", path);
	return 0;
}

int control_token_read(struct control_client *client, struct err *err)
{
	const char *path = client->options.token_file;
	char *token;
	size_t len;
	int r;

	control_token_forget(client);
	if (!path)
		return 0;
	r = fs_read_file(path, WS_TOKEN_BYTES, &token, &len, err);
	if (r < 0)
		return err_wrap(err, r, "token file");
	while (len > 0 && strchr(" \t\r\n", token[len - 1]) && token[len - 1])
		token[--len] = '\0';
	client->token = token;
	r = check(path, token, len, err);
	if (r < 0)
		control_token_forget(client);
	return r;
}

int control_token_put(struct control_client *client, struct lws *wsi, unsigned char **at,
		      unsigned char *end)
{
	cleanup(freep) char *header = NULL;
	size_t len;
	int r;

	if (!client->token)
		return 0;
	header = xasprintf("Bearer %s", client->token);
	len = strlen(header);
	r = lws_add_http_header_by_token(wsi, WSI_TOKEN_HTTP_AUTHORIZATION,
					 (const unsigned char *)header, (int)len, at, end);
	explicit_bzero(header, len);
	control_token_forget(client);
	return r ? -1 : 0;
}
