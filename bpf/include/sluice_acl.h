/* SPDX-License-Identifier: Apache-2.0 */
/* Who may speak to whom: quarantined hosts, and segmentation between zones. */
#ifndef SLUICE_ACL_H
#define SLUICE_ACL_H

#include "sluice_maps.h"
#include "sluice_parse.h"

/* Notes whose entry decided, and counts it. */
static __always_inline void count_list(struct packet *p, const struct block_value *v)
{
	__u32 list = v->list < MAX_LISTS ? v->list : MAX_LISTS - 1;
	struct list_counter *c = bpf_map_lookup_elem(&lists, &list);

	p->list = v->list;
	p->entry = v->reason;
	if (c) {
		c->packets++;
		c->bytes += p->length;
	}
}

/* Whether a packet is of the link alone, so that it carries nothing further than
 * the link: neighbour discovery between neighbours (RFC 4861 has them check the
 * hop limit, and a router would lower it). */
static __always_inline int is_discovery(const struct packet *p)
{
	if (p->proto != IPPROTO_ICMPV6 || p->hops != 255 || p->frag != FRAG_NONE ||
	    p->sport < ND_FIRST || p->sport > ND_LAST)
		return 0;
	return p->dst.bytes[0] == 0xff || (p->dst.bytes[0] == 0xfe && (p->dst.bytes[1] & 0xc0) == 0x80) ||
	       p->dst.halves[0] == p->src.halves[0];
}

/* A host that asks for its address by broadcast, or multicast on its link, reaches
 * its link alone. */
static __always_inline int is_dhcp(const struct packet *p)
{
	if (p->ip_version == 6)
		return p->proto == IPPROTO_UDP && p->has_ports && p->sport == PORT_DHCP6_CLIENT &&
		       p->dport == PORT_DHCP6_SERVER && p->dst.bytes[0] == 0xff && p->dst.bytes[1] == 0x02;
	return p->proto == IPPROTO_UDP && p->has_ports && p->sport == PORT_DHCP_CLIENT &&
	       p->dport == PORT_DHCP_SERVER && p->dst.words[3] == 0xffffffff;
}

static __always_inline int has_port(const struct allowance *a, const struct packet *p)
{
	/* What follows a first fragment is of no use without it. */
	if (!a->ports || p->frag == FRAG_LATER)
		return 1;
	return p->has_ports && ((p->dport >= a->first && p->dport <= a->last) || (p->sport >= a->first && p->sport <= a->last));
}

/* A function of its own for the verifier, which walks its paths once, and not
 * anew for each that leads here; so is check_acl. */
__attribute__((noinline)) int quarantined(struct packet *p, int parsed, __u32 active, __u64 now)
{
	struct block_value *v;
	__u64 link;
	struct addr src;
	__u32 i;

	if (!p)
		return 0;
	src = p->src;
	v = bpf_map_lookup_elem(&quarantine, &src);
	if (!v || (v->expires && now >= v->expires)) {
		if (!(active & ACTIVE_QUARANTINE_LINK))
			return 0;
		link = p->link;
		v = bpf_map_lookup_elem(&quarantine_links, &link);
		if (!v || (v->expires && now >= v->expires))
			return 0;
	}
	if (parsed == PARSE_OK && (is_discovery(p) || is_dhcp(p)))
		return 0;
	for (i = 0; i < MAX_ALLOWANCES; i++) {
		__u32 index = i;
		struct allowance *a = bpf_map_lookup_elem(&allowances, &index);

		if (!a || !a->used)
			break;
		if (a->set == v->set && (p->dst.halves[0] & a->mask.halves[0]) == a->addr.halves[0] &&
		    (p->dst.halves[1] & a->mask.halves[1]) == a->addr.halves[1] &&
		    (!a->proto || a->proto == p->proto) && has_port(a, p))
			return 0;
	}
	count_list(p, v);
	return 1;
}

static __always_inline __u32 zone_of(const struct packet *p, const struct addr *a, __u32 active)
{
	__u32 *zones;

	if (p->ip_version == 4) {
		struct lpm4 key = { .bits = 32, .addr = a->words[3] };

		zones = bpf_map_lookup_elem(&zone4, &key);
	} else {
		struct lpm6 key = { .bits = 128, .addr = { a->words[0], a->words[1], a->words[2], a->words[3] } };

		zones = bpf_map_lookup_elem(&zone6, &key);
	}
	if (!zones)
		return 0;
	return (active & ACTIVE_ACL_OTHER ? *zones >> 16 : *zones) & (ACL_ZONES - 1);
}

