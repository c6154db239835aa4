package fastpath

import (
	"fmt"

	"github.com/cilium/ebpf"
)

// Fanout is the loaded program that spreads a port's frames over the workers'
// sockets. It serves any number of ports.
type Fanout struct {
	prog *ebpf.Program
}

// OpenFanout loads the fan-out program.
func OpenFanout() (*Fanout, error) {
	var o fanoutObjects
	if err := loadFanoutObjects(&o, nil); err != nil {
		return nil, fmt.Errorf("load the fan-out program: %w", hint(err))
	}
	return &Fanout{prog: o.SluiceFanout}, nil
}

// FD is the program's file descriptor, as capture.PacketConfig takes it. It is
// valid to Close; sockets that joined keep the program.
func (f *Fanout) FD() int { return f.prog.FD() }

// Close gives the program back.
func (f *Fanout) Close() error { return f.prog.Close() }
