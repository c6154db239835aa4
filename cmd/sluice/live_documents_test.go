package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"sluice/cmd/sluice-demo/stage"
	"sluice/internal/livetest"
	"sluice/internal/netlab"
)

// tail is how much of a document's end must not have left when it is refused.
const tail = 400

// endArrived reports whether a server got a document to its end.
func endArrived(got []byte, doc string) bool {
	return bytes.Contains(got, []byte(doc[len(doc)-min(tail, len(doc)):]))
}

// liveDocuments uploads documents by HTTP.
func liveDocuments(r *rig) {
	r.start()
	r.documents(origin, r.origin, 11, "put", "form")
	r.page("after the documents")
}

// documents uploads to a server: what has something in it is cut before its end,
// its clean twin arrives byte by byte.
func (r *rig) documents(base string, server *netlab.Origin, seed uint64, ways ...string) {
	r.Helper()
	for i, p := range papers(r, seed, 60000) {
		for _, way := range ways {
			path := fmt.Sprintf("/%s/%d", way, i)
			send := func(doc, path string) stage.Reply {
				file := r.write(p.name, doc)
				if way == "put" {
					return r.curl("-H", "Expect:", "-T", file, base+path)
				}
				return r.curl("-H", "Expect:", "-F", "a=b", "-F", "file=@"+file, base+path)
			}
			mark := r.soc.Mark()
			reply := send(p.bad, path)
			if reply.Code != 403 {
				r.Errorf("%s by %s: the client saw %v", p.name, way, reply)
			}
			for _, q := range stage.Settled(r.ctx, server, path) {
				if q.Complete || endArrived(q.Body, p.bad) {
					r.Errorf("%s by %s arrived: %d bytes of %d", p.name, way, len(q.Body), len(p.bad))
				}
			}
			e := r.awaitBlock(mark, p.rule, "http-request")
			inside := p.name != "report.docx" // else it is the document itself
			if e.DLP.Object.Size != len(p.bad) || inside != strings.Contains(e.DLP.Object.Path, "!/") || e.DLP.Released >= e.DLP.Object.Size {
				r.Errorf("%s: %s", p.name, e.Raw)
			}
			if reply := send(p.clean, path+"/clean"); reply.Code != 200 {
				r.Errorf("the clean %s by %s: %v", p.name, way, reply)
			}
			seen := stage.Settled(r.ctx, server, path+"/clean")
			if len(seen) != 1 || !seen[0].Complete || way == "put" && string(seen[0].Body) != p.clean || !bytes.Contains(seen[0].Body, []byte(p.clean)) {
				r.Errorf("the clean %s by %s did not arrive as it was", p.name, way)
			}
		}
	}
}

// liveDocumentMail sends documents by mail.
func liveDocumentMail(r *rig) {
	if _, err := exec.LookPath("swaks"); err != nil {
		livetest.Lacks(r, "swaks is missing (deploy/setup.sh)")
	}
	server := stage.ServeMail(r.listen(netlab.Server4 + ":25"))
	r.start()
	for _, p := range papers(r, 12, 30000) {
		send := func(doc string) (string, error) {
			return r.lab.Client.Run(r.ctx, "swaks", "--server", netlab.Server4, "--from", "alice@example.org", "--to", "bob@example.net", "--helo", "client.example.org",
				"--body", "hello", "--attach-name", p.name, "--attach", "@"+r.write(p.name, doc))
		}
		mark := r.soc.Mark()
		out, err := send(p.bad)
		if err == nil || !strings.Contains(out, " 5.7.1 ") {
			r.Errorf("%s: swaks ended with %v\n%s", p.name, err, last(out))
		}
		if n := len(server.Taken()); n != 0 {
			r.Errorf("%s was taken", p.name)
		}
		r.awaitBlock(mark, p.rule, "smtp")
	}
	for i, p := range papers(r, 12, 30000) {
		out, err := r.lab.Client.Run(r.ctx, "swaks", "--server", netlab.Server4, "--from", "alice@example.org", "--to", "bob@example.net", "--helo", "client.example.org",
			"--body", "hello", "--attach-name", p.name, "--attach", "@"+r.write(p.name, p.clean))
		if err != nil {
			r.Errorf("the clean %s: %v\n%s", p.name, err, last(out))
		}
		if taken := server.Taken(); len(taken) != i+1 || !strings.Contains(strings.ReplaceAll(taken[i], "\r\n", ""), strings.ReplaceAll(attached(p.clean), "\r\n", "")) {
			r.Errorf("the clean %s did not arrive as it was", p.name)
		}
	}
}

