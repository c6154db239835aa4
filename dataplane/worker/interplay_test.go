package worker_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/gopacket/layers"

	"sluice/classifiers"
	"sluice/classifiers/document"
	"sluice/dataplane/inspect"
	"sluice/dataplane/policy"
	"sluice/dataplane/worker"
	"sluice/internal/app"
	"sluice/signatures"
)

// asked are rules by which a test says what is to happen to a connection.
const asked = `alert tcp any any -> any any (msg:"b"; flow:to_client; content:"please bypass"; bypass; sid:1;)
drop tcp any any -> any any (msg:"k"; flow:to_client; content:"please kill"; sid:2;)
alert tcp any any -> any any (msg:"r"; flow:to_server; content:"/secret"; replace:"/public"; sid:3;)
reject tcp any any -> any any (msg:"j"; flow:to_client; content:"please reject"; sid:4;)
`

// together are these rules beside the detectors.
var together = sync.OnceValues(func() (*inspect.Set, error) {
	reg, err := app.Registry()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "rules")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "t.rules")
	if err := os.WriteFile(path, []byte(asked), 0o600); err != nil {
		return nil, err
	}
	rs, rep := signatures.Load([]string{path}, signatures.Config{Registry: reg})
	if len(rep.Errors) > 0 {
		return nil, &rep.Errors[0]
	}
	e, err := rs.Compile()
	if err != nil {
		return nil, err
	}
	cat, err := classifiers.New(classifiers.Config{})
	if err != nil {
		return nil, err
	}
	return inspect.NewSet(e, cat, "")
})

// next is a request that a rule rewrites, rewritten what becomes of it.
const (
	next      = "GET /secret HTTP/1.1\r\nHost: a.example\r\n\r\n"
	rewritten = "GET /public HTTP/1.1\r\nHost: a.example\r\n\r\n"
)

// TestWhileHeld has things happen to a connection while the end of an upload is
// withheld for its verdict. Whatever happens, nothing of a list leaves, and
// what is clean leaves once, in order and as the rules want it, or not at all.
func TestWhileHeld(t *testing.T) {
	set, err := together()
	if err != nil {
		t.Fatal(err)
	}
	// held is a connection with what is withheld of it, from at on.
	type held struct {
		*rig
		last string
		at   uint32
	}
	again := func(h *held) {
		h.Helper()
		if h.send(h.frame(0, h.at, []byte(h.last), &layers.TCP{ACK: true, PSH: true})) {
			h.Error("what is withheld went on when it came again")
		}
	}
	server := func(text string) func(*held) {
		return func(h *held) { h.data(1, "HTTP/1.1 100 Continue\r\nX-Text: "+text+"\r\n\r\n") }
	}
	swap := func(pol *policy.Policy) func(*held) {
		return func(h *held) {
			h.Helper()
			if err := h.w.Swap(set, pol); err != nil {
				h.Fatal(err)
			}
		}
	}
	more := func(h *held) {
		h.Helper()
		if h.data(0, next) {
			h.Error("the next request overtook the document")
		}
	}
	end := func(flags layers.TCP) func(*held) {
		return func(h *held) { h.send(h.frame(0, h.seq[0], nil, &flags)) }
	}
	// open begins a connection anew on the same ports.
	open := func(h *held) { h.open(); h.sent(1) }
	f := func(name string, clean, list []string, steps ...func(*held)) {
		for _, text := range []string{"nothing of interest", cards} {
			t.Run(name+" "+text[:7], func(t *testing.T) {
				r := newRig(t, "", working(), func(c *worker.Config, _ *document.Config) { c.Set = set })
				r.open()
				p := put(docx(t, text))
				r.data(0, p[0])
				r.data(0, p[1])
				r.sent(1)
				h := &held{r, p[2] + next, r.seq[0]}
				if r.data(0, h.last) {
					t.Fatal("the end of the document went on before its verdict")
				}
				for _, step := range steps {
					step(h)
				}
				if got := r.joined(1); strings.Contains(got, p[2]) {
					t.Fatalf("%d bytes left before the verdict", len(got))
				}
				want := clean
				if text == cards {
					want = list
				}
				var got []string
				note := func() {
					for _, s := range r.sent(1) {
						switch {
						case strings.HasPrefix(s, "RST "):
							s = "reset"
						case strings.HasPrefix(s, p[2]):
							s = "document" + s[len(p[2]):]
						}
						got = append(got, s)
					}
				}
				// All is settled once no document and no frame is kept any more.
				r.wait("the verdict", func() bool { note(); return r.reader.Memory.Used() == 0 })
				if !slices.Equal(got, want) {
					t.Errorf("the server got %q, not %q", got, want)
				}
				c := r.w.Counters()
				if w := uint64(len(want)); text != cards && w > 0 && c.HeldReleased != w {
					t.Errorf("%d frames were let on, not %d", c.HeldReleased, w)
				}
				if c.Packets != c.Frames {
					t.Errorf("%d packets in %d frames", c.Packets, c.Frames)
				}
			})
		}
	}
	reset := []string{"reset"}
	f("nothing", []string{"document" + rewritten}, reset)
	f("sent again", []string{"document" + rewritten}, reset, again)
	f("followed", []string{"document" + rewritten, rewritten}, reset, more, again)
	f("bypassed", []string{"document" + rewritten}, reset, server("please bypass"), again)
	f("bypassed and followed", []string{"document" + rewritten, next}, reset, server("please bypass"), more, again)
	f("killed", nil, nil, server("please kill"), again)
	f("followed and killed", nil, nil, more, server("please kill"), again)
	f("reloaded", []string{"document" + rewritten}, reset, swap(policy.Default()), again)
	f("reloaded without a policy", []string{"document" + rewritten}, reset, swap(nil), again)
	f("given up", nil, reset, end(layers.TCP{RST: true, ACK: true}), again)
	f("given up and reopened", nil, nil, end(layers.TCP{RST: true, ACK: true}), open)
}

