package stream

import (
	"net/netip"
	"strings"
	"testing"

	"sluice/dataplane/decode"
	"sluice/dataplane/protocol"
)

func TestInline(t *testing.T) {
	for name, run := range map[string]func(x *talk){
		"given on arrival": func(x *talk) {
			x.send(c2s, "PA", 1, 1, "abc").got(c2s, "abc")
		},
		"a hole holds back": func(x *talk) {
			x.send(c2s, "A", 4, 1, "def").got(c2s, "")
			if !x.last.Held {
				x.t.Fatal("not held")
			}
			x.send(c2s, "A", 1, 1, "abc").got(c2s, "abcdef")
		},
		"retransmission": func(x *talk) {
			x.send(c2s, "A", 1, 1, "abc").send(c2s, "A", 1, 1, "abc").events("pkt_retransmission")
			if !x.last.Retransmission || x.last.Conflict {
				x.t.Fatal(x.last)
			}
			x.send(s2c, "A", 1, 4, "").send(c2s, "A", 1, 1, "abc").events("pkt_retransmission", "pkt_spurious_retransmission", "est_pkt_before_last_ack").got(c2s, "abc")
		},
		"retransmission that differs": func(x *talk) {
			x.send(c2s, "A", 1, 1, "GOOD").send(c2s, "A", 1, 1, "EVIL").got(c2s, "GOOD")
			x.events("reassembly_overlap_different_data", "pkt_retransmission")
			if !x.last.Conflict {
				x.t.Fatal("no conflict")
			}
			x.send(s2c, "A", 1, 5, "").send(c2s, "A", 1, 1, "EVIL")
			if x.last.Conflict {
				x.t.Fatal("what is acknowledged cannot conflict")
			}
		},
		"part of a retransmission differs": func(x *talk) {
			x.send(c2s, "A", 1, 1, "abcd").send(c2s, "A", 5, 1, "efgh").send(c2s, "A", 4, 1, "dXfghij").got(c2s, "abcdefghij")
			if !x.last.Conflict {
				x.t.Fatal("no conflict")
			}
		},
		"held bytes were first": func(x *talk) {
			x.send(c2s, "A", 3, 1, "cd").send(c2s, "A", 1, 1, "abXYef").got(c2s, "abcdef")
			if !x.last.Conflict {
				x.t.Fatal("no conflict")
			}
		},
		"held bytes, later overlap": func(x *talk) {
			x.send(c2s, "A", 5, 1, "ef").send(c2s, "A", 3, 1, "cdXfgh")
			if !x.last.Conflict {
				x.t.Fatal("no conflict")
			}
			x.send(c2s, "A", 1, 1, "ab").got(c2s, "abcdefgh")
		},
		"acknowledged hole": func(x *talk) {
			x.send(c2s, "A", 4, 1, "def").send(s2c, "A", 1, 7, "").events("reassembly_seq_gap").got(c2s, "[3 missing]def")
		},
		"acknowledged tail is a gap once data follows": func(x *talk) {
			x.send(s2c, "A", 1, 4, "").got(c2s, "").send(c2s, "A", 4, 1, "def").got(c2s, "[3 missing]def")
		},
		"late data fills an acknowledged tail": func(x *talk) {
			x.send(s2c, "A", 1, 4, "").send(c2s, "A", 1, 1, "abc").got(c2s, "abc")
		},
		"FIN before a hole is filled": func(x *talk) {
			x.send(c2s, "FA", 4, 1, "def").got(c2s, "")
			if x.k.ends[c2s] != 0 {
				x.t.Fatal("ended")
			}
			x.send(c2s, "A", 1, 1, "abc").got(c2s, "abcdef")
			if x.k.ends[c2s] != 1 {
				x.t.Fatal("not ended")
			}
		},
		"data past the FIN": func(x *talk) {
			x.send(c2s, "FA", 1, 1, "abc").send(c2s, "A", 4, 1, "EVIL").invalid(true).got(c2s, "abc")
		},
		"another FIN": func(x *talk) {
			x.send(c2s, "FA", 4, 1, "").send(c2s, "FA", 2, 1, "").invalid(true)
		},
		"RST ends both directions": func(x *talk) {
			x.send(c2s, "A", 1, 1, "abc").send(s2c, "R", 1, 0, "")
			if x.k.ends != [2]int{1, 1} {
				x.t.Fatal(x.k.ends)
			}
			x.send(c2s, "A", 4, 1, "more").events("suspected_rst_inject").invalid(true)
		},
		"RST with data": func(x *talk) {
			x.send(s2c, "RA", 1, 1, "Access Denied").state(StateClosed).got(s2c, "")
		},
		"close tells what is missing": func(x *talk) {
			x.send(c2s, "A", 4, 1, "def").close().got(c2s, "[3 missing]def")
			if x.k.ends != [2]int{1, 1} || x.e.Counters.Gaps != 0 {
				x.t.Fatal(x.k.ends, x.e.Counters.Gaps)
			}
		},
		"urgent byte out of band": func(x *talk) {
			x.send(c2s, "A", 1, 1, "mal")
			x.urg = 2
			x.send(c2s, "UA", 4, 1, "iX")
			x.urg = 0
			x.send(c2s, "A", 6, 1, "cious").send(s2c, "A", 1, 11, "").got(c2s, "malicious")
		},
		"urgent byte out of order": func(x *talk) {
			x.urg = 1
			x.send(c2s, "UA", 4, 1, "X")
			x.urg = 0
			x.send(c2s, "A", 5, 1, "icious").send(c2s, "A", 1, 1, "mal").got(c2s, "malicious")
		},
		"skip": func(x *talk) {
			x.k.skip = func(d protocol.Dir) { x.s.SkipDir(d) }
			x.send(c2s, "A", 4, 1, "def").send(c2s, "A", 1, 1, "abc").send(c2s, "A", 7, 1, "ghi").got(c2s, "abc")
			x.send(c2s, "FA", 10, 1, "")
			if x.k.ends[c2s] != 1 || x.s.Size(c2s) != 9 {
				x.t.Fatal(x.k.ends, x.s.Size(c2s))
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			x := newTalk(t, inline())
			x.handshake()
			run(x)
			x.close()
		})
	}
}

