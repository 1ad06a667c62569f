/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/core/control/opamp.h"

#include <errno.h>
#include <string.h>

#include "lib/core/limits.h"
#include "lib/core/text/encode.h"
#include "lib/core/text/json.h"
#include "proto/opamp.pb-c.h"

#define HOST_KEY "host.name"

typedef Opamp__Proto__V1__AgentToServer pb_from_agent;
typedef Opamp__Proto__V1__ServerToAgent pb_to_agent;
typedef Opamp__Proto__V1__AgentDescription pb_description;
typedef Opamp__Proto__V1__CustomCapabilities pb_capabilities;
typedef Opamp__Proto__V1__CustomMessage pb_custom;
typedef Opamp__Proto__V1__RemoteConfigStatus pb_status;
typedef Opamp__Proto__V1__AgentRemoteConfig pb_config;

static const uint8_t no_uid[OPAMP_UID_BYTES];

void opamp_from_agent_release(struct opamp_from_agent *msg)
{
	free(msg->custom.body);
	*msg = (struct opamp_from_agent){ 0 };
}

void opamp_to_agent_release(struct opamp_to_agent *msg)
{
	free(msg->custom.body);
	free(msg->plan);
	*msg = (struct opamp_to_agent){ 0 };
}

/* --- to bytes --- */

static ProtobufCBinaryData bytes_of(const void *data, size_t len)
{
	return (ProtobufCBinaryData){ .len = len, .data = (uint8_t *)data };
}

/* `bytes` holds PLAN_HASH_BYTES and must outlive the result. */
static ProtobufCBinaryData hash_to_bytes(const char *hex, uint8_t *bytes)
{
	if (!hex_decode(hex, bytes, PLAN_HASH_BYTES))
		return bytes_of(NULL, 0);
	return bytes_of(bytes, PLAN_HASH_BYTES);
}

static uint8_t *pack(const ProtobufCMessage *pb, size_t room, size_t *ret_len)
{
	size_t len = protobuf_c_message_get_packed_size(pb);
	uint8_t *bytes = xmalloc(room + 1 + len);

	bytes[room] = 0; /* the header: 0 says "a protobuf message follows" */
	protobuf_c_message_pack(pb, bytes + room + 1);
	*ret_len = 1 + len;
	return bytes;
}

static bool fill_custom(const struct opamp_custom *custom, pb_custom *pb)
{
	pb->capability = (char *)OPAMP_CAPABILITY;
	pb->type = (char *)custom->type;
	pb->data = bytes_of(custom->body, custom->body_len);
	return custom->type[0];
}

uint8_t *opamp_from_agent_pack(const struct opamp_from_agent *msg, size_t room, size_t *ret_len)
{
	pb_from_agent pb = OPAMP__PROTO__V1__AGENT_TO_SERVER__INIT;
	pb_description description = OPAMP__PROTO__V1__AGENT_DESCRIPTION__INIT;
	Opamp__Proto__V1__KeyValue attribute = OPAMP__PROTO__V1__KEY_VALUE__INIT;
	Opamp__Proto__V1__AnyValue host = OPAMP__PROTO__V1__ANY_VALUE__INIT;
	Opamp__Proto__V1__AgentDisconnect leaving = OPAMP__PROTO__V1__AGENT_DISCONNECT__INIT;
	pb_status status = OPAMP__PROTO__V1__REMOTE_CONFIG_STATUS__INIT;
	pb_capabilities capabilities = OPAMP__PROTO__V1__CUSTOM_CAPABILITIES__INIT;
	pb_custom custom = OPAMP__PROTO__V1__CUSTOM_MESSAGE__INIT;
	Opamp__Proto__V1__KeyValue *attributes[] = { &attribute };
	char *names[] = { (char *)OPAMP_CAPABILITY };
	uint8_t hash[PLAN_HASH_BYTES];

	pb.instance_uid = bytes_of(msg->uid, sizeof(msg->uid));
	pb.sequence_num = msg->seq;
	pb.capabilities = msg->capabilities;
	if (msg->host[0]) {
		host.value_case = OPAMP__PROTO__V1__ANY_VALUE__VALUE_STRING_VALUE;
		host.string_value = (char *)msg->host;
		attribute.key = (char *)HOST_KEY;
		attribute.value = &host;
		description.n_identifying_attributes = 1;
		description.identifying_attributes = attributes;
		pb.agent_description = &description;
	}
	if (msg->knows_us) {
		capabilities.n_capabilities = 1;
		capabilities.capabilities = names;
		pb.custom_capabilities = &capabilities;
	}
	if (msg->has_status) {
		status.last_remote_config_hash = hash_to_bytes(msg->hash, hash);
		status.status = (Opamp__Proto__V1__RemoteConfigStatuses)msg->status;
		status.error_message = (char *)msg->error;
		pb.remote_config_status = &status;
	}
	if (msg->leaving)
		pb.agent_disconnect = &leaving;
	if (fill_custom(&msg->custom, &custom))
		pb.custom_message = &custom;
	return pack(&pb.base, room, ret_len);
}

