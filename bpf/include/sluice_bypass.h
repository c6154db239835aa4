/* SPDX-License-Identifier: Apache-2.0 */
/* Flows that the kernel forwards by itself, past the workers. */
#ifndef SLUICE_BYPASS_H
#define SLUICE_BYPASS_H

#include "sluice_skb.h"

/* Set before load; off, the verifier removes what asks. */
volatile const __u32 bypass_on;
volatile const __u32 bypass_ignores_vlan;

/* Not LRU: whoever put a flow in takes it out, so that no count is lost. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct flow_key);
	__type(value, struct bypass);
} bypassed SEC(".maps");

static __always_inline int bypass_key(struct __sk_buff *skb, struct flow_key *key, struct packet *p)
{
	__u32 payload;

	return skb_flow_key(skb, key, p, bypass_ignores_vlan, &payload);
}

#define TCP_TURNS (TCP_FIN | TCP_SYN | TCP_RST) /* what opens or ends a connection */

/* For sockets: whether the frame goes past the workers. */
static __always_inline int is_past(struct __sk_buff *skb)
{
	struct flow_key key = {};
	struct packet p = {};
	struct bypass *b;

	if (!bypass_on || bypass_key(skb, &key, &p) || p.tcp_flags & TCP_TURNS)
		return 0;
	b = bpf_map_lookup_elem(&bypassed, &key);
	if (!b)
		return 0;
	return !b->ended;
}

/* At tc: the same, and counts it. What opens or ends a connection ends the
 * bypass, so that the workers see it. */
static __always_inline int goes_past(struct __sk_buff *skb)
{
	struct flow_key key = {};
	struct packet p = {};
	struct bypass *b;

	if (!bypass_on || bypass_key(skb, &key, &p))
		return 0;
	b = bpf_map_lookup_elem(&bypassed, &key);
	if (!b)
		return 0;
	if (b->ended)
		return 0;
	if (p.tcp_flags & TCP_TURNS) {
		b->ended = 1;
		return 0;
	}
	if (addr_order(&key.addr[0], &p.src) == 0 && key.port[0] == p.sport) {
		__sync_fetch_and_add(&b->packets[0], 1);
		__sync_fetch_and_add(&b->bytes[0], skb->len);
	} else {
		__sync_fetch_and_add(&b->packets[1], 1);
		__sync_fetch_and_add(&b->bytes[1], skb->len);
	}
	b->last = bpf_ktime_get_ns();
	return 1;
}

#endif
