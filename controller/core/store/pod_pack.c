/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/core/store/pod_pack.h"

#include <assert.h>
#include <string.h>

#include "controller/core/object/cid.h"

/* Of a packed pod only as much of struct object is there. */
#define HEAD_BYTES (offsetof(struct object, pod) + sizeof(struct pod))

static size_t text_bytes(const char *text)
{
	return text ? strlen(text) + 1 : 0;
}

static size_t packed_bytes(const struct object *pod)
{
	size_t bytes = HEAD_BYTES + text_bytes(pod->name) + text_bytes(pod->uid);

	for (size_t i = 0; i < pod->pod.container_nr; i++) {
		const struct pod_container *container = &pod->pod.container[i];

		bytes += sizeof(*container) + text_bytes(container->cgroup);
		bytes += container->cid ? cid_bytes(container->cid) : 0;
	}
	return bytes;
}

/* Copy `bytes` to where the packed pod's memory is filled so far. */
static void *append(char **end, const void *from, size_t bytes)
{
	void *at = *end;

	if (!from)
		return NULL;
	memcpy(at, from, bytes);
	*end += bytes;
	return at;
}

static char *share(struct shared_texts *texts, const char *text)
{
	return text ? shared_text_take(texts, text, strlen(text)) : NULL;
}

static void pack_containers(struct pod *to, const struct pod *from, struct shared_texts *texts,
			    char **end)
{
	to->container = append(end, from->container, from->container_nr * sizeof(*from->container));
	for (size_t i = 0; i < from->container_nr; i++) {
		const struct pod_container *container = &from->container[i];

		to->container[i] = (struct pod_container){
			.name = share(texts, container->name),
			.cid = append(end, container->cid,
				      container->cid ? cid_bytes(container->cid) : 0),
			.cgroup = append(end, container->cgroup, text_bytes(container->cgroup)),
		};
	}
}

struct object *pod_pack(struct object *pod, struct shared_texts *texts)
{
	struct object *to = xmalloc(packed_bytes(pod));
	char *end = (char *)to + HEAD_BYTES;

	assert(!pod->packed);
	memcpy(to, pod, HEAD_BYTES);
	to->packed = true;
	/* First, for they must be aligned. */
	pack_containers(&to->pod, &pod->pod, texts, &end);
	to->name = append(&end, pod->name, text_bytes(pod->name));
	to->uid = append(&end, pod->uid, text_bytes(pod->uid));
	to->ns = share(texts, pod->ns);
	to->labels =
		pod->labels ? shared_text_take(texts, pod->labels, labels_size(pod->labels)) : NULL;
	to->pod.node = share(texts, pod->pod.node);
	to->pod.service = share(texts, pod->pod.service);
	to->pod.workload = share(texts, pod->pod.workload);
	object_free(pod);
	return to;
}

void pod_packed_free(struct object *pod, struct shared_texts *texts)
{
	for (size_t i = 0; i < pod->pod.container_nr; i++)
		shared_text_give_back(texts, pod->pod.container[i].name);
	shared_text_give_back(texts, pod->ns);
	shared_text_give_back(texts, pod->labels);
	shared_text_give_back(texts, pod->pod.node);
	shared_text_give_back(texts, pod->pod.service);
	shared_text_give_back(texts, pod->pod.workload);
	free(pod);
}
