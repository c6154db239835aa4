package stream

import (
	"testing"
)

func TestHandshakesAndStates(t *testing.T) {
	for _, mode := range []struct {
		name string
		cfg  Config
	}{{"inline", inline()}, {"ids", ids()}} {
		for _, c := range []struct {
			name string
			run  func(x *talk)
		}{
			{"close by the client", func(x *talk) {
				x.handshake().state(StateEstablished)
				x.send(c2s, "PA", 1, 1, "hello").send(s2c, "PA", 1, 6, "hi").send(c2s, "A", 6, 3, "")
				x.got(c2s, "hello").got(s2c, "hi")
				x.send(c2s, "FA", 6, 3, "").state(StateCloseWait)
				x.send(s2c, "FA", 3, 7, "").state(StateLastAck)
				x.send(c2s, "A", 7, 4, "").state(StateClosed)
				if x.k.ends != [2]int{1, 1} {
					x.t.Fatalf("ends %v", x.k.ends)
				}
			}},
			{"close by the server", func(x *talk) {
				x.handshake().send(s2c, "FPA", 1, 1, "bye").state(StateFinWait1)
				x.send(c2s, "A", 1, 5, "").state(StateFinWait2).got(s2c, "bye")
				x.send(c2s, "FA", 1, 5, "").state(StateTimeWait)
				x.send(s2c, "A", 5, 2, "").state(StateClosed)
			}},
			{"both close at once", func(x *talk) {
				x.handshake().send(s2c, "FA", 1, 1, "").send(c2s, "FA", 1, 1, "").state(StateClosing)
				x.send(c2s, "A", 2, 2, "").state(StateTimeWait).send(s2c, "A", 2, 2, "").state(StateClosed)
			}},
			{"simultaneous open", func(x *talk) {
				x.send(c2s, "S", 0, 0, "").send(s2c, "S", 0, 0, "").state(StateSynRecv)
				x.send(c2s, "SA", 0, 1, "").state(StateSynRecv).send(s2c, "SA", 0, 1, "").state(StateEstablished)
				x.send(c2s, "PA", 1, 1, "x").send(s2c, "A", 1, 2, "").got(c2s, "x")
			}},
			{"split handshake of four", func(x *talk) {
				x.send(c2s, "S", 0, 0, "").send(s2c, "S", 0, 0, "").send(c2s, "SA", 0, 1, "").send(s2c, "A", 1, 1, "").state(StateEstablished)
				x.send(c2s, "A", 1, 1, "EVIL").send(s2c, "A", 1, 5, "").got(c2s, "EVIL")
			}},
			{"split handshake of five", func(x *talk) {
				x.send(c2s, "S", 0, 0, "").send(s2c, "A", 1, 1, "").invalid(false).send(s2c, "S", 0, 0, "")
				x.send(c2s, "SA", 0, 1, "").send(s2c, "A", 1, 1, "").state(StateEstablished)
				x.send(c2s, "A", 1, 1, "EVIL").send(s2c, "A", 1, 5, "").got(c2s, "EVIL")
			}},
			{"split handshake, wrong SYN", func(x *talk) {
				x.send(c2s, "S", 0, 0, "").send(s2c, "S", 0, 0, "").send(c2s, "SA", 9, 1, "").events("4whs_synack_with_wrong_syn").invalid(true)
				x.send(c2s, "SA", 0, 9, "").events("4whs_synack_with_wrong_ack").invalid(true)
			}},
			{"SYN again with another number", func(x *talk) {
				x.send(c2s, "S", 0, 0, "").send(c2s, "S", 5000, 0, "").invalid(false)
				x.send(s2c, "SA", 0, 5001, "").state(StateSynRecv).send(c2s, "A", 5001, 1, "").state(StateEstablished)
				x.send(c2s, "A", 5001, 1, "abc").send(s2c, "A", 1, 5004, "").got(c2s, "abc")
			}},
			{"SYN/ACK in the wrong direction", func(x *talk) {
				x.send(c2s, "S", 0, 0, "").send(c2s, "SA", 0, 1, "").events("3whs_synack_in_wrong_direction").invalid(true)
				x.send(s2c, "SA", 0, 77, "").events("3whs_synack_with_wrong_ack").invalid(true)
			}},
			{"the client chooses among SYN/ACKs", func(x *talk) {
				x.send(c2s, "S", 0, 0, "").send(s2c, "SA", 0, 1, "").send(s2c, "SA", 1000, 1, "").events("3whs_synack_resend_with_diff_seq")
				x.send(c2s, "A", 1, 1001, "").state(StateEstablished)
				x.send(s2c, "A", 1001, 1, "real").send(c2s, "A", 1, 1005, "").got(s2c, "real")
			}},
			{"SYN/ACK flood", func(x *talk) {
				x.send(c2s, "S", 0, 0, "").send(s2c, "SA", 0, 1, "")
				for i := range uint32(5) {
					x.send(s2c, "SA", 100+i, 1, "").invalid(false)
				}
				x.send(s2c, "SA", 200, 1, "").events("3whs_synack_resend_with_diff_seq", "3whs_synack_flood").invalid(true)
				x.send(c2s, "A", 1, 1, "").state(StateEstablished)
			}},
			{"third ACK wrong", func(x *talk) {
				x.send(c2s, "S", 0, 0, "").send(s2c, "SA", 0, 1, "").send(c2s, "A", 1, 0, "").events("3whs_right_seq_wrong_ack_evasion").invalid(true)
				x.send(c2s, "A", 1<<20, 1<<20, "").events("3whs_wrong_seq_wrong_ack").invalid(true).state(StateSynRecv)
			}},
			{"third ACK with data", func(x *talk) {
				x.send(c2s, "S", 0, 0, "").send(s2c, "SA", 0, 1, "").send(c2s, "PA", 1, 1, "hello").state(StateEstablished)
				x.send(s2c, "A", 1, 6, "").got(c2s, "hello")
			}},
			{"third ACK lost, data out of order", func(x *talk) {
				x.send(c2s, "S", 0, 0, "").send(s2c, "SA", 0, 1, "").send(c2s, "PA", 6, 1, "world").state(StateEstablished)
				x.send(c2s, "PA", 1, 1, "hello").send(s2c, "A", 1, 11, "").got(c2s, "helloworld")
			}},
			{"RST refuses the SYN", func(x *talk) {
				x.send(c2s, "S", 0, 0, "").send(s2c, "RA", 0, 99, "").events("rst_invalid_ack").invalid(true).state(StateSynSent)
				x.send(s2c, "RA", 0, 1, "").state(StateClosed)
				if x.s.Established() {
					x.t.Fatal("established")
				}
			}},
			{"refused, and tried again", func(x *talk) {
				x.send(c2s, "S", 0, 0, "").send(s2c, "RA", 0, 1, "").state(StateClosed).send(c2s, "S", 0, 0, "").state(StateSynSent)
				x.send(s2c, "SA", 0, 1, "").send(c2s, "A", 1, 1, "").state(StateEstablished)
				x.send(c2s, "A", 1, 1, "x").send(s2c, "A", 1, 2, "").got(c2s, "x")
			}},
			{"blind RST", func(x *talk) {
				x.handshake().send(s2c, "R", 100000, 0, "").events("est_packet_out_of_window").invalid(true).state(StateEstablished)
				x.send(s2c, "R", 4000, 0, "").state(StateEstablished)
				x.send(s2c, "R", 1, 0, "").state(StateClosed)
				if d, ok := x.s.Reset(); !ok || d != s2c || !x.s.Established() {
					x.t.Fatal("reset not noted")
				}
			}},
			{"RST with an ACK of nothing sent", func(x *talk) {
				x.handshake().send(s2c, "RA", 1, 1<<30, "").events("rst_invalid_ack").invalid(true).state(StateEstablished)
			}},
			{"port reuse after close", func(x *talk) {
				x.handshake().send(c2s, "FA", 1, 1, "").send(s2c, "FA", 1, 2, "").send(c2s, "A", 2, 2, "").state(StateClosed)
				x.send(c2s, "S", 90000, 0, "")
				if !x.last.New {
					x.t.Fatal("not a new connection")
				}
				x.s, x.k = &Session{}, &sink{}
				x.send(c2s, "S", 90000, 0, "").state(StateSynSent)
			}},
			{"port reuse without a close seen", func(x *talk) {
				x.handshake().send(c2s, "S", 90000, 0, "").events("est_syn_resend_diff_seq").invalid(false)
				x.send(s2c, "SA", 70000, 90001, "")
				if !x.last.New {
					x.t.Fatal("not a new connection")
				}
				x.s, x.k = &Session{}, &sink{}
				x.send(s2c, "SA", 70000, 90001, "").state(StateSynRecv)
				x.send(c2s, "A", 90001, 70001, "").send(c2s, "PA", 90001, 70001, "new").send(s2c, "A", 70001, 90004, "").got(c2s, "new")
				if x.s.Midstream() {
					x.t.Fatal("midstream")
				}
			}},
			{"SYN resent", func(x *talk) {
				x.handshake().send(c2s, "S", 0, 0, "").events("est_syn_resend").send(s2c, "SA", 0, 1, "").events("est_synack_resend")
				x.send(s2c, "SA", 7, 1, "").events("est_synack_resend_with_diff_seq").send(s2c, "S", 7, 1, "").events("est_syn_toclient")
				x.send(c2s, "SA", 7, 1, "").events("est_synack_toserver")
			}},
			{"keep-alive and zero window probe", func(x *talk) {
				x.handshake().send(c2s, "PA", 1, 1, "abc").send(s2c, "A", 1, 4, "")
				x.send(c2s, "A", 3, 1, "").events().invalid(false).send(c2s, "A", 3, 1, "\x00").events().invalid(false)
				x.win = 0
				x.send(s2c, "A", 1, 4, "").invalid(false)
				x.send(c2s, "A", 4, 1, "d").invalid(false)
				x.win = 8192
				x.send(s2c, "A", 1, 5, "").got(c2s, "abcd")
			}},
			{"out of window", func(x *talk) {
				x.handshake().send(c2s, "A", 20000, 1, "far").events("est_packet_out_of_window").invalid(true)
				x.send(c2s, "A", 1, 1<<25, "").events("pkt_invalid_ack", "est_invalid_ack").invalid(true)
				x.send(c2s, "FA", 20000, 1, "").events("fin_out_of_window").invalid(true).state(StateEstablished)
			}},
			{"window scale", func(x *talk) {
				x.opts.HasWScale, x.opts.WScale = true, 2
				x.handshake()
				x.opts.HasWScale = false
				x.send(s2c, "A", 1, 1, "").send(c2s, "A", 30000, 1, "far").invalid(false)
				if w := x.s.Window(s2c); w != 8192<<2 || x.s.WScale(s2c) != 2 {
					x.t.Fatalf("window %d", w)
				}
				x.send(c2s, "A", 33000, 1, "far").invalid(true)
			}},
			{"PAWS", func(x *talk) {
				x.opts.HasTimestamp, x.opts.TSVal = true, 1000
				x.handshake()
				x.opts.TSVal = 900
				x.send(c2s, "PA", 1, 1, "EVIL").events("pkt_invalid_timestamp").invalid(true)
				x.opts.TSVal = 1001
				x.send(c2s, "PA", 1, 1, "GOOD").send(s2c, "A", 1, 5, "").got(c2s, "GOOD")
				if ts, ok := x.s.Timestamp(c2s); !ok || ts != 1001 {
					x.t.Fatal("timestamp", ts, ok)
				}
			}},
			{"an answer that echoes another SYN's time", func(x *talk) {
				x.opts.HasTimestamp, x.opts.TSVal = true, 1000
				x.send(c2s, "S", 0, 0, "")
				x.opts.TSVal, x.opts.TSEcr = 1<<30, 1<<30
				x.send(s2c, "RA", 0, 1, "").events("pkt_invalid_timestamp").invalid(true).state(StateSynSent)
				x.opts.TSVal, x.opts.TSEcr = 77, 1000
				x.send(s2c, "SA", 0, 1, "").events().state(StateSynRecv)
			}},
			{"no flags but data", func(x *talk) {
				x.handshake().send(c2s, "P", 1, 1, "x").invalid(true)
			}},
			{"no session", func(x *talk) {
				x.send(c2s, "PA", 1, 1, "x").state(StateNone)
				if x.last.Reason != ReasonMidstream || x.last.Invalid {
					x.t.Fatal(x.last.Reason)
				}
				x.send(c2s, "FA", 1, 1, "").events("fin_but_no_session").send(c2s, "R", 1, 1, "").events("rst_but_no_session").state(StateNone)
			}},
			{"bad checksum", func(x *talk) {
				x.handshake()
				p := x.pkt(c2s, "PA", 1, 1, "EVIL")
				p.Flags |= 1 << 5
				x.give(p, c2s)
				x.invalid(true).send(c2s, "PA", 1, 1, "GOOD").send(s2c, "A", 1, 5, "").got(c2s, "GOOD")
			}},
		} {
			t.Run(mode.name+"/"+c.name, func(t *testing.T) {
				x := newTalk(t, mode.cfg)
				c.run(x)
				x.close()
			})
		}
	}
}

