package worker_test

import (
	"encoding/binary"
	"encoding/json"
	"strings"
	"testing"

	"sluice/events"
)

// pg makes a message of PostgreSQL's protocol.
func pg(typ, body string) string {
	return typ + string(binary.BigEndian.AppendUint32(nil, uint32(len(body)+4))) + body
}

func word(n ...uint32) string {
	var b []byte
	for _, v := range n {
		b = binary.BigEndian.AppendUint32(b, v)
	}
	return string(b)
}

func half(n uint16) string { return string(binary.BigEndian.AppendUint16(nil, n)) }

// pgStart opens a session of bob, with a password in the clear or without.
func pgStart(secret string) [][2]string {
	params := "user\x00bob\x00database\x00shop\x00\x00"
	hello := word(uint32(len(params)+8), 3<<16) + params
	in := pg("R", word(0)) + pg("Z", "I")
	if secret == "" {
		return [][2]string{{hello, in}}
	}
	return [][2]string{{hello, pg("R", word(3))}, {pg("p", secret+"\x00"), in}}
}

// cardRows makes rows of cards and their columns' names.
func cardRows() string {
	out := pg("T", half(2)+"customer\x00"+word(0)+half(0)+word(25)+half(0)+word(0)+half(0)+"credit_card\x00"+word(0)+half(0)+word(25)+half(0)+word(0)+half(0))
	for _, card := range strings.Fields(strings.TrimPrefix(cards, "credit cards: ")) {
		out += pg("D", half(2)+word(3)+"Ann"+word(uint32(len(card)))+card)
	}
	return out
}

// TestDatabase has the policy decide about what a session of PostgreSQL tells, either
// way, and by who has logged in to send it. Neither passwords nor cards are in an event.
func TestDatabase(t *testing.T) {
	const secret = "correct-horse-battery"
	const pol = `groups: {trusted: ["user:bob"]}
rules:
  - {name: from-bob, when: {source: trusted, detectors: [pay.card]}, action: block}
  - {name: from-others, when: {detectors: [pay.card]}, action: block}
  - {name: clear, when: {detectors: [cred.ftp-pass]}, action: alert}
`
	f := func(name, object string, from int, want []string, turns ...[2]string) {
		t.Helper()
		r := newRig(t, pol, working(), nil)
		r.port = 5432
		r.open()
		withheld := false
		for _, turn := range turns {
			for dir, text := range turn {
				if text != "" && !r.data(dir, text) {
					withheld = dir == from
				}
			}
		}
		r.wait("an event", func() bool { return len(r.dlp()) == len(want) })
		for i, d := range r.dlp() {
			if d.PolicyRule != want[i] || d.Channel != "pgsql" || d.PolicyRule != "clear" && (d.Object.Name != object || !withheld) {
				t.Errorf("%s: %+v %+v, withheld: %v", name, d, d.Object, withheld)
			}
		}
		for _, e := range r.events {
			if told := record(t, e); strings.Contains(told, secret) || strings.Contains(told, "4539578763621486") {
				t.Errorf("%s: %s", name, told)
			}
		}
	}
	with := func(secret string, more ...[2]string) [][2]string { return append(pgStart(secret), more...) }
	query := func(q string) string { return pg("Q", q+"\x00") }
	f("a query", "query", 0, []string{"from-bob"}, with("", [2]string{query("insert into t values ('" + cards + "')"), ""})...)
	f("a password", "query", 0, []string{"clear", "from-bob"}, with(secret, [2]string{query("insert into t values ('" + cards + "')"), ""})...)
	f("rows", "result", 1, []string{"from-others"}, with("", [2]string{query("select * from t"), cardRows() + pg("C", "SELECT 6\x00") + pg("Z", "I")})...)
	f("copied out", "copy", 1, []string{"from-others"}, with("", [2]string{query("copy t to stdout"), pg("H", "\x00"+half(0)) + pg("d", cards+"\n") + pg("c", "") + pg("Z", "I")})...)
	f("copied in", "copy", 0, []string{"from-bob"}, with("", [2]string{query("copy t from stdin"), pg("G", "\x00"+half(0))}, [2]string{pg("d", cards+"\n") + pg("c", ""), ""})...)
	f("a parameter", "query", 0, []string{"from-bob"}, with("", [2]string{pg("P", "\x00insert into t values ($1)\x00"+half(0)) +
		pg("B", "\x00\x00"+half(0)+half(1)+word(uint32(len(cards)))+cards+half(0)) + pg("S", ""), ""})...)
	f("nobody", "result", 1, []string{"from-others"}, [2]string{query("select * from t"), cardRows() + pg("Z", "I")})
}

func record(t *testing.T, e *events.Event) string {
	t.Helper()
	line, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	return string(line) + shown(e)
}

// TestNetworkFiles has the policy decide about files that are written and read by
// NFS.
func TestNetworkFiles(t *testing.T) {
	str := func(s string) string { return word(uint32(len(s))) + s + strings.Repeat("\x00", -len(s)&3) }
	mark := func(s string) string { return word(1<<31|uint32(len(s))) + s }
	call := func(xid, proc uint32, args string) string {
		return mark(word(xid, 0, 2, 100003, 3, proc, 0, 0, 0, 0) + args)
	}
	reply := func(xid uint32, results string) string { return mark(word(xid, 1, 0, 0, 0, 0) + results) }
	handle := strings.Repeat("h", 32)
	lookup := [2]string{call(1, 3, str("dir.dir.dir.")+str("cards.txt")), reply(1, word(0)+str(handle)+word(0, 0))}
	f := func(name string, turn [2]string) {
		t.Helper()
		r := newRig(t, "rules: [{name: cards, when: {detectors: [pay.card]}, action: block}]\n", working(), nil)
		r.port = 2049
		r.open()
		passed := true
		for _, turn := range [][2]string{lookup, turn} {
			for dir, text := range turn {
				if text != "" {
					passed = r.data(dir, text)
				}
			}
		}
		r.wait("an event", func() bool { return len(r.dlp()) == 1 })
		if d := r.dlp()[0]; d.PolicyRule != "cards" || d.Channel != "nfs" || d.Object.Name != "cards.txt" || passed {
			t.Errorf("%s: %+v %+v, passed: %v", name, d, d.Object, passed)
		}
	}
	f("written", [2]string{call(2, 7, str(handle)+word(0, 0, uint32(len(cards)), 2)+str(cards)), ""})
	f("read", [2]string{call(2, 6, str(handle)+word(0, 0, 4096)), reply(2, word(0, 0)+word(uint32(len(cards)), 1)+str(cards))})
}
