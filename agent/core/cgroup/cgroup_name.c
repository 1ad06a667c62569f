/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/core/cgroup/cgroup_name.h"

#include <ctype.h>
#include <string.h>

#include "lib/core/text/encode.h"

#define COMPONENT_MAX 256 /* NAME_MAX + 1 */
#define UUID_LEN 36
#define STATIC_UID_LEN 32
#define CID_LEN 64

static size_t hex_run(const char *text)
{
	size_t len = 0;

	while (hex_value(text[len]) >= 0)
		len++;
	return len;
}

static void copy_lower(char *dst, const char *src, size_t len)
{
	for (size_t i = 0; i < len; i++)
		dst[i] = (char)tolower((unsigned char)src[i]);
	dst[len] = '\0';
}

static bool dash_at(size_t i)
{
	return i == 8 || i == 13 || i == 18 || i == 23;
}

/* The systemd driver writes '_' for '-', since a dash in a slice's name means a level. */
static size_t uuid_parse(const char *text, char *ret_uid)
{
	char uid[CGROUP_UID_MAX];

	for (size_t i = 0; i < UUID_LEN; i++) {
		if (dash_at(i) ? text[i] != '-' && text[i] != '_' : hex_value(text[i]) < 0)
			return 0;
		uid[i] = text[i];
		if (dash_at(i))
			uid[i] = '-';
	}
	copy_lower(ret_uid, uid, UUID_LEN);
	return UUID_LEN;
}

/* A static pod's uid is the MD5 of its manifest, without dashes. */
static size_t uid_parse(const char *text, char *ret_uid)
{
	size_t len = uuid_parse(text, ret_uid);

	if (len > 0)
		return len;
	if (hex_run(text) != STATIC_UID_LEN)
		return 0;
	copy_lower(ret_uid, text, STATIC_UID_LEN);
	return STATIC_UID_LEN;
}

/* The byte that systemd wrote as \xHH, or -1. */
static int escaped_byte(const char *text, size_t len)
{
	uint8_t byte;

	if (len < 4 || text[0] != '\\' || text[1] != 'x' || !hex_decode(text + 2, &byte, 1))
		return -1;
	return byte;
}

/* One component of the path, unescaped; false when it is longer than a file name. */
static bool component_read(const char *text, size_t len, char out[COMPONENT_MAX])
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		int byte = escaped_byte(text + i, len - i);

		if (n + 1 >= COMPONENT_MAX)
			return false;
		out[n] = text[i];
		if (byte >= 0) {
			out[n] = (char)byte;
			i += 3;
		}
		n++;
	}
	out[n] = '\0';
	return true;
}

static const char *after_pod(const char *component)
{
	const char *found = NULL;

	if (strncmp(component, "pod", 3) == 0)
		return component + 3;
	for (const char *at = strstr(component, "-pod"); at; at = strstr(at + 1, "-pod"))
		found = at + 4;
	return found;
}

/* "podUID", "[ANYTHING-]podUID.slice"; what a mis-set driver puts behind it (":cri-containerd:ID")
 * is left to the caller in *ret_rest. */
static bool pod_parse(const char *component, char *ret_uid, const char **ret_rest)
{
	const char *text = after_pod(component);
	size_t len = text ? uid_parse(text, ret_uid) : 0;

	if (len == 0)
		return false;
	text += len;
	if (strncmp(text, ".slice", 6) == 0)
		text += 6;
	*ret_rest = text;
	return *text == '\0' || *text == ':';
}

/* "[RUNTIME-]ID[.scope]", where RUNTIME may be missing; ':' separates in place of '-' when the
 * runtime took a systemd path for a cgroupfs one.  A conmon is the runtime's helper and not the
 * container. */
static bool container_parse(const char *component, char *ret_cid)
{
	size_t len = strlen(component);
	const char *id;

	if (len >= 6 && strcmp(component + len - 6, ".scope") == 0)
		len -= 6;
	if (len < CID_LEN)
		return false;
	id = component + len - CID_LEN;
	if (hex_run(id) != CID_LEN || (id > component && id[-1] != '-' && id[-1] != ':'))
		return false;
	if (strstr(component, "conmon-"))
		return false;
	copy_lower(ret_cid, id, CID_LEN);
	return true;
}

static void name_component(struct cgroup_name *name, const char *component, size_t end)
{
	const char *rest = component;

	if (name->kind == CGROUP_OTHER) {
		if (!pod_parse(component, name->uid, &rest)) {
			name->uid[0] = '\0';
			return;
		}
		name->kind = CGROUP_POD;
		name->len = end;
	}
	if (container_parse(rest, name->cid)) {
		name->kind = CGROUP_CONTAINER;
		name->len = end;
	}
}

struct cgroup_name cgroup_name_parse(const char *path)
{
	struct cgroup_name name = { .kind = CGROUP_OTHER };
	char component[COMPONENT_MAX] = "";
	size_t at = 0;

	while (path[at] && name.kind != CGROUP_CONTAINER) {
		size_t len = strcspn(path + at, "/");

		if (len > 0 && component_read(path + at, len, component))
			name_component(&name, component, at + len);
		at += len;
		at += strspn(path + at, "/");
	}
	return name;
}
