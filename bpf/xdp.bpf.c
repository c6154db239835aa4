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
	return handle(ctx);
}

/* The yardstick of benchmarks. */
SEC("xdp.frags")
int sluice_empty(struct xdp_md *ctx)
{
	return XDP_DROP;
}

char _license[] SEC("license") = "Apache-2.0";
