/* SPDX-License-Identifier: Apache-2.0 */
/* The steps of the XDP program, each asked in turn. A step gives a reason to
 * drop, or REASON_PASS to go on. */
#ifndef SLUICE_HANDLE_H
#define SLUICE_HANDLE_H

#include "sluice_maps.h"
#include "sluice_flows.h"
#include "sluice_lookup.h"
#include "sluice_parse.h"
#include "sluice_acl.h"
#include "sluice_rate.h"

static __always_inline struct block_value *find4(void *trie, __u32 be)
{
	struct lpm4 key = { .bits = 32, .addr = be };

	return bpf_map_lookup_elem(trie, &key);
}

static __always_inline struct block_value *find6(void *trie, const struct addr *a)
{
	struct lpm6 key = { .bits = 128, .addr = { a->words[0], a->words[1], a->words[2], a->words[3] } };

	return bpf_map_lookup_elem(trie, &key);
}

static __always_inline int filter6_has(const struct addr *a)
{
	__u32 bit = (bpf_ntohl(a->words[0]) * FILTER6_MULTIPLIER) >> FILTER6_SHIFT, word = bit >> 6;
	__u64 *bits = bpf_map_lookup_elem(&filter6, &word);

	return bits && (*bits >> (bit & 63)) & 1;
}

static __always_inline int entry_holds(const struct block_value *v, __u64 now)
{
	return v && (!v->expires || now < v->expires);
}

static __always_inline int is_allowed(const struct packet *p, __u32 active, __u64 now)
{
	if (p->ip_version == 4)
		return (active & ACTIVE_ALLOW4) &&
		       (entry_holds(find4(&allow4, p->src.words[3]), now) ||
			entry_holds(find4(&allow4, p->dst.words[3]), now));
	return (active & ACTIVE_ALLOW6) &&
	       (entry_holds(find6(&allow6, &p->src), now) || entry_holds(find6(&allow6, &p->dst), now));
}

static __always_inline struct block_value *find_block(const struct packet *p, const struct addr *a, __u32 active)
{
	if (p->ip_version == 4) {
		if (!(active & ACTIVE_BLOCK4))
			return 0;
		return find_dir4(a->words[3]);
	}
	if (!(active & ACTIVE_BLOCK6) || (!(active & ACTIVE_BLOCK6_ALL) && !filter6_has(a)))
		return 0;
	return find6(&block6, a);
}

static __always_inline int blocked(struct packet *p, const struct addr *a, __u32 active, __u64 now, __u32 side)
{
	struct block_value *v = find_block(p, a, active);

	if (!entry_holds(v, now) || (v->flags && !(v->flags & side)))
		return 0;
	count_list(p, v);
	return 1;
}

static __always_inline int check_flow(struct packet *p, __u32 active, __u64 now)
{
	struct flow_key key;

	if (!flow_filter_has(p))
		return REASON_PASS;
	flow_key_of(&key, p, active & ACTIVE_IGNORE_VLAN);
	return drops_flow(p, &key, now) ? REASON_FLOW : REASON_PASS;
}

static __always_inline void fragment_key_of(struct fragment_key *k, const struct packet *p)
{
	k->src = p->src;
	k->dst = p->dst;
	k->id = p->frag_id;
	/* RFC 8200 §4.5 leaves the protocol out; RFC 791 has it. */
	k->proto = p->ip_version == 4 ? p->proto : 0;
	k->ip_version = p->ip_version;
	k->pad[0] = 0;
	k->pad[1] = 0;
}

static __always_inline int check_fragment(struct packet *p, __u64 now)
{
	struct fragment_key key;
	struct fragment_value *v;

	fragment_key_of(&key, p);
	v = bpf_map_lookup_elem(&fragments, &key);
	if (!v || now >= v->expires)
		return REASON_PASS;
	p->list = v->list;
	return REASON_FRAGMENT;
}

static __always_inline void remember_fragment(const struct packet *p, __u64 now, int dropped)
{
	struct fragment_key key;
	struct fragment_value v = { .expires = now + FRAGMENT_NS, .list = p->list };

	fragment_key_of(&key, p);
	if (dropped)
		bpf_map_update_elem(&fragments, &key, &v, BPF_ANY);
	else /* the identification came round again */
		bpf_map_delete_elem(&fragments, &key);
}

