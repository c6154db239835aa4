// SPDX-License-Identifier: Apache-2.0
/* Notices that the daemon is to be killed, and the death of a worker's thread as
 * it begins, for guard and gate, whose state this shares. A killed process first
 * gives its memory back, then its files, among them what holds the guard: many
 * milliseconds in which frames would reach nobody. No helper used is reserved to
 * GPL programs. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "sluice_guard.h"

/* The threads of the workers, by their numbers in the daemon's PID namespace. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 256);
	__type(key, __u32);
	__type(value, __u32);
} threads SEC(".maps");

/* The daemon and its PID namespace, set before load. */
volatile const __u32 daemon_pid;
volatile const __u64 pidns_dev, pidns_ino;

/* Called in the thread that ends, whichever of the host's it is. */
SEC("raw_tp/sched_process_exit")
int sluice_death(void *ctx)
{
	struct bpf_pidns_info who;

	if (bpf_get_ns_current_pid_tgid(pidns_dev, pidns_ino, &who, sizeof(who)))
		return 0; /* of another namespace */
	if (who.tgid == daemon_pid && bpf_map_lookup_elem(&threads, &who.pid))
		guard.dead = 1;
	return 0;
}

#define SIGKILL 9
#define SIGURG 23

/* The daemon as the kernel names it in this tracepoint: learnt from a signal that
 * it sends itself. Not beside the guard's state, which is the other object's. */
volatile __u64 daemon_task SEC(".data.own");

/* Called by whoever sends a signal: on a busy host it takes a while until a
 * thread that is to die is given a CPU for that. */
SEC("raw_tp/signal_generate")
int sluice_kill(struct bpf_raw_tracepoint_args *ctx)
{
	__u64 task = ctx->args[2];
	struct bpf_pidns_info who;

	switch ((int)ctx->args[0]) {
	case SIGKILL:
		if (task == daemon_task)
			guard.dead = 1;
		break;
	case SIGURG: /* to the whole process: those to single threads are the runtime's */
		if (!daemon_task && (int)ctx->args[3] &&
		    !bpf_get_ns_current_pid_tgid(pidns_dev, pidns_ino, &who, sizeof(who)) && who.tgid == daemon_pid)
			daemon_task = task;
		break;
	}
	return 0;
}

char _license[] SEC("license") = "Apache-2.0";
