package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"sluice/classifiers/document"
	"sluice/dataplane/fastpath"
	"sluice/dataplane/live"
	"sluice/dataplane/worker"
	"sluice/events"
	"sluice/events/sink/metrics"
	"sluice/internal/config"
	"sluice/internal/control"
	"sluice/signatures"
)

// Daemon is the running program: ports, workers, sinks and the doors to it.
type Daemon struct {
	cfg   *config.Config
	log   *slog.Logger
	begin time.Time

	fast    *fastpath.FastPath
	out     *Output
	watch   *watchers
	byType  *metrics.Sink
	groups  []*group
	control *control.Server
	lock    *os.File
	http    *metrics.Server
	state   *signatures.State
	docs    *document.Reader
	kept    *keeping

	mu        sync.Mutex
	parts     *Parts
	retired   []*Parts
	confirmed chan struct{}
	once      sync.Once
	// handover is closed when the ports are to be left to the kernel and the next
	// daemon; left tells that they were.
	handover     chan struct{}
	handoverOnce sync.Once
	left         bool
	// open is set once all is built and requests can be answered.
	open atomic.Bool
	// ready is set once the workers are in charge of the traffic.
	ready atomic.Bool
	drops *dropTally
	// kernel is what was last put in force of the configuration; reread reads
	// that anew, nil where it cannot be.
	kernel     kernelSettings
	reread     func() (*config.Config, error)
	quarantine *quarantine
	operator   *journal
	meter      meter
	talkers    talkerWatch
	// remote answers requests over NATS; nil where that is off.
	remote *natsControl
	below  below
	// pinned counts the processors of ports.capture.cpus that are taken.
	pinned int
	// gone are the names of ports that were removed.
	gone sync.Map
}

// group is one bridge, one gateway, or the taps, with its workers.
type group struct {
	mode string
	// ifaces names the ports by number. Both sides of a gateway have its LAN
	// port's name: ports tells how many of them there are.
	ifaces []string
	ports  int
	procs  []*processor
	cpus   []int
	run    func(context.Context, []live.Processor) error
	ready  <-chan struct{}
	stats  func() []live.WorkerStats
	close  func() error
	// passed counts what went by without the workers; nil beside the wire. gone
	// is what was told of it, away what happened before this process.
	passed func() (fastpath.Count, error)
	// leave is as live's Leave; nil for taps.
	leave func()
	gone  fastpath.Count
	away  fastpath.Away
}

// ErrNoPorts is given when there is nothing to listen to.
var ErrNoPorts = errors.New("no port to inspect: name one with --tap IF, --bridge INSIDE,OUTSIDE or --gateway LAN, or under ports in the configuration")

// NewDaemon loads everything and takes the ports. Close undoes it. reread gives
// the configuration anew for a reload, which takes block lists, fast path,
// segmentation and quarantine from it; nil has them stay.
func NewDaemon(cfg *config.Config, reread func() (*config.Config, error), log *slog.Logger) (_ *Daemon, err error) {
	if len(cfg.Ports.Taps)+len(cfg.Ports.Bridges)+len(cfg.Ports.Gateways) == 0 {
		return nil, ErrNoPorts
	}
	if len(cfg.Ports.Gateways) > 0 && cfg.Ports.XDP == "off" {
		return nil, errors.New("a gateway needs the kernel's programs: ports.xdp must not be off")
	}
	d := &Daemon{cfg: cfg, reread: reread, log: log, begin: time.Now(), confirmed: make(chan struct{}), handover: make(chan struct{}), state: signatures.NewState()}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.Close())
		}
	}()
	// The socket comes first: a second daemon must find out before it touches
	// what the first one holds.
	if d.control, err = control.Listen(cfg.ControlSocket, d.gate(d.handler())); err != nil {
		return nil, err
	}
	if d.parts, err = load(cfg, log, d.state); err != nil {
		return nil, err
	}
	for _, e := range d.parts.Report.Errors {
		log.Warn("rule left out", "rule", e.Error())
	}
	if d.lock, err = lockState(cfg.StateDir); err != nil {
		return nil, err
	}
	d.watch, d.byType, d.drops = newWatchers(), &metrics.Sink{}, newDropTally()
	if d.out, err = OpenOutput(cfg, false, log, d.watch, d.byType); err != nil {
		return nil, err
	}
	if cfg.Ports.XDP != "off" {
		if err := d.openFast(); err != nil {
			return nil, err
		}
	}
	if err := d.fill(); err != nil {
		return nil, err
	}
	n := cfg.Workers
	if n == 0 {
		n = max(runtime.NumCPU()/max(len(cfg.Ports.Bridges)+len(cfg.Ports.Gateways)+min(len(cfg.Ports.Taps), 1), 1), 1)
	}
	if d.kept, err = openEvidence(cfg, false, log); err != nil {
		return nil, err
	}
	if d.remote, err = d.openControl(); err != nil {
		return nil, err
	}
	d.docs = openDocuments(cfg, n, liveNice)
	// Each worker keeps a thread, and must not wait for the runtime until those who
	// publish events or read documents are through: the kernel shares more fairly.
	runtime.GOMAXPROCS(max(runtime.GOMAXPROCS(0), runtime.NumCPU()+n))
	for _, b := range cfg.Ports.Bridges {
		if err := d.openBridge(b, n); err != nil {
			return nil, err
		}
	}
	for _, lan := range cfg.Ports.Gateways {
		if err := d.openGateway(lan, n); err != nil {
			return nil, err
		}
	}
	if len(cfg.Ports.Taps) > 0 {
		if err := d.openTap(n); err != nil {
			return nil, err
		}
	}
	d.open.Store(true)
	if cfg.Outputs.Metrics.Enabled {
		c := metrics.NewCollector(d.samples, func() events.HistogramSnapshot { return d.out.Stats().Latency })
		if d.http, err = metrics.Serve(cfg.Outputs.Metrics.Listen, c); err != nil {
			// Metrics must not keep the traffic waiting.
			log.Warn("metrics are not served", "error", err)
			err = nil
		}
	}
	return d, nil
}

