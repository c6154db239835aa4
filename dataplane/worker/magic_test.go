package worker_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"sluice/classifiers/document"
	"sluice/dataplane/inspect"
	"sluice/dataplane/protocol"
	"sluice/dataplane/worker"
	"sluice/internal/app"
	"sluice/internal/magic"
	"sluice/signatures"
)

// describing compiles rules on files' descriptions.
func describing(t testing.TB, reg *protocol.Registry, rules string) *inspect.Set {
	t.Helper()
	path := filepath.Join(t.TempDir(), "t.rules")
	if err := os.WriteFile(path, []byte(rules), 0o600); err != nil {
		t.Fatal(err)
	}
	db, err := magic.Open("")
	if err != nil {
		t.Fatalf("%v; %s", err, magic.Remedy)
	}
	rs, rep := signatures.Load([]string{path}, signatures.Config{Registry: reg, MaxAlerts: 255, Magic: func() error { return nil }})
	if len(rep.Errors) > 0 {
		t.Fatal(rep.Errors)
	}
	e, err := rs.Compile()
	if err != nil {
		t.Fatal(err)
	}
	set, err := inspect.NewSet(e, nil, "")
	if err != nil {
		t.Fatal(err)
	}
	set.Magic = db
	return set
}

// withMagic gives a rig whose worker describes files for rules.
func withMagic(t *testing.T, rules string, change func(*worker.Config)) *rig {
	t.Helper()
	r := newRig(t, "", hung(), func(c *worker.Config, _ *document.Config) {
		c.Set, c.Policy = describing(t, c.Registry, rules), nil
		if change != nil {
			change(c)
		}
	})
	r.open()
	return r
}

// say sends a text in pieces and reports how much of it left.
func (r *rig) say(from int, text string, piece int) (left int) {
	for text != "" {
		n := min(len(text), piece)
		if r.data(from, text[:n]) {
			left += n
		}
		text = text[n:]
	}
	return left
}

// sids gives the rules that alerted, in order, and the descriptions told with them
// and with files.
func (r *rig) sids() (sids []uint32, told []string) {
	for _, e := range r.events {
		switch {
		case e.Alert != nil:
			sids = append(sids, e.Alert.SignatureID)
			for _, f := range e.Files {
				told = append(told, "alert: "+f.Magic)
			}
		case e.FileInfo != nil:
			told = append(told, "file: "+e.FileInfo.Magic)
		}
	}
	slices.Sort(sids)
	slices.Sort(told)
	return sids, slices.Compact(told)
}

var (
	pdf  = "%PDF-1.4\n" + strings.Repeat("1 0 obj << >> endobj\n", 400)
	html = "<!DOCTYPE html>\n<html><body>short</body></html>\n"
)

