// SPDX-License-Identifier: Apache-2.0
/* What every frame of a port meets first: known-bad traffic ends here. No
 * helper used is reserved to GPL programs, hence the licence string. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

#include "sluice_handle.h"

SEC("xdp.frags")
int sluice_xdp(struct xdp_md *ctx)
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

/* The yardstick of benchmarks. */
SEC("xdp.frags")
int sluice_empty(struct xdp_md *ctx)
{
	return XDP_DROP;
}

char _license[] SEC("license") = "Apache-2.0";