uint8_t *opamp_to_agent_pack(const struct opamp_to_agent *msg, size_t room, size_t *ret_len)
{
	pb_to_agent pb = OPAMP__PROTO__V1__SERVER_TO_AGENT__INIT;
	Opamp__Proto__V1__ServerErrorResponse error = OPAMP__PROTO__V1__SERVER_ERROR_RESPONSE__INIT;
	pb_config config = OPAMP__PROTO__V1__AGENT_REMOTE_CONFIG__INIT;
	Opamp__Proto__V1__AgentConfigMap map = OPAMP__PROTO__V1__AGENT_CONFIG_MAP__INIT;
	Opamp__Proto__V1__AgentConfigMap__ConfigMapEntry entry =
		OPAMP__PROTO__V1__AGENT_CONFIG_MAP__CONFIG_MAP_ENTRY__INIT;
	Opamp__Proto__V1__AgentConfigMap__ConfigMapEntry *entries[] = { &entry };
	Opamp__Proto__V1__AgentConfigFile file = OPAMP__PROTO__V1__AGENT_CONFIG_FILE__INIT;
	pb_capabilities capabilities = OPAMP__PROTO__V1__CUSTOM_CAPABILITIES__INIT;
	pb_custom custom = OPAMP__PROTO__V1__CUSTOM_MESSAGE__INIT;
	char *names[] = { (char *)OPAMP_CAPABILITY };
	uint8_t hash[PLAN_HASH_BYTES];

	pb.instance_uid = bytes_of(msg->uid, sizeof(msg->uid));
	pb.capabilities = msg->capabilities;
	pb.flags = msg->flags;
	if (msg->knows_us) {
		capabilities.n_capabilities = 1;
		capabilities.capabilities = names;
		pb.custom_capabilities = &capabilities;
	}
	if (msg->plan) {
		file.body = bytes_of(msg->plan, msg->plan_len);
		file.content_type = (char *)"application/json";
		entry.key = (char *)OPAMP_PLAN_FILE;
		entry.value = &file;
		map.n_config_map = 1;
		map.config_map = entries;
		config.config = &map;
		config.config_hash = hash_to_bytes(msg->hash, hash);
		pb.remote_config = &config;
	}
	if (msg->error[0]) {
		error.type =
			OPAMP__PROTO__V1__SERVER_ERROR_RESPONSE_TYPE__ServerErrorResponseType_BadRequest;
		error.error_message = (char *)msg->error;
		pb.error_response = &error;
	}
	if (fill_custom(&msg->custom, &custom))
		pb.custom_message = &custom;
	return pack(&pb.base, room, ret_len);
}

/* --- from bytes --- */

static bool is_utf8(const char *text, size_t len)
{
	cleanup(json_decrefp) json_t *string = json_stringn(text, len);

	return string != NULL;
}

/* A name: refused if it is longer than the room or not plain. */
static int read_name(const char *what, const char *text, char *room, size_t size, struct err *err)
{
	size_t len = strlen(text);

	if (len >= size)
		return err_set(err, -EPROTO, "%s: longer than %zu bytes", what, size - 1);
	if (!is_utf8(text, len) || !json_text_is_plain(text, len))
		return err_set(err, -EPROTO, "%s: not plain text", what);
	memcpy(room, text, len + 1);
	return 0;
}