// lockState takes the state folder for this process: two daemons must not share
// a spool and an event store. The lock ends with the process.
func lockState(dir string) (*os.File, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("state-dir: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("state-dir: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		return nil, fmt.Errorf("state-dir %s: another daemon uses it; set state-dir to a folder of its own", dir)
	}
	return f, nil
}

func (d *Daemon) processors(m Mode) ([]*processor, error) {
	m.Documents = d.docs
	d.kept.fill(&m)
	wc, err := d.parts.Worker(m)
	if err != nil {
		return nil, err
	}
	procs := make([]*processor, m.Workers)
	wc.Quarantine, wc.Isolate = &d.quarantine.set, d.quarantine.isolate
	if d.fast != nil {
		wc.DropFlow, wc.Drops = d.below.ask, &d.below
	}
	for i := range procs {
		w, err := worker.New(wc)
		if err != nil {
			return nil, err
		}
		procs[i] = &processor{w: w, out: d.out, log: d.log}
		procs[i].counters.Store(new(worker.Counters))
	}
	d.overload(procs)
	return procs, nil
}

func (d *Daemon) openBridge(b config.Bridge, n int) error {
	m := Mode{Inline: true, Live: true, Monitor: d.cfg.Ports.Monitor, Ifaces: []string{b.Inside, b.Outside}, Workers: n, Types: wants(d.cfg)}
	procs, err := d.processors(m)
	if err != nil {
		return err
	}
	k, cpus := d.cfg.Ports.Capture, d.cpus(n)
	br, err := live.OpenBridge(live.BridgeConfig{Inside: b.Inside, Outside: b.Outside, Workers: n, Fast: d.fast, Fail: d.fail(),
		CPUs: cpus, BufferBytes: int(k.Buffer), BusyPoll: k.BusyPoll.D(), PropagateLink: true, Force: d.cfg.Ports.Force, Journal: filepath.Join(d.cfg.StateDir, "ports-"+b.Inside+"-"+b.Outside+".json"), Log: d.log})
	if err != nil {
		return err
	}
	if t := br.Bypass(); t != nil {
		d.offload(procs, t)
	}
	d.groups = append(d.groups, &group{mode: "bridge", ifaces: m.Ifaces, ports: 2, procs: procs, cpus: cpus, run: br.Run, ready: br.Ready(), stats: br.Stats, close: br.Close, leave: br.Leave, passed: br.Passed, away: br.Away()})
	return nil
}

// fail is what becomes of inline traffic without this process.
func (d *Daemon) fail() fastpath.Fail {
	switch {
	case d.fast == nil:
		return fastpath.FailOff
	case d.cfg.Ports.Fail == "closed":
		return fastpath.FailClosed
	}
	return fastpath.FailOpen
}

func (d *Daemon) openGateway(lan string, n int) error {
	// Frames of the host, which go to the inside, have the second port.
	m := Mode{Inline: true, Live: true, Monitor: d.cfg.Ports.Monitor, Ifaces: []string{lan, lan}, Workers: n, Types: wants(d.cfg)}
	procs, err := d.processors(m)
	if err != nil {
		return err
	}
	k, cpus := d.cfg.Ports.Capture, d.cpus(n)
	g, err := live.OpenGateway(live.GatewayConfig{LAN: lan, Workers: n, Fast: d.fast, Fail: d.fail(), Force: d.cfg.Ports.Force,
		CPUs: cpus, BufferBytes: int(k.Buffer), BusyPoll: k.BusyPoll.D(),
		Journal: filepath.Join(d.cfg.StateDir, "ports-"+lan+".json"), Log: d.log})
	if err != nil {
		return err
	}
	d.offload(procs, g.Bypass())
	d.groups = append(d.groups, &group{mode: "gateway", ifaces: m.Ifaces, ports: 1, procs: procs, cpus: cpus, run: g.Run, ready: g.Ready(), stats: g.Stats, close: g.Close, leave: g.Leave, passed: g.Passed, away: g.Away()})
	return nil
}

