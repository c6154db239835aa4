package app

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"sluice/dataplane/fastpath"
	"sluice/internal/config"
	"sluice/internal/control"
)

// Finding is one thing that `sluice doctor` looked at.
type Finding struct {
	// Check names it; Level is ok, note, warning or failure.
	Check string `json:"check"`
	Level string `json:"level"`
	// Detail says what is so; Mend is the command or setting that mends it.
	Detail string `json:"detail"`
	Mend   string `json:"mend,omitempty"`
}

// The levels of a Finding.
const (
	LevelOK      = "ok"
	LevelNote    = "note"
	LevelWarning = "warning"
	LevelFailure = "failure"
)

type doctor struct {
	cfg *config.Config
	out []Finding
}

func (d *doctor) say(check, level, detail, mend string) {
	d.out = append(d.out, Finding{Check: check, Level: level, Detail: detail, Mend: mend})
}

// Doctor looks at the host as the daemon with this configuration would use it.
// It changes nothing.
func Doctor(ctx context.Context, cfg *config.Config) []Finding {
	d := &doctor{cfg: cfg}
	d.privileges()
	d.kernel()
	d.cpu()
	d.memory()
	d.clock()
	d.clockSource()
	d.folders()
	d.ports()
	d.leftovers()
	d.daemon(ctx)
	d.content()
	d.broker()
	return d.out
}

// capabilities that the daemon needs, by bit (capability.h).
var capabilities = []struct {
	bit  uint
	name string
	why  string
}{
	{12, "CAP_NET_ADMIN", "to attach programs and set up ports"}, {13, "CAP_NET_RAW", "to open packet sockets"}, {39, "CAP_BPF", "to load programs"},
}

func (d *doctor) privileges() {
	eff := uint64(0)
	if data, err := os.ReadFile("/proc/self/status"); err == nil {
		for line := range strings.Lines(string(data)) {
			if v, ok := strings.CutPrefix(line, "CapEff:"); ok {
				eff, _ = strconv.ParseUint(strings.TrimSpace(v), 16, 64)
			}
		}
	}
	var missing []string
	for _, c := range capabilities {
		if eff>>c.bit&1 == 0 {
			missing = append(missing, c.name+" "+c.why)
		}
	}
	if len(missing) > 0 {
		d.say("privileges", LevelFailure, "missing: "+strings.Join(missing, ", "), "run as root, or: setcap cap_net_admin,cap_net_raw,cap_bpf,cap_perfmon,cap_sys_resource+ep bin/sluice")
	} else {
		d.say("privileges", LevelOK, "network administration, raw sockets and BPF are allowed", "")
	}
	var lim unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &lim) == nil && lim.Cur < 1024 {
		d.say("open files", LevelWarning, fmt.Sprintf("at most %d open files", lim.Cur), "ulimit -n 65536")
	}
}

func (d *doctor) kernel() {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		d.say("kernel", LevelFailure, err.Error(), "")
		return
	}
	release := unix.ByteSliceToString(u.Release[:])
	var major, minor int
	fmt.Sscanf(release, "%d.%d", &major, &minor)
	v := major<<8 | minor
	switch {
	case v < 5<<8|15:
		d.say("kernel", LevelFailure, release+": too old", "use a kernel of 6.1 or newer")
	case v < 6<<8|6:
		d.say("kernel", LevelWarning, release+": no tcx (6.6): inline ports are guarded through clsact, and after the daemon's death the heartbeat's 200 ms pass before the wire takes over", "use a kernel of 6.6 or newer")
	default:
		d.say("kernel", LevelOK, release+": XDP with fragments and tcx", "")
	}
	for _, name := range fastpath.Missing() {
		d.say("bpf", LevelFailure, "the kernel has no "+name+" programs", "use a kernel with CONFIG_BPF_SYSCALL and CONFIG_NET_CLS_BPF")
	}
	if b, err := os.ReadFile("/proc/sys/net/core/bpf_jit_enable"); err == nil && strings.TrimSpace(string(b)) == "0" {
		d.say("bpf jit", LevelWarning, "BPF programs are interpreted: slow", "sysctl -w net.core.bpf_jit_enable=1")
	}
	if _, err := os.Stat("/sys/kernel/btf/vmlinux"); err != nil {
		d.say("btf", LevelNote, "the kernel has no type information; it is not needed", "")
	}
}

func (d *doctor) cpu() {
	flags := ""
	if f, err := os.Open("/proc/cpuinfo"); err == nil {
		defer f.Close()
		sc := bufio.NewScanner(f)
		for sc.Scan() {
			if strings.HasPrefix(sc.Text(), "flags") {
				flags = sc.Text() + " "
				break
			}
		}
	}
	switch {
	case runtime.GOARCH == "amd64" && !strings.Contains(flags, " ssse3 "):
		d.say("cpu", LevelFailure, "no SSSE3: Hyperscan does not run", "use a CPU (or VM CPU type) with SSSE3; host-passthrough in a VM")
	case runtime.GOARCH == "amd64" && !strings.Contains(flags, " avx2 "):
		d.say("cpu", LevelWarning, "no AVX2: pattern matching is slower", "use the host's CPU type in the VM")
	default:
		d.say("cpu", LevelOK, fmt.Sprintf("%d cores", runtime.NumCPU()), "")
	}
}