/* A sentence for people: cut and cleaned, refused only if it is not UTF-8. */
static int read_sentence(const char *what, const char *text, char *room, size_t size,
			 struct err *err)
{
	size_t len = strlen(text);

	if (!is_utf8(text, len))
		return err_set(err, -EPROTO, "%s: not UTF-8", what);
	if (len >= size)
		for (len = size - 1; len > 0 && ((uint8_t)text[len] & 0xc0) == 0x80;)
			len--;
	memcpy(room, text, len);
	room[len] = '\0';
	for (size_t i = 0; i < len; i++)
		if ((uint8_t)room[i] < 0x20 || room[i] == 0x7f)
			room[i] = ' ';
	if (!json_text_is_plain(room, len)) /* C1 controls, which are two bytes */
		return err_set(err, -EPROTO, "%s: not plain text", what);
	return 0;
}

static void read_hash(const ProtobufCBinaryData *bytes, char *hex)
{
	hex[0] = '\0';
	if (bytes->len == PLAN_HASH_BYTES)
		hex_encode(bytes->data, PLAN_HASH_BYTES, hex);
}

static char *copy_body(const ProtobufCBinaryData *body)
{
	return xstrndup(body->len ? (const char *)body->data : "", body->len);
}

static bool names_us(const pb_capabilities *pb)
{
	for (size_t i = 0; pb && i < pb->n_capabilities; i++)
		if (strcmp(pb->capabilities[i], OPAMP_CAPABILITY) == 0)
			return true;
	return false;
}

/* Custom messages of others' capabilities are not ours to judge: they read as none. */
static int read_custom(const pb_custom *pb, struct opamp_custom *ret, struct err *err)
{
	if (!pb || strcmp(pb->capability, OPAMP_CAPABILITY) != 0)
		return 0;
	if (!pb->type[0])
		return err_set(err, -EPROTO, "custom_message.type: empty");
	if (pb->data.len && memchr(pb->data.data, 0, pb->data.len))
		return err_set(err, -EPROTO, "custom_message.data: has a NUL byte");
	if (read_name("custom_message.type", pb->type, ret->type, sizeof(ret->type), err) < 0)
		return -EPROTO;
	ret->body = copy_body(&pb->data);
	ret->body_len = pb->data.len;
	return 0;
}

static int read_host(const pb_description *pb, char *room, size_t size, struct err *err)
{
	for (size_t i = 0; pb && i < pb->n_identifying_attributes; i++) {
		const Opamp__Proto__V1__KeyValue *item = pb->identifying_attributes[i];

		if (strcmp(item->key, HOST_KEY) == 0 && item->value &&
		    item->value->value_case == OPAMP__PROTO__V1__ANY_VALUE__VALUE_STRING_VALUE)
			return read_name(HOST_KEY, item->value->string_value, room, size, err);
	}
	return 0;
}

static int read_status(const pb_status *pb, struct opamp_from_agent *ret, struct err *err)
{
	if (!pb)
		return 0;
	ret->has_status = true;
	if ((unsigned)pb->status <= (unsigned)OPAMP_FAILED)
		ret->status = (enum opamp_status)pb->status;
	read_hash(&pb->last_remote_config_hash, ret->hash);
	return read_sentence("remote_config_status.error_message", pb->error_message, ret->error,
			     sizeof(ret->error), err);
}

static int read_from_agent(const pb_from_agent *pb, struct opamp_from_agent *ret, struct err *err)
{
	if (pb->instance_uid.len != OPAMP_UID_BYTES ||
	    memcmp(pb->instance_uid.data, no_uid, OPAMP_UID_BYTES) == 0)
		return err_set(err, -EPROTO, "instance_uid: not 16 bytes, or all zero");
	memcpy(ret->uid, pb->instance_uid.data, OPAMP_UID_BYTES);
	ret->seq = pb->sequence_num;
	ret->capabilities = pb->capabilities;
	ret->knows_us = names_us(pb->custom_capabilities);
	ret->leaving = pb->agent_disconnect != NULL;
	ret->has_description = pb->agent_description != NULL;
	if (read_host(pb->agent_description, ret->host, sizeof(ret->host), err) < 0 ||
	    read_status(pb->remote_config_status, ret, err) < 0)
		return -EPROTO;
	return read_custom(pb->custom_message, &ret->custom, err);
}

