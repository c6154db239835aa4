// SPDX-License-Identifier: Apache-2.0
/* Puts the workers between a routing host and its LAN port. What the port
 * receives is kept from the host until a worker has sent it, marked, into the
 * inner device, from where it comes back to the port's ingress. What the host
 * sends is turned into the inner device's ingress, where the workers listen,
 * and leaves the port once a worker has sent it, marked. The mark is gone
 * before anything else sees the frame. No helper used is reserved to GPL
 * programs. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

#include "sluice_bypass.h"
#include "sluice_flows.h"
#include "sluice_guard.h"

/* Set before load. */
volatile const __u32 approved; /* the mark: a number of this daemon's own */
volatile const __u32 lan_port; /* ifindex */
volatile const __u32 inner_device;
volatile const __u32 fails_closed; /* sluice_away_... take the mark off */

/* What went by the workers, by its way: from the port to the host, and back.
 * Read by the next daemon too. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, struct wire);
} went_by SEC(".maps");

/* Tells sluice_away_... that a worker let the frame go: where nothing hangs on it,
 * by the scratch space that programs at one hook share, for no one else to see. */
static __always_inline int let_go(struct __sk_buff *skb)
{
	skb->mark = fails_closed ? approved : 0;
	skb->cb[0] = approved;
	return TCX_NEXT;
}

static __always_inline int was_let_go(const struct __sk_buff *skb)
{
	/* Both are read: the verifier takes no address of either. */
	__u32 mark = *(volatile const __u32 *)&skb->mark, note = *(volatile const __u32 *)&skb->cb[0];

	return (fails_closed ? mark : note) == approved;
}

/* ARP, LLDP and the like carry nobody's data: they pass unjudged, so that
 * neighbours are found as before. */
static __always_inline int is_judged(__u16 type)
{
	return type == ETH_IP || type == ETH_IPV6 || type == ETH_8021Q || type == ETH_8021AD || type == ETH_QINQ1;
}

/* Whether the host says something in a flow that is over, of which the XDP
 * program sees but the other way. */
static __always_inline int is_over(struct __sk_buff *skb)
{
	struct flow_key key = {};
	struct packet p = {};

	if (!any_flow_dropped() || bypass_key(skb, &key, &p) || !flow_filter_has(&p))
		return 0;
	p.length = skb->len;
	return drops_flow(&p, &key, bpf_ktime_get_ns());
}

SEC("tcx/ingress")
int sluice_gate_in(struct __sk_buff *skb)
{
	if (skb->mark == approved)
		return let_go(skb);
	if (workers_silent()) {
		__sync_fetch_and_add(&guard.yielded, 1);
		return TCX_NEXT;
	}
	if (!is_judged(bpf_ntohs((__u16)skb->protocol)))
		return let_go(skb);
	if (goes_past(skb))
		return let_go(skb);
	__sync_fetch_and_add(&guard.dropped, 1);
	return TC_DROP;
}

SEC("tcx/egress")
int sluice_gate_out(struct __sk_buff *skb)
{
	if (skb->mark == approved)
		return let_go(skb);
	if (is_over(skb))
		return TC_DROP;
	if (workers_silent()) {
		__sync_fetch_and_add(&guard.yielded, 1);
		return TCX_NEXT;
	}
	if (!is_judged(bpf_ntohs((__u16)skb->protocol)))
		return let_go(skb);
	if (goes_past(skb))
		return let_go(skb);
	__sync_fetch_and_add(&guard.dropped, 1);
	return bpf_redirect(inner_device, BPF_F_INGRESS);
}

/* On the inner device's egress: what a worker approved goes to the host. */
SEC("tc")
int sluice_gate_up(struct __sk_buff *skb)
{
	__u16 type = bpf_ntohs((__u16)skb->protocol);

	if (skb->mark != approved)
		return TC_DROP; /* not the workers' */
	if (type == ETH_8021Q || type == ETH_8021AD) {
		__be16 inner;

		if (bpf_skb_load_bytes(skb, 16, &inner, sizeof(inner)))
			return TC_DROP;
		type = bpf_ntohs(inner);
	}
	if (!is_judged(type))
		return TC_STOLEN; /* the host has it already */
	return bpf_redirect(lan_port, BPF_F_INGRESS);
}

/* On the inner device's ingress, behind the workers' sockets. */
SEC("tc")
int sluice_gate_end(struct __sk_buff *skb)
{
	return TC_DROP;
}

/* Outlive the daemon, each on one way of the port: what no worker let go is left
 * to the host, or ends where the gate fails closed, and is counted. */
static __always_inline int away(struct __sk_buff *skb, __u32 way)
{
	struct wire *w;

	if (was_let_go(skb)) {
		skb->cb[0] = 0;
		if (fails_closed)
			skb->mark = 0;
		return TCX_NEXT; /* on clsact: the next filter */
	}
	if (is_judged(bpf_ntohs((__u16)skb->protocol))) {
		w = bpf_map_lookup_elem(&went_by, &way);
		if (w) {
			w->last = bpf_ktime_get_ns();
			if (!w->first)
				w->first = w->last;
			__sync_fetch_and_add(&w->packets, 1);
			__sync_fetch_and_add(&w->bytes, skb->len);
		}
	}
	return fails_closed ? TC_DROP : TCX_NEXT;
}

SEC("tc")
int sluice_away_in(struct __sk_buff *skb)
{
	return away(skb, 0);
}

SEC("tc")
int sluice_away_out(struct __sk_buff *skb)
{
	return away(skb, 1);
}

/* Hides from the port's sockets what comes back to it approved, and what goes
 * past the workers. */
SEC("socket")
int sluice_unseen(struct __sk_buff *skb)
{
	if (skb->mark == approved)
		return 0;
	return is_past(skb) ? 0 : -1;
}

char _license[] SEC("license") = "Apache-2.0";
