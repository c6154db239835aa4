/* SPDX-License-Identifier: Apache-2.0 */
/* Constants that C and Go share. The Go twins are in
 * dataplane/fastpath/reason.go and are compared by a test. */
#ifndef SLUICE_CONST_H
#define SLUICE_CONST_H

/* Of the maps and structs; a daemon adopts only what carries its own. */
#define SLUICE_LAYOUT 4

/* What became of a frame. The first few let it pass. */
enum sluice_reason {
	REASON_PASS = 0,
	REASON_ALLOWED,	  /* on the allow list */
	REASON_NOT_IP,	  /* ARP, LLDP, STP ... */
	REASON_UNPARSED,  /* IP, but its headers end early or never */
	REASON_BLOCK_SRC, /* block list, by source */
	REASON_BLOCK_DST, /* block list, by destination */
	REASON_FLOW,	  /* the daemon dropped this flow */
	REASON_FRAGMENT,  /* its first fragment was dropped */
	REASON_LAND,	  /* source and destination are the same */
	REASON_TCP_FLAGS, /* flags no stack sends */
	REASON_LENGTH,	  /* header lengths that contradict each other */
	REASON_RATE_SYN,
	REASON_RATE_UDP,
	REASON_RATE_ICMP,
	REASON_RATE_NEW,   /* new connections to one destination */
	REASON_ACL,	   /* segmentation: not from this zone to that one */
	REASON_QUARANTINE, /* its source is quarantined */
	REASON_MAX,
};
#define REASON_FIRST_DROP REASON_BLOCK_SRC

/* Bits of sluice_settings.malformed. */
#define MALFORMED_LAND	    (1 << 0)
#define MALFORMED_TCP_FLAGS (1 << 1)
#define MALFORMED_LENGTH    (1 << 2)

/* Bits of sluice_settings.active: tables with nothing in them are not asked. */
#define ACTIVE_ALLOW4	 (1 << 0)
#define ACTIVE_ALLOW6	 (1 << 1)
#define ACTIVE_BLOCK4	 (1 << 2)
#define ACTIVE_BLOCK6	 (1 << 3)
#define ACTIVE_BLOCK6_ALL (1 << 4) /* a prefix shorter than the filter's 32 bits */
#define ACTIVE_FLOWS	 (1 << 5)
#define ACTIVE_FRAGMENTS (1 << 6)
#define ACTIVE_IGNORE_VLAN (1 << 7) /* flow keys hold no VLAN ids */
#define ACTIVE_QUARANTINE (1 << 8)
#define ACTIVE_ACL	  (1 << 9)
#define ACTIVE_ACL_OTHER (1 << 10) /* the second of the two sets of zones and rules holds */
#define ACTIVE_QUARANTINE_LINK (1 << 11) /* some hosts by their link-layer address too */

/* Bits of block_value.flags; none means both. */
#define BLOCK_SRC (1 << 0)
#define BLOCK_DST (1 << 1)

/* Bits of flow_drop.flags. */
#define FLOW_UNTIL_SYN (1 << 0) /* a new handshake of the same ports clears it */

enum sluice_rate { RATE_SYN = 0, RATE_UDP, RATE_ICMP, RATE_NEW, RATE_MAX };

#ifndef MAX_FRAGMENTS
#define MAX_FRAGMENTS 65536
#endif
#ifndef MAX_LISTS
#define MAX_LISTS 256
#endif
/* Zones of the segmentation, with 0 for addresses in none; the classes of
 * protocols that rules tell apart; and the bounds of their rules. */
#define ACL_ZONES 32
enum sluice_acl_class { ACL_TCP = 0, ACL_UDP, ACL_SCTP, ACL_ICMP, ACL_OTHER, ACL_CLASSES };
#define ACL_CELLS (ACL_ZONES * ACL_ZONES * ACL_CLASSES) /* in one set */
#define ACL_RANGES 64 /* of ports, a power of two */
#define ACL_RULES 512 /* in one set, with 0 for none */
#define ACL_DROP 0x8000 /* in acl_range.rule */
#define MAX_ALLOWANCES 64
/* How long datagrams may come back after the last one of who began. */
#define ACL_FLOW_NS (60ULL * 1000000000ULL)
/* How long a dropped flow stays after its FIN or RST. */
#define FLOW_LINGER_NS (10ULL * 1000000000ULL)
/* How long a dropped first fragment condemns the rest: the reassembly
 * time-out of common stacks. */
#define FRAGMENT_NS (30ULL * 1000000000ULL)
#define SECOND_NS 1000000000ULL

/* 16 bits for each IPv4 /24, four to a word. */
#define DIR4_WORDS (1 << 22)
/* A filter in front of the IPv6 trie: a bit per hash of an address's first 32 bits. */
#define FILTER6_WORDS (1 << 13)
#define FILTER6_SHIFT 13 /* 32 - log2(bits) */
#define FILTER6_MULTIPLIER 0x9E3779B1U

/* A filter in front of the dropped flows: a bit per sum of what tells flows apart,
 * the same for both directions. */
#define FLOW_FILTER_WORDS (1 << 14)
#define FLOW_FILTER_SHIFT 12 /* 32 - log2(bits) */

#define ETH_8021Q  0x8100
#define ETH_8021AD 0x88A8
#define ETH_QINQ1  0x9100
#define ETH_IP	   0x0800
#define ETH_IPV6   0x86DD

#define IPPROTO_HOPOPTS	 0
#define IPPROTO_ICMP	 1
#define IPPROTO_TCP	 6
#define IPPROTO_UDP	 17
#define IPPROTO_ROUTING	 43
#define IPPROTO_FRAGMENT 44
#define IPPROTO_AH	 51
#define IPPROTO_ICMPV6	 58
#define IPPROTO_DSTOPTS	 60
#define IPPROTO_SCTP	 132
#define IPPROTO_MH	 135
#define IPPROTO_NOTHING	 255 /* reserved by IANA: no protocol found */

#define PORT_DHCP_SERVER 67
#define PORT_DHCP_CLIENT 68
#define PORT_DHCP6_SERVER 547
#define PORT_DHCP6_CLIENT 546
#define ND_FIRST 133 /* router solicitation ... */
#define ND_LAST 136  /* ... neighbour advertisement (RFC 4861) */

#define MAX_EXTENSIONS 8

#define TCP_FIN 0x01
#define TCP_SYN 0x02
#define TCP_RST 0x04
#define TCP_PSH 0x08
#define TCP_ACK 0x10
#define TCP_URG 0x20

/* Of linux/bpf.h since 6.6 and linux/pkt_cls.h. */
#define TCX_NEXT -1
#define TC_OK 0
#define TC_DROP 2
#define TC_STOLEN 4 /* no error to the sender */

#endif
