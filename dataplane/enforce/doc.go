// Package enforce crafts the frames that tell both ends of a conversation that
// it is over: TCP resets with numbers the ends accept, a protocol's own refusal
// before them, the answers that keep a blocked connection dead, and ICMP
// unreachables for UDP.
//
// It takes a packet of the conversation and the connection's sequence numbers,
// and gives complete Ethernet frames; whoever calls sends them. It decides
// nothing, and knows nothing of flows, rules or interfaces.
package enforce
