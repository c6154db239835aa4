package worker_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"sluice/classifiers/document"
	"sluice/dataplane/worker"
)

// shelf is a store of files in memory.
type shelf struct {
	n     uint32
	parts map[uint32]*strings.Builder
	files []string
	// records are what came with the files' ends; room is how many pieces it takes.
	records []string
	room    int
}

func (s *shelf) Begin() uint32 { s.n++; return s.n }

func (s *shelf) Write(id uint32, data []byte) bool {
	if s.room--; s.room < 0 {
		delete(s.parts, id)
		return false
	}
	if s.parts[id] == nil {
		s.parts[id] = &strings.Builder{}
	}
	s.parts[id].Write(data)
	return true
}

func (s *shelf) End(id uint32, _ int64, record []byte) {
	if p := s.parts[id]; p != nil {
		s.files = append(s.files, p.String())
		s.records = append(s.records, string(record))
	}
	delete(s.parts, id)
}

func (s *shelf) Discard(id uint32) { delete(s.parts, id) }

// exchange is an upload and the answer to it.
func exchange(path, up, down string) [2]string {
	return [2]string{fmt.Sprintf("PUT %s HTTP/1.1\r\nHost: h.example\r\nContent-Length: %d\r\n\r\n%s", path, len(up), up),
		fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(down), down)}
}

func TestFilestore(t *testing.T) {
	long := strings.Repeat("a long text of many lines\n", 200)
	f := func(rules string, want []string, change func(*worker.Files)) *rig {
		t.Helper()
		s := &shelf{parts: map[uint32]*strings.Builder{}, room: 1 << 20}
		mem := document.NewMemory(1 << 20)
		r := withRules(t, rules, func(c *worker.Config) {
			c.Files = worker.Files{Store: s, Pending: mem, PendingSize: 64 << 10}
			if change != nil {
				change(&c.Files)
			}
		})
		r.port = 80
		r.open()
		for _, x := range [][2]string{exchange("/first", "up one", "down one"), exchange("/second", long, "down two"), exchange("/third", "up three", "down three")} {
			for from := range x {
				for text := x[from]; text != ""; {
					n := min(len(text), 1000)
					r.data(from, text[:n])
					text = text[n:]
				}
			}
		}
		r.w.Flush()
		r.take()
		if !slices.Equal(s.files, want) {
			t.Errorf("%s: %q was stored, not %q", rules, s.files, want)
		}
		told := 0
		for _, e := range r.events {
			if e.FileInfo != nil && e.FileInfo.Stored {
				told++
				if e.FileInfo.FileID == 0 {
					t.Errorf("%s: a stored file has no number", rules)
				}
			}
		}
		if told != len(want) || len(s.parts) != 0 || mem.Used() != 0 {
			t.Errorf("%s: %d were told of %d, %d are open, %d bytes of memory in use", rules, told, len(want), len(s.parts), mem.Used())
		}
		return r
	}
	const to = "alert http any any -> any any "
	f(to+`(filestore; sid:1;)`, []string{"up one", "down one", long, "down two", "up three", "down three"}, nil)
	f(to+`(flow:to_server; filestore; sid:1;)`, []string{"up one", long, "up three"}, nil)
	f(to+`(filestore; noalert; sid:1;)`, []string{"up one", "down one", long, "down two", "up three", "down three"}, nil)
	f(to+`(filename:"second"; filestore:request; sid:1;)`, []string{long}, nil)
	f(to+`(http.uri; content:"/second"; filestore; sid:1;)`, []string{long}, nil)
	f(to+`(http.uri; content:"/second"; filestore:both,tx; sid:1;)`, []string{long, "down two"}, nil)
	f(to+`(http.uri; content:"/second"; filestore:response,flow; sid:1;)`, []string{"down two", "down three"}, nil)
	f(to+`(http.uri; content:"/second"; filestore:both,ssn; sid:1;)`, []string{long, "down two", "up three", "down three"}, nil)
	f(to+`(file.data; content:"down"; filestore; sid:1;)`, []string{"down one", "down two", "down three"}, nil)
	// What is known at the end only: all of it was kept.
	f(to+`(filesize:>5000; filestore; sid:1;)`, []string{long}, nil)
	f(to+`(file.data; content:"lines|0a|"; endswith; filestore; sid:1;)`, []string{long}, nil)
	f(to+`(http.uri; content:"/second"; sid:1;)`, nil, nil)
	f(to+`(http.uri; content:"/second"; sid:1;)`, []string{"up one", "down one", long, "down two", "up three", "down three"}, func(c *worker.Files) { c.All = true })
	// Bounds: of one file, of the memory of one, of the queue.
	r := f(to+`(http.uri; content:"/second"; filestore; sid:1;)`, []string{long[:3000]}, func(c *worker.Files) { c.MaxSize = 3000 })
	if c := r.w.Counters(); c.FilesStored != 1 || c.FilesCut != 1 || c.FilesLost != 0 {
		t.Errorf("%d stored, %d cut, %d lost", c.FilesStored, c.FilesCut, c.FilesLost)
	}
	r = f(to+`(file.data; content:"lines|0a|"; endswith; filestore; sid:1;)`, nil, func(c *worker.Files) { c.PendingSize = 3000 })
	if c := r.w.Counters(); c.FilesStored != 0 || c.FilesLost != 1 {
		t.Errorf("%d stored, %d lost", c.FilesStored, c.FilesLost)
	}
	r = f(to+`(http.uri; content:"/second"; filestore; sid:1;)`, nil, func(c *worker.Files) { c.Store.(*shelf).room = 2 })
	if c := r.w.Counters(); c.FilesStored != 0 || c.FilesLost != 1 {
		t.Errorf("%d stored, %d lost", c.FilesStored, c.FilesLost)
	}
}

// TestFilestoreRecord has the event beside the file, and what a verdict cut off
// stored as far as it came.
func TestFilestoreRecord(t *testing.T) {
	s := &shelf{parts: map[uint32]*strings.Builder{}, room: 100}
	r := withRules(t, `alert http any any -> any any (filestore; sid:7;)
drop tcp any any -> any 80 (content:"forbidden"; sid:8;)`, func(c *worker.Config) {
		c.Files = worker.Files{Store: s, Pending: document.NewMemory(1 << 20), PendingSize: 64 << 10, Record: true}
		c.Report.Wants = func(typ string) bool { return typ == "alert" }
	})
	r.port = 80
	r.open()
	x := exchange("/first", "up one", "down one")
	r.data(0, x[0])
	r.data(1, x[1])
	r.data(0, exchange("/second", strings.Repeat("x", 5000), "")[0][:2000])
	r.data(0, "forbidden")
	r.w.Flush()
	r.take()
	if len(s.files) != 3 || s.files[0] != "up one" || !strings.Contains(s.records[0], `"event_type":"fileinfo"`) || !strings.Contains(s.records[0], `"sid":[7],`) ||
		!strings.Contains(s.records[1], `"stored":true,"file_id":2`) || strings.Trim(s.files[2], "x") != "forbidden" || len(s.files[2]) < 1900 {
		t.Errorf("%.99q with %q", s.files, s.records)
	}
	for _, e := range r.events {
		if e.FileInfo != nil {
			t.Errorf("%s was told", e.Type)
		}
	}
}