func (d *doctor) clock() {
	var t unix.Timex
	state, err := unix.Adjtimex(&t)
	const timeError, unsync = 5, 0x40
	if err == nil && (state == timeError || t.Status&unsync != 0) {
		d.say("clock", LevelWarning, "not synchronised: events of several sensors cannot be put in order", "apt-get install chrony")
		return
	}
	d.say("clock", LevelOK, "synchronised", "")
}

// clockSource is asked for every batch of frames: a slow one costs.
func (d *doctor) clockSource() {
	switch src := readLine("/sys/devices/system/clocksource/clocksource0/current_clocksource"); src {
	case "hpet", "acpi_pm", "jiffies":
		d.say("clock source", LevelWarning, src+": reading the time is slow, and is done for every batch of frames",
			"echo tsc > /sys/devices/system/clocksource/clocksource0/current_clocksource (or boot with clocksource=tsc)")
	}
}

func (d *doctor) folders() {
	for _, f := range []struct{ key, dir string }{{"cache-dir", d.cfg.CacheDir}, {"state-dir", d.cfg.StateDir}, {"default-log-dir", d.cfg.LogDir}} {
		dir := f.dir
		for {
			if _, err := os.Stat(dir); err == nil || dir == "/" || dir == "." {
				break
			}
			dir = filepath.Dir(dir)
		}
		if err := unix.Access(dir, unix.W_OK); err != nil {
			d.say(f.key, LevelWarning, f.dir+" cannot be written", "mkdir -p "+f.dir+" and make it the daemon's, or set "+f.key)
			continue
		}
		var st unix.Statfs_t
		if unix.Statfs(dir, &st) == nil {
			free := st.Bavail * uint64(st.Bsize)
			if free < 1<<30 {
				d.say(f.key, LevelWarning, fmt.Sprintf("%s has %d MiB left", f.dir, free>>20), "free some room: the spool and the event store need it")
				continue
			}
		}
		d.say(f.key, LevelOK, f.dir, "")
	}
}

func (d *doctor) running() bool {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	return control.NewClient(d.cfg.ControlSocket).Do(ctx, "GET", "status", nil, nil) == nil
}

func (d *doctor) daemon(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	var s Status
	err := control.NewClient(d.cfg.ControlSocket).Do(ctx, "GET", "status", nil, &s)
	switch {
	case errors.Is(err, control.ErrNotRunning):
		d.say("daemon", LevelNote, "not running", "")
	case err != nil:
		d.say("daemon", LevelWarning, err.Error(), "")
	default:
		d.say("daemon", LevelOK, fmt.Sprintf("running, pid %d", s.PID), "")
		if s.Events.Dropped > 0 {
			d.say("events", LevelWarning, fmt.Sprintf("%d events were lost to a full queue", s.Events.Dropped), "raise outputs.queue, or lower what is reported")
		}
		for _, p := range s.Ports {
			if p.Dropped > 0 {
				d.say("port "+p.Name, LevelWarning, fmt.Sprintf("%d frames were lost for want of room", p.Dropped), "more workers, or fewer rules; see `sluice status`")
			}
		}
	}
}

// content loads rules and policy as the daemon would.
func (d *doctor) content() {
	reg, err := registry(d.cfg)
	if err != nil {
		d.say("rules", LevelFailure, err.Error(), "")
		return
	}
	if _, rep, err := LoadRules(d.cfg, reg); err != nil {
		d.say("rules", LevelFailure, err.Error(), "see `sluice check`")
	} else {
		level, mend := LevelOK, ""
		if rep.Rejected > 0 {
			level, mend = LevelWarning, "see `sluice check`"
		}
		d.say("rules", level, fmt.Sprintf("%d loaded, %d rejected", rep.Loaded, rep.Rejected), mend)
	}
	switch p, err := LoadPolicy(d.cfg); {
	case err != nil:
		d.say("policy", LevelFailure, err.Error(), "")
	case p == nil:
		d.say("policy", LevelNote, "classification is off", "")
	default:
		d.say("policy", LevelOK, p.Name, "")
	}
}

// broker tries to reach a NATS server of one's own.
func (d *doctor) broker() {
	addr := d.cfg.Outputs.NATS.URL
	if addr == "" || addr == NATSOff || addr == NATSEmbedded {
		return
	}
	for _, a := range strings.Split(addr, ",") {
		u, err := url.Parse(strings.TrimSpace(a))
		if err != nil || u.Host == "" {
			d.say("nats", LevelFailure, fmt.Sprintf("%q is no address", a), "outputs.nats.url: nats://HOST:4222")
			continue
		}
		host := u.Host
		if u.Port() == "" {
			host = net.JoinHostPort(u.Hostname(), "4222")
		}
		c, err := net.DialTimeout("tcp", host, 2*time.Second)
		if err != nil {
			d.say("nats", LevelWarning, "not reachable: "+err.Error()+"; events wait in the spool", "start the server, or set outputs.nats.url: embedded")
			continue
		}
		c.Close()
		d.say("nats", LevelOK, host+" answers", "")
	}
}
