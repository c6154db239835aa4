package fastpath

import (
	"errors"
	"fmt"

	"github.com/cilium/ebpf"

	"sluice/dataplane/flow"
)

// bypass is the table of flows that go past the workers. Its methods are safe
// for concurrent use, but not with the Close of what it belongs to.
type bypass struct {
	m  *ebpf.Map
	on bool
}

// ErrNoBypass is given where nothing may go past the workers.
var ErrNoBypass = errors.New("no flow may go past the workers")

// Bypass has the kernel forward the flow by itself from the next frame on, and
// hide it from sockets with FilterFD's filter. Only TCP and UDP outside of
// tunnels can be; ErrFull tells that there is no room.
func (b *bypass) Bypass(key flow.Key) error {
	if !b.on || key.Tunnel != 0 || key.Proto != 6 && key.Proto != 17 {
		return ErrNoBypass
	}
	if err := b.m.Update(key, bypassValue{}, ebpf.UpdateNoExist); err != nil && !errors.Is(err, ebpf.ErrKeyExist) {
		if isFull(err) {
			err = ErrFull
		}
		return fmt.Errorf("bypass flow: %w", err)
	}
	return nil
}

// Bypassed reads a flow's counts; ok is false where it does not go past.
func (b *bypass) Bypassed(key flow.Key) (c flow.Bypassed, ok bool) {
	var v bypassValue
	if !b.on || b.m.Lookup(key, &v) != nil {
		return c, false
	}
	return v.counts(), true
}

// Revoke gives the flow back to the workers, at once, with its last counts.
func (b *bypass) Revoke(key flow.Key) (c flow.Bypassed, ok bool) {
	var v bypassValue
	if !b.on || b.m.LookupAndDelete(key, &v) != nil {
		return c, false
	}
	return v.counts(), true
}

func (v *bypassValue) counts() flow.Bypassed {
	return flow.Bypassed{Packets: v.Packets, Bytes: v.Bytes, Last: int64(v.Last), Ended: v.Ended != 0}
}

// setConstants sets an object's constants, those of bypassing included.
func (f *FastPath) setConstants(spec *ebpf.CollectionSpec, own map[string]uint32) error {
	if f.cfg.MaxBypassed > 0 {
		own["bypass_on"] = 1
		spec.Maps["bypassed"].MaxEntries = uint32(f.cfg.MaxBypassed)
	}
	if f.cfg.IgnoreVLAN {
		own["bypass_ignores_vlan"] = 1
	}
	for name, v := range own {
		if err := spec.Variables[name].Set(v); err != nil {
			return fmt.Errorf("set the programs' %s: %w", name, err)
		}
	}
	return nil
}
