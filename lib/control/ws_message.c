/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/control/ws_message.h"

#include <stdio.h>
#include <string.h>

static void keep(struct ws_message *message, const void *bytes, size_t len)
{
	if (message->len + len > message->room) {
		message->room = MAX(message->len + len, 2 * message->room);
		message->bytes = xrealloc(message->bytes, message->room, 1);
	}
	if (len)
		memcpy(message->bytes + message->len, bytes, len);
	message->len += len;
}

enum ws_piece ws_message_add(struct ws_message *message, struct lws *wsi, const void *bytes,
			     size_t len, size_t limit, struct err *err)
{
	if (!lws_frame_is_binary(wsi))
		return err_set(err, WS_PIECE_TEXT, "a text message; OpAMP is binary");
	if (len > limit - MIN(limit, message->len))
		return err_set(err, WS_PIECE_TOO_LARGE, "a message of more than %zu bytes", limit);
	keep(message, bytes, len);
	return lws_is_final_fragment(wsi) && !lws_remaining_packet_payload(wsi) ? WS_PIECE_WHOLE
										: WS_PIECE_MORE;
}

void ws_message_clear(struct ws_message *message)
{
	free(message->bytes);
	*message = (struct ws_message){ 0 };
}

bool ws_bye_begin(struct ws_bye *bye, int code, const char *why)
{
	if (bye->code)
		return false;
	bye->code = code;
	snprintf(bye->why, sizeof(bye->why), "%s", why);
	return true;
}

void ws_bye_say(struct ws_bye *bye, struct lws *wsi)
{
	if (!bye->code || bye->said)
		return;
	bye->said = true;
	ws_say_bye(wsi, bye->code, bye->why);
}