func TestTFO(t *testing.T) {
	t.Run("inline, accepted", func(t *testing.T) {
		newTalk(t, inline()).send(c2s, "S", 0, 0, "GET /").got(c2s, "GET /").send(s2c, "SA", 0, 6, "").events().
			send(s2c, "PA", 1, 6, "ok").state(StateEstablished).got(s2c, "ok").send(c2s, "A", 6, 3, "").close()
	})
	t.Run("ids, accepted", func(t *testing.T) {
		newTalk(t, ids()).send(c2s, "S", 0, 0, "GET /").got(c2s, "").send(s2c, "SA", 0, 6, "").got(c2s, "").send(c2s, "A", 6, 1, "").state(StateEstablished).
			send(s2c, "PA", 1, 6, "ok").got(c2s, "GET /").close()
	})
	t.Run("ids, ignored", func(t *testing.T) {
		newTalk(t, ids()).send(c2s, "S", 0, 0, "EVIL").send(s2c, "SA", 0, 1, "").events("3whs_synack_tfo_data_ignored").
			send(c2s, "PA", 1, 1, "GOOD").send(s2c, "A", 1, 5, "").got(c2s, "GOOD").close()
	})
	t.Run("inline, ignored and changed", func(t *testing.T) {
		x := newTalk(t, inline()).send(c2s, "S", 0, 0, "GOOD").send(s2c, "SA", 0, 1, "").events("3whs_synack_tfo_data_ignored").send(c2s, "PA", 1, 1, "EVIL").got(c2s, "GOOD")
		if !x.last.Conflict {
			t.Fatal("no conflict")
		}
		x.close()
	})
}