static __always_inline __u32 acl_class(__u8 proto)
{
	switch (proto) {
	case IPPROTO_TCP:
		return ACL_TCP;
	case IPPROTO_UDP:
		return ACL_UDP;
	case IPPROTO_SCTP:
		return ACL_SCTP;
	case IPPROTO_ICMP: case IPPROTO_ICMPV6:
		return ACL_ICMP;
	}
	return ACL_OTHER;
}

/* What no rule may stop: errors about other packets, without which paths cannot
 * be found (RFC 1191, RFC 8201), and neighbour discovery. */
static __always_inline int is_needed(const struct packet *p)
{
	if (p->proto == IPPROTO_ICMP)
		return p->sport == 3 || p->sport == 11 || p->sport == 12;
	return p->proto == IPPROTO_ICMPV6 && ((p->sport >= 1 && p->sport <= 4) || is_discovery(p));
}

static __always_inline __u16 acl_rule(const struct acl_cell *cell, __u16 port)
{
	__u32 at = 0, step;

#pragma unroll
	for (step = ACL_RANGES / 2; step; step >>= 1) {
		__u32 next = at + step;

		if (next < cell->n && cell->ranges[next & (ACL_RANGES - 1)].first <= port)
			at = next;
	}
	return cell->ranges[at & (ACL_RANGES - 1)].rule;
}

/* Of TCP the packet that opens a connection is judged; of all else every packet,
 * but answers to who was allowed to begin. */
__attribute__((noinline)) int check_acl(struct packet *p, int parsed, __u32 active, __u64 now)
{
	__u32 class, index, low;
	struct flow_key key;
	struct acl_cell *cell;
	struct acl_flow *f;
	struct list_counter *c;
	__u16 rule;

	if (!p)
		return 0;
	class = acl_class(p->proto);
	if (parsed == PARSE_OK) {
		if (class == ACL_TCP && (p->tcp_flags & (TCP_SYN | TCP_ACK)) != TCP_SYN)
			return 0;
		if (class == ACL_ICMP && is_needed(p))
			return 0;
	} else {
		class = ACL_OTHER;
	}
	index = (zone_of(p, &p->src, active) * ACL_ZONES + zone_of(p, &p->dst, active)) * ACL_CLASSES + class;
	if (active & ACTIVE_ACL_OTHER)
		index += ACL_CELLS;
	cell = bpf_map_lookup_elem(&acl, &index);
	if (!cell || (!cell->n && !cell->state && !cell->unparsed))
		return 0;
	if (parsed != PARSE_OK)
		rule = cell->unparsed;
	else
		rule = cell->n ? acl_rule(cell, p->has_ports ? p->dport : 0) : 0;
	if (parsed == PARSE_OK && class != ACL_TCP && ((rule & ACL_DROP) || cell->state)) {
		low = addr_order(&p->src, &p->dst) < 0;
		flow_key_of(&key, p, active & ACTIVE_IGNORE_VLAN);
		f = bpf_map_lookup_elem(&acl_flows, &key);
		if ((rule & ACL_DROP) && f && now < f->expires && f->low_began != low)
			return 0; /* an answer */
		if (!(rule & ACL_DROP)) {
			if (f && f->low_began == low) {
				f->expires = now + ACL_FLOW_NS;
			} else if (!f || now >= f->expires) {
				struct acl_flow fresh = { .expires = now + ACL_FLOW_NS, .low_began = low };

				bpf_map_update_elem(&acl_flows, &key, &fresh, BPF_ANY);
			}
		}
	}
	if (!rule)
		return 0;
	index = (rule & (ACL_RULES - 1)) + (active & ACTIVE_ACL_OTHER ? ACL_RULES : 0);
	c = bpf_map_lookup_elem(&acl_rules, &index);
	if (c) {
		c->packets++;
		c->bytes += p->length;
	}
	p->entry = rule & (ACL_RULES - 1);
	return rule & ACL_DROP;
}

#endif
