package signatures

import (
	"testing"

	"sluice/dataplane/decode"
	"sluice/dataplane/protocol"
)

// Whatever the bytes, matching ends within its limits and never panics.
func FuzzPayload(f *testing.F) {
	r := newRig(f, `alert udp any any -> any any (content:"ab"; byte_jump:2,0,relative,little,align,multiplier 3; isdataat:4,relative; sid:1;)
alert udp any any -> any any (content:"ab"; byte_extract:4,0,n,relative; content:"cd"; distance:n; within:n; sid:2;)
alert udp any any -> any any (content:"a"; content:"b"; distance:-5; within:9; content:"c"; distance:-7; pcre:"/(a|b)+c/R"; sid:3;)
alert udp any any -> any any (content:"a"; base64_decode:offset 1,relative; base64_data; content:"x"; byte_test:8,>,1,0,string,hex; sid:4;)
alert udp any any -> any any (content:"a"; byte_math:bytes 4,offset -3,oper *,rvalue 77,result m,relative; byte_jump:0,m; byte_test:1,=,m,m,relative; sid:5;)
alert udp any any -> any any (asn1:oversize_length 10,bitstring_overflow,double_overflow,absolute_offset 1; sid:6;)
alert udp any any -> any any (entropy:value >= 3; sid:7;)
alert udp any any -> any any (byte_jump:1,0,from_end,post_offset -3; content:"a"; within:2; sid:8;)
alert udp any any -> any any (content:!"q"; isdataat:!300; pcre:!"/z$/"; sid:9;)
alert udp any any -> any any (rpc:100000,*,4; sid:10;)
alert tcp any any -> any any (content:"ab"; content:"cd"; distance:1; byte_test:1,>,9,-2,relative; sid:11;)
alert tcp any any -> any any (pcre:"/a+b/"; byte_jump:1,0; sid:12;)
`)
	fl := r.flow(decode.ProtoUDP, 1, 2)
	f.Add([]byte("ab\x01\x00abcdcab YWJjeHl6 0x41"), uint8(3))
	f.Add([]byte("\x30\x84\xff\xff\xff\xff\x03\x02\x09\x00aaaaaaaabbbbbbbbcccccccc"), uint8(1))
	f.Fuzz(func(t *testing.T, data []byte, cut uint8) {
		r.t = t
		r.m.Packet(r.packet(decode.ProtoUDP, inside, outside, 1, 2, data), fl, protocol.ToServer)
		r.take()
		s := r.open(r.flow(decode.ProtoTCP, 1, 2), protocol.ToServer)
		defer r.sc.CloseStream(s.st)
		for len(data) > 0 {
			n := min(len(data), int(cut)+1)
			s.data(data[:n])
			data = data[n:]
		}
		r.got = nil
	})
}
