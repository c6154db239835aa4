package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"sluice/dataplane/enforce"
	"sluice/dataplane/fastpath"
	"sluice/internal/control"
)

// QuarantineEntry is a host in quarantine, as `sluice quarantine list --json`
// prints it.
type QuarantineEntry struct {
	Host netip.Addr `json:"host"`
	// Link is the link-layer address by which it is held too.
	Link   string `json:"link,omitempty"`
	Reason string `json:"reason,omitempty"`
	// By is operator, or policy: and the rule.
	By string `json:"by"`
	// Allow is what the host still reaches, told in lists alone.
	Allow   []string   `json:"allow,omitempty"`
	Since   time.Time  `json:"since"`
	Expires *time.Time `json:"expires,omitempty"`
	// Gone tells in the journal that the quarantine has ended.
	Gone bool `json:"gone,omitempty"`
}

func (e *QuarantineEntry) ended(now time.Time) bool {
	return e.Expires != nil && !now.Before(*e.Expires)
}

// end gives the expiry, zero where there is none.
func (e *QuarantineEntry) end() time.Time {
	if e.Expires == nil {
		return time.Time{}
	}
	return *e.Expires
}

// QuarantineRequest is what `sluice quarantine add` and `del` send. Without a TTL
// the configured one holds; 0 is for good.
type QuarantineRequest struct {
	Host   string         `json:"host"`
	Link   string         `json:"link,omitempty"`
	Reason string         `json:"reason"`
	TTL    *time.Duration `json:"ttl,omitempty"`
}

// quarantine keeps the hosts whose egress was stopped: for the workers at once,
// in the kernel a moment later, and in a file. Workers call isolate, so that mu
// is never held while a system call is made; ops is, by everybody else.
type quarantine struct {
	set  enforce.Quarantine
	fast *fastpath.FastPath // nil without a fast path
	log  *slog.Logger
	wake chan struct{}

	ops     sync.Mutex
	journal *journal

	mu      sync.Mutex
	hosts   map[netip.Addr]QuarantineEntry
	pending []netip.Addr
	links   bool
	terms   terms
	most    int
	full    uint64
}

// Who put a host in quarantine.
const (
	byOperator = "operator"
	byPolicy   = "policy: "
)

func newQuarantine(fast *fastpath.FastPath, most int, log *slog.Logger) *quarantine {
	return &quarantine{fast: fast, log: log, most: most, wake: make(chan struct{}, 1), hosts: map[netip.Addr]QuarantineEntry{}}
}

// open takes up what was in quarantine when the process before ended.
func (q *quarantine) open(dir string) error {
	q.ops.Lock()
	defer q.ops.Unlock()
	now := time.Now()
	var bad int
	var err error
	q.journal, bad, err = openJournal(filepath.Join(dir, "quarantine.jsonl"), func(line []byte) error {
		var e QuarantineEntry
		if err := json.Unmarshal(line, &e); err != nil {
			return err
		}
		switch {
		case !e.Host.IsValid() || e.Host.Zone() != "":
			return errors.New("no host")
		case e.Gone || e.ended(now):
			delete(q.hosts, e.Host)
		default:
			q.hosts[e.Host] = e
		}
		return nil
	}, func() int { return len(q.hosts) }, func(yield func(any) bool) {
		for _, e := range q.list() {
			if !yield(e) {
				return
			}
		}
	})
	if err != nil {
		return fmt.Errorf("quarantine: %w", err)
	}
	if bad > 0 {
		q.log.Warn("lines of the quarantine's file cannot be read", "file", q.journal.path, "lines", bad)
	}
	for _, e := range q.list() {
		q.set.Add(e.Host, e.link(), nanos(e.end()), q.setOf(&e))
		if err := q.toKernel(e); err != nil {
			q.log.Error("host is not in quarantine any more", "host", e.Host, "error", err)
			q.forget(e.Host)
		}
	}
	if n := len(q.hosts); n > 0 {
		q.log.Info("hosts in quarantine", "hosts", n)
	}
	return nil
}

