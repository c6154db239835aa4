package netlab

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"sluice/internal/livetest"
)

func newLab(t *testing.T, name string) *Lab {
	t.Helper()
	if os.Geteuid() != 0 {
		livetest.Lacks(t, "network namespaces need root")
	}
	l, err := New(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// join makes the gateway a plain bridge, so that the ends reach each other.
func join(t *testing.T, l *Lab) {
	t.Helper()
	if err := l.Gateway.IP("link add br0 type bridge", "link set br0 up", "link set "+InsideIf+" master br0", "link set "+OutsideIf+" master br0"); err != nil {
		t.Fatal(err)
	}
}

func TestReach(t *testing.T) {
	l := newLab(t, "")
	join(t, l)
	for _, addr := range []string{Server4 + ":0", "[" + Server6 + "]:0"} {
		ln, err := l.Server.Listen(addr)
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		go func() {
			if c, err := ln.Accept(); err == nil {
				_, _ = io.WriteString(c, "hello from "+c.LocalAddr().String())
				c.Close()
			}
		}()
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		c, err := l.Client.DialContext(ctx, "", "tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(c)
		c.Close()
		if err != nil || string(got) != "hello from "+ln.Addr().String() {
			t.Errorf("%q, %v", got, err)
		}
	}
}

func TestPrograms(t *testing.T) {
	l := newLab(t, "")
	out, err := l.Client.Run(context.Background(), "ip", "-br", "addr", "show", "dev", ClientIf)
	if err != nil || !strings.Contains(out, Client4) {
		t.Errorf("%q, %v", out, err)
	}
	if _, err := l.Client.Run(context.Background(), "sh", "-c", "echo no luck >&2; exit 3"); err == nil || !strings.Contains(err.Error(), "no luck") {
		t.Errorf("%v", err)
	}
	p, err := l.Gateway.Start(exec.Command("sleep", "100"))
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-p.Done():
	default:
		t.Error("a program outlived its namespace")
	}
	if err := syscall.Kill(p.PID(), 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("process %d: %v", p.PID(), err)
	}
	if _, err := l.Gateway.Start(exec.Command("true")); err == nil {
		t.Error("a closed namespace starts programs")
	}
}

func TestPorts(t *testing.T) {
	l := newLab(t, "")
	before, err := l.Ports()
	if err != nil {
		t.Fatal(err)
	}
	again, _ := l.Ports()
	if before != again {
		t.Errorf("two pictures of the same differ:\n%s\n%s", before, again)
	}
	if _, err := l.Gateway.Run(context.Background(), "tc", "qdisc", "add", "dev", InsideIf, "clsact"); err != nil {
		t.Fatal(err)
	}
	if after, _ := l.Ports(); after == before {
		t.Error("a queueing discipline is not in the picture")
	}
}

// TestNames checks that names are there while the Lab lives and gone after, and
// that those of dead processes are swept, of living ones not.
func TestNames(t *testing.T) {
	l := newLab(t, "netlab-test")
	path := l.Gateway.Path()
	if _, err := os.Stat(path); err != nil {
		t.Fatal(err)
	}
	const dead = "netlab-test-1-client"
	if out, err := exec.Command("ip", "netns", "add", dead).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if err := sweep("netlab-test"); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(netnsDir + "/" + dead); !os.IsNotExist(err) {
		t.Errorf("a dead process's namespace is still there: %v", err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Errorf("a living process's namespace was swept: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("the name is still there: %v", err)
	}
}
