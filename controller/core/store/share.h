/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLLER_CORE_STORE_SHARE_H
#define CONTROLLER_CORE_STORE_SHARE_H

/* Which policies of a namespace are in its share: LIMIT_NS_POLICIES, and LIMIT_NS_BOOSTS of them boosts.
 *
 * Those that may be in force go first, and among them the oldest, by name when they are of the same age: whoever makes
 * more does not push out what is there.  A boost that has ended, and a policy that is being deleted, takes no room from
 * them; they are in the share, so that their status tells what they select, while there is room. */

#include "controller/core/object/clock.h"
#include "controller/core/store/object_list.h"
#include "lib/core/base.h"

enum share_verdict {
	SHARE_IN,
	SHARE_POLICIES, /* beyond the policies of a namespace */
	SHARE_BOOSTS,	/* beyond its boosts */
};

struct share {
	struct object_list in;	   /* by name; the objects are borrowed */
	struct boost_clock *clock; /* of those, in the same order; copies */
	size_t beyond;		   /* policies that could be in force and are not in it */
	int64_t until_ns; /* CLOCK_BOOTTIME: the first end of a boost in it, which may let others in */
};

/* `clock`: those of `policies`, in the same order. */
void share_make(struct share *ret_share, const struct object_list *policies,
		const struct boost_clock *clock, int64_t now_ns);
void share_release(struct share *share);

/* The clock of a policy that is in it.  False when it is not in it: who is may be another matter now. */
bool share_set_clock(struct share *share, const char *ns, const char *name,
		     const struct boost_clock *clock);

/* Why a policy of the namespace is in it or not. */
enum share_verdict share_look_up(const struct share *share, const struct object *policy);

#endif