static __always_inline int check_malformed(const struct packet *p, int parsed, __u32 on)
{
	__u8 f = p->tcp_flags;

	if (parsed == PARSE_LENGTH)
		return on & MALFORMED_LENGTH ? REASON_LENGTH : REASON_PASS;
	if ((on & MALFORMED_LAND) && p->has_ports && p->sport == p->dport && addr_order(&p->src, &p->dst) == 0)
		return REASON_LAND;
	if ((on & MALFORMED_TCP_FLAGS) && p->proto == IPPROTO_TCP && p->has_ports) {
		/* SYN with FIN or RST; FIN without ACK (also "Xmas"); no flag at all. */
		if ((f & TCP_SYN && f & (TCP_FIN | TCP_RST)) || (f & (TCP_FIN | TCP_ACK | TCP_RST)) == TCP_FIN ||
		    !(f & (TCP_SYN | TCP_ACK | TCP_RST | TCP_FIN)))
			return REASON_TCP_FLAGS;
	}
	return REASON_PASS;
}

static __always_inline int judge(struct packet *p, int parsed, __u64 now)
{
	__u32 active = settings.active, malformed = settings.malformed;
	int reason;

	if (parsed == PARSE_NOT_IP)
		return REASON_NOT_IP;
	/* Addresses are known once the version is. */
	if (p->ip_version) {
		if (is_allowed(p, active, now))
			return REASON_ALLOWED;
		if (blocked(p, &p->src, active, now, BLOCK_SRC))
			return REASON_BLOCK_SRC;
		if (blocked(p, &p->dst, active, now, BLOCK_DST))
			return REASON_BLOCK_DST;
		if ((active & ACTIVE_QUARANTINE) && quarantined(p, parsed, active, now))
			return REASON_QUARANTINE;
	}
	if (p->frag == FRAG_LATER)
		return active & ACTIVE_FRAGMENTS ? check_fragment(p, now) : REASON_PASS;
	if (parsed == PARSE_OK && (active & ACTIVE_FLOWS)) {
		reason = check_flow(p, active, now);
		if (reason)
			return reason;
	}
	if ((active & ACTIVE_ACL) && p->ip_version && check_acl(p, parsed, active, now))
		return REASON_ACL;
	if (parsed == PARSE_SHORT)
		return REASON_UNPARSED;
	if (malformed) {
		reason = check_malformed(p, parsed, malformed);
		if (reason)
			return reason;
	}
	if (parsed != PARSE_OK)
		return REASON_UNPARSED;
	return check_rate(p, now);
}

static __always_inline void sample(struct xdp_md *ctx, const struct packet *p, int reason, __u64 now)
{
	struct drop_record *r = bpf_ringbuf_reserve(&samples, sizeof(*r), 0);

	if (!r)
		return;
	r->time = now;
	r->src = p->src;
	r->dst = p->dst;
	r->sport = p->has_ports ? p->sport : 0;
	r->dport = p->has_ports ? p->dport : 0;
	r->vlan[0] = p->vlan[0];
	r->vlan[1] = p->vlan[1];
	r->ifindex = ctx->ingress_ifindex;
	r->length = p->length;
	r->list = p->list;
	r->entry = p->entry;
	r->reason = reason;
	r->proto = p->proto;
	r->ip_version = p->ip_version;
	r->tcp_flags = p->tcp_flags;
	r->pad = 0;
	bpf_ringbuf_submit(r, 0);
}

/* Counts, and lets the first few drops of each second, reason and CPU be
 * seen: a rare reason is always sampled, a flood costs no more. */
static __always_inline int finish(struct xdp_md *ctx, const struct packet *p, int reason, __u64 now)
{
	__u32 index = reason;
	struct counter *c = bpf_map_lookup_elem(&counters, &index);
	__u64 second = now / SECOND_NS;

	if (c) {
		c->packets++;
		c->bytes += p->length;
	}
	if (reason < REASON_FIRST_DROP)
		return XDP_PASS;
	if (c) {
		if (c->window != second) {
			c->window = second;
			c->samples = 0;
		}
		if (c->samples < settings.samples) {
			c->samples++;
			sample(ctx, p, reason, now);
		}
	}
	return XDP_DROP;
}

/* The whole program. */
static __always_inline int handle(struct xdp_md *ctx)
{
	struct packet p = {};
	/* Coarse: a tick's resolution is enough for expiry, at a third of the cost. */
	__u64 now = bpf_ktime_get_coarse_ns();
	int parsed, reason;

	p.length = bpf_xdp_get_buff_len(ctx);
	parsed = parse_frame(&p, (void *)(long)ctx->data, (void *)(long)ctx->data_end);
	reason = judge(&p, parsed, now);
	if (p.frag == FRAG_FIRST && (settings.active & ACTIVE_FRAGMENTS))
		remember_fragment(&p, now, reason >= REASON_FIRST_DROP);
	return finish(ctx, &p, reason, now);
}

#endif
