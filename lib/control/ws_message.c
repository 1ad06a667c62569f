/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/control/ws_message.h"

#include <stdio.h>
#include <string.h>

#define WRITE_CLOSE ((enum lws_write_protocol)4) /* the gap that lws-write.h leaves for it */
#define BYE_SECONDS 1				 /* for the peer to close too */

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

/* lws_close_reason() does not work on libuv in Debian's build: a self-test of its closing code, left in, closes the
 * socket a second time before the frame is out. */
static void send_close(struct lws *wsi, int code, const char *why)
{
	uint8_t frame[LWS_PRE + 2 + WS_WHY_BYTES];
	size_t len = strnlen(why, WS_WHY_BYTES - 1);

	frame[LWS_PRE] = (uint8_t)(code >> 8);
	frame[LWS_PRE + 1] = (uint8_t)code;
	memcpy(frame + LWS_PRE + 2, why, len);
	if (lws_write(wsi, frame + LWS_PRE, 2 + len, WRITE_CLOSE) < 0)
		lws_set_timeout(wsi, PENDING_TIMEOUT_CLOSE_ACK, LWS_TO_KILL_ASYNC);
	else
		lws_set_timeout(wsi, PENDING_TIMEOUT_CLOSE_ACK, BYE_SECONDS);
}

void ws_bye_say(struct ws_bye *bye, struct lws *wsi)
{
	if (!bye->code || bye->said)
		return;
	bye->said = true;
	send_close(wsi, bye->code, bye->why);
}