// TestMagicRules has each rule see the same files, however they are cut, and
// tells whether it should alert of the upload (a PDF), the answer (HTML) or both.
func TestMagicRules(t *testing.T) {
	const up, down, both, none = 1, 2, 3, 0
	table := []struct {
		options string
		want    int
	}{
		{`file.magic; content:"PDF document"; startswith`, up},
		{`file.magic; content:"pdf document"`, none},
		{`file.magic; content:"pdf document"; nocase`, up},
		{`file.magic; content:"version 1.4"; endswith`, up},
		{`file.magic; content:"PDF"; content:"1.4"; distance:10`, up},
		{`file.magic; content:"document"; offset:5`, down},
		{`file.magic; content:"document"; offset:12`, none},
		{`file.magic; content:!"PDF"`, down},
		{`file.magic; content:"ASCII"; content:!"PDF"`, down},
		{`file.magic; pcre:"/^(PDF|HTML) doc/"`, both},
		{`file.magic; bsize:25`, up | down},
		{`file.magic; bsize:>25`, none},
		{`file.magic; to_lowercase; content:"pdf document"`, up},
		{`file.magic; to_sha256; content:"|00|"; bsize:31`, none},
		{`file.magic; isdataat:24; isdataat:!26`, both},
		{`file.magic; content:"PDF"; fast_pattern; file.data; content:"endobj"`, up},
		{`file.data; content:"endobj"; file.magic; content:"PDF"`, up},
		{`file.data; content:"endobj"; file.magic; content:"HTML"`, none},
		{`file.data; content:"endobj"; filemagic:!"HTML"`, up},
		{`file.name; content:"f.bin"; file.magic; content:"PDF"`, up},
		{`filename:"f.bin"; filemagic:"HTML"`, down},
		{`filesize:>5000; file.magic; content:"document"`, up},
		{`flow:to_client; file.magic; content:"document"`, down},
		{`filemagic:"pdf DOCUMENT"`, up},
		{`filemagic:!"pdf DOCUMENT"`, down},
		{`filemagic:"1.4|00|"`, up},
		{`filemagic:"1.|00|"`, none},
		{`filemagic:"|50 44 46|"`, up},
		{`filemagic:"document"; filemagic:!"PDF"`, down},
	}
	var rules strings.Builder
	var want []uint32
	for i, x := range table {
		for bit, dir := range []string{"$HOME_NET any -> $EXTERNAL_NET", "$EXTERNAL_NET any -> $HOME_NET"} {
			fmt.Fprintf(&rules, "alert http %s any (%s; sid:%d;)\n", dir, x.options, 10*(i+1)+bit)
			if x.want>>bit&1 == 1 {
				want = append(want, uint32(10*(i+1)+bit))
			}
		}
	}
	files := exchange("/f.bin", pdf, html)
	for _, piece := range []int{1, 7, 100, 1000, 1460, 60000} {
		r := withMagic(t, rules.String(), nil)
		for from, text := range files {
			r.say(from, text, piece)
		}
		r.w.Flush()
		r.take()
		sids, told := r.sids()
		if !slices.Equal(sids, want) {
			t.Errorf("pieces of %d: alerts %v\nnot %v", piece, sids, want)
		}
		if want := []string{"alert: HTML document, ASCII text", "alert: PDF document, version 1.4", "file: HTML document, ASCII text", "file: PDF document, version 1.4"}; !slices.Equal(told, want) {
			t.Errorf("pieces of %d: %q told", piece, told)
		}
		// Each file was described once, for all rules.
		if c := r.w.Counters().Magic; c.Files != 2 || c.Failures != 0 || c.Micros < c.Longest {
			t.Errorf("pieces of %d: %+v", piece, c)
		}
	}
}

// TestMagicUnasked has no file described that no rule can ask about.
func TestMagicUnasked(t *testing.T) {
	f := func(rules string, want uint64) {
		t.Helper()
		r := withMagic(t, rules, nil)
		for from, text := range exchange("/f.bin", pdf, html) {
			r.say(from, text, 1000)
		}
		r.w.Flush()
		if c := r.w.Counters().Magic; c.Files != want {
			t.Errorf("%s: %d files were described, not %d", rules, c.Files, want)
		}
	}
	f(`alert http any any -> any any (file.magic; content:"PDF"; sid:1;)`, 2)
	f(`alert http any any -> any any (flow:to_server; file.magic; content:"PDF"; sid:1;)`, 1)
	f(`alert smtp any any -> any any (file.magic; content:"PDF"; sid:1;)`, 0)
	f(`alert http any any -> 192.0.2.1 any (file.magic; content:"PDF"; sid:1;)`, 0)
	f(`alert http any any -> any any (file.data; content:"not in it"; file.magic; content:"PDF"; sid:1;)`, 0)
	f(`alert http any any -> any any (file.data; content:"endobj"; file.magic; content:"PDF"; sid:1;)`, 1)
	f(`alert http any any -> any any (filename:"other"; filemagic:"PDF"; sid:1;)`, 0)
	f(`alert http any any -> any any (filemagic:"PDF"; filename:"other"; sid:1;)`, 0)
	f(`alert http any any -> any any (http.uri; content:"f.bin"; sid:1;)`, 0)
}

