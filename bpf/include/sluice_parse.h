/* SPDX-License-Identifier: Apache-2.0 */
/* From a frame to what the handlers need. Every access follows its own bounds
 * check. */
#ifndef SLUICE_PARSE_H
#define SLUICE_PARSE_H

#include "sluice_structs.h"

struct ethhdr_s {
	__u8 dst[6], src[6];
	__be16 type;
} __attribute__((packed));
struct vlanhdr_s {
	__be16 tci, type;
};
struct ipv4_s {
	__u8 version_ihl, tos;
	__be16 length, id, frag;
	__u8 ttl, proto;
	__be16 check;
	__u32 src, dst;
};
struct ipv6_s {
	__be32 flow;
	__be16 length;
	__u8 next, hops;
	struct addr src, dst;
};
struct ext_s {
	__u8 next, len;
	__be16 frag;
	__be32 id;
};
struct tcp_s {
	__be16 sport, dport;
	__be32 seq, ack;
	__u8 offset, flags;
	__be16 window, check, urgent;
};
struct ports_s {
	__be16 sport, dport;
	__be32 rest;
};

enum { FRAG_NONE = 0, FRAG_FIRST, FRAG_LATER };
enum { PARSE_OK = 0, PARSE_NOT_IP, PARSE_SHORT, PARSE_LENGTH };

struct packet {
	struct addr src, dst;
	__u16 sport, dport; /* machine order */
	__u16 vlan[2];
	__u64 link;   /* the sender's link-layer address in memory order */
	__u32 length; /* of the frame */
	__u32 frag_id;
	__u32 list, entry; /* of the list entry that decided */
	__u8 proto;
	__u8 ip_version;
	__u8 tcp_flags;
	__u8 frag;
	__u8 has_ports;
	__u8 hops;
};

static __always_inline void map_ipv4(struct addr *a, __u32 be)
{
	a->halves[0] = 0;
	a->words[2] = bpf_htonl(0xffff);
	a->words[3] = be;
}

/* What stands for the port of an ICMP message's receiver in its flow's key:
 * the type of the answer. The twin of icmpPorts in dataplane/flow/key.go. */
static __always_inline __u16 icmp_peer(__u8 proto, __u8 type)
{
	if (proto == IPPROTO_ICMP) {
		switch (type) {
		case 8:
			return 0;
		case 0:
			return 8;
		case 13: case 15: case 17: case 9: case 35: case 37:
			return type + 1;
		case 14: case 16: case 18: case 10: case 36: case 38:
			return type - 1;
		}
		return type;
	}
	switch (type) {
	case 128: case 144: case 133: case 135: case 139:
		return type + 1;
	case 129: case 145: case 134: case 136: case 140:
		return type - 1;
	}
	return type;
}

static __always_inline int parse_transport(struct packet *p, void *pos, void *end)
{
	if (p->proto == IPPROTO_TCP) {
		struct tcp_s *tcp = pos;

		if ((void *)(tcp + 1) > end)
			return PARSE_SHORT;
		if (tcp->offset >> 4 < 5)
			return PARSE_LENGTH;
		p->sport = bpf_ntohs(tcp->sport);
		p->dport = bpf_ntohs(tcp->dport);
		p->tcp_flags = tcp->flags;
		p->has_ports = 1;
	} else if (p->proto == IPPROTO_UDP || p->proto == IPPROTO_SCTP) {
		struct ports_s *ports = pos;

		if ((void *)(ports + 1) > end)
			return PARSE_SHORT;
		p->sport = bpf_ntohs(ports->sport);
		p->dport = bpf_ntohs(ports->dport);
		p->has_ports = 1;
	} else if (p->proto == IPPROTO_ICMP || p->proto == IPPROTO_ICMPV6) {
		__u8 *type = pos;

		if ((void *)(type + 4) > end)
			return PARSE_SHORT;
		p->sport = *type;
		p->dport = icmp_peer(p->proto, *type);
	}
	return PARSE_OK;
}

static __always_inline int parse_ipv4(struct packet *p, void *pos, void *end)
{
	struct ipv4_s *ip = pos;
	__u32 header, length, frag;

	if ((void *)(ip + 1) > end)
		return PARSE_SHORT;
	p->ip_version = 4;
	map_ipv4(&p->src, ip->src);
	map_ipv4(&p->dst, ip->dst);
	p->proto = ip->proto;
	p->hops = ip->ttl;
	header = (ip->version_ihl & 0x0f) * 4;
	length = bpf_ntohs(ip->length);
	/* A length of 0 is an aggregate of more than 64 KiB. */
	if (ip->version_ihl >> 4 != 4 || header < sizeof(*ip) || (length && length < header))
		return PARSE_LENGTH;
	frag = bpf_ntohs(ip->frag);
	if (frag & 0x3fff) {
		p->frag = frag & 0x1fff ? FRAG_LATER : FRAG_FIRST;
		p->frag_id = bpf_ntohs(ip->id);
	}
	if (p->frag == FRAG_LATER)
		return PARSE_OK;
	return parse_transport(p, pos + header, end);
}

