package fastpath

import (
	"errors"
	"io"
	"log/slog"
	"net/netip"
	"runtime"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// interfaces makes two interfaces in a namespace that ends with the test. The
// test owns its thread until then.
func interfaces(t *testing.T) {
	t.Helper()
	needRoot(t)
	runtime.LockOSThread()
	old, err := netns.Get()
	if err != nil {
		t.Fatal(err)
	}
	ns, err := netns.New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = netns.Set(old)
		ns.Close()
		old.Close()
		runtime.UnlockOSThread()
	})
	if err := netlink.LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "p0"}, PeerName: "p1"}); err != nil {
		t.Fatal(err)
	}
	if err := netlink.LinkAdd(&netlink.Dummy{LinkAttrs: netlink.LinkAttrs{Name: "d0"}}); err != nil {
		t.Log("no dummy interface: ", err)
	}
}

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

func attached(t *testing.T, name string) (id uint32, mode uint32) {
	t.Helper()
	l, err := netlink.LinkByName(name)
	if err != nil {
		t.Fatal(err)
	}
	if x := l.Attrs().Xdp; x != nil && x.Attached {
		return x.ProgId, x.AttachMode
	}
	return 0, 0
}

func TestAttach(t *testing.T) {
	for _, persist := range []bool{false, true} {
		interfaces(t)
		f := open(t, Config{Mode: ModeNative, Persist: persist, Log: quiet()})
		p, err := f.Attach("p0")
		if err != nil || p.Mode != ModeNative || p.Why != "" {
			t.Errorf("persist %v: %+v, %v", persist, p, err)
		}
		if id, _ := attached(t, "p0"); id == 0 {
			t.Error("nothing is attached")
		}
		if _, err := f.Attach("p0"); err == nil {
			t.Error("attached twice")
		}
		if _, err := f.Attach("none0"); err == nil || !strings.Contains(err.Error(), "none0") {
			t.Errorf("attached to nothing: %v", err)
		}
		// The loopback driver has no native XDP.
		if p, err := f.Attach("lo"); err == nil {
			t.Errorf("persist %v: lo: %+v", persist, p)
		}
		if n := len(f.Ports()); n != 1 {
			t.Errorf("%d ports", n)
		}
		// Another daemon does not take a living one's port by a link, and does by netlink.
		if !persist {
			g := open(t, Config{Mode: ModeNative, Log: quiet()})
			if _, err := g.Attach("p0"); err == nil {
				t.Error("took a port that is in use")
			}
		}
		if err := f.Detach("p0"); err != nil {
			t.Error(err)
		}
		if id, _ := attached(t, "p0"); id != 0 {
			t.Error("still attached after Detach")
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestAuto has a program on ports whose driver makes it cost something only
// while there is something to drop.
func TestAuto(t *testing.T) {
	for _, persist := range []bool{false, true} {
		interfaces(t)
		f := open(t, Config{Persist: persist, Log: quiet()})
		state := func(when string, want bool) {
			t.Helper()
			for _, name := range []string{"p0", "lo"} {
				if id, mode := attached(t, name); (id != 0) != want || want && mode != attachedSKB {
					t.Errorf("persist %v, %s: program %d on %s in mode %d", persist, when, id, name, mode)
				}
			}
			for _, p := range f.Ports() {
				if p.Mode != ModeGeneric || p.Why == "" || p.Idle == want {
					t.Errorf("persist %v, %s: %+v", persist, when, p)
				}
			}
		}
		for _, name := range []string{"p0", "lo"} {
			if _, err := f.Attach(name); err != nil {
				t.Fatal(err)
			}
		}
		state("at first", false)
		pf := netip.MustParsePrefix("192.0.2.0/24")
		if err := f.Block(pf, Entry{}); err != nil {
			t.Fatal(err)
		}
		state("with a block", true)
		if _, err := f.Unblock(pf, ""); err != nil {
			t.Fatal(err)
		}
		state("just after it", true)
		for _, p := range f.ports {
			p.unneeded -= lazyGrace + 1
		}
		if _, err := f.Expire(); err != nil {
			t.Fatal(err)
		}
		state("later", false)
		if err := f.SetMalformed(MalformedLAND, 0); err != nil {
			t.Fatal(err)
		}
		state("with malformed packets to drop", true)
		if err := f.Close(); err != nil {
			t.Error(err)
		}
		for _, name := range []string{"p0", "lo"} {
			if id, _ := attached(t, name); id != 0 {
				t.Errorf("still attached to %s after Close", name)
			}
		}
	}
}

func TestLeftovers(t *testing.T) {
	interfaces(t)
	dead, err := Open(Config{Persist: true, Mode: ModeGeneric, Log: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := dead.Attach("p0"); err != nil {
		t.Fatal(err)
	}
	// As a crash does: nothing is detached.
	_ = dead.xdp.Close()
	left, mode := attached(t, "p0")
	if left == 0 || mode != attachedSKB {
		t.Fatalf("program %d in mode %d", left, mode)
	}
	for _, cfg := range []Config{{Persist: true}, {Persist: true}, {}} {
		cfg.Log, cfg.Mode = quiet(), ModeNative
		f, err := Open(cfg)
		if err != nil {
			t.Fatal(err)
		}
		if p, err := f.Attach("p0"); err != nil || p.Mode != ModeNative {
			t.Errorf("%+v, %v", p, err)
		}
		if now, _ := attached(t, "p0"); now == left || now == 0 {
			t.Errorf("program %d after %d", now, left)
		} else {
			left = now
		}
		if cfg.Persist {
			_ = f.xdp.Close() // crashes too
		} else if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
	if id, _ := attached(t, "p0"); id != 0 {
		t.Error("left behind by an orderly end")
	}
	// Someone else's program is respected.
	other, err := ebpf.NewProgram(&ebpf.ProgramSpec{Name: "others", Type: ebpf.XDP, License: "Apache-2.0",
		Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, 2), asm.Return()}})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	l, err := netlink.LinkByName("p0")
	if err != nil {
		t.Fatal(err)
	}
	if err := netlink.LinkSetXdpFdWithFlags(l, other.FD(), unix.XDP_FLAGS_DRV_MODE); err != nil {
		t.Fatal(err)
	}
	for _, persist := range []bool{false, true} {
		f := open(t, Config{Persist: persist, Log: quiet()})
		if _, err := f.Attach("p0"); !errors.Is(err, ErrBusy) || !strings.Contains(err.Error(), `"others"`) {
			t.Errorf("persist %v: %v", persist, err)
		}
	}
}

func TestInline(t *testing.T) {
	for _, tt := range []struct {
		name        string
		noTCX       bool
		fail        Fail
		wantFilters int
	}{
		{"off", false, FailOff, 0},
		{"open", false, FailOpen, 1},
		{"closed, without tcx", true, FailClosed, 2},
		{"off, without tcx", true, FailOff, 1},
	} {
		interfaces(t)
		l, err := netlink.LinkByName("p0")
		if err != nil {
			t.Fatal(err)
		}
		f := open(t, Config{noTCX: tt.noTCX, Log: quiet()})
		in, err := f.Inline("p0", "p1", tt.fail)
		if err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		ours, others, err := filters(l.Attrs().Index)
		if err != nil || others || len(ours) != tt.wantFilters {
			t.Errorf("%s: %d filters, others %v, %v", tt.name, len(ours), others, err)
		}
		// The guard drops while hearts beat, and yields when they stop.
		pkt := from(netip.MustParseAddr("10.0.0.1"))
		if err := in.Heartbeat(int64(monotonic())); err != nil {
			t.Fatal(err)
		}
		if ret, err := in.tc.SluiceGuard.Run(&ebpf.RunOptions{Data: pkt}); err != nil || ret != 2 {
			t.Errorf("%s: the guard of a living daemon returned %d, %v", tt.name, ret, err)
		}
		if err := in.Heartbeat(int64(monotonic()) - 2*int64(HeartbeatTimeout)); err != nil {
			t.Fatal(err)
		}
		want := ^uint32(0)
		if tt.fail == FailOff && !tt.noTCX {
			want = 2
		}
		if ret, err := in.tc.SluiceGuard.Run(&ebpf.RunOptions{Data: pkt}); err != nil || ret != want {
			t.Errorf("%s: the guard of a dead daemon returned %d, want %d, %v", tt.name, ret, want, err)
		}
		if c, err := in.Counts(); err != nil || c.Guarded == 0 || (want != 2) != (c.Yielded > 0) {
			t.Errorf("%s: %+v, %v", tt.name, c, err)
		}
		for range 2 {
			if err := in.Close(); err != nil {
				t.Errorf("%s: %v", tt.name, err)
			}
		}
		if ours, _, _ := filters(l.Attrs().Index); len(ours) != 0 {
			t.Errorf("%s: %d filters left", tt.name, len(ours))
		}
		qs, err := netlink.QdiscList(l)
		if err != nil {
			t.Fatal(err)
		}
		for _, q := range qs {
			if q.Type() == "clsact" {
				t.Errorf("%s: the qdisc is still there", tt.name)
			}
		}
	}
}

// TestOthersQdisc leaves another's clsact alone.
func TestOthersQdisc(t *testing.T) {
	interfaces(t)
	l, err := netlink.LinkByName("p0")
	if err != nil {
		t.Fatal(err)
	}
	if err := netlink.QdiscAdd(clsact(l.Attrs().Index)); err != nil {
		t.Fatal(err)
	}
	f := open(t, Config{Log: quiet()})
	in, err := f.Inline("p0", "p1", FailOpen)
	if err != nil {
		t.Fatal(err)
	}
	if err := in.Close(); err != nil {
		t.Fatal(err)
	}
	qs, err := netlink.QdiscList(l)
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for _, q := range qs {
		found = found || q.Type() == "clsact"
	}
	if !found {
		t.Error("removed a qdisc that was there before")
	}
}
