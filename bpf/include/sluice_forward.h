/* SPDX-License-Identifier: Apache-2.0 */
/* Forwarding from tc ingress. */
#ifndef SLUICE_FORWARD_H
#define SLUICE_FORWARD_H

#include "sluice_structs.h"

#define ETH_HEADER 14

/* Where a generic XDP program ran, the kernel (since 6.9) gives a copy of the
 * frame that has forgotten the length of its link-layer header: a redirect then
 * sends it without. Putting the header back sets the length too. Gives non-zero
 * where that fails. */
static __always_inline int whole_frame(struct __sk_buff *skb)
{
	__u64 mac[2] = {}, data[2] = {};

	if (bpf_skb_load_bytes_relative(skb, 0, mac, ETH_HEADER, BPF_HDR_START_MAC) ||
	    bpf_skb_load_bytes(skb, 0, data, ETH_HEADER))
		return -1;
	if (mac[0] == data[0] && mac[1] == data[1])
		return 0;
	return bpf_skb_change_head(skb, ETH_HEADER, 0) || bpf_skb_store_bytes(skb, 0, mac, ETH_HEADER, 0);
}

/* Sends the frame out of a port as it came in. */
static __always_inline int forward(struct __sk_buff *skb, __u32 port)
{
	if (whole_frame(skb))
		return 2; /* TC_ACT_SHOT */
	return bpf_redirect(port, 0);
}

#endif
