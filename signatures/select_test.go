package signatures

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sluice/dataplane/decode"
	"sluice/dataplane/protocol"
	"sluice/signatures/rule"
)

func writeRules(t testing.TB, text string) []string {
	t.Helper()
	f := filepath.Join(t.TempDir(), "t.rules")
	if err := os.WriteFile(f, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return []string{f}
}

func TestSelection(t *testing.T) {
	paths := writeRules(t, `alert udp any any -> any any (content:"abcd"; sid:1;)
# alert udp any any -> any any (content:"abcd"; sid:2;)
alert udp any any -> any any (content:"abcd"; sid:3; gid:7;)
alert udp any any -> any any (nonsense:1; sid:4;)
alert udp any any -> any any (content:"x"; dataset:isset,absent,type string,load absent.lst; sid:5;)
`)
	f := func(disable, enable string, loaded []uint32, disabled, rejected int, warned ...string) {
		t.Helper()
		var s Selection
		for _, l := range []struct {
			enable bool
			text   string
		}{{false, disable}, {true, enable}} {
			if err := s.read(l.enable, fmt.Sprintf("%v.lst", l.enable), strings.NewReader(l.text)); err != nil {
				t.Fatal(err)
			}
		}
		rs, rep := Load(paths, Config{Select: &s})
		var got []uint32
		for _, r := range rs.Rules {
			if r.Enabled {
				got = append(got, r.SID)
			}
		}
		var warnings []string
		for _, w := range rep.Warnings {
			warnings = append(warnings, fmt.Sprintf("%s:%d %s", w.File, w.Line, w.Message))
		}
		if !slices.Equal(got, loaded) || rep.Loaded != len(loaded) || rep.Disabled != disabled || rep.Rejected != rejected || !slices.Equal(warnings, warned) {
			t.Errorf("-%q +%q: loaded %v (%d), %d disabled, %d rejected, warnings %q", disable, enable, got, rep.Loaded, rep.Disabled, rep.Rejected, warnings)
		}
	}
	f("", "", []uint32{1, 3}, 1, 2)
	f("1 # not here\n\n# 3\n", "", []uint32{3}, 2, 2)
	f("7:3\r\n", "1:2", []uint32{1, 2}, 1, 2)
	f("3\n", "", []uint32{1, 3}, 1, 2, "false.lst:1 no rule has the id 3")
	f("2\n", "2\n", []uint32{1, 3}, 1, 2)
	// What is switched off needs no mending, and no files.
	f("4\n5\n", "", []uint32{1, 3}, 3, 0)
	f("\n9\n", "2\n8:2\n", []uint32{1, 2, 3}, 0, 2, "false.lst:2 no rule has the id 9", "true.lst:2 no rule has the id 8:2")
}

func TestSelectionErrors(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		var s Selection
		if err := s.read(false, "l", strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: %v, want %s", text, err, want)
		}
	}
	f("1\nre:trojan\n", `l:2: "re:trojan" is no id of a rule`)
	f("1:2:3", "l:1:")
	f("-1", "l:1:")
	f("4294967296", "l:1:")
	f("1\n"+strings.Repeat("9", maxListLine+1), "l:2: bufio.Scanner: token too long")
	var s Selection
	if err := s.AddFile(true, filepath.Join(t.TempDir(), "absent")); err == nil {
		t.Error("a list that is not there is read")
	}
}

// Whatever the list, reading ends with ids or an error.
func FuzzSelection(f *testing.F) {
	f.Add("1\n1:2 # x\n\xef\xbb\xbf3\n")
	f.Add("re:x")
	f.Fuzz(func(t *testing.T, text string) {
		var s Selection
		err := s.read(true, "l", strings.NewReader(text))
		if n := strings.Count(text, "\n") + 1; err == nil && len(s.on) > n {
			t.Errorf("%d ids in %d lines", len(s.on), n)
		}
	})
}

// What comes after a pass rule is not alerted; the order says what does.
func TestActionOrder(t *testing.T) {
	paths := writeRules(t, `alert udp any any -> any any (content:"abcd"; sid:1;)
drop udp any any -> any any (content:"abcd"; sid:2;)
pass udp any any -> any any (content:"abcd"; noalert; sid:3;)
reject udp any any -> any any (content:"abcd"; sid:4;)
`)
	f := func(names string, sids ...uint32) {
		t.Helper()
		order, err := rule.NewActionOrder(strings.Fields(names))
		if err != nil {
			t.Fatal(err)
		}
		r := rigWith(t, paths, true, Config{ActionOrder: order})
		r.m.Packet(r.packet(decode.ProtoUDP, inside, outside, 1000, 2000, []byte("abcd")), r.flow(decode.ProtoUDP, 1000, 2000), protocol.ToServer)
		r.take()
		slices.Sort(r.got)
		r.want(sids...)
	}
	f("")
	f("pass drop reject alert")
	f("drop", 2)
	f("alert pass", 1)
	f("reject alert drop pass", 1, 2, 4)
	f("drop reject", 2, 4)
	for _, bad := range []string{"pass pass", "config"} {
		if _, err := rule.NewActionOrder(strings.Fields(bad)); err == nil {
			t.Errorf("%q is an order", bad)
		}
	}
}

// A rule whose contents can be combined in many ways is given up at the bound.
func TestMaxSteps(t *testing.T) {
	paths := writeRules(t, `alert udp any any -> any any (content:"aaaa"; content:"bbbb"; distance:0; content:"cccc"; distance:0; within:4; sid:1;)
`)
	payload := []byte(strings.Repeat("aaaa", 20) + strings.Repeat("bbbb.", 40) + "bbbbcccc")
	f := func(steps int, want ...uint32) {
		t.Helper()
		r := rigWith(t, paths, true, Config{MaxSteps: steps})
		r.m.Packet(r.packet(decode.ProtoUDP, inside, outside, 1000, 2000, payload), r.flow(decode.ProtoUDP, 1000, 2000), protocol.ToServer)
		r.take()
		r.want(want...)
		if limited := r.m.Counters.Limited > 0; limited != (len(want) == 0) {
			t.Errorf("%d steps: limited %v", steps, limited)
		}
	}
	f(0, 1)
	f(1000, 1)
	f(20)
}
