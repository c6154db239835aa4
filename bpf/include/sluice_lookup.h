/* SPDX-License-Identifier: Apache-2.0 */
/* The longest blocked IPv4 prefix of an address. */
#ifndef SLUICE_LOOKUP_H
#define SLUICE_LOOKUP_H

#include "sluice_maps.h"

static __always_inline struct block_value *find_dir4(__u32 be)
{
	__u32 host = bpf_ntohl(be), word = host >> 10, entry, bits;
	__u64 *words = bpf_map_lookup_elem(&dir4, &word);
	struct block_value *v;
	struct lpm4 key;
	int i;

	if (!words)
		return 0;
	entry = (*words >> ((host >> 8 & 3) * 16)) & 0xffff;
	if (!entry)
		return 0;
	/* A prefix that is just being taken out may be missing: the next one then. */
#pragma unroll
	for (i = 7; i >= 0; i--) {
		if (!(entry >> i & 1))
			continue;
		key.bits = 25 + i;
		key.addr = bpf_htonl(host & ~0U << (7 - i));
		v = bpf_map_lookup_elem(&block4, &key);
		if (v)
			return v;
	}
	bits = entry >> 8;
	if (!bits)
		return 0;
	bits = (bits - 1) & 31;
	key.bits = bits;
	key.addr = bits ? bpf_htonl(host & ~0U << (32 - bits)) : 0;
	return bpf_map_lookup_elem(&block4, &key);
}

#endif