func nanos(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

func (q *quarantine) toKernel(e QuarantineEntry) error { return q.kernelSet(e, q.setOf(&e)) }

func (q *quarantine) kernelSet(e QuarantineEntry, set uint8) error {
	if q.fast == nil {
		return nil
	}
	reason := e.By
	if e.Reason != "" {
		reason += ": " + e.Reason
	}
	return q.fast.Quarantine(fastpath.Quarantined{Host: e.Host, Link: e.link(), Set: set, Reason: reason, Expires: e.end()})
}

// forget takes a host out for the workers.
func (q *quarantine) forget(host netip.Addr) {
	q.set.Remove(host)
	q.mu.Lock()
	delete(q.hosts, host)
	q.mu.Unlock()
}

// isolate is worker.Config's: the workers withhold the host's packets from now on.
func (q *quarantine) isolate(host netip.Addr, link [6]byte, rule string) {
	now := time.Now()
	q.mu.Lock()
	defer q.mu.Unlock()
	if e, ok := q.hosts[host]; ok && !e.ended(now) {
		return
	}
	if len(q.hosts) >= q.most {
		q.full++
		return
	}
	e := QuarantineEntry{Host: host, By: byPolicy + rule, Since: now}
	if q.links && link != [6]byte{} {
		e.Link = net.HardwareAddr(link[:]).String()
	}
	held := q.terms.of(rule)
	if held.ttl > 0 {
		t := now.Add(held.ttl)
		e.Expires = &t
	}
	q.hosts[host] = e
	q.set.Add(host, e.link(), nanos(e.end()), held.set)
	q.pending = append(q.pending, host)
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// run hands what policies have put in quarantine to the kernel and the file, and
// ends what has expired.
func (q *quarantine) run(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			q.flush()
			return
		case <-q.wake:
			q.flush()
		case now := <-tick.C:
			q.expire(now)
		}
	}
}

func (q *quarantine) flush() {
	q.ops.Lock()
	defer q.ops.Unlock()
	q.mu.Lock()
	var todo []QuarantineEntry
	for _, host := range q.pending {
		if e, ok := q.hosts[host]; ok {
			todo = append(todo, e)
		}
	}
	q.pending = q.pending[:0]
	full := q.full
	q.full = 0
	q.mu.Unlock()
	if full > 0 {
		q.log.Error("quarantine is full: hosts go on sending", "refused", full, "most", q.most)
	}
	for _, e := range todo {
		if err := q.toKernel(e); err != nil {
			q.log.Error("host cannot be put in quarantine", "host", e.Host, "by", e.By, "error", err)
			q.forget(e.Host)
			continue
		}
		q.log.Warn("host in quarantine", "host", e.Host, "by", e.By, "expires", e.end())
		if err := q.journal.add(e); err != nil {
			q.log.Error("quarantine will not outlive this process", "host", e.Host, "error", err)
		}
	}
}

func (q *quarantine) expire(now time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for host, e := range q.hosts {
		if e.ended(now) {
			delete(q.hosts, host)
			q.set.Remove(host)
			q.log.Info("quarantine has expired", "host", host, "by", e.By)
		}
	}
}

// add puts a host in quarantine by hand.
func (q *quarantine) add(host netip.Addr, link, reason string, ttl *time.Duration) error {
	q.ops.Lock()
	defer q.ops.Unlock()
	q.mu.Lock()
	_, known := q.hosts[host]
	full := !known && len(q.hosts) >= q.most
	d := q.terms.base.ttl
	q.mu.Unlock()
	if full {
		return fmt.Errorf("%d hosts are in quarantine, which is the most (fast-path.max-quarantined)", q.most)
	}
	if ttl != nil {
		d = *ttl
	}
	e := QuarantineEntry{Host: host, Link: link, Reason: reason, By: byOperator, Since: time.Now()}
	if d > 0 {
		t := e.Since.Add(d)
		e.Expires = &t
	}
	if err := q.toKernel(e); err != nil {
		return err
	}
	q.mu.Lock()
	q.hosts[host] = e
	q.mu.Unlock()
	q.set.Add(host, e.link(), nanos(e.end()), q.setOf(&e))
	return q.journal.add(e)
}

