/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/core/push/push_labels.h"

#include <errno.h>
#include <string.h>

#include "lib/core/hash.h"
#include "lib/core/table.h"
#include "lib/core/text/utf8.h"

#define PROFILE_NAME "process_cpu"

struct value {
	char *text;
	int64_t seen_ns;
};

/* One label of one namespace. */
struct group {
	struct table_node node;
	char *ns, *name;
	struct value *value;
	size_t nr;
};

struct push_labeler {
	const char *const *added;
	size_t added_nr;
	uint32_t value_max;
	struct table groups;
	int64_t swept_ns;
	uint64_t folded;
};

/* --- values that are known --- */

static struct group *group_of(struct push_labeler *labeler, const char *ns, const char *name)
{
	uint64_t hash = hash_u64(hash_bytes(ns, strlen(ns)) ^ hash_bytes(name, strlen(name)) << 1);
	struct group *group;

	for (struct table_node *node = table_first(&labeler->groups, hash); node;
	     node = table_next(node)) {
		group = TABLE_ENTRY(node, struct group, node);
		if (strcmp(group->ns, ns) == 0 && strcmp(group->name, name) == 0)
			return group;
	}
	group = xcalloc(1, sizeof(*group));
	group->ns = xstrdup(ns);
	group->name = xstrdup(name);
	table_add(&labeler->groups, &group->node, hash);
	return group;
}

static void group_free(struct group *group)
{
	for (size_t i = 0; i < group->nr; i++)
		free(group->value[i].text);
	free(group->value);
	free(group->ns);
	free(group->name);
	free(group);
}

static void forget_values(struct group *group, int64_t now_ns)
{
	for (size_t i = 0; i < group->nr;) {
		if (now_ns - group->value[i].seen_ns <= PUSH_LABEL_FORGET_NS) {
			i++;
			continue;
		}
		free(group->value[i].text);
		group->value[i] = group->value[--group->nr];
	}
}

/* Namespaces that are no more leave nothing behind. */
static void sweep(struct push_labeler *labeler, int64_t now_ns)
{
	if (now_ns - labeler->swept_ns < PUSH_LABEL_FORGET_NS)
		return;
	labeler->swept_ns = now_ns;
	for (size_t i = 0; i < labeler->groups.size; i++) {
		struct table_node *next;

		for (struct table_node *node = labeler->groups.bucket[i]; node; node = next) {
			struct group *group = TABLE_ENTRY(node, struct group, node);

			next = node->next;
			forget_values(group, now_ns);
			if (group->nr == 0) {
				table_remove(&labeler->groups, node);
				group_free(group);
			}
		}
	}
}

static const char *known(struct push_labeler *labeler, const char *ns,
			 const struct plan_label *label, int64_t now_ns)
{
	struct group *group = group_of(labeler, ns, label->key);

	for (size_t i = 0; i < group->nr; i++)
		if (strcmp(group->value[i].text, label->value) == 0) {
			group->value[i].seen_ns = now_ns;
			return label->value;
		}
	if (group->nr == labeler->value_max)
		forget_values(group, now_ns);
	if (group->nr == labeler->value_max) {
		labeler->folded++;
		return PUSH_LABEL_OTHER;
	}
	GROW(group->value, group->nr);
	group->value[group->nr++] =
		(struct value){ .text = xstrdup(label->value), .seen_ns = now_ns };
	return label->value;
}

/* --- labels --- */

/* [a-zA-Z_][a-zA-Z0-9_]*; what is "__" in front is the backend's own. */
static char *clean_name(const char *key)
{
	char *name = xasprintf("%s%.*s", *key >= '0' && *key <= '9' ? "_" : "",
			       PUSH_LABEL_BYTES - 1, key);

	for (char *at = name; *at; at++)
		if (!((*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z') ||
		      (*at >= '0' && *at <= '9')))
			*at = '_';
	return name;
}

static bool has(const struct push_labels *labels, const char *name)
{
	for (size_t i = 0; i < labels->nr; i++)
		if (strcmp(labels->label[i].name, name) == 0)
			return true;
	return false;
}

/* Takes `name` over. */
static void add(struct push_labels *labels, char *name, const char *value)
{
	char clean[PUSH_LABEL_BYTES + 1];

	if (!value || !*value || labels->nr == PUSH_LABELS || has(labels, name)) {
		free(name);
		return;
	}
	utf8_clean(value, strlen(value), clean, sizeof(clean));
	labels->label[labels->nr++] = (struct push_label){ .name = name, .value = xstrdup(clean) };
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct push_label *)a)->name, ((const struct push_label *)b)->name);
}

