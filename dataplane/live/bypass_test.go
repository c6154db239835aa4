package live

import (
	"net"
	"sync/atomic"
	"testing"
	"time"

	"sluice/dataplane/capture"
	"sluice/dataplane/decode"
	"sluice/dataplane/fastpath"
	"sluice/dataplane/flow"
)

// bypassing is a Processor that lets the kernel have each flow that has sent
// some data.
type bypassing struct {
	processor
	table atomic.Pointer[Bypass]
	key   atomic.Pointer[flow.Key]
	// frames and fins count what reached the worker of flows with data.
	frames, fins atomic.Int64
}

func newBypassing(t *testing.T) *bypassing {
	b := &bypassing{}
	d := decode.New(decode.Config{})
	b.process = func(batch *capture.Batch, forward []bool) {
		for i := range batch.Frames {
			forward[i] = true
			for j, packets := 0, d.Decode(&batch.Frames[i]); j < len(packets); j++ {
				p := &packets[j]
				if p.Proto != decode.ProtoTCP {
					continue
				}
				b.frames.Add(1)
				if p.TCPFlags&(decode.TCPFin|decode.TCPRst) != 0 {
					b.fins.Add(1)
				}
				if table := b.table.Load(); table != nil && len(p.PayloadBytes()) > 0 && b.key.Load() == nil {
					k, _, _ := flow.KeyOf(p, false)
					if err := (*table).Bypass(k); err != nil {
						t.Error(err)
					}
					b.key.Store(&k)
				}
			}
		}
	}
	return b
}

func TestBypass(t *testing.T) {
	for _, gateway := range []bool{false, true} {
		name := map[bool]string{false: "bridge", true: "gateway"}[gateway]
		t.Run(name, func(t *testing.T) {
			var top *topology
			var table Bypass
			proc := newBypassing(t)
			if gateway {
				top = newRouted(t)
				table = top.gate(GatewayConfig{Fail: fastpath.FailOpen}, fastpath.Config{MaxBypassed: 16}, []Processor{proc}).Bypass()
			} else {
				top = newTopology(t)
				// With a block list, so that a generic program is in the way.
				table = top.bridge(&fastpath.Config{MaxBypassed: 16, Malformed: fastpath.MalformedLAND}, BridgeConfig{Fail: fastpath.FailOpen}, []Processor{proc}).Bypass()
			}
			proc.table.Store(&table)
			l := top.listen(top.to + ":0")
			got := sink(l)
			c, err := top.dial("tcp", "", l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			send := func(n int) {
				t.Helper()
				want := got.Load() + int64(n)
				if _, err := c.Write(make([]byte, n)); err != nil {
					t.Fatal(err)
				}
				until(t, "the data", func() bool { return got.Load() == want })
			}
			send(1)
			until(t, "a bypass", func() bool { return proc.key.Load() != nil })
			time.Sleep(50 * time.Millisecond) // what was under way
			before := proc.frames.Load()
			send(8 << 20)
			if more := proc.frames.Load() - before; more > 2 {
				t.Errorf("%d frames of a bypassed flow reached the worker", more)
			}
			key := *proc.key.Load()
			n, ok := table.Bypassed(key)
			client := 0
			if a, ok := clientEnd(c); !ok || key.Addr[0] != a {
				client = 1
			}
			if !ok || n.Ended || n.Last == 0 || n.Bytes[client] < 8<<20 || n.Packets[1-client] == 0 || n.Bytes[1-client] > 4<<20 {
				t.Errorf("%+v, %v", n, ok)
			}
			// Taken back, the worker has it again, at once.
			if last, ok := table.Revoke(key); !ok || last.Bytes[client] < n.Bytes[client] {
				t.Errorf("%+v, %v", last, ok)
			}
			before = proc.frames.Load()
			send(1 << 20)
			if proc.frames.Load() == before {
				t.Error("the worker saw nothing of a flow that was taken back")
			}
			if _, ok := table.Bypassed(key); ok {
				t.Error("the flow still goes past")
			}
			// The end of a connection is the worker's to see.
			if err := table.Bypass(key); err != nil {
				t.Fatal(err)
			}
			send(1 << 20)
			fins := proc.fins.Load()
			c.Close()
			until(t, "the end at the worker", func() bool { return proc.fins.Load() >= fins+2 })
			if n, ok := table.Bypassed(key); !ok || !n.Ended {
				t.Errorf("%+v, %v", n, ok)
			}
		})
	}
}

// clientEnd gives a connection's own address as a flow key has it.
func clientEnd(c net.Conn) (a decode.Addr, ok bool) {
	ip := c.LocalAddr().(*net.TCPAddr).IP.To16()
	return decode.Addr(ip), ip != nil
}