// attached is a file as it is in a mail.
func attached(doc string) string {
	_, body, _ := strings.Cut(eml(fileIn{"x", doc}), "filename=\"x\"\r\n\r\n")
	body, _, _ = strings.Cut(body, "--sep--")
	return body
}

func last(s string) string { return s[max(0, len(s)-600):] }

// liveDocumentFTP uploads documents by FTP, whose files end with their
// connections.
func liveDocumentFTP(r *rig) {
	if _, err := exec.LookPath("lftp"); err != nil {
		livetest.Lacks(r, "lftp is missing (deploy/setup.sh)")
	}
	server := serveFTP(r)
	r.start()
	put := func(name, doc string) error {
		_, err := r.lab.Client.Run(r.ctx, "lftp", "-c", "set net:max-retries 1; set net:timeout 5; set net:reconnect-interval-base 1; set net:reconnect-interval-max 1; set ftp:ssl-allow no; set cmd:fail-exit yes; set ftp:use-mlsd no; set xfer:clobber yes; open -u alice,secret "+netlab.Server4+
			"; put "+r.write(name, doc))
		return err
	}
	for _, p := range papers(r, 13, 60000) {
		mark := r.soc.Mark()
		if err := put(p.name, p.bad); err == nil {
			r.Errorf("%s: lftp saw nothing", p.name)
		}
		e := r.awaitBlock(mark, p.rule, "ftp-data")
		if e.DLP.Released >= e.DLP.Object.Size {
			r.Errorf("%s: %s", p.name, e.Raw)
		}
		for _, f := range server.took(p.name) {
			if f.complete || endArrived(f.data, p.bad) {
				r.Errorf("%s arrived: %d bytes of %d", p.name, len(f.data), len(p.bad))
			}
		}
	}
	// A small list comes in one frame, before the one that ends the file.
	cards := stage.Cards(8, 3)
	mark := r.soc.Mark()
	if err := put("list.csv", stage.CardList(cards)); err == nil {
		r.Error("a list: lftp saw nothing")
	}
	if e := r.awaitBlock(mark, "block-cards", "ftp-data"); e.DLP.Released != 0 {
		r.Errorf("a list: %s", e.Raw)
	}
	for _, f := range server.took("list.csv") {
		if n := count(string(f.data), cards); n > 0 {
			r.Errorf("%d card numbers of a list arrived", n)
		}
	}
	for _, p := range papers(r, 13, 60000) {
		name := "clean-" + p.name
		if err := put(name, p.clean); err != nil {
			r.Errorf("the clean %s: %v", p.name, err)
		}
		if got := server.took(name); len(got) != 1 || !got[0].complete || string(got[0].data) != p.clean {
			r.Errorf("the clean %s did not arrive as it was", p.name)
		}
	}
}

// ftpServer takes files and keeps them.
type ftpServer struct {
	r     *rig
	mu    sync.Mutex
	files map[string][]ftpFile
}

// ftpFile is what arrived of an upload; complete tells that it ended as it ought.
type ftpFile struct {
	data     []byte
	complete bool
}

func (s *ftpServer) took(name string) []ftpFile {
	// The client may know of the end before the server has noted it.
	for range 20 {
		s.mu.Lock()
		got := s.files[name]
		s.mu.Unlock()
		if len(got) > 0 {
			return got
		}
		time.Sleep(10 * time.Millisecond)
	}
	return nil
}

func serveFTP(r *rig) *ftpServer {
	s := &ftpServer{r: r, files: map[string][]ftpFile{}}
	l := r.listen(netlab.Server4 + ":21")
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go s.session(c)
		}
	}()
	return s
}

// session speaks as much of RFC 959 as an upload takes.
func (s *ftpServer) session(c net.Conn) {
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(30 * time.Second))
	in := bufio.NewReader(c)
	say := func(line string) { _, _ = io.WriteString(c, line+"\r\n") }
	say("220 ready")
	var data net.Listener
	defer func() {
		if data != nil {
			data.Close()
		}
	}()
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		verb, arg, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch strings.ToUpper(verb) {
		case "USER":
			say("331 password")
		case "PASS":
			say("230 in")
		case "TYPE", "ALLO", "CWD":
			say("200 ok")
		case "PWD":
			say(`257 "/"`)
		case "PASV":
			if data, err = s.r.lab.Server.Listen(netlab.Server4 + ":0"); err != nil {
				return
			}
			port := data.Addr().(*net.TCPAddr).Port
			say(fmt.Sprintf("227 entering (%s,%d,%d)", strings.ReplaceAll(netlab.Server4, ".", ","), port>>8, port&255))
		case "STOR":
			if data == nil {
				say("425 no connection")
				continue
			}
			say("150 go on")
			d, err := data.Accept()
			data.Close()
			data = nil
			if err != nil {
				return
			}
			_ = d.SetDeadline(time.Now().Add(20 * time.Second))
			got, err := io.ReadAll(d)
			d.Close()
			s.mu.Lock()
			s.files[filepath.Base(arg)] = append(s.files[filepath.Base(arg)], ftpFile{got, err == nil})
			s.mu.Unlock()
			if err != nil {
				say("426 cut off")
				continue
			}
			say("226 taken")
		case "QUIT":
			say("221 bye")
			return
		default:
			say("502 not here")
		}
	}
}

