package extract

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"sluice/classifiers/extract/sandbox"
)

// TestMain makes the test binary its own sandboxed child.
func TestMain(m *testing.M) {
	switch mode := os.Getenv("EXTRACT_CHILD"); mode {
	case "":
		os.Exit(m.Run())
	case "serve":
		if err := ChildMain(os.Stdin, os.Stdout, 512<<20); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	default:
		if mark, ok := strings.CutPrefix(mode, "once:"); ok {
			// The first of them dies, the others serve.
			if os.Remove(mark) == nil {
				misbehave("crash")
			}
			if err := ChildMain(os.Stdin, os.Stdout, 512<<20); err != nil {
				os.Exit(1)
			}
			os.Exit(0)
		}
		misbehave(mode)
	}
	os.Exit(0)
}

// misbehave is a child that does what none should.
func misbehave(mode string) {
	ready := func() { _ = writeFrame(os.Stdout, frameReady) }
	switch mode {
	case "crash":
		ready()
		_, _, _ = readFrame(os.Stdin, nil)
		panic("crash")
	case "hang":
		ready()
		time.Sleep(time.Hour)
	case "babble":
		ready()
		_, _ = os.Stdout.Write(bytes.Repeat([]byte("nonsense"), 1000))
		time.Sleep(time.Hour)
	case "sandbox":
		if err := sandbox.Confine(512 << 20); err != nil {
			fmt.Println("confine:", err)
			return
		}
		_, e1 := os.Open("/etc/passwd")
		_, e2 := net.Dial("tcp", "127.0.0.1:1")
		e3 := exec.Command("/bin/true").Run()
		e4 := os.WriteFile("/tmp/extract-sandbox-test", []byte("x"), 0o600)
		fmt.Println(e1 != nil, e2 != nil && strings.Contains(e2.Error(), "not permitted"), e3 != nil, e4 != nil)
	case "memory":
		if err := sandbox.Confine(256 << 20); err != nil {
			fmt.Println("confine:", err)
			return
		}
		var hold [][]byte
		for i := range 64 {
			hold = append(hold, bytes.Repeat([]byte{byte(i)}, 16<<20))
		}
		fmt.Println("took", len(hold))
	}
}

func testPool(t testing.TB, mode string) *Pool {
	t.Helper()
	p := &Pool{Args: []string{"-test.run=^$"}, Env: []string{"EXTRACT_CHILD=" + mode}}
	t.Cleanup(func() { _ = p.Close() })
	return p
}

func inPool(p *Pool, b []byte, name string, l Limits) (string, Result, error) {
	var text strings.Builder
	res, err := p.Extract(context.Background(), bytes.NewReader(b), int64(len(b)), name, l, func(p Part) error {
		text.Write(p.Text)
		return nil
	})
	return text.String(), res, err
}

func TestPoolReads(t *testing.T) {
	p := testPool(t, "serve")
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			want := "card " + strconv.Itoa(i) + strings.Repeat(" x", 300000)
			text, res, err := inPool(p, []byte(want), "a.txt", Limits{})
			if err != nil || text != want || res.Type != typePlain || len(res.Unscannable) > 0 {
				t.Errorf("job %d: %v %v, %d bytes", i, err, res, len(text))
			}
		}()
	}
	wg.Wait()
	if s := p.Stats(); s.Started > 2 || s.Jobs != 20 || s.Crashed != 0 {
		t.Errorf("stats %+v: want two children for twenty jobs", s)
	}
}

func TestPoolReadsArchive(t *testing.T) {
	p := testPool(t, "serve")
	text, res, err := inPool(p, zipOf(t, entry{"a.txt", "hello from inside"}), "a.zip", Limits{})
	if err != nil || !strings.Contains(text, "hello from inside") {
		t.Fatalf("%q %v %v", text, res, err)
	}
}

func TestPoolSurvives(t *testing.T) {
	f := func(mode string, want Reason) {
		t.Helper()
		p := testPool(t, mode)
		for range 2 {
			start := time.Now()
			_, res, err := inPool(p, []byte("text"), "a.txt", Limits{MaxTime: 300 * time.Millisecond})
			if err != nil {
				t.Fatalf("%s: %v", mode, err)
			}
			if len(res.Unscannable) != 1 || res.Unscannable[0].Reason != want {
				t.Errorf("%s: %v, want %s", mode, res.Unscannable, want)
			}
			if d := time.Since(start); d > 5*time.Second {
				t.Errorf("%s took %v", mode, d)
			}
		}
	}
	f("crash", Crashed)
	f("hang", Timeout)
	f("babble", Crashed)
}

