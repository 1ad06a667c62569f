/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_UNIT_CONTROL_RAW_H
#define TESTS_UNIT_CONTROL_RAW_H

/* A peer that does what ours never do: blocking TLS and hand-made WebSocket frames, in a child process
 * while the loop of the test runs.  raw_play() returns what the script returned. */

#include <arpa/inet.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/both/rig.h"

enum { RAW_CONT = 0, RAW_TEXT = 1, RAW_BINARY = 2, RAW_CLOSE = 8, RAW_FIN = 0x80 };

struct raw {
	SSL_CTX *ctx;
	SSL *ssl;
	int fd;
	bool is_server;
};

static inline void raw_patience(int fd)
{
	const struct timeval patience = { .tv_sec = 8 };

	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) < 0)
		abort();
}

static inline void raw_load(struct raw *raw, const struct pki *pki, const char *name)
{
	char *crt_name = xasprintf("%s.crt", name), *key_name = xasprintf("%s.key", name);
	char *crt = pki_path(pki, crt_name), *key = pki_path(pki, key_name);

	if (SSL_CTX_use_certificate_file(raw->ctx, crt, SSL_FILETYPE_PEM) != 1 ||
	    SSL_CTX_use_PrivateKey_file(raw->ctx, key, SSL_FILETYPE_PEM) != 1)
		abort();
	free(crt_name);
	free(key_name);
	free(crt);
	free(key);
}

static inline bool raw_write(struct raw *raw, const void *bytes, size_t len)
{
	return len == 0 || SSL_write(raw->ssl, bytes, (int)len) == (int)len;
}

/* Up to and with the empty line. */
static inline bool raw_read_head(struct raw *raw, char *head, size_t size)
{
	size_t len = 0;

	while (len + 1 < size && SSL_read(raw->ssl, head + len, 1) == 1) {
		head[++len] = '\0';
		if (len >= 4 && memcmp(head + len - 4, "\r\n\r\n", 4) == 0)
			return true;
	}
	return false;
}

/* Connect with certificate `name` (NULL = none) and ask for an upgrade.  False if turned away. */
static inline bool raw_join(struct raw *raw, const struct pki *pki, const char *name, int port,
			    const char *path, const char *upgrade)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	char head[65536];

	*raw = (struct raw){ .ctx = SSL_CTX_new(TLS_client_method()) };
	if (name)
		raw_load(raw, pki, name);
	raw->fd = socket(AF_INET, SOCK_STREAM, 0);
	raw_patience(raw->fd);
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (connect(raw->fd, (struct sockaddr *)&to, sizeof(to)) < 0)
		return false;
	raw->ssl = SSL_new(raw->ctx);
	SSL_set_fd(raw->ssl, raw->fd);
	if (SSL_connect(raw->ssl) != 1)
		return false;
	snprintf(head, sizeof(head),
		 "GET %s HTTP/1.1\r\nHost: x\r\nUpgrade: %s\r\nConnection: Upgrade\r\n"
		 "Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\nSec-WebSocket-Version: 13\r\n\r\n",
		 path, upgrade);
	return raw_write(raw, head, strlen(head)) && raw_read_head(raw, head, sizeof(head)) &&
	       strncmp(head, "HTTP/1.1 101", 12) == 0;
}

static inline bool raw_frame(struct raw *raw, int opcode, const void *bytes, size_t len)
{
	uint8_t head[14] = { (uint8_t)opcode }, mask = raw->is_server ? 0 : 0x80;
	size_t n = 2;

	if (len < 126) {
		head[1] = (uint8_t)(mask | len);
	} else if (len < 65536) {
		head[1] = mask | 126;
		head[2] = (uint8_t)(len >> 8);
		head[3] = (uint8_t)len;
		n = 4;
	} else {
		head[1] = mask | 127;
		for (int i = 0; i < 8; i++)
			head[2 + i] = (uint8_t)(len >> (56 - 8 * i));
		n = 10;
	}
	n += mask ? 4 : 0; /* a mask of zeros changes nothing */
	return raw_write(raw, head, n) && raw_write(raw, bytes, len);
}

static inline bool raw_read(struct raw *raw, void *bytes, size_t len)
{
	for (size_t have = 0; have < len;) {
		int n = SSL_read(raw->ssl, (char *)bytes + have, (int)(len - have));

		if (n <= 0)
			return false;
		have += (size_t)n;
	}
	return true;
}