// TestGuessedWithoutPolicy switches classification off while a frame waits for
// what follows: it goes on.
func TestGuessedWithoutPolicy(t *testing.T) {
	for _, port := range []uint16{7777, 80} {
		r := newRig(t, "", working(), nil)
		r.port = port
		r.open()
		if port == 80 {
			r.data(0, "POST /x HTTP/1.1\r\nHost: a.example\r\nContent-Type: text/plain\r\nContent-Length: 100000\r\n\r\n")
		}
		r.sent(1)
		list := "account 4539578763621486, " + cards
		if r.data(0, list) {
			t.Fatal("the list went on")
		}
		set, err := inspect.NewSet(nil, nil, "")
		if err != nil {
			t.Fatal(err)
		}
		if err := r.w.Swap(set, nil); err != nil {
			t.Fatal(err)
		}
		r.wait("the list", func() bool { return len(r.out[1]) > 0 })
		if got := r.joined(1); got != list || len(r.dlp()) != 0 {
			t.Errorf("%q, %d events", got, len(r.dlp()))
		}
	}
}

// TestReopened has a blocked connection be begun anew on the same ports: what is
// clean passes, and a list is withheld again.
func TestReopened(t *testing.T) {
	r := newRig(t, "", working(), nil)
	for i, text := range []string{cards, "nothing", cards} {
		r.open()
		p := r.upload(docx(t, text))
		if text == cards {
			r.wait("the verdict", func() bool { return int(r.w.Counters().BlockedFlows) == i/2+1 })
			if r.data(0, p[2]) {
				t.Error("a blocked connection goes on")
			}
			continue
		}
		r.wait("the document", func() bool { return len(r.out[1]) > 0 })
		if got := r.joined(1); got != p[2] {
			t.Errorf("%q left", got)
		}
		// Else its ports are still in use.
		r.send(r.frame(0, r.seq[0], nil, &layers.TCP{RST: true, ACK: true}))
	}
}

// TestBlockedGivesBack has a connection blocked in the midst of a document: what
// was kept of that is given back at once, although the connection's ends may go on
// for long and its record is still to come.
func TestBlockedGivesBack(t *testing.T) {
	set, err := together()
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*worker.Config){
		"bridge": func(*worker.Config) {},
		"tap":    func(c *worker.Config) { c.Inline, c.Ifaces = false, []string{"eth0"} },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, "", working(), func(c *worker.Config, _ *document.Config) {
				change(c)
				c.Set = set
			})
			r.tap = name == "tap"
			r.open()
			r.data(0, "PUT /plan.docx HTTP/1.1\r\nHost: files.example.test\r\nContent-Length: 100000\r\n\r\n"+docx(t, cards))
			r.send(r.frame(1, r.seq[1], nil, &layers.TCP{ACK: true})) // a tap reads what is acknowledged
			if r.reader.Memory.Used() == 0 {
				t.Fatal("nothing was kept of the document")
			}
			r.data(1, "HTTP/1.1 100 Continue\r\nX-Text: please reject\r\n\r\n")
			r.send(r.frame(0, r.seq[0], nil, &layers.TCP{ACK: true}))
			c := r.w.Counters()
			if n := r.reader.Memory.Used(); n != 0 || c.BlockedFlows != 1 || c.Flow.Active != 1 {
				t.Errorf("%d bytes are kept, %d flows blocked, %d there", n, c.BlockedFlows, c.Flow.Active)
			}
			if r.data(0, strings.Repeat("x", 1000)) == (name == "bridge") {
				t.Error("what comes later")
			}
			r.w.Flush()
			ends := 0
			r.take()
			for _, e := range r.events {
				if e.Type == "flow" {
					ends++
				}
				if e.DLP != nil {
					t.Errorf("told of what was given up: %+v", e.DLP)
				}
			}
			if ends != 1 {
				t.Errorf("%d records of the connection", ends)
			}
		})
	}
}