// TestPoolTriesAgain has a child die of nothing that the object did.
func TestPoolTriesAgain(t *testing.T) {
	mark := filepath.Join(t.TempDir(), "mark")
	if err := os.WriteFile(mark, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	p := testPool(t, "once:"+mark)
	text, res, err := inPool(p, []byte("hello"), "a.txt", Limits{})
	if err != nil || text != "hello" || len(res.Unscannable) > 0 {
		t.Errorf("%q, %+v, %v", text, res, err)
	}
	if st := p.Stats(); st.Started != 2 || st.Crashed != 1 || st.Jobs != 1 {
		t.Errorf("%+v", st)
	}
}

func TestPoolStops(t *testing.T) {
	p := testPool(t, "serve")
	res, err := p.Extract(context.Background(), strings.NewReader(strings.Repeat("text ", 1000)), 5000, "a.txt", Limits{}, func(Part) error { return ErrStop })
	if err != nil || !res.Stopped {
		t.Errorf("stop: %v %v", res, err)
	}
	own := errors.New("own")
	if _, err = p.Extract(context.Background(), strings.NewReader("text"), 4, "a.txt", Limits{}, func(Part) error { return own }); !errors.Is(err, own) {
		t.Errorf("the callback's error: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err = p.Extract(ctx, strings.NewReader("text"), 4, "a.txt", Limits{}, func(Part) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if _, _, err := inPool(p, []byte("x"), "a", Limits{}); !errors.Is(err, ErrClosed) {
		t.Errorf("closed: %v", err)
	}
}

// runMode runs the test binary as a child and gives what it prints.
func runMode(t *testing.T, mode string) string {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe, "-test.run=^$")
	cmd.Env = []string{"EXTRACT_CHILD=" + mode, "GOTRACEBACK=none"}
	out, _ := cmd.CombinedOutput()
	return strings.TrimSpace(string(out))
}

func TestSandboxHolds(t *testing.T) {
	if got := runMode(t, "sandbox"); got != "true true true true" {
		t.Errorf("open, connect, run, write refused = %q", got)
	}
	if raceEnabled {
		return // its shadow memory alone is beyond any limit
	}
	if got := runMode(t, "memory"); strings.Contains(got, "took") || !strings.Contains(got, "out of memory") && !strings.Contains(got, "cannot allocate") {
		t.Errorf("took more memory than allowed: %.200q", got)
	}
}

func TestChildFrames(t *testing.T) {
	f := func(b []byte) {
		t.Helper()
		if _, err := parsePart(b); err == nil {
			t.Errorf("accepted %q", b)
		}
	}
	f(nil)
	f([]byte{0, 0, 0, 0, 0, 1})
	f([]byte{99, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0})
	f([]byte{1, 0, 0, 0, 0, 1, 255, 255})
	f(append(partHead(&Part{Kind: Text, Path: "a"}), 0xff))
	p := Part{Path: "a!/b", Name: "b", Type: typePlain, Kind: Hidden, Seq: 7, More: true}
	got, err := parsePart(append(partHead(&p), "text"...))
	if err != nil || got.Path != p.Path || got.Kind != Hidden || got.Seq != 7 || !got.More || string(got.Text) != "text" {
		t.Errorf("%+v %v", got, err)
	}
}

// TestNice holds that all threads of a child stand back.
func TestNice(t *testing.T) {
	p := &Pool{Path: os.Args[0], Args: []string{"-test.run=^$"}, Env: []string{"EXTRACT_CHILD=serve"}, Size: 1, Nice: 7}
	defer p.Close()
	if _, err := p.Extract(t.Context(), strings.NewReader("hello"), 5, "a.txt", Limits{}, func(Part) error { return nil }); err != nil {
		t.Fatal(err)
	}
	pid := p.idle[0].cmd.Process.Pid
	threads, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil || len(threads) < 2 {
		t.Fatalf("%d threads, %v", len(threads), err)
	}
	for _, th := range threads {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/stat", pid, th.Name()))
		if err != nil {
			continue
		}
		// proc(5): the 19th field; the second is in brackets.
		fields := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
		if fields[16] != "7" {
			t.Errorf("thread %s has the priority %s", th.Name(), fields[16])
		}
	}
}
