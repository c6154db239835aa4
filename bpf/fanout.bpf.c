// SPDX-License-Identifier: Apache-2.0
/* Spreads the frames of a port over its workers' sockets by a hash of the
 * address pair that is the same in both directions and on both ports, so that
 * a flow's two directions and its fragments meet one worker. The kernel takes
 * the result modulo the number of sockets. No helper used is reserved to GPL
 * programs. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

#include "sluice_const.h"

static __always_inline __u32 mix(__u32 h)
{
	h ^= h >> 16;
	h *= 0x85ebca6b;
	h ^= h >> 13;
	h *= 0xc2b2ae35;
	h ^= h >> 16;
	return h;
}

SEC("socket")
int sluice_fanout(struct __sk_buff *skb)
{
	/* At this point a received frame begins at its network header: after the
	 * first tag where there was one, of which skb->protocol tells what follows. */
	__u16 type = bpf_ntohs((__u16)skb->protocol);
	__u32 offset = 0, hash = 0, words[8];
	int i;

#pragma unroll
	for (i = 0; i < 3; i++) {
		__be16 tag[2];

		if (type != ETH_8021Q && type != ETH_8021AD && type != ETH_QINQ1)
			break;
		if (bpf_skb_load_bytes_relative(skb, offset, tag, sizeof(tag), BPF_HDR_START_NET))
			return 0;
		type = bpf_ntohs(tag[1]);
		offset += sizeof(tag);
	}
	if (type == ETH_IP) {
		if (bpf_skb_load_bytes_relative(skb, offset + 12, words, 8, BPF_HDR_START_NET))
			return 0;
		return mix(mix(words[0]) + mix(words[1]));
	}
	if (type == ETH_IPV6) {
		if (bpf_skb_load_bytes_relative(skb, offset + 8, words, 32, BPF_HDR_START_NET))
			return 0;
#pragma unroll
		for (i = 0; i < 4; i++)
			hash += mix(words[i] + i) + mix(words[4 + i] + i);
		return mix(hash);
	}
	return 0;
}

char _license[] SEC("license") = "Apache-2.0";