func TestIDS(t *testing.T) {
	for name, run := range map[string]func(x *talk){
		"given once acknowledged": func(x *talk) {
			x.send(c2s, "PA", 1, 1, "abcdef").got(c2s, "").send(s2c, "A", 1, 4, "").got(c2s, "abc").send(s2c, "A", 1, 7, "").got(c2s, "abcdef")
		},
		"request before response": func(x *talk) {
			x.send(c2s, "PA", 1, 1, "req").send(s2c, "PA", 1, 4, "resp").send(c2s, "A", 4, 5, "")
			if got := strings.Join(x.k.log, " "); got != "to_server:req to_client:resp" {
				x.t.Fatal(got)
			}
		},
		"gap": func(x *talk) {
			x.send(c2s, "A", 5, 1, "GOOD").send(c2s, "A", 9, 1, "DATA").send(s2c, "A", 1, 13, "").got(c2s, "[4 missing]GOODDATA").events("reassembly_seq_gap")
		},
		"RST gives what is in order, close the rest": func(x *talk) {
			x.send(s2c, "A", 1, 1, "Please ").send(s2c, "A", 12, 1, "Me ").send(c2s, "RA", 1, 8, "").got(s2c, "Please ").close().got(s2c, "Please [4 missing]Me ")
		},
		"forged RST": func(x *talk) {
			x.send(c2s, "A", 1, 1, "abc").send(s2c, "A", 1, 4, "").send(s2c, "R", 1, 0, "").state(StateClosed)
			x.send(c2s, "A", 4, 1, "EVIL").events("suspected_rst_inject").send(s2c, "A", 1, 8, "").state(StateEstablished).got(c2s, "abcEVIL")
		},
		"RST that its sender takes back": func(x *talk) {
			x.send(c2s, "RA", 1, 1, "").send(c2s, "PA", 1, 1, "GET").events("suspected_rst_inject").send(s2c, "PA", 1, 4, "OK").events().send(c2s, "A", 4, 3, "")
			x.got(c2s, "GET").got(s2c, "OK").state(StateEstablished)
		},
		"a burst of loss": func(x *talk) {
			x.send(s2c, "A", 1, 300001, "").invalid(false).send(c2s, "A", 300001, 1, "on").send(s2c, "A", 1, 300003, "").got(c2s, "[300000 missing]on")
		},
		"FIN that its receiver never saw": func(x *talk) {
			x.send(c2s, "A", 1, 1, "GOOD").send(c2s, "FA", 5, 1, "").send(c2s, "A", 5, 1, "MORE").send(s2c, "A", 1, 9, "").got(c2s, "GOODMORE")
			if x.k.ends[c2s] != 0 {
				x.t.Fatal("ended")
			}
		},
		"urgent gap": func(x *talk) {
			x.e.cfg.Urgent = UrgentGap
			x.urg = 1
			x.send(c2s, "UA", 1, 1, "Xab").send(s2c, "A", 1, 4, "").got(c2s, "[1 missing]ab")
		},
		"urgent drop": func(x *talk) {
			x.e.cfg.Urgent = UrgentDrop
			x.urg = 1
			x.send(c2s, "UA", 1, 1, "X").invalid(true)
		},
	} {
		t.Run(name, func(t *testing.T) {
			x := newTalk(t, ids())
			x.handshake()
			run(x)
			x.close()
		})
	}
}

