/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/core/plan/caps.h"
#include "lib/core/plan/plan.h"
#include "lib/core/text/encode.h"

#include <assert.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

/* The canonical JSON is written straight into the digest: a controller hashes thousands of plans on
 * one policy edit, and a tree of json_t for each would cost ten times more.  The bytes are those
 * that jansson writes for plan_to_json() without "boosts" with JSON_COMPACT | JSON_SORT_KEYS; a
 * test compares them. */
struct sink {
	EVP_MD_CTX *digest;
	size_t len;
	char buf[4096];
};

static void flush(struct sink *sink)
{
	int ok = EVP_DigestUpdate(sink->digest, sink->buf, sink->len);

	assert(ok);
	(void)ok;
	sink->len = 0;
}

static void put(struct sink *sink, const char *text, size_t len)
{
	while (len) {
		size_t part = MIN(len, sizeof(sink->buf) - sink->len);

		memcpy(sink->buf + sink->len, text, part);
		sink->len += part;
		text += part;
		len -= part;
		if (sink->len == sizeof(sink->buf))
			flush(sink);
	}
}

static void puts_to(struct sink *sink, const char *text)
{
	put(sink, text, strlen(text));
}

static void put_escape(struct sink *sink, unsigned char c)
{
	static const char letters[] = "\"\"\\\\\bb\ff\nn\rr\tt";
	char text[8];

	for (size_t i = 0; letters[i]; i += 2) {
		if ((unsigned char)letters[i] == c) {
			put(sink, (const char[]){ '\\', letters[i + 1] }, 2);
			return;
		}
	}
	snprintf(text, sizeof(text), "\\u%04X", c);
	puts_to(sink, text);
}

static void put_string(struct sink *sink, const char *text)
{
	puts_to(sink, "\"");
	while (*text) {
		size_t plain = 0;

		while ((unsigned char)text[plain] >= 0x20 && text[plain] != '"' &&
		       text[plain] != '\\')
			plain++;
		put(sink, text, plain);
		text += plain;
		if (*text)
			put_escape(sink, (unsigned char)*text++);
	}
	puts_to(sink, "\"");
}

/* `before` holds the comma, the member's name and the colon. */
static void put_member(struct sink *sink, const char *before, const char *text)
{
	if (!text)
		return;
	puts_to(sink, before);
	put_string(sink, text);
}

static void put_step(struct sink *sink, const struct plan_step *step)
{
	char hz[32];
	const char *comma = "";

	puts_to(sink, "{");
	for (size_t i = 0; i < step->boost_nr; i++)
		put_member(sink, i ? "," : "\"boosts\":[", step->boost[i]);
	puts_to(sink, step->boost_nr ? "],\"caps\":[" : "\"caps\":[");
	for (uint32_t bit = 1; bit && bit <= CAPS_ALL; bit <<= 1) {
		if (!(step->caps & bit))
			continue;
		put_member(sink, comma, capability_name(bit));
		comma = ",";
	}
	snprintf(hz, sizeof(hz), "],\"hz\":%u}", step->rate_hz);
	puts_to(sink, hz);
}

static void put_class(struct sink *sink, const struct plan_class *cls)
{
	put_member(sink, "{\"id\":", cls->id);
	puts_to(sink, ",\"steps\":[");
	for (size_t i = 0; i < cls->step_nr; i++) {
		if (i)
			puts_to(sink, ",");
		put_step(sink, &cls->step[i]);
	}
	puts_to(sink, "]}");
}

static void put_optional(struct sink *sink, const char **comma, const char *name, const char *text)
{
	if (!text)
		return;
	puts_to(sink, *comma);
	put_member(sink, name, text);
	*comma = ",";
}

static void put_container(struct sink *sink, const struct plan_container *container)
{
	const char *comma = "";

	puts_to(sink, "{");
	put_optional(sink, &comma, "\"cgroup\":", container->cgroup);
	put_optional(sink, &comma, "\"cid\":", container->cid);
	put_optional(sink, &comma, "\"class\":", container->class_id);
	put_optional(sink, &comma, "\"name\":", container->name);
	puts_to(sink, "}");
}

static void put_target(struct sink *sink, const struct plan_target *target)
{
	put_member(sink, "{\"class\":", target->class_id);
	puts_to(sink, ",\"containers\":[");
	for (size_t i = 0; i < target->container_nr; i++) {
		if (i)
			puts_to(sink, ",");
		put_container(sink, &target->container[i]);
	}
	puts_to(sink, "]");
	for (size_t i = 0; i < target->label_nr; i++) {
		put_member(sink, i ? "," : ",\"labels\":{", target->label[i].key);
		put_member(sink, ":", target->label[i].value);
	}
	if (target->label_nr)
		puts_to(sink, "}");
	put_member(sink, ",\"ns\":", target->ns);
	put_member(sink, ",\"pod\":", target->pod);
	put_member(sink, ",\"service\":", target->service);
	put_member(sink, ",\"uid\":", target->uid);
	puts_to(sink, "}");
}

static void put_plan(struct sink *sink, const struct plan *plan)
{
	puts_to(sink, "{\"classes\":[");
	for (size_t i = 0; i < plan->cls_nr; i++) {
		if (i)
			puts_to(sink, ",");
		put_class(sink, &plan->cls[i]);
	}
	puts_to(sink, "],\"targets\":[");
	for (size_t i = 0; i < plan->target_nr; i++) {
		if (i)
			puts_to(sink, ",");
		put_target(sink, &plan->target[i]);
	}
	puts_to(sink, "]}");
}

void plan_hash(const struct plan *plan, char ret_hex[PLAN_HASH_HEX])
{
	struct sink sink = { .digest = EVP_MD_CTX_new() };
	unsigned char hash[PLAN_HASH_BYTES];
	bool ok = sink.digest && EVP_DigestInit_ex(sink.digest, EVP_sha256(), NULL);

	/* Both fail only without memory or without SHA-256, and then nothing can be told apart. */
	if (!ok)
		abort();
	put_plan(&sink, plan);
	flush(&sink);
	if (!EVP_DigestFinal_ex(sink.digest, hash, NULL))
		abort();
	EVP_MD_CTX_free(sink.digest);
	hex_encode(hash, sizeof(hash), ret_hex);
}
