// Package fastpath loads the kernel's half of Sluice: the XDP program that
// drops known-bad traffic on every port, the guard and the wire at tc ingress
// that decide what becomes of inline frames beside the workers, and the fan-out
// program of the capture sockets.
//
// It takes prefixes to block or allow, hosts to quarantine, flows to drop, zones
// with rules between them and limits to keep, and
// gives exact counters by reason and samples of what was dropped. It changes
// interfaces only by attaching programs, and undoes that on Close. It knows
// nothing of why something is to be dropped, and never touches a frame.
package fastpath

//go:generate go run github.com/cilium/ebpf/cmd/bpf2go -cc clang-14 -target bpfel -go-package fastpath -no-global-types -cflags "-O2 -g -Wall -Werror -I../../bpf/include" xdp ../../bpf/xdp.bpf.c
//go:generate go run github.com/cilium/ebpf/cmd/bpf2go -cc clang-14 -target bpfel -go-package fastpath -no-global-types -cflags "-O2 -g -Wall -Werror -I../../bpf/include" tc ../../bpf/tc.bpf.c
//go:generate go run github.com/cilium/ebpf/cmd/bpf2go -cc clang-14 -target bpfel -go-package fastpath -no-global-types -cflags "-O2 -g -Wall -Werror -I../../bpf/include" fanout ../../bpf/fanout.bpf.c
//go:generate go run github.com/cilium/ebpf/cmd/bpf2go -cc clang-14 -target bpfel -go-package fastpath -no-global-types -cflags "-O2 -g -Wall -Werror -I../../bpf/include" gate ../../bpf/gate.bpf.c
//go:generate go run github.com/cilium/ebpf/cmd/bpf2go -cc clang-14 -target bpfel -go-package fastpath -no-global-types -cflags "-O2 -g -Wall -Werror -I../../bpf/include" cut ../../bpf/cut.bpf.c
//go:generate go run github.com/cilium/ebpf/cmd/bpf2go -cc clang-14 -target bpfel -go-package fastpath -no-global-types -cflags "-O2 -g -Wall -Werror -I../../bpf/include" death ../../bpf/death.bpf.c
//go:generate go run github.com/cilium/ebpf/cmd/bpf2go -cc clang-14 -target bpfel -go-package fastpath -output-suffix _test -no-global-types -cflags "-O2 -g -Wall -Werror -I../../bpf/include" bench ../../bpf/bench.bpf.c
