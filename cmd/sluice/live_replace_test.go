package main

import (
	"bytes"
	"io"
	"strings"
	"sync/atomic"
	"time"

	"sluice/cmd/sluice-demo/stage"
	"sluice/internal/netlab"
)

// liveReplace has a rule rewrite what a client sends: the server gets the other
// bytes and all the rest, with the checksums left to the card and finished by the
// sender. Where they are finished, the server's kernel drops a segment whose
// checksum is wrong.
func liveReplace(r *rig) {
	r.start("--rules", r.replaceRules(), "--policy", "none")
	r.replaced(netlab.Server4, "["+netlab.Server6+"]")
}

// liveGatewayReplace is the same through a host that routes and masquerades.
func liveGatewayReplace(r *rig) {
	r.route()
	r.startGateway("--rules", r.replaceRules(), "--policy", "none")
	r.replaced(netlab.Server4)
}

func (r *rig) replaceRules() string {
	return r.write("replace.rules", `alert tcp any any -> any 7007 (msg:"word"; flow:to_server; content:"confidential"; replace:"unclassified"; sid:1;)
alert udp any any -> any 7007 (msg:"datagram"; content:"confidential"; replace:"un"; sid:2;)
`)
}

func (r *rig) replaced(hosts ...string) {
	r.Helper()
	for _, offload := range []string{"on", "off"} {
		if out, err := r.lab.Client.Run(r.ctx, "ethtool", "-K", netlab.ClientIf, "tx", offload); err != nil {
			r.Fatalf("switch checksum offload %s: %v\n%s", offload, err, out)
		}
		for _, host := range hosts {
			r.replaceStream(host+":7007", offload)
			r.replaceDatagram(host+":7007", offload)
		}
	}
	// The alerts that follow are counted with the first one of their rule.
	r.await(0, "an alert that tells of the rewriting", func(e *stage.Event) bool {
		return bytes.Contains(e.Raw, []byte(`"signature_id":1,`)) && bytes.Contains(e.Raw, []byte(`"replace":{"bytes":12,"enforced":true}`))
	})
	st, err := r.daemon.Status(r.ctx)
	if err != nil {
		r.Fatal(err)
	}
	if n := st.Counters["ips.replaced"]; n < uint64(8*len(hosts)) {
		r.Errorf("%d packets were counted as rewritten", n)
	}
}

// replaceStream sends a word in the midst of much else by TCP.
func (r *rig) replaceStream(addr, offload string) {
	r.Helper()
	l := r.listen(addr)
	defer l.Close()
	got := make(chan []byte, 1)
	var read atomic.Int64
	go func() {
		c, err := l.Accept()
		if err != nil {
			got <- nil
			return
		}
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(30 * time.Second))
		var b []byte
		for buf := make([]byte, 32<<10); err == nil; {
			var n int
			n, err = c.Read(buf)
			b = append(b, buf[:n]...)
			read.Add(int64(n))
		}
		got <- b
	}()
	c, err := r.lab.Client.DialContext(r.ctx, "", "tcp", addr)
	if err != nil {
		r.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(30 * time.Second))
	line := "an ordinary line of text\n"
	var want bytes.Buffer
	for i := range 20 {
		text := strings.Repeat(line, 400*(i%3))
		if _, err := io.WriteString(c, text+"x confidential y\n"); err != nil {
			r.Fatal(err)
		}
		want.WriteString(text + "x unclassified y\n")
		// Each word in a packet of its own.
		r.eventually("what was sent", func() bool { return read.Load() >= int64(want.Len()) })
	}
	c.Close()
	if b := <-got; !bytes.Equal(b, want.Bytes()) {
		r.Errorf("%s, offload %s: %d bytes of %d arrived, %d of the words as they were, %d rewritten", addr, offload, len(b), want.Len(),
			bytes.Count(b, []byte("confidential")), bytes.Count(b, []byte("unclassified")))
	}
}

func (r *rig) replaceDatagram(addr, offload string) {
	r.Helper()
	s, err := r.lab.Server.ListenPacket(addr)
	if err != nil {
		r.Fatal(err)
	}
	defer s.Close()
	c, err := r.lab.Client.DialContext(r.ctx, "", "udp", addr)
	if err != nil {
		r.Fatal(err)
	}
	defer c.Close()
	buf := make([]byte, 2000)
	for _, text := range []string{"confidential", "odd confidential", strings.Repeat("z", 1200) + "confidential"} {
		if _, err := io.WriteString(c, text); err != nil {
			r.Fatal(err)
		}
		_ = s.SetReadDeadline(time.Now().Add(5 * time.Second))
		n, _, err := s.ReadFrom(buf)
		if want := strings.Replace(text, "con", "unn", 1); err != nil || string(buf[:n]) != want {
			r.Errorf("%s, offload %s: %q arrived, not %q: %v", addr, offload, buf[:n], want, err)
		}
	}
}