// The rows are the cases of Novak and Sturges' figure in small: an original
// "oooo" at a place and a later "nnnn", with what each system keeps.
func TestOverlapPolicies(t *testing.T) {
	f := func(policy string, want ...string) {
		t.Helper()
		pol, err := ParsePolicy(policy)
		if err != nil {
			t.Fatal(err)
		}
		// The later segment begins before, begins with and ends after, is the
		// same as, begins with and ends before, begins after, covers, lies within.
		places := [][2]uint32{{3, 1}, {1, 1}, {1, 1}, {1, 1}, {1, 3}, {3, 1}, {1, 3}}
		sizes := [][2]int{{4, 4}, {4, 6}, {4, 4}, {6, 4}, {4, 4}, {2, 6}, {6, 2}}
		for i, w := range want {
			cfg := ids()
			cfg.HostOS = []HostPolicy{{Prefix: netip.MustParsePrefix("10.0.0.0/8"), Policy: pol}}
			x := newTalk(t, cfg)
			for j := range 3 {
				p := x.pkt([]protocol.Dir{c2s, s2c, c2s}[j], []string{"S", "SA", "A"}[j], min(uint32(j/2), 1), uint32((j+1)/2), "")
				p.Dst = decode.AddrFrom(netip.MustParseAddr("10.1.2.3"))
				x.give(p, []protocol.Dir{c2s, s2c, c2s}[j])
			}
			x.send(c2s, "A", places[i][0], 1, strings.Repeat("o", sizes[i][0]))
			x.send(c2s, "A", places[i][1], 1, strings.Repeat("n", sizes[i][1]))
			x.send(s2c, "A", 1, 7, "")
			if got := string(x.k.data[c2s]); got != w {
				t.Errorf("%s, case %d: %q, want %q", policy, i, got, w)
			}
			x.close()
		}
	}
	//           before    longer    same    shorter   after     covers    within
	f("bsd", "nnnnoo", "oooonn", "oooo", "oooooo", "oooonn", "nnnnnn", "oooooo")
	f("windows", "nnnnoo", "oooonn", "oooo", "oooooo", "oooonn", "nnnnnn", "oooooo")
	f("linux", "nnnnoo", "nnnnnn", "oooo", "oooooo", "oooonn", "nnnnnn", "oooooo")
	f("old-linux", "nnnnoo", "nnnnnn", "nnnn", "oooooo", "oooonn", "nnnnnn", "oooooo")
	f("bsd-right", "nnoooo", "nnnnnn", "nnnn", "nnnnoo", "oonnnn", "nnoonn", "oonnoo")
	f("solaris", "nnoooo", "nnnnnn", "nnnn", "oooooo", "oonnnn", "nnnnnn", "oooooo")
	f("first", "nnoooo", "oooonn", "oooo", "oooooo", "oooonn", "nnoonn", "oooooo")
	f("last", "nnnnoo", "nnnnnn", "nnnn", "nnnnoo", "oonnnn", "nnnnnn", "oonnoo")
}

func TestLimits(t *testing.T) {
	t.Run("inline refuses", func(t *testing.T) {
		c := inline()
		c.MaxHeldBytes = 100
		x := newTalk(t, c).handshake()
		x.send(c2s, "A", 11, 1, strings.Repeat("b", 90)).invalid(false)
		x.send(c2s, "A", 101, 1, strings.Repeat("c", 20)).events("reassembly_insert_limit").invalid(true)
		if x.last.Reason != ReasonReassembly {
			t.Fatal(x.last.Reason)
		}
		x.send(c2s, "A", 1, 1, strings.Repeat("a", 10)).got(c2s, strings.Repeat("a", 10)+strings.Repeat("b", 90)).close()
	})
	t.Run("ids gives early", func(t *testing.T) {
		c := ids()
		c.MaxHeldSegments = 2
		x := newTalk(t, c).handshake()
		x.send(c2s, "A", 1, 1, "a").send(c2s, "A", 2, 1, "b").send(c2s, "A", 3, 1, "c").got(c2s, "ab")
		x.send(c2s, "A", 5, 1, "e").send(c2s, "A", 7, 1, "g").got(c2s, "abc").send(c2s, "A", 9, 1, "i").events("reassembly_insert_limit", "reassembly_seq_gap").got(c2s, "abc[1 missing]e")
		x.close().got(c2s, "abc[1 missing]e[1 missing]g[1 missing]i")
	})
	t.Run("memcap", func(t *testing.T) {
		for _, c := range []Config{inline(), ids()} {
			c.Memcap = 1024
			x := newTalk(t, c).handshake()
			for i := range uint32(4) {
				x.send(c2s, "A", 10+2*i, 1, "x").invalid(false)
			}
			x.send(c2s, "A", 30, 1, "x").events("reassembly_insert_memcap").invalid(c.Inline)
			if x.last.Reason != ReasonMemcap {
				t.Fatal(x.last.Reason)
			}
			x.close()
		}
	})
	t.Run("depth", func(t *testing.T) {
		for _, c := range []Config{inline(), ids()} {
			c.Depth = 5
			x := newTalk(t, c).handshake()
			x.send(c2s, "A", 1, 1, "abc").send(c2s, "A", 4, 1, "def").send(s2c, "A", 1, 7, "").send(c2s, "A", 7, 1, "ghi").send(s2c, "A", 1, 10, "").got(c2s, "abcde")
			if !x.s.DepthReached(c2s) || x.s.DepthReached(s2c) {
				t.Fatal("depth")
			}
			x.send(c2s, "FA", 10, 1, "").send(s2c, "A", 1, 11, "")
			if x.k.ends[c2s] != 1 {
				t.Fatal("not ended")
			}
			x.close()
		}
	})
	t.Run("depth by protocol", func(t *testing.T) {
		c := inline()
		c.Depth = 5
		c.Depths = &[protocol.NumIDs]uint64{protocol.Unknown: 5, protocol.HTTP1: 0, protocol.SSH: 2}
		f := func(id protocol.ID, want string, reached bool) {
			t.Helper()
			x := newTalk(t, c).handshake()
			x.s.SetApp(id)
			x.send(c2s, "A", 1, 1, "abc").send(c2s, "A", 4, 1, "def").got(c2s, want)
			if x.s.DepthReached(c2s) != reached {
				t.Errorf("%v: depth reached %v", id, !reached)
			}
			x.close()
		}
		f(protocol.Unknown, "abcde", true)
		f(protocol.HTTP1, "abcdef", false)
		f(protocol.SSH, "ab", true)
	})
	t.Run("kept", func(t *testing.T) {
		c := inline()
		c.MaxKeptBytes = 300
		x := newTalk(t, c).handshake()
		for i := range uint32(10) {
			x.send(c2s, "A", 1+256*i, 1, strings.Repeat("k", 256))
		}
		x.send(c2s, "A", 1, 1, strings.Repeat("X", 256))
		if x.last.Conflict || x.e.Counters.Unverified != 1 {
			t.Fatal(x.last, x.e.Counters.Unverified)
		}
		x.close()
	})
}

