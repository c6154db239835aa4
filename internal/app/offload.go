package app

import (
	"slices"

	"sluice/dataplane/protocol"
	"sluice/dataplane/worker"
	"sluice/internal/config"
)

// maxOffloaded bounds the flows of one pair of ports that go past the workers.
const maxOffloaded = 1 << 16

// encryptionBypass is the value of encryption-handling that hands encrypted
// connections to the kernel after their handshake.
const encryptionBypass = "bypass"

// sheds reports whether flows of low risk go past workers that cannot keep up.
func (d *Daemon) sheds() bool {
	switch o := d.cfg.Overload; o.Shed {
	case "yes":
		return len(o.Order) > 0
	case "no":
		return false
	default:
		// Whoever fails closed would rather lose frames than inspection.
		return len(o.Order) > 0 && d.cfg.Ports.Fail != "closed"
	}
}

// overload tells workers what they may let past when they cannot keep up.
func (d *Daemon) overload(procs []*processor) {
	if !d.sheds() {
		return
	}
	c := d.cfg.Overload
	o := worker.Overload{Past: uint64(c.Past), High: float64(c.High) / 100, Low: float64(c.Low) / 100, Calm: int64(c.Calm), MaxFlows: c.MaxFlows}
	for _, name := range c.Order {
		if i := slices.Index(worker.ShedClasses[:], name); i >= 0 {
			o.Order = append(o.Order, worker.ShedClass(i))
		}
	}
	for _, p := range procs {
		p.w.SetOverload(o)
	}
}

// offloads reports whether the configuration has any flow go past the workers.
// It must be asked for: what goes past is not inspected. (What goes past because
// of overload does so anyhow, told by an event each: see sheds.)
func (d *Daemon) offloads() bool {
	if d.cfg.Stream.Bypass {
		return true
	}
	for _, p := range d.cfg.AppLayer.Protocols {
		if p.EncryptionHandling == encryptionBypass {
			return true
		}
	}
	return false
}

// offload lets workers hand flows to the kernel as the configuration says.
func (d *Daemon) offload(procs []*processor, table worker.BypassTable) {
	if !d.offloads() && !d.sheds() {
		return
	}
	o := worker.Offload{Table: table, PastDepth: d.cfg.Stream.Bypass, Encrypted: encryptedBypass(d.cfg)}
	for _, p := range procs {
		p.w.SetOffload(o)
	}
	if !d.offloads() {
		return
	}
	d.log.Info("flows may go past the workers: they are counted, and not inspected", "past-depth", d.cfg.Stream.Bypass, "most", maxOffloaded)
}

// encryptedBypass tells which protocols' connections go past once encrypted.
func encryptedBypass(cfg *config.Config) func(protocol.ID) bool {
	var on [protocol.NumIDs]bool
	any := false
	for id := range on {
		on[id] = cfg.AppLayer.Protocols[protocol.ID(id).String()].EncryptionHandling == encryptionBypass
		any = any || on[id]
	}
	if !any {
		return nil
	}
	return func(id protocol.ID) bool { return int(id) < len(on) && on[id] }
}
