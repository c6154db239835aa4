package app

import "errors"

// errNothingToLeave tells that a daemon has no ports that work without it.
var errNothingToLeave = errors.New("a handover is for bridges and gateways with the kernel's programs (ports.xdp must not be off): taps lose nothing by a stop")

// Handover ends the daemon and leaves its inline ports to the kernel, which
// forwards (or, failing closed, drops) until the next daemon takes over: for an
// upgrade. With ports that fail open not a frame is lost.
func (d *Daemon) Handover() error {
	if !d.ready.Load() {
		return errors.New("the daemon is not in charge of the traffic yet")
	}
	if d.fast == nil || len(d.cfg.Ports.Bridges)+len(d.cfg.Ports.Gateways) == 0 {
		return errNothingToLeave
	}
	d.handoverOnce.Do(func() { close(d.handover) })
	return nil
}

// leave has the inline groups leave their ports. Taps end with the run.
func (d *Daemon) leave() {
	d.left = true
	d.log.Info("leaving the ports to the kernel until the next daemon", "ports", d.ports(), "fail", d.cfg.Ports.Fail)
	for _, g := range d.groups {
		if g.leave != nil {
			g.leave()
		}
	}
}
