// SPDX-License-Identifier: Apache-2.0
/* For benchmarks alone: looks up many addresses a run, so that the processor's
 * caches are as cold as traffic makes them. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

#include "sluice_handle.h"

#define BENCH_KEYS (1 << 16)
#define BENCH_RUN 512

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, BENCH_KEYS);
	__type(key, __u32);
	__type(value, __u32);
} bench_keys SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1 << 20);
	__type(key, struct lpm4);
	__type(value, struct block_value);
} bench_trie SEC(".maps");

volatile __u32 bench_next, bench_hits;

enum { BENCH_NOTHING, BENCH_TRIE, BENCH_DIR };

static __always_inline int bench(int what)
{
	__u32 at = bench_next, hits = 0;
	int i;

	bench_next = at + BENCH_RUN;
	for (i = 0; i < BENCH_RUN; i++) {
		__u32 index = (at + i) & (BENCH_KEYS - 1);
		__u32 *addr = bpf_map_lookup_elem(&bench_keys, &index);
		struct block_value *v = 0;

		if (!addr)
			continue;
		if (what == BENCH_TRIE) {
			struct lpm4 key = { .bits = 32, .addr = *addr };

			v = bpf_map_lookup_elem(&bench_trie, &key);
		} else if (what == BENCH_DIR) {
			v = find_dir4(*addr);
		} else if (*addr) {
			hits++;
		}
		if (v)
			hits++;
	}
	bench_hits += hits;
	return 1;
}

SEC("xdp")
int sluice_bench_nothing(struct xdp_md *ctx)
{
	return bench(BENCH_NOTHING);
}

SEC("xdp")
int sluice_bench_trie(struct xdp_md *ctx)
{
	return bench(BENCH_TRIE);
}

SEC("xdp")
int sluice_bench_dir(struct xdp_md *ctx)
{
	return bench(BENCH_DIR);
}

/* Whether the next address is the frame's source; else it is its destination. */
volatile __u32 bench_source;

struct bench_frames {
	struct xdp_md *ctx;
	__u32 at;
	__u32 drops;
};

static __always_inline int put_address(struct bench_frames *b, __u32 i)
{
	__u32 index = (b->at + i) & (BENCH_KEYS - 1);
	struct ethhdr_s *eth = (void *)(long)b->ctx->data;
	struct ipv4_s *ip = (void *)(eth + 1);
	__u32 *addr = bpf_map_lookup_elem(&bench_keys, &index);

	if (!addr || (void *)(ip + 1) > (void *)(long)b->ctx->data_end)
		return 0;
	if (bench_source)
		ip->src = *addr;
	else
		ip->dst = *addr;
	return 1;
}

static long one_frame(__u32 i, struct bench_frames *b)
{
	if (!put_address(b, i))
		return 1;
	if (handle(b->ctx) == XDP_DROP)
		b->drops++;
	return 0;
}

static long no_frame(__u32 i, struct bench_frames *b)
{
	return !put_address(b, i);
}

/* The whole program on BENCH_RUN frames that differ in one address. */
SEC("xdp.frags")
int sluice_bench_frames(struct xdp_md *ctx)
{
	struct bench_frames b = { .ctx = ctx, .at = bench_next };

	bench_next = b.at + BENCH_RUN;
	bpf_loop(BENCH_RUN, one_frame, &b, 0);
	bench_hits += b.drops;
	return 1;
}

/* The same without the program. */
SEC("xdp.frags")
int sluice_bench_loop(struct xdp_md *ctx)
{
	struct bench_frames b = { .ctx = ctx, .at = bench_next };

	bench_next = b.at + BENCH_RUN;
	bpf_loop(BENCH_RUN, no_frame, &b, 0);
	bench_hits += b.drops;
	return 1;
}

char _license[] SEC("license") = "Apache-2.0";