// del ends a host's quarantine, at once.
func (q *quarantine) del(host netip.Addr) (bool, error) {
	q.ops.Lock()
	defer q.ops.Unlock()
	q.mu.Lock()
	e, ok := q.hosts[host]
	q.mu.Unlock()
	if !ok {
		return false, nil
	}
	q.forget(host)
	var err error
	if q.fast != nil {
		_, err = q.fast.Release(host)
	}
	e.Gone = true
	return true, errors.Join(err, q.journal.add(e))
}

// list gives the hosts in quarantine, by address.
func (q *quarantine) list() []QuarantineEntry {
	q.mu.Lock()
	defer q.mu.Unlock()
	out := make([]QuarantineEntry, 0, len(q.hosts))
	for _, e := range q.hosts {
		out = append(out, e)
	}
	slices.SortFunc(out, func(a, b QuarantineEntry) int { return a.Host.Compare(b.Host) })
	return out
}

func (q *quarantine) close() error {
	if q == nil {
		return nil
	}
	return q.journal.close()
}

// ParseHost reads one host's address.
func ParseHost(text string) (netip.Addr, error) {
	a, err := netip.ParseAddr(text)
	if err != nil || a.Zone() != "" || a.IsUnspecified() || a.IsMulticast() {
		return a, fmt.Errorf("%q is no host's address", text)
	}
	return a.Unmap(), nil
}

// ParseLink gives one host's link-layer address in its usual form; empty stays so.
func ParseLink(text string) (string, error) {
	if text == "" {
		return "", nil
	}
	a, err := net.ParseMAC(text)
	if err != nil || len(a) != 6 || a[0]&1 != 0 || [6]byte(a) == [6]byte{} {
		return "", fmt.Errorf("%q is no host's link-layer address", text)
	}
	return a.String(), nil
}

// link gives the link-layer address, zero where there is none.
func (e *QuarantineEntry) link() (link [6]byte) {
	if a, err := net.ParseMAC(e.Link); err == nil && len(a) == 6 {
		link = [6]byte(a)
	}
	return link
}

func (d *Daemon) serveQuarantine(w http.ResponseWriter, r *http.Request) {
	var req QuarantineRequest
	err := json.NewDecoder(r.Body).Decode(&req)
	var host netip.Addr
	if err == nil {
		host, err = ParseHost(req.Host)
	}
	if err == nil {
		req.Link, err = ParseLink(req.Link)
	}
	if err == nil && len(req.Reason) > maxReasonText {
		err = fmt.Errorf("the reason is longer than %d bytes", maxReasonText)
	}
	if err == nil && d.cfg.Ports.Monitor {
		err = errors.New("monitor mode enforces nothing: no host can be put in quarantine")
	}
	if err == nil && d.fast == nil && len(d.cfg.Ports.Bridges)+len(d.cfg.Ports.Gateways) == 0 {
		err = errors.New("beside the wire only the fast path can withhold, and it is off (ports.xdp: off)")
	}
	if err == nil {
		err = d.quarantine.add(host, req.Link, req.Reason, req.TTL)
	}
	if err != nil {
		control.Reply(w, http.StatusBadRequest, err)
		return
	}
	d.log.Warn("host in quarantine by hand", "host", host, "reason", req.Reason)
	control.Reply(w, http.StatusOK, struct{}{})
}

func (d *Daemon) serveRelease(w http.ResponseWriter, r *http.Request) {
	var req QuarantineRequest
	err := json.NewDecoder(r.Body).Decode(&req)
	var host netip.Addr
	if err == nil {
		host, err = ParseHost(req.Host)
	}
	var found bool
	if err == nil {
		found, err = d.quarantine.del(host)
	}
	switch {
	case err != nil:
		control.Reply(w, http.StatusBadRequest, err)
	case !found:
		control.Reply(w, http.StatusNotFound, fmt.Errorf("%s is not in quarantine", host))
	default:
		d.log.Info("quarantine ended by hand", "host", host)
		control.Reply(w, http.StatusOK, struct{}{})
	}
}
