/* SPDX-License-Identifier: Apache-2.0 */
/* The workers' sign of life, as guard and gate read it. */
#ifndef SLUICE_GUARD_H
#define SLUICE_GUARD_H

#include "sluice_structs.h"

volatile struct guard_state guard;

/* Whether the workers have been silent for too long, so that they are passed by. */
static __always_inline int workers_silent(void)
{
	__u64 heartbeat = guard.heartbeat, timeout = guard.timeout, now;

	if (!timeout)
		return 0;
	if (guard.dead)
		return 1;
	now = bpf_ktime_get_ns();
	return now > heartbeat && now - heartbeat > timeout;
}

#endif
