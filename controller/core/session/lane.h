/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLLER_CORE_SESSION_LANE_H
#define CONTROLLER_CORE_SESSION_LANE_H

/* How soon a plan is sent.  A plan of a hastier lane carries what waits in slower ones. */
enum hub_lane {
	HUB_LANE_NOW,	/* boosts, stops, lowering */
	HUB_LANE_EDIT,	/* after 25 ms of quiet, 100 ms at most */
	HUB_LANE_CHURN, /* after 250 ms of quiet, 1 s at most */
};

#endif