void push_labels_make(struct push_labeler *labeler, const struct profile_meta *meta, int64_t now_ns,
		      struct push_labels *ret_labels)
{
	const char *ns = meta->ns ? meta->ns : "";
	cleanup(freep) char *service = NULL;
	struct push_labels *labels = ret_labels;

	*labels = (struct push_labels){ 0 };
	sweep(labeler, now_ns);
	service = meta->service && *meta->service
			  ? xstrdup(meta->service)
			  : xasprintf("%s/%s", ns, meta->container ? meta->container : "");
	add(labels, xstrdup("__name__"), PROFILE_NAME);
	add(labels, xstrdup("service_name"), service);
	add(labels, xstrdup("namespace"), ns);
	add(labels, xstrdup("pod"), meta->pod);
	add(labels, xstrdup("container"), meta->container);
	add(labels, xstrdup("node"), meta->node);
	for (size_t i = 0; i < labeler->added_nr; i++) {
		const char *equal = strchr(labeler->added[i], '=');

		add(labels, xstrndup(labeler->added[i], (size_t)(equal - labeler->added[i])),
		    equal + 1);
	}
	for (size_t i = 0; i < meta->label_nr; i++)
		add(labels, clean_name(meta->label[i].key),
		    known(labeler, ns, &meta->label[i], now_ns));
	qsort(labels->label, labels->nr, sizeof(labels->label[0]), by_name);
}

void push_labels_release(struct push_labels *labels)
{
	for (size_t i = 0; i < labels->nr; i++) {
		free(labels->label[i].name);
		free(labels->label[i].value);
	}
	labels->nr = 0;
}

static bool is_ours(const char *name)
{
	static const char *const ours[] = { "service_name", "namespace", "pod",
					    "container",    "node",	 "workload" };

	for (size_t i = 0; i < ARRAY_SIZE(ours); i++)
		if (strcmp(name, ours[i]) == 0)
			return true;
	return false;
}

int push_label_check(const char *text, struct err *err)
{
	const char *equal = strchr(text, '=');
	cleanup(freep) char *name = equal ? xstrndup(text, (size_t)(equal - text)) : NULL;
	cleanup(freep) char *clean = name ? clean_name(name) : NULL;

	if (!name || !*name || !equal[1] || strcmp(name, clean) != 0 || strncmp(name, "__", 2) == 0)
		return err_set(err, -EINVAL,
			       "\"%.64s\" is not NAME=VALUE with a name of a-z A-Z 0-9 _, as "
			       "cluster=prod",
			       text);
	if (is_ours(name))
		return err_set(err, -EINVAL, "%s is set by the agent", name);
	return 0;
}

/* --- life --- */

struct push_labeler *push_labeler_new(const char *const *added, size_t added_nr, uint32_t value_max)
{
	struct push_labeler *labeler = xcalloc(1, sizeof(*labeler));

	labeler->added = added;
	labeler->added_nr = MIN(added_nr, PUSH_LABELS_ADDED);
	labeler->value_max = value_max;
	return labeler;
}

void push_labeler_free(struct push_labeler *labeler)
{
	if (!labeler)
		return;
	for (size_t i = 0; i < labeler->groups.size; i++) {
		struct table_node *next;

		for (struct table_node *node = labeler->groups.bucket[i]; node; node = next) {
			next = node->next;
			group_free(TABLE_ENTRY(node, struct group, node));
		}
	}
	table_release(&labeler->groups);
	free(labeler);
}

uint64_t push_labeler_folded(const struct push_labeler *labeler)
{
	return labeler->folded;
}
