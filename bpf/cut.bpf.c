// SPDX-License-Identifier: Apache-2.0
/* Keeps what is left of flows that a tap cut from passing a port, where the port
 * is in the path: resets alone come too late for what is under way. The tap's
 * sockets come first on the way in, so that workers go on to see it. No helper
 * used is reserved to GPL programs. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

#include "sluice_skb.h"

volatile const __u32 ignores_vlan; /* set before load */
volatile __u32 any_cut;		   /* spares the look-up until the first */

/* LRU: the kernel forgets the oldest by itself. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1);
	__type(key, struct flow_key);
	__type(value, struct cut);
} cuts SEC(".maps");

/* What carries no data passes: acknowledgements tell workers the numbers of a
 * valid reset, which is such a segment too. A new handshake is another
 * connection. */
static __always_inline int judge(struct __sk_buff *skb)
{
	struct flow_key key = {};
	struct packet p = {};
	__u32 payload;
	struct cut *c;

	if (!any_cut || skb_flow_key(skb, &key, &p, ignores_vlan, &payload))
		return TCX_NEXT;
	c = bpf_map_lookup_elem(&cuts, &key);
	if (!c || bpf_ktime_get_ns() >= c->expires)
		return TCX_NEXT;
	if (p.proto == IPPROTO_TCP && (p.tcp_flags & (TCP_SYN | TCP_ACK | TCP_RST)) == TCP_SYN) {
		c->expires = 0;
		return TCX_NEXT;
	}
	if (!payload)
		return TCX_NEXT;
	__sync_fetch_and_add(&c->packets, 1);
	__sync_fetch_and_add(&c->bytes, skb->len);
	return TC_DROP;
}

SEC("tcx/ingress")
int sluice_cut_in(struct __sk_buff *skb)
{
	return judge(skb);
}

SEC("tcx/egress")
int sluice_cut_out(struct __sk_buff *skb)
{
	return judge(skb);
}

char _license[] SEC("license") = "Apache-2.0";
