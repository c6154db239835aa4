/* SPDX-License-Identifier: Apache-2.0 */
/* From a socket buffer to the key of its flow. */
#ifndef SLUICE_SKB_H
#define SLUICE_SKB_H

#include "sluice_parse.h"

/* The key of a frame's flow, by loads relative to the network header: they work
 * for sockets and at tc, whatever the link layer. Only plain TCP and UDP:
 * gives non-zero where there is no such key. payload is how many
 * bytes its transport carries. */
static __always_inline int skb_flow_key(struct __sk_buff *skb, struct flow_key *key, struct packet *p, int ignore_vlan,
					__u32 *payload)
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
		/* A length of 0 is an aggregate of more than 64 KiB: it wraps. */
		*payload = (__u32)bpf_ntohs(ip.length) - (ip.version_ihl & 15) * 4;
		offset += (ip.version_ihl & 15) * 4;
	} else if (type == ETH_IPV6) {
		struct ipv6_s ip;

		if (bpf_skb_load_bytes_relative(skb, offset, &ip, sizeof(ip), BPF_HDR_START_NET))
			return -1;
		p->src = ip.src;
		p->dst = ip.dst;
		p->ip_version = 6;
		p->proto = ip.next;
		*payload = ip.length ? bpf_ntohs(ip.length) : ~0U;
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
	if (p->proto == IPPROTO_TCP) {
		__u8 tcp[2]; /* the header's length, the flags */

		if (bpf_skb_load_bytes_relative(skb, offset + 12, tcp, sizeof(tcp), BPF_HDR_START_NET))
			return -1;
		p->tcp_flags = tcp[1];
		*payload -= (tcp[0] >> 4) * 4;
	} else {
		*payload -= sizeof(struct ports_s);
	}
	flow_key_of(key, p, ignore_vlan);
	return 0;
}

#endif
