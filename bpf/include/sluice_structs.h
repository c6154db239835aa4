/* SPDX-License-Identifier: Apache-2.0 */
/* Layouts that C and Go share. Each names its Go twin; a test compares them
 * through BTF. */
#ifndef SLUICE_STRUCTS_H
#define SLUICE_STRUCTS_H

#include "sluice_const.h"

/* An IP address in 16 bytes, IPv4 as ::ffff:a.b.c.d. Go: decode.Addr. */
struct addr {
	union {
		__u8 bytes[16];
		__u32 words[4];
		__u64 halves[2];
	};
};

/* Go: flow.Key. Ports and VLAN ids in the machine's order; the lower
 * (address, port) pair first. */
struct flow_key {
	struct addr addr[2];
	__u16 port[2];
	__u16 vlan[2];
	__u32 tunnel;
	__u8 proto;
	__u8 ip_version;
	__u8 pad[2];
};

/* Go: fastpath.flowDrop. Counted with atomic adds: one flow may be met on
 * several CPUs. */
struct flow_drop {
	__u64 expires; /* monotonic ns */
	__u64 packets[2]; /* by source: the key's lower end, its higher end */
	__u64 bytes[2];
	__u32 list; /* who asked, as in block_value */
	__u32 flags;
};

/* Keys of the tries. Go: fastpath.lpm4 and fastpath.lpm6. */
struct lpm4 {
	__u32 bits;
	__u32 addr;
};
struct lpm6 {
	__u32 bits;
	__u32 addr[4]; /* not struct addr: no padding may stand in between */
};

/* Go: fastpath.blockValue. */
struct block_value {
	__u64 expires; /* monotonic ns, 0 never */
	__u32 list;    /* index into the daemon's table of lists */
	__u32 reason;  /* index into the daemon's table of reasons */
	__u32 flags;
	__u32 set; /* of a quarantined host: which allowances are its */
};

struct fragment_key {
	struct addr src, dst;
	__u32 id;
	__u8 proto;
	__u8 ip_version;
	__u8 pad[2];
};
struct fragment_value {
	__u64 expires;
	__u32 list;
	__u32 pad;
};

struct bucket_key {
	__u64 hi, lo; /* IPv4 mapped; of IPv6 the first 64 bits, for one host has them all */
	__u32 kind;
	__u32 pad;
};
struct bucket {
	__u64 credit; /* ns of allowance left */
	__u64 last;
};

/* Go: fastpath.allowance. What a quarantined host may still reach. */
struct allowance {
	struct addr addr, mask;
	__u16 first, last; /* ports, of either end */
	__u8 proto;	   /* 0 any */
	__u8 used;	   /* 0 ends the list */
	__u8 ports;	   /* whether first and last count */
	__u8 set;	   /* of the hosts that it is for */
};

/* Go: fastpath.aclRange. From this port on, to the next range. */
struct acl_range {
	__u16 first;
	__u16 rule; /* from 1, with ACL_DROP; 0 where none speaks of these ports */
};

/* Go: fastpath.aclCell. What the rules say of one pair of zones and class of
 * protocols. The first of n ranges begins with port 0. */
struct acl_cell {
	__u16 n;
	__u16 state;	/* the way back is restricted: remember who began */
	__u16 unparsed; /* the rule of packets whose ports cannot be read */
	__u16 pad;
	struct acl_range ranges[ACL_RANGES];
};

struct acl_flow {
	__u64 expires;
	__u32 low_began; /* the key's lower end sent first */
	__u32 pad;
};

/* Go: fastpath.counter, one for each reason and CPU. */
struct counter {
	__u64 packets;
	__u64 bytes;
	__u64 window; /* the second that samples counts in */
	__u64 samples;
};

/* Go: fastpath.listCounter, one for each block list and CPU. */
struct list_counter {
	__u64 packets;
	__u64 bytes;
};

/* Go: fastpath.dropRecord. */
struct drop_record {
	__u64 time; /* monotonic ns */
	struct addr src, dst;
	__u16 sport, dport;
	__u16 vlan[2];
	__u32 ifindex;
	__u32 length;
	__u32 list;
	__u32 entry; /* block_value.reason */
	__u8 reason;
	__u8 proto;
	__u8 ip_version;
	__u8 tcp_flags;
	__u32 pad;
};

struct rate {
	__u64 cost;  /* ns a packet uses up, 0 switches the limit off */
	__u64 burst; /* ns that may gather */
};

/* Go: fastpath.settings. */
struct sluice_settings {
	__u32 layout;
	__u32 active;
	__u32 malformed;
	__u32 samples; /* records a second, reason and CPU */
	struct rate rate[RATE_MAX];
};

/* Go: fastpath.wire. What becomes of a port's frames without the daemon. */
struct wire {
	__u32 peer; /* ifindex to redirect to; 0 drops */
	__u32 pad;
	__u64 packets;
	__u64 bytes;
	__u64 first, last; /* monotonic ns of its first and last frame, 0 none */
};

/* Go: fastpath.bypassValue. A flow that goes past the workers. */
struct bypass {
	__u64 last; /* monotonic ns of its last frame here, 0 none yet */
	__u64 packets[2]; /* by source: the key's lower end, its higher end */
	__u64 bytes[2];
	__u32 ended; /* its connection ends: frames go to the workers again */
	__u32 pad;
};

/* Go: fastpath.cutValue. A flow that ended beside the wire. */
struct cut {
	__u64 expires; /* monotonic ns */
	__u64 packets;
	__u64 bytes;
};

/* Go: fastpath.guardState. */
struct guard_state {
	__u64 heartbeat; /* monotonic ns of the workers' last sign of life, 0 none yet */
	__u64 timeout;	 /* ns after which they count as hung, 0 switches it off */
	__u64 dropped;
	__u64 yielded;
	__u64 dead; /* a worker's thread has ended */
};

#endif
