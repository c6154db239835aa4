package worker_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/gopacket/layers"

	"sluice/classifiers/document"
	"sluice/dataplane/capture"
	"sluice/dataplane/decode"
	"sluice/dataplane/inspect"
	"sluice/dataplane/worker"
	"sluice/events"
	"sluice/signatures"
)

// withRules gives a rig whose worker has rules, and no policy of its own.
func withRules(t *testing.T, rules string, change func(*worker.Config)) *rig {
	t.Helper()
	path := filepath.Join(t.TempDir(), "t.rules")
	if err := os.WriteFile(path, []byte(rules), 0o600); err != nil {
		t.Fatal(err)
	}
	r := newRig(t, "", hung(), func(c *worker.Config, _ *document.Config) {
		rs, rep := signatures.Load([]string{path}, signatures.Config{Registry: c.Registry})
		if len(rep.Errors) > 0 {
			t.Fatal(rep.Errors)
		}
		e, err := rs.Compile()
		if err != nil {
			t.Fatal(err)
		}
		if c.Set, err = inspect.NewSet(e, nil, ""); err != nil {
			t.Fatal(err)
		}
		c.Policy = nil
		if change != nil {
			change(c)
		}
	})
	r.port = 9999
	return r
}

// replaced gives what the alerts say of replacements.
func (r *rig) replaced() (list []events.Replace) {
	for _, e := range r.events {
		if e.Alert != nil && e.Alert.Replace != nil {
			list = append(list, *e.Alert.Replace)
		}
	}
	return list
}

// mail replaces a word in what the client sends.
const mail = `alert tcp any any -> any 9999 (msg:"m"; flow:to_server; content:"secret"; nocase; replace:"public"; sid:1;)
`

func TestReplace(t *testing.T) {
	r := withRules(t, mail, nil)
	r.open()
	r.sent(1)
	r.data(0, "a SECRET and another secret, even\n")
	r.data(1, "the server's secret\n")
	r.data(0, "nothing")
	if got, want := r.sent(1), []string{"a public and another public, even\n", "nothing"}; !slices.Equal(got, want) {
		t.Errorf("%q left, not %q", got, want)
	}
	if got := r.joined(0); !strings.Contains(got, "the server's secret") {
		t.Errorf("%q left to the client", got)
	}
	if got := r.replaced(); len(got) != 1 || got[0] != (events.Replace{Bytes: 12, Enforced: true}) {
		t.Errorf("%+v was told", got)
	}
	if c := r.w.Counters(); c.Replaced != 1 || c.ReplaceFailed != 0 || c.Blocked != 0 {
		t.Errorf("%d replaced, %d failed", c.Replaced, c.ReplaceFailed)
	}
}

// TestReplaceAgain sends what was rewritten once more, cut in all ways: every
// byte is the same each time, until it is acknowledged.
func TestReplaceAgain(t *testing.T) {
	const text, want = "say secret now", "say public now"
	r := withRules(t, mail, nil)
	r.open()
	r.sent(1)
	at := r.seq[0]
	r.data(0, text)
	r.data(0, "more")
	if got := r.joined(1); got != want+"more" {
		t.Fatalf("%q left", got)
	}
	for from := range len(text) {
		for to := from + 1; to <= len(text); to++ {
			r.send(r.frame(0, at+uint32(from), []byte(text[from:to]), &layers.TCP{ACK: true, PSH: true}))
			if got := r.joined(1); got != want[from:to] {
				t.Fatalf("%d to %d: %q left, not %q", from, to, got, want[from:to])
			}
		}
	}
	// The receiver has it all: what follows on the same numbers a round later is
	// another's.
	r.send(r.frame(1, r.seq[1], nil, &layers.TCP{ACK: true}))
	r.sent(0)
	r.data(0, "a secret")
	if got := r.joined(1); got != "a public" {
		t.Errorf("%q left", got)
	}
	if c := r.w.Counters(); c.ReplaceForgotten != 0 {
		t.Errorf("%d were forgotten", c.ReplaceForgotten)
	}
}

// TestReplaceBounded keeps a bounded number of rewrites that nobody acknowledges.
func TestReplaceBounded(t *testing.T) {
	r := withRules(t, mail, nil)
	r.open()
	r.sent(1)
	for range 300 {
		r.data(0, "secret")
	}
	if got := r.joined(1); got != strings.Repeat("public", 300) {
		t.Errorf("%q left", got)
	}
	if c := r.w.Counters(); c.ReplaceForgotten != 300-256 || c.Replaced != 300 {
		t.Errorf("%d forgotten, %d replaced", c.ReplaceForgotten, c.Replaced)
	}
	// All in one frame are replaced, be they more than is kept.
	r.sent(1)
	r.data(0, strings.Repeat("secret, ", 170))
	if got := r.joined(1); got != strings.Repeat("public, ", 170) {
		t.Errorf("%q left", got)
	}
}

