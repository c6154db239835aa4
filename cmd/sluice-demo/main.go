// Command sluice-demo shows the program at work: it puts the real daemon as a
// bridge between a client and a server, in network namespaces of its own, sends
// real traffic through it, and tells of each case what was tried, what either
// end saw, and what the SOC received. It needs root and leaves nothing behind.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"syscall"
	"time"

	"sluice/cmd/sluice-demo/stage"
	"sluice/internal/netlab"
)

// timeout bounds the whole demonstration.
const timeout = 2 * time.Minute

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	ctx, cancel := context.WithTimeout(ctx, timeout)
	code := run(ctx, os.Stdout, os.Stderr)
	cancel()
	stop()
	os.Exit(code)
}

// demo is the stage with all that the cases use.
type demo struct {
	*printer
	lab    *netlab.Lab
	daemon *stage.Daemon
	soc    *stage.SOC
	origin *netlab.Origin
	mail   *stage.MailServer
	cfg    stage.Config
	dir    string
	// before is what the gateway's ports looked like at first.
	before string
}

// run is main without the process: it gives the exit code.
func run(ctx context.Context, stdout, stderr io.Writer) (code int) {
	d := &demo{printer: newPrinter(stdout), soc: stage.NewSOC()}
	defer func() {
		r := recover()
		err := d.close()
		switch {
		case r != nil:
			fmt.Fprintf(stderr, "sluice-demo: panic: %v\n%s", r, debug.Stack())
			code = 1
		case ctx.Err() != nil:
			fmt.Fprintln(stderr, "sluice-demo: stopped and cleaned up:", context.Cause(ctx))
			code = 1
		}
		if err != nil {
			fmt.Fprintln(stderr, "sluice-demo: clean up:", err)
			code = 1
		}
	}()
	begin := time.Now()
	if err := d.open(ctx); err != nil {
		if ctx.Err() == nil {
			fmt.Fprintln(stderr, "sluice-demo:", err)
		}
		return 1
	}
	for _, c := range cases {
		if ctx.Err() != nil {
			return 1
		}
		d.play(ctx, c)
	}
	if ctx.Err() != nil {
		return 1
	}
	d.total(time.Since(begin))
	if d.failed > 0 {
		fmt.Fprintf(stderr, "the daemon's log:\n%s", d.daemon.Log())
		return 1
	}
	return 0
}

// open builds the stage.
func (d *demo) open(ctx context.Context) (err error) {
	for _, tool := range []string{"ip", "tc", "curl", "ethtool"} {
		if _, err := exec.LookPath(tool); err != nil {
			return fmt.Errorf("%s is missing: run deploy/setup.sh", tool)
		}
	}
	if d.cfg.Binary, err = stage.Binary(); err != nil {
		return err
	}
	if d.dir, err = os.MkdirTemp("", "sluice-demo-*"); err != nil {
		return err
	}
	if d.lab, err = netlab.New("sluice-demo"); err != nil {
		return err
	}
	if d.before, err = d.lab.Ports(); err != nil {
		return err
	}
	if err := d.serve(); err != nil {
		return err
	}
	d.cfg.Dir, d.cfg.NetnsExec = d.dir, true
	config := filepath.Join(d.dir, "sluice.yaml")
	list := filepath.Join(d.dir, "hostile.txt")
	if err := os.WriteFile(list, []byte(netlab.Hostile4+" # known botnet controller\n"), 0o600); err != nil {
		return err
	}
	if err := os.WriteFile(config, fmt.Appendf(nil, "block-lists:\n  - name: hostile\n    file: %s\n    direction: src\n", list), 0o600); err != nil {
		return err
	}
	// The cache of compiled databases outlives a demonstration; all else goes.
	if cache, err := os.UserCacheDir(); err == nil {
		d.cfg.Cache = filepath.Join(cache, "sluice")
	}
	d.cfg.Args = []string{"--bridge", netlab.InsideIf + "," + netlab.OutsideIf, "--config", config}
	d.intro()
	if err := d.start(ctx); err != nil {
		return err
	}
	st, err := d.daemon.Status(ctx)
	if err != nil {
		return err
	}
	d.started(st)
	return nil
}

// start runs the daemon and connects the SOC to it.
func (d *demo) start(ctx context.Context) (err error) {
	if d.daemon, err = stage.Start(ctx, d.lab, d.cfg); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	return d.soc.Connect(ctx, d.daemon)
}

// serve starts the servers: of web, web with TLS, mail, and a web server at the
// client for who comes from outside.
func (d *demo) serve() error {
	var web []net.Listener
	for _, addr := range []string{netlab.Server4 + ":80", "[" + netlab.Server6 + "]:80"} {
		l, err := d.lab.Server.Listen(addr)
		if err != nil {
			return err
		}
		web = append(web, l)
	}
	l, err := d.lab.Server.Listen(netlab.Server4 + ":443")
	if err != nil {
		return err
	}
	secure, err := stage.ListenTLS(l)
	if err != nil {
		return err
	}
	d.origin = netlab.Serve(append(web, secure)...)
	if l, err = d.lab.Server.Listen(netlab.Server4 + ":25"); err != nil {
		return err
	}
	d.mail = stage.ServeMail(l)
	return nil
}

// close takes the stage down, however far it was built.
func (d *demo) close() error {
	d.soc.Close()
	if d.mail != nil {
		d.mail.Close()
	}
	if d.origin != nil {
		_ = d.origin.Close()
	}
	var errs []error
	if d.lab != nil {
		errs = append(errs, d.lab.Close())
	}
	if d.dir != "" {
		errs = append(errs, os.RemoveAll(d.dir))
	}
	return errors.Join(errs...)
}
