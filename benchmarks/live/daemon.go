package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"sluice/internal/app"
	"sluice/internal/control"
	"sluice/internal/netlab"
)

// daemon is the built program at work in a network's gateway.
type daemon struct {
	proc   *netlab.Process
	socket string
	// log is only read once the program has ended.
	log bytes.Buffer
}

// startTimeout bounds a start, in which databases may have to be compiled.
const startTimeout = 3 * time.Minute

// startDaemon runs the program on the ports that args name and waits until its workers are in
// charge. dir is for its state, cache for compiled databases.
func startDaemon(ctx context.Context, lab *netlab.Lab, binary, dir, cache string, args []string) (*daemon, error) {
	d := &daemon{socket: filepath.Join(dir, "control.sock")}
	// Overload is off: flows that went past would make the figures better.
	cmd := exec.Command(binary, append([]string{"run", "--socket", d.socket, "--nats", "off",
		"--set", "state-dir=" + dir, "--set", "cache-dir=" + cache, "--set", "default-log-dir=" + dir, "--set", "log.level=warning",
		"--set", "overload.shed=no", "--set", "outputs.metrics.enabled=no"}, args...)...)
	cmd.Stdout, cmd.Stderr = &d.log, &d.log
	var err error
	if d.proc, err = lab.Gateway.Start(cmd); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for {
		if st, err := d.status(ctx); err == nil && st.Ready {
			return d, nil
		}
		select {
		case <-d.proc.Done():
			return nil, fmt.Errorf("the program gave up: %w\n%s", errors.Join(d.proc.Wait(), errors.New("see its log")), d.log.String())
		case <-ctx.Done():
			return nil, errors.Join(fmt.Errorf("the program does not start: %w", ctx.Err()), d.proc.Stop())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (d *daemon) status(ctx context.Context) (st app.Status, err error) {
	err = control.NewClient(d.socket).Do(ctx, "GET", "status", nil, &st)
	return st, err
}

// counters tells what the program counted, for the account of a failure.
func (d *daemon) counters(ctx context.Context) string {
	st, err := d.status(ctx)
	if err != nil {
		return err.Error()
	}
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(st.Counters)) {
		if v := st.Counters[name]; v > 0 {
			fmt.Fprintf(&b, "%s %d\n", name, v)
		}
	}
	return b.String()
}