// TestReplaceWhatRulesSay has other rules and limits decide beside the one that
// replaces.
func TestReplaceWhatRulesSay(t *testing.T) {
	f := func(rules, text, want string, told []events.Replace) {
		t.Helper()
		r := withRules(t, rules, nil)
		r.open()
		r.sent(1)
		r.data(0, text)
		if got := r.joined(1); got != want {
			t.Errorf("%s: %q left, not %q", rules, got, want)
		}
		if got := r.replaced(); !slices.Equal(got, told) {
			t.Errorf("%s: %+v was told, not %+v", rules, got, told)
		}
	}
	done := []events.Replace{{Bytes: 6, Enforced: true}}
	f(`alert tcp any any -> any any (content:"secret"; replace:"pub"; sid:1;)`, "a secret", "a pubret", []events.Replace{{Bytes: 3, Enforced: true}})
	f(`alert tcp any any -> any any (content:"secret"; replace:"public"; noalert; sid:1;)`, "a secret", "a public", nil)
	f(`pass tcp any any -> any any (content:"secret"; replace:"public"; sid:1;)`, "a secret", "a public", nil)
	f(`alert tcp any any -> any any (content:"secret"; replace:"public"; threshold:type threshold, track by_src, count 9, seconds 9; sid:1;)`, "a secret", "a public", nil)
	f(`alert tcp any any -> any any (content:"secret"; replace:"public"; detection_filter:track by_src, count 9, seconds 9; sid:1;)`, "a secret", "a secret", nil)
	f(`alert tcp any any -> any any (content:"secret"; replace:"public"; content:"word"; distance:1; within:4; replace:"hole"; sid:1;)`,
		"secret word, secret hold", "public hole, secret hold", []events.Replace{{Bytes: 10, Enforced: true}})
	// The combination that holds is replaced, not the first occurrence.
	f(`alert tcp any any -> any any (content:"secret"; replace:"public"; content:"word"; distance:1; within:4; sid:1;)`,
		"secret hold, secret word", "secret hold, public word", done)
	// A frame may be several packets: all combinations that hold are replaced.
	f(`alert tcp any any -> any any (content:"secret"; replace:"public"; content:"word"; distance:1; within:4; sid:1;)`,
		"secret word, secret hold, secret word", "public word, secret hold, public word", []events.Replace{{Bytes: 12, Enforced: true}})
	f(`alert tcp any any -> any any (content:"secret"; replace:"public"; content:!"word"; sid:1;)`, "secret word", "secret word", nil)
}

func TestReplaceNotMade(t *testing.T) {
	f := func(name, rules string, change func(*worker.Config), want string, told events.Replace) {
		t.Helper()
		r := withRules(t, rules, change)
		r.open()
		r.sent(1)
		r.data(0, "a secret word")
		if got := r.joined(1); got != want {
			t.Errorf("%s: %q left, not %q", name, got, want)
		}
		if got := r.replaced(); len(got) != 1 || got[0] != told {
			t.Errorf("%s: %+v was told, not %+v", name, got, told)
		}
		if c := r.w.Counters(); c.Replaced != 0 {
			t.Errorf("%s: %d replaced", name, c.Replaced)
		}
	}
	f("monitor", mail, func(c *worker.Config) { c.Monitor = true }, "a secret word", events.Replace{Bytes: 6, Reason: "not inline"})
	f("replay", mail, func(c *worker.Config) { c.Live = false }, "a secret word", events.Replace{Bytes: 6, Reason: "not inline"})
	f("tap", mail, func(c *worker.Config) { c.Inline = false }, "a secret word", events.Replace{Bytes: 6, Reason: "not inline"})
	f("withheld", mail+`drop tcp any any -> any 9999 (content:"word"; sid:2;)`, nil, "", events.Replace{Bytes: 6, Reason: "withheld"})
}

// TestReplaceDatagrams rewrites UDP, whose sender left the checksum to the card,
// and says that it cannot rewrite fragments.
func TestReplaceDatagrams(t *testing.T) {
	r := withRules(t, `alert udp any any -> any any (content:"secret"; replace:"public"; sid:1;)`, nil)
	datagram := func(text string) capture.Frame {
		f := r.frame(0, 1, []byte(text), &layers.TCP{})
		b := f.Data
		b[23] = 17
		b[16], b[17] = byte((28+len(text))>>8), byte(28+len(text))
		copy(b[34:], []byte{0x9c, 0x40, 0x27, 0x0f, byte((8 + len(text)) >> 8), byte(8 + len(text)), 0, 0})
		copy(b[42:], text)
		f.Data = b[:42+len(text)]
		sum := decode.ChecksumIPv4(b[14:34])
		b[24], b[25] = byte(sum>>8), byte(sum)
		f.WireLen = uint32(len(f.Data))
		return f
	}
	f := datagram("a secret")
	p := decode.New(decode.Config{}).Decode(&f)
	sum, ok := decode.ChecksumL4(&p[0])
	if !ok {
		t.Fatal("no checksum")
	}
	f.Data[40], f.Data[41] = byte(sum>>8), byte(sum)
	if !r.send(f) {
		t.Error("the datagram was withheld")
	}
	if got := r.sent(1); !slices.Equal(got, []string{"a public"}) { // checks the checksum as well
		t.Errorf("%q left", got)
	}
	text := strings.Repeat("x", 24) + "a secret"
	for i, cut := range [][2]int{{0, 24}, {24, len(text)}} {
		f := datagram(text)
		payload := append([]byte(nil), f.Data[34:42]...)
		payload = append(payload, text...)
		lo, hi := cut[0], cut[1]+8
		if i == 1 {
			lo += 8
		}
		f.Data = append(f.Data[:34], payload[lo:hi]...)
		ip := f.Data[14:34]
		ip[2], ip[3] = 0, byte(20+hi-lo)
		ip[4], ip[5] = 7, 7
		ip[6], ip[7] = byte(1-i)<<5, byte(lo/8)
		ip[10], ip[11] = 0, 0
		sum := decode.ChecksumIPv4(ip)
		ip[10], ip[11] = byte(sum>>8), byte(sum)
		f.WireLen = uint32(len(f.Data))
		r.send(f)
	}
	told := r.replaced()
	if len(told) != 2 || !told[0].Enforced || told[1] != (events.Replace{Bytes: 6, Reason: "fragments or checksum"}) {
		t.Errorf("%+v was told", told)
	}
	if c := r.w.Counters(); c.Replaced != 1 || c.ReplaceFailed != 1 {
		t.Errorf("%d replaced, %d failed", c.Replaced, c.ReplaceFailed)
	}
}
