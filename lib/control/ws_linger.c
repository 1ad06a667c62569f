/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/control/ws_linger.h"

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void end_first(struct ws_linger *linger)
{
	char room[4096];

	while (recv(linger->held[0].fd, room, sizeof(room), MSG_DONTWAIT) > 0)
		;
	close(linger->held[0].fd);
	linger->nr--;
	memmove(linger->held, linger->held + 1, linger->nr * sizeof(linger->held[0]));
}

void ws_linger_add(struct ws_linger *linger, int fd, int64_t now_ns)
{
	int own = fcntl(fd, F_DUPFD_CLOEXEC, 0);

	ws_linger_end(linger, now_ns);
	if (linger->nr == WS_LINGER_MAX)
		end_first(linger);
	if (own < 0)
		return; /* then the peer learns nothing */
	linger->held[linger->nr].fd = own;
	linger->held[linger->nr++].until_ns = now_ns + WS_LINGER_NS;
}

void ws_linger_end(struct ws_linger *linger, int64_t now_ns)
{
	while (linger->nr && linger->held[0].until_ns <= now_ns)
		end_first(linger);
}
