/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LIB_CONTROL_WS_MESSAGE_H
#define LIB_CONTROL_WS_MESSAGE_H

/* What both ends of the control channel do with a connection: put a message together from the pieces in
 * which libwebsockets hands it over, and take leave once. */

#include "lib/control/ws.h"
#include "lib/core/base.h"
#include "lib/core/err.h"

/* All zero = empty. */
struct ws_message {
	uint8_t *bytes;
	size_t len, room;
};

/* A refusal is the code to close with. */
enum ws_piece {
	WS_PIECE_MORE = 0,  /* to come */
	WS_PIECE_WHOLE = 1, /* the message is whole: read it, then ws_message_clear() */
	WS_PIECE_TEXT = LWS_CLOSE_STATUS_UNACCEPTABLE_OPCODE,
	WS_PIECE_TOO_LARGE = LWS_CLOSE_STATUS_MESSAGE_TOO_LARGE,
};

/* From a RECEIVE callback: keep the piece, if the message stays within `limit` bytes.  A refusal has a
 * sentence in err, and what was kept stays. */
enum ws_piece ws_message_add(struct ws_message *message, struct lws *wsi, const void *bytes,
			     size_t len, size_t limit, struct err *err);
void ws_message_clear(struct ws_message *message);

/* All zero = we stay. */
struct ws_bye {
	int code;
	char why[WS_WHY_BYTES];
	bool said;
};

/* We shall close with `code` and `why` (cut to fit); false when that was decided before, which then holds. */
bool ws_bye_begin(struct ws_bye *bye, int code, const char *why);
/* From a WRITEABLE callback, when nothing else is due: send the close frame if that was decided, once.  The
 * socket is closed when the peer does, or in a second. */
void ws_bye_say(struct ws_bye *bye, struct lws *wsi);

#endif
