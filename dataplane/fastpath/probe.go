package fastpath

import (
	"errors"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/features"
)

// Missing names the kinds of BPF programs that the running kernel does not
// have and the fast path needs; none when all are there. Where the kernel does
// not let the caller ask, nothing is named.
func Missing() []string {
	var out []string
	for _, p := range []struct {
		typ  ebpf.ProgramType
		name string
	}{{ebpf.XDP, "XDP"}, {ebpf.SchedCLS, "tc"}, {ebpf.SocketFilter, "socket filter"}} {
		if err := features.HaveProgramType(p.typ); errors.Is(err, ebpf.ErrNotSupported) {
			out = append(out, p.name)
		}
	}
	return out
}

// ProgramName gives the name of a loaded program by its id, as links tell it;
// empty where it cannot be found out.
func ProgramName(id uint32) string {
	name, err := programName(id)
	if err != nil {
		return ""
	}
	return name
}

// OwnName reports whether a program's name is one of ours.
func OwnName(name string) bool { return name == xdpName || name == wireName || name == guardName }
