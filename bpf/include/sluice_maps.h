/* SPDX-License-Identifier: Apache-2.0 */
/* Maps of the XDP program. Sizes are knobs that the daemon sets at load. */
#ifndef SLUICE_MAPS_H
#define SLUICE_MAPS_H

#include "sluice_structs.h"

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1 << 20);
	__type(key, struct lpm4);
	__type(value, struct block_value);
} allow4 SEC(".maps");

/* The blocked IPv4 prefixes, each under its own length. A trie of a million
 * costs a microsecond; this is one step, for dir4 knows the lengths. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1 << 20);
	__type(key, struct lpm4);
	__type(value, struct block_value);
} block4 SEC(".maps");

/* Which lengths of prefixes to ask block4 for, by /24: in the lower byte, bit n
 * says that there are prefixes of length 25 + n in it; the upper one is one more
 * than the length of the longest prefix of up to 24 bits that covers it. Nearly
 * all addresses are in no list, and are done here. Go: fastpath.dir4. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, DIR4_WORDS);
	__type(key, __u32);
	__type(value, __u64);
} dir4 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1 << 20);
	__type(key, struct lpm6);
	__type(value, struct block_value);
} block6 SEC(".maps"), allow6 SEC(".maps");

/* One bit says "certainly not in block6" for the price of an array. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, FILTER6_WORDS);
	__type(key, __u32);
	__type(value, __u64);
} filter6 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, MAX_FRAGMENTS);
	__type(key, struct fragment_key);
	__type(value, struct fragment_value);
} fragments SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1 << 16);
	__type(key, struct bucket_key);
	__type(value, struct bucket);
} buckets SEC(".maps");

/* Apart from the sources' buckets, which a flood of random sources turns over. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1 << 16);
	__type(key, struct addr);
	__type(value, struct bucket);
} targets SEC(".maps");

/* Hosts that may send to nobody but those of allowances. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1 << 16);
	__type(key, struct addr);
	__type(value, struct block_value);
} quarantine SEC(".maps");

/* The same by link-layer address, with two zero bytes behind it. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1 << 16);
	__type(key, __u64);
	__type(value, struct block_value);
} quarantine_links SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, MAX_ALLOWANCES);
	__type(key, __u32);
	__type(value, struct allowance);
} allowances SEC(".maps");

/* The zone of an address: in the lower half of the first set, in the upper half
 * of the second one, so that a change of zones and rules takes hold at once. */
struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1 << 16);
	__type(key, struct lpm4);
	__type(value, __u32);
} zone4 SEC(".maps");
struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1 << 16);
	__type(key, struct lpm6);
	__type(value, __u32);
} zone6 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2 * ACL_CELLS);
	__type(key, __u32);
	__type(value, struct acl_cell);
} acl SEC(".maps");

/* How often each rule has spoken. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 2 * ACL_RULES);
	__type(key, __u32);
	__type(value, struct list_counter);
} acl_rules SEC(".maps");

/* Flows without a handshake whose way back a rule would drop. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1 << 16);
	__type(key, struct flow_key);
	__type(value, struct acl_flow);
} acl_flows SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, REASON_MAX);
	__type(key, __u32);
	__type(value, struct counter);
} counters SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, MAX_LISTS);
	__type(key, __u32);
	__type(value, struct list_counter);
} lists SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 18);
} samples SEC(".maps");

volatile struct sluice_settings settings;

/* bpf2go gives Go the layout of types that something names. */
const struct drop_record *unused_drop_record __attribute__((unused));

#endif