/* The next frame's payload, or -1 at the end of the stream. */
static inline int raw_next(struct raw *raw, int *opcode, uint8_t *room, size_t size)
{
	uint8_t head[2], more[8], mask[4] = { 0 };
	size_t len;

	if (!raw_read(raw, head, 2))
		return -1;
	len = head[1] & 0x7f;
	if (len == 126 && raw_read(raw, more, 2))
		len = (size_t)more[0] << 8 | more[1];
	if (len > size || ((head[1] & 0x80) && !raw_read(raw, mask, 4)) ||
	    !raw_read(raw, room, len))
		return -1;
	for (size_t i = 0; i < len; i++)
		room[i] ^= mask[i % 4];
	*opcode = head[0] & 0x0f;
	return (int)len;
}

/* Read on until the peer closes; its code, or 0 if it said none. */
static inline int raw_close_code(struct raw *raw)
{
	uint8_t room[65536];
	int opcode, len;

	while ((len = raw_next(raw, &opcode, room, sizeof(room))) >= 0)
		if (opcode == RAW_CLOSE)
			return len >= 2 ? room[0] << 8 | room[1] : 0;
	return 0;
}

/* A socket that listens on loopback; *ret_port is where. */
static inline int raw_listen(int *ret_port)
{
	struct sockaddr_in at = { .sin_family = AF_INET };
	socklen_t len = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0 || listen(fd, 8) < 0 ||
	    getsockname(fd, (struct sockaddr *)&at, &len) < 0)
		abort();
	*ret_port = ntohs(at.sin_port);
	return fd;
}

/* Be the controller for one agent: TLS, upgrade, and its first message read. */
static inline bool raw_serve(struct raw *raw, const struct pki *pki, int listener)
{
	static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
	char head[4096], accept[64] = "", *key, text[256];
	uint8_t sha[20], room[65536];
	int opcode;

	*raw = (struct raw){ .ctx = SSL_CTX_new(TLS_server_method()), .is_server = true };
	raw_load(raw, pki, "controller");
	raw->fd = accept4(listener, NULL, NULL, 0);
	raw_patience(raw->fd);
	raw->ssl = SSL_new(raw->ctx);
	SSL_set_fd(raw->ssl, raw->fd);
	if (SSL_accept(raw->ssl) != 1 || !raw_read_head(raw, head, sizeof(head)))
		return false;
	key = strcasestr(head, "Sec-WebSocket-Key: ");
	if (!key)
		return false;
	key += 19;
	snprintf(text, sizeof(text), "%.*s%s", (int)strcspn(key, "\r\n"), key, guid);
	EVP_Digest(text, strlen(text), sha, NULL, EVP_sha1(), NULL);
	EVP_EncodeBlock((unsigned char *)accept, sha, sizeof(sha));
	snprintf(head, sizeof(head),
		 "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
		 "Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
		 accept);
	return raw_write(raw, head, strlen(head)) && raw_next(raw, &opcode, room, sizeof(room)) > 0;
}

static pid_t raw_pid;
static int raw_status;

static inline bool raw_has_ended(struct rig *r)
{
	(void)r;
	if (raw_pid && waitpid(raw_pid, &raw_status, WNOHANG) == raw_pid)
		raw_pid = 0;
	return raw_pid == 0;
}

static inline void raw_poke(uv_timer_t *timer)
{
	(void)timer; /* only wakes the loop */
}

/* Run `script` in a child while the loop runs; the number it returned (0..65535), -1 if it hung. */
static inline int raw_play(struct rig *r, int (*script)(struct rig *r, int arg), int arg)
{
	int pipes[2], result = -1;
	uv_timer_t poke;

	if (pipe(pipes) < 0)
		abort();
	raw_pid = fork();
	if (raw_pid == 0) {
		signal(SIGPIPE, SIG_IGN);
		result = script(r, arg);
		_exit(write(pipes[1], &result, sizeof(result)) == sizeof(result) ? 0 : 1);
	}
	uv_timer_init(&r->loop, &poke);
	uv_timer_start(&poke, raw_poke, 10, 10);
	if (!rig_until(r, raw_has_ended, 12000)) {
		kill(raw_pid, SIGKILL);
		waitpid(raw_pid, &raw_status, 0);
		raw_pid = 0;
	} else if (read(pipes[0], &result, sizeof(result)) != sizeof(result)) {
		result = -1;
	}
	uv_close((uv_handle_t *)&poke, NULL);
	uv_run(&r->loop, UV_RUN_NOWAIT);
	close(pipes[0]);
	close(pipes[1]);
	return result;
}

#endif
