// SPDX-License-Identifier: Apache-2.0
/* Keeps the host's own stack away from inline frames while the daemon works,
 * and stands in for the daemon when it does not. No helper used is reserved to
 * GPL programs. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

#include "sluice_bypass.h"
#include "sluice_forward.h"
#include "sluice_guard.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, struct wire);
} wires SEC(".maps");

/* The pair of ports, set before load. */
volatile const __u32 inside_port, outside_port;

/* Ahead of the wire by a link that dies with the daemon. */
SEC("tcx/ingress")
int sluice_guard(struct __sk_buff *skb)
{
	if (goes_past(skb))
		return forward(skb, skb->ifindex == inside_port ? outside_port : inside_port);
	if (workers_silent()) {
		__sync_fetch_and_add(&guard.yielded, 1);
		return TCX_NEXT;
	}
	__sync_fetch_and_add(&guard.dropped, 1);
	return TC_DROP;
}

/* Outlives the daemon: port to port, or nowhere. */
SEC("tc")
int sluice_wire(struct __sk_buff *skb)
{
	__u32 ifindex = skb->ifindex;
	struct wire *w = bpf_map_lookup_elem(&wires, &ifindex);

	if (!w)
		return TC_OK;
	w->last = bpf_ktime_get_ns();
	if (!w->first)
		w->first = w->last;
	__sync_fetch_and_add(&w->packets, 1);
	__sync_fetch_and_add(&w->bytes, skb->len);
	if (!w->peer)
		return TC_DROP;
	return forward(skb, w->peer);
}

/* Hides from the workers' sockets what goes past them. */
SEC("socket")
int sluice_unseen(struct __sk_buff *skb)
{
	return is_past(skb) ? 0 : -1;
}

char _license[] SEC("license") = "Apache-2.0";
