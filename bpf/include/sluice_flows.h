/* SPDX-License-Identifier: Apache-2.0 */
/* Flows that the daemon has the kernel drop, for the XDP program and the gate,
 * which share the maps. */
#ifndef SLUICE_FLOWS_H
#define SLUICE_FLOWS_H

#include "sluice_parse.h"

/* Not LRU: the daemon expires it, so that no counter is lost. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1 << 16);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct flow_key);
	__type(value, struct flow_drop);
} flows SEC(".maps");

/* One bit says "certainly not in flows": while some flow is dropped, nearly all
 * frames are done here. The word behind the bits says whether there are any. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, FLOW_FILTER_WORDS + 1);
	__type(key, __u32);
	__type(value, __u64);
} flow_filter SEC(".maps");

/* Whether any flow is dropped, before a packet is looked into. */
static __always_inline int any_flow_dropped(void)
{
	__u32 word = FLOW_FILTER_WORDS;
	__u64 *any = bpf_map_lookup_elem(&flow_filter, &word);

	return any && *any;
}

/* Go: fastpath.flowBit. */
static __always_inline int flow_filter_has(const struct packet *p)
{
	__u32 sum = (__u32)p->sport + p->dport, bit, word;
	__u64 *bits;
	int i;

#pragma unroll
	for (i = 0; i < 4; i++)
		sum += p->src.words[i] + p->dst.words[i];
	bit = (sum * FILTER6_MULTIPLIER) >> FLOW_FILTER_SHIFT;
	word = bit >> 6;
	bits = bpf_map_lookup_elem(&flow_filter, &word);
	return bits && (*bits >> (bit & 63)) & 1;
}

/* Whether a packet of the key's flow is dropped, and counts it. A new handshake
 * ends the flow: it is another connection. */
static __always_inline int drops_flow(struct packet *p, const struct flow_key *key, __u64 now)
{
	struct flow_drop *f = bpf_map_lookup_elem(&flows, key);

	if (!f || now >= f->expires)
		return 0;
	if (p->proto == IPPROTO_TCP && (f->flags & FLOW_UNTIL_SYN) &&
	    (p->tcp_flags & (TCP_SYN | TCP_ACK)) == TCP_SYN) {
		/* Left to its expiry, so that the daemon still reads the counters. */
		f->expires = 0;
		return 0;
	}
	if (p->proto == IPPROTO_TCP && (p->tcp_flags & (TCP_FIN | TCP_RST)) && f->expires > now + FLOW_LINGER_NS)
		f->expires = now + FLOW_LINGER_NS; /* it ends: no need to remember it for long */
	if (addr_order(&key->addr[0], &p->src) == 0 && key->port[0] == p->sport) {
		__sync_fetch_and_add(&f->packets[0], 1);
		__sync_fetch_and_add(&f->bytes[0], p->length);
	} else {
		__sync_fetch_and_add(&f->packets[1], 1);
		__sync_fetch_and_add(&f->bytes[1], p->length);
	}
	p->list = f->list;
	return 1;
}

#endif