func TestMidstreamAndAsync(t *testing.T) {
	mid, async := ids(), ids()
	mid.Midstream, async.AsyncOneside = true, true
	midIn := inline()
	midIn.Midstream = true
	t.Run("data first", func(t *testing.T) {
		x := newTalk(t, mid).send(c2s, "PA", 500, 700, "abc").state(StateEstablished).got(c2s, "")
		x.send(s2c, "PA", 700, 503, "def").got(c2s, "abc").send(c2s, "A", 503, 703, "").got(s2c, "def")
		if !x.s.Midstream() || !x.s.Established() {
			t.Fatal("not midstream")
		}
		x.close()
	})
	t.Run("data first inline", func(t *testing.T) {
		newTalk(t, midIn).send(c2s, "PA", 500, 700, "abc").got(c2s, "abc").send(s2c, "PA", 700, 503, "def").got(s2c, "def").close()
	})
	t.Run("SYN/ACK first", func(t *testing.T) {
		newTalk(t, mid).send(s2c, "SA", 0, 1, "").state(StateSynRecv).send(c2s, "PA", 1, 1, "x").state(StateEstablished).send(s2c, "A", 1, 2, "").got(c2s, "x").close()
	})
	t.Run("one side with SYN", func(t *testing.T) {
		x := newTalk(t, async).send(c2s, "S", 0, 0, "").send(c2s, "A", 1, 1, "").state(StateEstablished)
		x.send(c2s, "PA", 1, 1, "one").got(c2s, "one").send(c2s, "PA", 7, 1, "three").send(c2s, "PA", 4, 1, "two").got(c2s, "onetwothree")
		if !x.s.Async() {
			t.Fatal("not async")
		}
		x.close()
	})
	t.Run("one side midway", func(t *testing.T) {
		c := async
		c.Midstream = true
		newTalk(t, c).send(s2c, "PA", 1, 1, "one").send(s2c, "PA", 4, 1, "two").got(s2c, "onetwo").close()
	})
	t.Run("async wrong seq", func(t *testing.T) {
		newTalk(t, async).send(c2s, "S", 0, 0, "").send(c2s, "A", 9, 1, "").events("3whs_async_wrong_seq").invalid(true).close()
	})
	t.Run("server data before the third ACK", func(t *testing.T) {
		newTalk(t, inline()).send(c2s, "S", 0, 0, "").send(s2c, "SA", 0, 1, "").send(s2c, "PA", 1, 1, "x").events("3whs_ack_data_inject").invalid(true).close()
		newTalk(t, ids()).send(c2s, "S", 0, 0, "").send(s2c, "SA", 0, 1, "").send(s2c, "PA", 1, 1, "x").invalid(false).send(c2s, "A", 1, 2, "").got(s2c, "x").close()
	})
}