/* The plan among the offered files; others are not ours. */
static int read_config(const pb_config *pb, struct opamp_to_agent *ret, struct err *err)
{
	if (!pb || !pb->config)
		return 0;
	for (size_t i = 0; i < pb->config->n_config_map; i++) {
		const Opamp__Proto__V1__AgentConfigMap__ConfigMapEntry *entry =
			pb->config->config_map[i];

		if (strcmp(entry->key, OPAMP_PLAN_FILE) != 0 || !entry->value)
			continue;
		if (entry->value->body.len &&
		    memchr(entry->value->body.data, 0, entry->value->body.len))
			return err_set(err, -EPROTO, OPAMP_PLAN_FILE ": has a NUL byte");
		free(ret->plan);
		ret->plan = copy_body(&entry->value->body);
		ret->plan_len = entry->value->body.len;
	}
	read_hash(&pb->config_hash, ret->hash);
	if (ret->plan && !ret->hash[0])
		return err_set(err, -EPROTO, "config_hash: not %d bytes", PLAN_HASH_BYTES);
	return 0;
}

static int read_to_agent(const pb_to_agent *pb, struct opamp_to_agent *ret, struct err *err)
{
	if (pb->instance_uid.len == OPAMP_UID_BYTES)
		memcpy(ret->uid, pb->instance_uid.data, OPAMP_UID_BYTES);
	ret->capabilities = pb->capabilities;
	ret->flags = pb->flags;
	ret->knows_us = names_us(pb->custom_capabilities);
	if (pb->error_response &&
	    read_sentence("error_response.error_message", pb->error_response->error_message,
			  ret->error, sizeof(ret->error), err) < 0)
		return -EPROTO;
	if (read_config(pb->remote_config, ret, err) < 0)
		return -EPROTO;
	return read_custom(pb->custom_message, &ret->custom, err);
}

static int check_header(const uint8_t *bytes, size_t len, struct err *err)
{
	if (len == 0)
		return err_set(err, -EPROTO, "an empty message");
	if (bytes[0] != 0)
		return err_set(err, -EPROTO, "header byte %u, expected 0", bytes[0]);
	return 0;
}

int opamp_from_agent_unpack(const uint8_t *bytes, size_t len, struct opamp_from_agent *ret,
			    struct err *err)
{
	struct opamp_from_agent msg = { 0 };
	pb_from_agent *pb;
	int r;

	if (check_header(bytes, len, err) < 0)
		return -EPROTO;
	pb = opamp__proto__v1__agent_to_server__unpack(NULL, len - 1, bytes + 1);
	if (!pb)
		return err_set(err, -EPROTO, "not an AgentToServer message");
	r = read_from_agent(pb, &msg, err);
	opamp__proto__v1__agent_to_server__free_unpacked(pb, NULL);
	if (r < 0) {
		opamp_from_agent_release(&msg);
		return r;
	}
	*ret = msg;
	return 0;
}

int opamp_to_agent_unpack(const uint8_t *bytes, size_t len, struct opamp_to_agent *ret,
			  struct err *err)
{
	struct opamp_to_agent msg = { 0 };
	pb_to_agent *pb;
	int r;

	if (check_header(bytes, len, err) < 0)
		return -EPROTO;
	pb = opamp__proto__v1__server_to_agent__unpack(NULL, len - 1, bytes + 1);
	if (!pb)
		return err_set(err, -EPROTO, "not a ServerToAgent message");
	r = read_to_agent(pb, &msg, err);
	opamp__proto__v1__server_to_agent__free_unpacked(pb, NULL);
	if (r < 0) {
		opamp_to_agent_release(&msg);
		return r;
	}
	*ret = msg;
	return 0;
}