// TestMagicDrops has a program withheld once its first bytes tell what it is.
func TestMagicDrops(t *testing.T) {
	program := "MZ" + strings.Repeat("\x00", 58) + "\x80\x00\x00\x00" + strings.Repeat("\x00", 64) + "PE\x00\x00\x4c\x01\x01" + strings.Repeat("\x00", 13) + "\xe0\x00\x02\x01\x0b\x01" + strings.Repeat("\x00", 66) + "\x02" + strings.Repeat("\x00", 20000)
	r := withMagic(t, `drop http any any -> any any (file.magic; content:"PE32"; sid:1;)`+"\n"+`drop http any any -> any any (filemagic:"MS Windows"; sid:2;)`, nil)
	if left := r.say(0, exchange("/a.txt", program, "")[0], 1000); left > magic.Depth || left < 2000 {
		t.Errorf("%d bytes left", left)
	}
	if c := r.w.Counters(); c.BlockedFlows != 1 {
		t.Errorf("%d flows are blocked", c.BlockedFlows)
	}
	// What is short is judged by all of it.
	r = withMagic(t, `drop http any any -> any any (file.magic; content:"PE32"; sid:1;)`, nil)
	short := exchange("/a.txt", program[:300], "")[0]
	if left := r.say(0, short, 100); left >= len(short) {
		_, told := r.sids()
		t.Errorf("all of a short program left: %q", told)
	}
}

// TestMagicHoles has nothing said of a file whose beginning is missing, and what is
// there told of one that has holes later.
func TestMagicHoles(t *testing.T) {
	f := func(missing int, want []uint32) {
		t.Helper()
		r := withMagic(t, `alert http any any -> any any (filemagic:"PDF"; sid:1;)`+"\n"+`alert http any any -> any any (filemagic:!"PDF"; sid:2;)`+"\n"+
			`alert http any any -> any any (file.magic; content:!"PDF"; sid:3;)`, func(c *worker.Config) { c.Inline, c.Live = false, false })
		text := exchange("/f.bin", pdf, "")[0]
		head := strings.Index(text, "%PDF")
		pieces := []string{text[:head], text[head : head+1000], text[head+1000 : head+2000], text[head+2000 : head+3000], text[head+3000:]}
		for i, p := range pieces {
			if i == missing {
				r.seq[0] += uint32(len(p))
				continue
			}
			r.data(0, p)
		}
		// The receiver has it all: what was not seen was lost on the way here.
		r.data(1, "HTTP/1.1 204 No Content\r\n\r\n")
		r.w.Flush()
		r.take()
		if sids, _ := r.sids(); !slices.Equal(sids, want) {
			t.Errorf("without piece %d: alerts %v, not %v", missing, sids, want)
		}
	}
	f(-1, []uint32{1})
	f(2, []uint32{1})
	f(1, nil)
}

// TestMagicSideBySide has workers of one set describe files at the same time.
func TestMagicSideBySide(t *testing.T) {
	reg, err := app.Registry()
	if err != nil {
		t.Fatal(err)
	}
	set := describing(t, reg, `alert http any any -> any any (file.magic; content:"PDF"; sid:1;)`)
	set.DescribeAll = true
	rigs := make([]*rig, 4)
	for i := range rigs {
		rigs[i] = newRig(t, "", hung(), func(c *worker.Config, _ *document.Config) { c.Set, c.Policy = set, nil })
	}
	var wg sync.WaitGroup
	for i, r := range rigs {
		wg.Go(func() {
			r.open()
			for n := range 30 {
				for from, text := range exchange("/f.bin", pdf[:len(pdf)-i-n], html) {
					r.say(from, text, 500+i)
				}
			}
			r.w.Flush()
			r.take()
		})
	}
	wg.Wait()
	for i, r := range rigs {
		sids, told := r.sids()
		if c := r.w.Counters().Magic; len(sids) != 30 || c.Files != 60 || len(told) != 3 {
			t.Errorf("worker %d: %d alerts, %+v, %q", i, len(sids), c, told)
		}
	}
}