// TestTap gives data on arrival, and otherwise is as ids mode.
func TestTap(t *testing.T) {
	x := newTalk(t, tap()).handshake()
	x.send(c2s, "A", 1, 1, "abc").got(c2s, "abc").send(c2s, "A", 7, 1, "ghi").got(c2s, "abc").send(c2s, "A", 4, 1, "def").got(c2s, "abcdefghi")
	x.send(c2s, "A", 4, 1, "EVIL")
	if !x.last.Conflict || x.last.Invalid {
		t.Fatal("other bytes than were given are no conflict", x.last)
	}
	x.send(s2c, "A", 1, 10, "").send(c2s, "A", 4, 1, "EVIL")
	if x.last.Conflict {
		t.Fatal("what is acknowledged cannot conflict")
	}
	// What the tap missed, the receiver has.
	x.send(c2s, "A", 13, 1, "mno").got(c2s, "abcdefghi").send(s2c, "A", 1, 16, "").got(c2s, "abcdefghi[3 missing]mno")
	x.close()
}

func TestEventNames(t *testing.T) {
	for i, n := range eventNames {
		ev := decode.StreamEvents + decode.Event(i)
		if ev.String() != n {
			t.Errorf("%d is %q, want %q", i, ev, n)
		}
		if got, ok := EventByName(strings.TrimPrefix(n, "stream.")); !ok || got != ev {
			t.Errorf("%q not found", n)
		}
	}
	if _, ok := EventByName("wrong_thread"); ok {
		t.Error("wrong_thread cannot occur and has a name")
	}
	if EventPktBadWindowUpdate.String() != "stream.pkt_bad_window_update" || EventReassemblyInsertLimit.String() != "stream.reassembly_insert_limit" {
		t.Error("constants and names differ in order")
	}
}

// TestOneSideAlone: a connection picked up from one side is read on arrival only
// until the other side shows, and a FIN of one side alone closes nothing.
func TestOneSideAlone(t *testing.T) {
	cfg := ids()
	cfg.AsyncOneside, cfg.Midstream = true, true
	newTalk(t, cfg).send(c2s, "PA", 1, 1, "ask").got(c2s, "ask").
		send(s2c, "PA", 1, 4, "answer").got(s2c, "").send(c2s, "A", 4, 7, "").got(s2c, "answer").close()
	newTalk(t, cfg).send(c2s, "PA", 1, 1, "ask").send(c2s, "FA", 4, 1, "").state(StateEstablished).close()
}