static __always_inline int parse_ipv6(struct packet *p, void *pos, void *end)
{
	struct ipv6_s *ip = pos;
	__u8 next;
	int i;

	if ((void *)(ip + 1) > end)
		return PARSE_SHORT;
	p->ip_version = 6;
	p->src = ip->src;
	p->dst = ip->dst;
	p->hops = ip->hops;
	if ((bpf_ntohl(ip->flow) >> 28) != 6)
		return PARSE_LENGTH;
	next = ip->next;
	pos = ip + 1;
	p->proto = IPPROTO_NOTHING;
	for (i = 0; i < MAX_EXTENSIONS; i++) {
		struct ext_s *ext = pos;

		if (next != IPPROTO_HOPOPTS && next != IPPROTO_ROUTING && next != IPPROTO_DSTOPTS &&
		    next != IPPROTO_FRAGMENT && next != IPPROTO_AH && next != IPPROTO_MH) {
			p->proto = next;
			return parse_transport(p, pos, end);
		}
		if ((void *)(ext + 1) > end)
			return PARSE_SHORT;
		if (next == IPPROTO_FRAGMENT) {
			__u32 frag = bpf_ntohs(ext->frag);

			if (frag & 0xfff9) { /* an "atomic fragment" (RFC 6946) is none */
				p->frag = frag & 0xfff8 ? FRAG_LATER : FRAG_FIRST;
				p->frag_id = bpf_ntohl(ext->id);
			}
			next = ext->next;
			pos += 8;
			if (p->frag == FRAG_LATER) {
				p->proto = next;
				return PARSE_OK;
			}
			continue;
		}
		pos += next == IPPROTO_AH ? (ext->len + 2) * 4 : (ext->len + 1) * 8;
		next = ext->next;
	}
	return PARSE_SHORT;
}

static __always_inline int parse_frame(struct packet *p, void *pos, void *end)
{
	struct ethhdr_s *eth = pos;
	__u16 type;
	int i;

	if ((void *)(eth + 1) > end)
		return PARSE_NOT_IP;
	__builtin_memcpy(&p->link, eth->src, sizeof(eth->src));
	type = bpf_ntohs(eth->type);
	pos = eth + 1;
#pragma unroll
	for (i = 0; i < 3; i++) {
		struct vlanhdr_s *tag = pos;

		if (type != ETH_8021Q && type != ETH_8021AD && type != ETH_QINQ1)
			break;
		if ((void *)(tag + 1) > end)
			return PARSE_NOT_IP;
		if (i < 2)
			p->vlan[i] = bpf_ntohs(tag->tci) & 0x0fff;
		type = bpf_ntohs(tag->type);
		pos = tag + 1;
	}
	if (type == ETH_IP)
		return parse_ipv4(p, pos, end);
	if (type == ETH_IPV6)
		return parse_ipv6(p, pos, end);
	return PARSE_NOT_IP;
}

/* Compares as bytes: big endian words, most significant first. */
static __always_inline int addr_order(const struct addr *a, const struct addr *b)
{
	int i;

#pragma unroll
	for (i = 0; i < 4; i++) {
		__u32 x = bpf_ntohl(a->words[i]), y = bpf_ntohl(b->words[i]);

		if (x != y)
			return x < y ? -1 : 1;
	}
	return 0;
}

/* The twin of flow.KeyOf: both directions give the same key. */
static __always_inline void flow_key_of(struct flow_key *k, const struct packet *p, int ignore_vlan)
{
	int order = addr_order(&p->src, &p->dst);

	if (order < 0 || (order == 0 && p->sport <= p->dport)) {
		k->addr[0] = p->src;
		k->addr[1] = p->dst;
		k->port[0] = p->sport;
		k->port[1] = p->dport;
	} else {
		k->addr[0] = p->dst;
		k->addr[1] = p->src;
		k->port[0] = p->dport;
		k->port[1] = p->sport;
	}
	k->vlan[0] = ignore_vlan ? 0 : p->vlan[0];
	k->vlan[1] = ignore_vlan ? 0 : p->vlan[1];
	k->tunnel = 0;
	k->proto = p->proto;
	k->ip_version = p->ip_version;
	k->pad[0] = 0;
	k->pad[1] = 0;
}

#endif
