/* SPDX-License-Identifier: Apache-2.0 */
/* Rate limits: for each source, and for each destination of new connections. */
#ifndef SLUICE_RATE_H
#define SLUICE_RATE_H

#include "sluice_maps.h"
#include "sluice_parse.h"

/* Takes one packet's cost from a token bucket of nanoseconds; fresh is what a
 * new bucket has left. Two CPUs may race for the same bucket: the limit then errs
 * by a packet or two, which a lock would cost more than. */
static __always_inline int spend(struct bucket *b, __u64 cost, __u64 burst, __u64 now)
{
	__u64 credit = b->credit;

	if (now > b->last)
		credit += now - b->last;
	if (credit > burst)
		credit = burst;
	b->last = now;
	if (credit < cost) {
		b->credit = credit;
		return 1;
	}
	b->credit = credit - cost;
	return 0;
}

static __always_inline int over_rate(const struct packet *p, __u64 now, __u32 kind)
{
	__u64 cost = settings.rate[kind].cost, burst = settings.rate[kind].burst;
	struct bucket_key key = { .kind = kind };
	struct bucket *b, fresh = { .last = now };

	if (!cost)
		return 0;
	key.hi = p->src.halves[0];
	if (p->ip_version == 4)
		key.lo = p->src.halves[1];
	b = bpf_map_lookup_elem(&buckets, &key);
	if (b)
		return spend(b, cost, burst, now);
	fresh.credit = burst > cost ? burst - cost : 0;
	bpf_map_update_elem(&buckets, &key, &fresh, BPF_ANY);
	return 0;
}

static __always_inline int too_many_new(const struct packet *p, __u64 now)
{
	__u64 cost = settings.rate[RATE_NEW].cost, burst = settings.rate[RATE_NEW].burst;
	struct bucket *b, fresh = { .last = now };
	struct addr key = p->dst;

	if (!cost)
		return 0;
	b = bpf_map_lookup_elem(&targets, &key);
	if (b)
		return spend(b, cost, burst, now);
	fresh.credit = burst > cost ? burst - cost : 0;
	bpf_map_update_elem(&targets, &key, &fresh, BPF_ANY);
	return 0;
}

/* The source's own limit comes first: one that floods alone must not use up
 * what the destination takes from others. */
static __always_inline int check_rate(const struct packet *p, __u64 now)
{
	if (p->proto == IPPROTO_TCP) {
		if ((p->tcp_flags & (TCP_SYN | TCP_ACK)) != TCP_SYN)
			return REASON_PASS;
		if (over_rate(p, now, RATE_SYN))
			return REASON_RATE_SYN;
		if (too_many_new(p, now))
			return REASON_RATE_NEW;
	} else if (p->proto == IPPROTO_UDP) {
		if (over_rate(p, now, RATE_UDP))
			return REASON_RATE_UDP;
	} else if (p->proto == IPPROTO_ICMP || p->proto == IPPROTO_ICMPV6) {
		if (over_rate(p, now, RATE_ICMP))
			return REASON_RATE_ICMP;
	}
	return REASON_PASS;
}

#endif
