/* SPDX-License-Identifier: Apache-2.0 */
/* Flows that the kernel forwards by itself, past the workers. */
#ifndef SLUICE_BYPASS_H
#define SLUICE_BYPASS_H

#include "sluice_parse.h"

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

/* The key of a frame's flow, by loads relative to the network header: they work
 * for sockets and at tc, whatever the link layer. Only plain TCP and UDP; all
 * else is for the workers. Gives non-zero where there is no such key. */
static __always_inline int bypass_key(struct __sk_buff *skb, struct flow_key *key, struct packet *p)
{
	__u16 type = bpf_ntohs((__u16)skb->protocol);
	__u32 offset = 0;
	__be16 ports[2];
	int tagged = skb->vlan_present != 0; /* the first tag is beside the frame */

	if (tagged)
		p->vlan[0] = skb->vlan_tci & 0x0fff;
	if (type == ETH_8021Q || type == ETH_8021AD) {
		__be16 tag[2];

		if (bpf_skb_load_bytes_relative(skb, 0, tag, sizeof(tag), BPF_HDR_START_NET))
			return -1;
		if (tagged)
			p->vlan[1] = bpf_ntohs(tag[0]) & 0x0fff;
		else
			p->vlan[0] = bpf_ntohs(tag[0]) & 0x0fff;
		type = bpf_ntohs(tag[1]);
		offset = sizeof(tag);
	}
	if (type == ETH_IP) {
		struct ipv4_s ip;

		if (bpf_skb_load_bytes_relative(skb, offset, &ip, sizeof(ip), BPF_HDR_START_NET) ||
		    ip.version_ihl >> 4 != 4 || (ip.version_ihl & 15) < 5 || bpf_ntohs(ip.frag) & 0x3fff)
			return -1;
		map_ipv4(&p->src, ip.src);
		map_ipv4(&p->dst, ip.dst);
		p->ip_version = 4;
		p->proto = ip.proto;
		offset += (ip.version_ihl & 15) * 4;
	} else if (type == ETH_IPV6) {
		struct ipv6_s ip;

		if (bpf_skb_load_bytes_relative(skb, offset, &ip, sizeof(ip), BPF_HDR_START_NET))
			return -1;
		p->src = ip.src;
		p->dst = ip.dst;
		p->ip_version = 6;
		p->proto = ip.next;
		offset += sizeof(ip);
	} else {
		return -1;
	}
	if (p->proto != IPPROTO_TCP && p->proto != IPPROTO_UDP)
		return -1;
	if (bpf_skb_load_bytes_relative(skb, offset, ports, sizeof(ports), BPF_HDR_START_NET))
		return -1;
	p->sport = bpf_ntohs(ports[0]);
	p->dport = bpf_ntohs(ports[1]);
	if (p->proto == IPPROTO_TCP &&
	    bpf_skb_load_bytes_relative(skb, offset + 13, &p->tcp_flags, 1, BPF_HDR_START_NET))
		return -1;
	flow_key_of(key, p, bypass_ignores_vlan);
	return 0;
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