func (d *Daemon) openTap(n int) error {
	p := d.cfg.Ports
	m := Mode{Live: true, Monitor: p.Monitor, Ifaces: p.Taps, Workers: n, Types: wants(d.cfg)}
	procs, err := d.processors(m)
	if err != nil {
		return err
	}
	cpus := d.cpus(n)
	t, err := live.OpenTap(live.TapConfig{Interfaces: p.Taps, Inject: p.Inject, Workers: n, Fast: d.fast, Log: d.log,
		CPUs: cpus, AtOnce: !p.Monitor, Cut: !p.Monitor, RingBytes: int(p.Capture.Buffer), BusyPoll: p.Capture.BusyPoll.D()})
	if err != nil {
		return err
	}
	for _, p := range procs {
		p.w.SetKeepBack(t.KeepBack())
	}
	d.groups = append(d.groups, &group{mode: "tap", ifaces: p.Taps, ports: len(p.Taps), procs: procs, cpus: cpus, run: t.Run, ready: t.Ready(), stats: t.Stats, close: t.Close})
	return nil
}

// Run moves traffic until ctx ends, a worker fails, or an unconfirmed start is
// rolled back.
func (d *Daemon) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	if d.fast != nil {
		wg.Go(func() {
			if err := d.fast.Run(ctx); err != nil {
				d.log.Error("fast path housekeeping ended", "error", err)
			}
		})
		wg.Go(func() {
			if err := d.fast.Samples(ctx, d.drops.add); err != nil {
				d.log.Error("drop samples ended", "error", err)
			}
		})
	}
	wg.Go(func() { d.housekeep(ctx) })
	if d.remote != nil {
		wg.Go(func() { d.remote.run(ctx) })
	}
	wg.Go(func() { d.quarantine.run(ctx) })
	wg.Go(func() { d.below.run(ctx) })
	wg.Go(func() { newPortWatch(d).run(ctx, cancel) })
	if c := d.cfg.Ports.Confirm.D(); c > 0 {
		d.log.Warn("this start is rolled back unless confirmed", "within", c, "command", "sluice confirm")
		wg.Go(func() {
			select {
			case <-d.confirmed:
				d.log.Info("start confirmed")
			case <-time.After(c):
				cancel(errNotConfirmed)
			case <-ctx.Done():
			}
		})
	}
	for _, g := range d.groups {
		wg.Go(func() {
			procs := make([]live.Processor, len(g.procs))
			for i, p := range g.procs {
				procs[i] = p
			}
			if err := g.run(ctx, procs); err != nil {
				cancel(fmt.Errorf("%s %v: %w", g.mode, g.ifaces, err))
			}
		})
	}
	// Until a group's workers are in charge, its traffic goes by the wire.
	for _, g := range d.groups {
		select {
		case <-g.ready:
		case <-ctx.Done():
		}
	}
	if ctx.Err() == nil {
		d.ready.Store(true)
		d.log.Info("sluice inspects", "ports", d.ports(), "rules", d.parts.Report.Loaded, "monitor", d.cfg.Ports.Monitor, "start", time.Since(d.begin).Round(time.Millisecond))
	}
	select {
	case <-ctx.Done():
	case <-d.handover:
		d.leave()
		cancel(nil)
	}
	wg.Wait()
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

var errNotConfirmed = errors.New("not confirmed in time: rolled back")

func (d *Daemon) ports() []string {
	var out []string
	for _, g := range d.groups {
		for _, i := range g.ifaces[:g.ports] {
			out = append(out, g.mode+":"+i)
		}
	}
	return out
}

// Close gives the ports back, ends all flows, and delivers what is left to
// tell. It works after half a start.
func (d *Daemon) Close() error {
	var errs []error
	if d.control != nil {
		errs = append(errs, d.control.Close())
	}
	for _, g := range d.groups {
		for _, p := range g.procs {
			p.w.EndOffload()
		}
		errs = append(errs, g.close())
	}
	for _, g := range d.groups {
		for _, p := range g.procs {
			p.w.Flush()
			p.publish()
			p.w.Close()
		}
	}
	if d.docs != nil {
		errs = append(errs, d.docs.Close())
	}
	if d.quarantine != nil {
		d.quarantine.flush() // whom the workers' last packets have put there
	}
	if d.fast != nil {
		if d.drops != nil && d.out != nil {
			d.out.Publish(0, d.drops.take(time.Now(), d.dropTotals(), true))
		}
		if !d.left {
			errs = append(errs, d.fast.Close())
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if d.http != nil {
		errs = append(errs, d.http.Close(ctx))
	}
	if d.kept != nil {
		errs = append(errs, d.kept.Close(ctx))
	}
	if d.out != nil {
		errs = append(errs, d.out.Close(ctx))
	}
	errs = append(errs, d.quarantine.close(), d.operator.close())
	if d.lock != nil {
		errs = append(errs, d.lock.Close())
	}
	d.quarantine, d.operator = nil, nil
	d.groups, d.control, d.fast, d.out, d.http, d.lock, d.docs, d.kept = nil, nil, nil, nil, nil, nil, nil, nil
	return errors.Join(errs...)
}
