// SPDX-License-Identifier: Apache-2.0
/* For benchmarks alone: looks up many addresses a run, so that the processor's
 * caches are as cold as traffic makes them. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

#include "sluice_lookup.h"

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

char _license[] SEC("license") = "Apache-2.0";