// liveDocumentDelay tells what a clean document costs a client in time.
func liveDocumentDelay(r *rig) {
	r.start()
	doc := r.write("doc.docx", docx(r, noise(180000, 3)))
	text := r.write("doc.txt", noise(110000, 4))
	measure := func(file, path string) (all []time.Duration) {
		for i := range 12 {
			start := time.Now()
			if p := r.curl("-H", "Expect:", "-T", file, fmt.Sprintf("%s%s/%d", origin, path, i)); p.Code != 200 {
				r.Fatalf("%v", p)
			}
			all = append(all, time.Since(start))
		}
		return all
	}
	plain, held := median(measure(text, "/text")), median(measure(doc, "/doc"))
	info, err := os.Stat(doc)
	if err != nil {
		r.Fatal(err)
	}
	st, err := r.daemon.Status(r.ctx)
	if err != nil {
		r.Fatal(err)
	}
	r.Logf("a text of 110 kB takes %v, a docx of %d kB %v", plain, info.Size()/1000, held)
	if n := st.Counters["dlp.documents"]; n != 12 {
		r.Errorf("%d documents were read", n)
	}
	// Without a way to wake the worker it would be a tick's 20 ms, and seconds if
	// frames were not let on but waited for to come again.
	if held > plain+time.Second {
		r.Errorf("a document is late by %v", held-plain)
	}
}

// liveDocumentRush sends many documents at once, more than are read at a time:
// each is judged, and what is clean arrives as it was.
func liveDocumentRush(r *rig) {
	// On a busy machine the wire would else take over for moments.
	r.start("--fail", "closed")
	const n = 40
	clean, bad := r.write("clean.docx", docx(r, noise(180000, 5))), r.write("bad.docx", docx(r, noise(180000, 5)+stage.CardList(stage.Cards(12, 5))))
	want, err := os.ReadFile(clean)
	if err != nil {
		r.Fatal(err)
	}
	var wg sync.WaitGroup
	times := make([]time.Duration, n)
	for i := range n {
		wg.Go(func() {
			file, path, code := clean, fmt.Sprintf("/rush/%d", i), 200
			if i%4 == 3 {
				file, code = bad, 403
			}
			start := time.Now()
			if p := r.curl("-H", "Expect:", "-T", file, origin+path); p.Code != code {
				r.Errorf("%s: %v", path, p)
			}
			times[i] = time.Since(start)
		})
	}
	wg.Wait()
	for i := range n {
		seen := r.origin.Requests(fmt.Sprintf("/rush/%d", i))
		if arrived := len(seen) == 1 && seen[0].Complete && bytes.Equal(seen[0].Body, want); arrived != (i%4 != 3) {
			r.Errorf("upload %d arrived: %v", i, arrived)
		}
	}
	st, err := r.daemon.Status(r.ctx)
	if err != nil {
		r.Fatal(err)
	}
	c := st.Counters
	r.Logf("%d documents of %d kB at once: half of them within %v; memory at most %d kB; %d frames withheld, %d came again, %d found no room", n, len(want)/1000, median(times),
		c["dlp.document_memory_peak"]/1000, c["ips.held_frames"], c["ips.held_absorbed"], c["ips.held_overflow"])
	if c["dlp.documents"] != n || c["dlp.documents_overload"]+c["dlp.documents_timeout"] != 0 || c["dlp.document_memory"] != 0 || c["dlp.documents_waiting"] != 0 {
		r.Errorf("%v", c)
	}
}

func median(all []time.Duration) time.Duration {
	for i := range all {
		for j := i; j > 0 && all[j] < all[j-1]; j-- {
			all[j], all[j-1] = all[j-1], all[j]
		}
	}
	return all[len(all)/2]
}
