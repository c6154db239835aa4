// Package stage runs the real daemon in a netlab.Lab's gateway and shows what
// comes of it: its status, and its events as a SOC receives them from NATS. The
// demonstration and the live tests share it. It takes a built binary and knows
// the product by its command line, its control socket and its events alone.
package stage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"sluice/internal/app"
	"sluice/internal/control"
	"sluice/internal/netlab"
)

// Sensor is the name under which the daemon reports.
const Sensor = "demo"

// Config says how a daemon is run.
type Config struct {
	// Binary is the program; Dir a folder for its state, socket and cache.
	Binary, Dir string
	// Cache keeps compiled databases; Dir/cache when empty.
	Cache string
	// Args follow `sluice run`; --bridge in0,out0 when empty.
	Args []string
	// NetnsExec starts it by `ip netns exec`, as an operator would.
	NetnsExec bool
}

// Daemon is a running daemon. Its methods are safe for concurrent use.
type Daemon struct {
	cfg  Config
	lab  *netlab.Lab
	proc *netlab.Process
	log  buffer
}

// buffer is a log that is written and read at the same time.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

// String gives what was written so far.
func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// startTimeout bounds a start, in which databases may have to be compiled.
const startTimeout = 60 * time.Second

// Start runs a daemon in the lab's gateway and waits until its workers are in
// charge of the traffic. A daemon that gives up is an error that holds its log.
func Start(ctx context.Context, lab *netlab.Lab, cfg Config) (*Daemon, error) {
	d, err := Launch(lab, cfg)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for {
		if st, err := d.Status(ctx); err == nil && st.Ready && st.PID == d.PID() {
			return d, nil
		}
		select {
		case <-d.proc.Done():
			return nil, fmt.Errorf("the daemon gave up: %w\n%s", errOr(d.proc.Wait(), "exit 0"), d.Log())
		case <-ctx.Done():
			return nil, errors.Join(fmt.Errorf("the daemon does not start: %w\n%s", ctx.Err(), d.Log()), d.proc.Stop())
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func errOr(err error, text string) error {
	if err == nil {
		return errors.New(text)
	}
	return err
}

// Launch is Start without waiting.
func Launch(lab *netlab.Lab, cfg Config) (*Daemon, error) {
	d := &Daemon{cfg: cfg, lab: lab}
	cache := cfg.Cache
	if cache == "" {
		cache = filepath.Join(cfg.Dir, "cache")
	}
	args := []string{"run", "--socket", d.Socket(), "--set", "state-dir=" + d.StateDir(), "--set", "cache-dir=" + cache,
		"--set", "default-log-dir=" + cfg.Dir, "--set", "sensor.name=" + Sensor, "--set", "log.level=info"}
	if len(cfg.Args) == 0 {
		args = append(args, "--bridge", netlab.InsideIf+","+netlab.OutsideIf)
	}
	args = append(args, cfg.Args...)
	cmd := exec.Command(cfg.Binary, args...)
	if cfg.NetnsExec {
		cmd = exec.Command("ip", append([]string{"netns", "exec", lab.Gateway.Name(), cfg.Binary}, args...)...)
	}
	cmd.Stdout, cmd.Stderr = &d.log, &d.log
	var err error
	d.proc, err = lab.Gateway.Start(cmd)
	return d, err
}

// StateDir and Socket are where the daemon keeps them.
func (d *Daemon) StateDir() string { return filepath.Join(d.cfg.Dir, "state") }

// Socket is the control socket's path.
func (d *Daemon) Socket() string { return filepath.Join(d.cfg.Dir, "control.sock") }

// Log is what the daemon has written so far.
func (d *Daemon) Log() string { return d.log.String() }

// PID is the daemon's process.
func (d *Daemon) PID() int { return d.proc.PID() }

// Done is closed when the daemon has ended.
func (d *Daemon) Done() <-chan struct{} { return d.proc.Done() }

// Status asks the daemon how it does.
func (d *Daemon) Status(ctx context.Context) (app.Status, error) {
	var st app.Status
	err := control.NewClient(d.Socket()).Do(ctx, "GET", "status", nil, &st)
	return st, err
}

// Command runs a command of the program against this daemon, and gives its
// output and exit code.
func (d *Daemon) Command(args ...string) (out string, code int, err error) {
	cmd := exec.Command(d.cfg.Binary, append(args, "--socket", d.Socket())...)
	b, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return string(b), exit.ExitCode(), nil
	}
	return string(b), 0, err
}

// Kill kills the daemon as kill -9 does, and waits for its end.
func (d *Daemon) Kill() error {
	err := d.proc.Signal(syscall.SIGKILL)
	_ = d.proc.Wait() // it says that it was killed
	return err
}

// Stop ends the daemon by SIGTERM. An exit code other than 0 is an error that
// holds the log.
func (d *Daemon) Stop() error {
	if err := d.proc.Stop(); err != nil {
		return fmt.Errorf("stop the daemon: %w\n%s", err, d.Log())
	}
	return nil
}

// Binary gives the program that make build left beside or below the working
// folder, or the one beside this program.
func Binary() (string, error) {
	var tried []string
	self, err := os.Executable()
	if err == nil {
		tried = append(tried, filepath.Join(filepath.Dir(self), "sluice"))
	}
	tried = append(tried, filepath.Join("bin", "sluice"))
	for _, p := range tried {
		if st, err := os.Stat(p); err == nil && st.Mode().IsRegular() {
			return filepath.Abs(p)
		}
	}
	return "", fmt.Errorf("no sluice program at %s: run `make build`", strings.Join(tried, " or "))
}
