package main

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"time"

	"sluice/dataplane/capture"
	"sluice/dataplane/decode"
	"sluice/internal/netlab"
)

// rss is a process's memory in bytes.
func (r *rig) rss(pid int) int {
	r.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		r.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		if v, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kb, err := strconv.Atoi(strings.Fields(v)[0])
			if err != nil {
				r.Fatal(err)
			}
			return kb << 10
		}
	}
	r.Fatal("no VmRSS")
	return 0
}

// floods are frames of attackers, each of another source.
var floods = []struct {
	name string
	make func(rnd *rand.Rand) []byte
}{
	{"SYNs", func(rnd *rand.Rand) []byte { return hostile(rnd, 6, 0x4000, tcpHeader(rnd, decode.TCPSyn)) }},
	{"acknowledgements of nothing", func(rnd *rand.Rand) []byte {
		return hostile(rnd, 6, 0x4000, append(tcpHeader(rnd, decode.TCPAck|decode.TCPPsh), "GET / HTTP/1.1\r\n"...))
	}},
	{"datagrams", func(rnd *rand.Rand) []byte {
		b := make([]byte, 20)
		binary.BigEndian.PutUint32(b, rnd.Uint32())
		binary.BigEndian.PutUint16(b[4:], uint16(len(b)))
		return hostile(rnd, 17, 0x4000, b)
	}},
	{"tiny fragments", func(rnd *rand.Rand) []byte {
		// First, middle and far pieces of datagrams that are never whole.
		return hostile(rnd, 17, 0x2000|uint16(rnd.IntN(64)*3), make([]byte, 8))
	}},
}

func tcpHeader(rnd *rand.Rand, flags byte) []byte {
	b := make([]byte, 20)
	binary.BigEndian.PutUint32(b, rnd.Uint32())
	binary.BigEndian.PutUint32(b[4:], rnd.Uint32())
	b[12], b[13] = 0x50, flags
	binary.BigEndian.PutUint16(b[14:], 1024)
	return b
}

// hostile makes an IPv4 frame from a random source to the server, from outside
// of any network there is: the server does not answer.
func hostile(rnd *rand.Rand, proto byte, fragment uint16, payload []byte) []byte {
	f := make([]byte, 34, 34+len(payload))
	copy(f, []byte{2, 0, 0, 0, 0, 0xbb, 2, 0, 0, 0, 0, 0xaa, 8, 0})
	ip := f[14:]
	ip[0], ip[8], ip[9] = 0x45, 64, proto
	binary.BigEndian.PutUint16(ip[2:], uint16(20+len(payload)))
	binary.BigEndian.PutUint16(ip[4:], uint16(rnd.Uint32()))
	binary.BigEndian.PutUint16(ip[6:], fragment)
	binary.BigEndian.PutUint32(ip[12:], 11<<24|rnd.Uint32N(1<<24))
	copy(ip[16:], []byte{203, 0, 113, 10})
	binary.BigEndian.PutUint16(ip[10:], decode.ChecksumIPv4(ip))
	return append(f, payload...)
}

// liveFlood has random sources, SYNs and tiny fragments rain on a daemon with
// little memory allowed: it keeps to that, tells of the limits, and a transfer goes on
// unharmed.
func liveFlood(r *rig) {
	r.start("--set", "flow.memcap=16mb", "--set", "stream.reassembly.memcap=32mb", "--set", "stream.memcap=16mb", "--set", "defrag.memcap=4mb",
		"--set", "ports.capture.buffer=4mb", "--set", "outputs.nats.types=[dlp, alert, http]")
	r.page("to begin with")
	var out *capture.PacketSender
	if err := r.lab.Client.Do(func() (err error) { out, err = capture.OpenSender(netlab.ClientIf); return err }); err != nil {
		r.Fatal(err)
	}
	defer out.Close()
	before := r.rss(r.daemon.PID())
	most := before
	for _, f := range floods {
		stop, ended := make(chan struct{}), make(chan int)
		go func() {
			rnd, n := rand.New(rand.NewPCG(1, uint64(len(f.name)))), 0
			for {
				select {
				case <-stop:
					ended <- n
					return
				default:
				}
				for range 64 {
					out.AddRaw(f.make(rnd))
					n++
				}
				out.Flush()
			}
		}()
		begin := time.Now()
		const n = 4 << 20
		if got, same, err := r.transfer(netlab.Server4+":0", n); err != nil || got != n || !same {
			r.Errorf("%s: %d bytes of %d arrived, the same: %v, %v", f.name, got, n, same, err)
		}
		took := time.Since(begin)
		r.page(f.name)
		for time.Since(begin) < 1500*time.Millisecond {
			time.Sleep(20 * time.Millisecond)
			most = max(most, r.rss(r.daemon.PID()))
		}
		close(stop)
		r.Logf("%s: %d frames in %v; the transfer took %v; memory %d MiB, at first %d", f.name, <-ended, time.Since(begin).Round(time.Millisecond), took.Round(time.Millisecond), most>>20, before>>20)
	}
	// The limit's flows with what inspection keeps of each, about 3 KB, the buffers,
	// and what the collector of garbage lags behind.
	if grown := most - before; grown > 320<<20 {
		r.Errorf("the memory grew by %d MiB", grown>>20)
	}
	st, err := r.daemon.Status(r.ctx)
	if err != nil {
		r.Fatal(err)
	}
	if st.Counters["flow.emerg_evicted"] == 0 || st.Counters["flow.tcp"] < 10000 {
		r.Errorf("the limits were not reached: %d flows, %d evicted", st.Counters["flow.total"], st.Counters["flow.emerg_evicted"])
	}
	r.refusedCards("/after-the-flood", 81)
}
