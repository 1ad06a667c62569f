/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LIB_CORE_LIMITS_H
#define LIB_CORE_LIMITS_H

/* Every bound on what an outsider can make us keep or do.  One place, so that a reviewer can add up
 * the worst case.  A value above its bound is refused with a sentence, never cut silently. */

#define LIMIT_MANIFEST_BYTES (1024 * 1024) /* one manifest file */
#define LIMIT_STATUS_BYTES (64 * 1024)	   /* one status file */
#define LIMIT_MANIFEST_DOCS 10000	   /* documents in one file */
#define LIMIT_MANIFEST_NODES 200000	   /* YAML nodes in one file, after alias expansion */
#define LIMIT_SOURCE_FILES 10000	   /* manifests in one source directory */
#define LIMIT_SOURCE_OBJECTS 200000	   /* objects in all of them */
#define LIMIT_JSON_DEPTH 16		   /* nesting of a control message body */
#define LIMIT_YAML_DEPTH 32		   /* nesting of a manifest */
#define LIMIT_NAME_BYTES 253		   /* a Kubernetes name (DNS subdomain) */
#define LIMIT_REASON_BYTES 256		   /* spec.reason */
#define LIMIT_SELECTOR_TERMS 64		   /* matchLabels + matchExpressions */
#define LIMIT_SELECTOR_VALUES 64	   /* values of one expression */
#define LIMIT_CONTAINER_NAMES 32	   /* spec.containers */

/* The share of one namespace (share.h, compile_part.h). */
#define LIMIT_NS_POLICIES 128 /* that can be in force; the newest beyond are TooMany */
#define LIMIT_NS_BOOSTS 32    /* of these, boosts that have not ended */
#define LIMIT_NS_CLASSES 64   /* on one node: sets of policies that select the same containers */
#define LIMIT_NS_LABEL_BYTES                                                                       \
	(16UL * 1024 * 1024) /* keys and values of its pods' labels: 30,000 pods of 500 bytes */

#define LIMIT_SAMPLE_RATE_HZ 200 /* spec.sampleRateHz, and the agent's own last ceiling */
#define LIMIT_BOOST_NS_MIN (10LL * 1000000000LL)
#define LIMIT_BOOST_NS_MAX (24LL * 3600 * 1000000000LL)

#define LIMIT_PLAN_CLASSES 1021	      /* twice as many fit the BPF map */
#define LIMIT_PLAN_STEPS 16	      /* steps of one class: boosts that end one after the other */
#define LIMIT_PLAN_TARGETS 2048	      /* pods on one node */
#define LIMIT_PLAN_CONTAINERS 64      /* containers of one pod */
#define LIMIT_PLAN_LABELS 16	      /* pod labels passed on by allow-list */
#define LIMIT_PLAN_BOOSTS 1024	      /* boosts of one plan, and names in one step */
#define LIMIT_PLAN_ID_BYTES 512	      /* a class id or a boost id: "NS/NAME@GENERATION.START" */
#define LIMIT_PLAN_LABEL_BYTES 317    /* a label key: DNS prefix, "/", 63 */
#define LIMIT_PLAN_CGROUP_BYTES 4095  /* a cgroup path */
#define LIMIT_PLAN_BYTES (2048 << 10) /* a full plan as JSON */
#define LIMIT_DELTA_BYTES (8 * 1024)  /* a larger delta is sent as a full plan */
#define LIMIT_CONTROL_RX_CONTROLLER (256 * 1024) /* a message from an agent */
#define LIMIT_CONTROL_RX_PENDING (64 * 1024)	 /* the first one, while its token is reviewed */
#define LIMIT_CONTROL_RX_AGENT (2112 * 1024)	 /* a message from the controller */

#define LIMIT_KUBE_OBJECT_BYTES                                                                    \
	(4UL * 1024 * 1024)	   /* one object of the Kubernetes API, one event of a watch */
#define LIMIT_KUBE_OBJECT_DEPTH 64 /* its nesting */
#define LIMIT_KUBE_ANSWER_BYTES (4UL * 1024 * 1024) /* an answer that is no list */
#define LIMIT_KUBE_TOKEN_BYTES (16UL * 1024)	    /* a bearer token */

#endif
