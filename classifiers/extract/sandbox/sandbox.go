//go:build linux

// Package sandbox takes from the running process what reading bytes does not
// need: files, network, other programs, memory without end. It is meant for a
// process whose only task is to read hostile input, since nothing that it gives
// up comes back. It knows nothing of what that process reads.
package sandbox

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"time"
	"unsafe"

	"github.com/landlock-lsm/go-landlock/landlock"
	"golang.org/x/sys/unix"
)

// Confine takes from this process all that reading bytes does not need, before
// the first hostile byte arrives: no new privileges, no files, no network, no
// other programs, memory and open files bounded. Steps that this kernel does
// not know are left out, but for the system call filter: without that it fails.
// memory is in bytes, beside what the process has reserved already; 0 leaves
// the address space as it is.
func Confine(memory int64) error {
	debug.SetMaxStack(64 << 20)
	if memory > 0 {
		debug.SetMemoryLimit(memory * 3 / 4)
		// What the runtime has reserved by now is many times what it uses: the
		// limit counts from there.
		as := uint64(memory) + virtualSize()
		if err := unix.Setrlimit(unix.RLIMIT_AS, &unix.Rlimit{Cur: as, Max: as}); err != nil {
			return fmt.Errorf("limit memory: %w", err)
		}
	}
	for _, l := range []struct {
		what int
		n    uint64
	}{{unix.RLIMIT_FSIZE, 0}, {unix.RLIMIT_CORE, 0}, {unix.RLIMIT_NOFILE, 32}, {unix.RLIMIT_MSGQUEUE, 0}} {
		if err := unix.Setrlimit(l.what, &unix.Rlimit{Cur: l.n, Max: l.n}); err != nil {
			return fmt.Errorf("limit resource %d: %w", l.what, err)
		}
	}
	// Landlock binds all threads, seccomp with TSYNC too.
	if err := landlock.V5.BestEffort().Restrict(); err != nil {
		return fmt.Errorf("landlock: %w", err)
	}
	return filterCalls()
}

// virtualSize gives the address space in use (proc(5), statm).
func virtualSize() uint64 {
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 4 << 30
	}
	first, _, _ := strings.Cut(string(b), " ")
	pages, err := strconv.ParseUint(first, 10, 64)
	if err != nil {
		return 4 << 30
	}
	return pages * uint64(os.Getpagesize())
}

// LimitCPU lets the process run for d more; beyond that the kernel ends it.
func LimitCPU(d time.Duration) {
	var ru unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &ru) != nil {
		return
	}
	used := uint64(ru.Utime.Sec + ru.Stime.Sec)
	_ = unix.Setrlimit(unix.RLIMIT_CPU, &unix.Rlimit{Cur: used + uint64(d/time.Second) + 2, Max: unix.RLIM_INFINITY})
}

// deniedCalls are what a reader of bytes never calls: they fail with EPERM.
var deniedCalls = []uint32{
	unix.SYS_SOCKET, unix.SYS_SOCKETPAIR, unix.SYS_CONNECT, unix.SYS_BIND, unix.SYS_LISTEN, unix.SYS_ACCEPT, unix.SYS_ACCEPT4,
	unix.SYS_SENDTO, unix.SYS_SENDMSG, unix.SYS_SENDMMSG, unix.SYS_RECVMSG, unix.SYS_EXECVE, unix.SYS_EXECVEAT,
	unix.SYS_PTRACE, unix.SYS_PROCESS_VM_READV, unix.SYS_PROCESS_VM_WRITEV, unix.SYS_KCMP, unix.SYS_PIDFD_OPEN, unix.SYS_PIDFD_GETFD,
	unix.SYS_OPENAT, unix.SYS_OPENAT2, unix.SYS_OPEN_BY_HANDLE_AT, unix.SYS_NAME_TO_HANDLE_AT, unix.SYS_UNLINKAT, unix.SYS_RENAMEAT2,
	unix.SYS_LINKAT, unix.SYS_SYMLINKAT, unix.SYS_MKDIRAT, unix.SYS_MKNODAT, unix.SYS_FCHMODAT, unix.SYS_FCHOWNAT, unix.SYS_TRUNCATE,
	unix.SYS_SETXATTR, unix.SYS_MOUNT, unix.SYS_UMOUNT2, unix.SYS_PIVOT_ROOT, unix.SYS_CHROOT, unix.SYS_UNSHARE, unix.SYS_SETNS,
	unix.SYS_BPF, unix.SYS_PERF_EVENT_OPEN, unix.SYS_KEYCTL, unix.SYS_ADD_KEY, unix.SYS_REQUEST_KEY, unix.SYS_INIT_MODULE, unix.SYS_FINIT_MODULE,
	unix.SYS_DELETE_MODULE, unix.SYS_KEXEC_LOAD, unix.SYS_REBOOT, unix.SYS_SWAPON, unix.SYS_SYSLOG, unix.SYS_USERFAULTFD, unix.SYS_IO_URING_SETUP,
	unix.SYS_IO_URING_ENTER, unix.SYS_IO_URING_REGISTER, unix.SYS_MEMFD_CREATE, unix.SYS_SETUID, unix.SYS_SETGID, unix.SYS_CAPSET,
	unix.SYS_KILL, unix.SYS_FANOTIFY_INIT, unix.SYS_QUOTACTL, unix.SYS_ACCT, unix.SYS_SETTIMEOFDAY, unix.SYS_CLOCK_SETTIME,
}

// filterCalls installs a seccomp filter on all threads (seccomp(2)).
func filterCalls() error {
	arch, ok := auditArch[runtime.GOARCH]
	if !ok {
		return fmt.Errorf("seccomp: no filter for %s", runtime.GOARCH)
	}
	const (
		loadWord = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS
		equal    = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
		atLeast  = unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K
		ret      = unix.BPF_RET | unix.BPF_K
		kill     = 0x80000000 // SECCOMP_RET_KILL_PROCESS
		allow    = 0x7fff0000 // SECCOMP_RET_ALLOW
		deny     = 0x00050000 // SECCOMP_RET_ERRNO
		noSys    = 0x00050000 | uint32(unix.ENOSYS)
	)
	// struct seccomp_data: nr at 0, arch at 4, ip at 8, the first argument at 16.
	prog := []unix.SockFilter{
		{Code: loadWord, K: 4},
		{Code: equal, Jt: 1, K: arch},
		{Code: ret, K: kill},
		{Code: loadWord, K: 0},
		{Code: atLeast, Jf: 1, K: 0x40000000}, // the x32 numbers
		{Code: ret, K: kill},
		// clone3's flags lie in memory that a filter cannot see: callers fall back.
		{Code: equal, Jf: 1, K: unix.SYS_CLONE3},
		{Code: ret, K: noSys},
		// clone makes threads, nothing else.
		{Code: equal, Jf: 4, K: unix.SYS_CLONE},
		{Code: loadWord, K: 16},
		{Code: unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K, Jt: 1, K: unix.CLONE_THREAD},
		{Code: ret, K: deny | uint32(unix.EPERM)},
		{Code: ret, K: allow},
	}
	for _, nr := range append(deniedCalls, deniedArch...) {
		prog = append(prog, unix.SockFilter{Code: equal, Jf: 1, K: nr}, unix.SockFilter{Code: ret, K: deny | uint32(unix.EPERM)})
	}
	prog = append(prog, unix.SockFilter{Code: ret, K: allow})
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("no new privileges: %w", err)
	}
	fp := unix.SockFprog{Len: uint16(len(prog)), Filter: &prog[0]}
	const setModeFilter, tsync = 1, 1
	_, _, e := unix.Syscall(unix.SYS_SECCOMP, setModeFilter, tsync, uintptr(unsafe.Pointer(&fp)))
	runtime.KeepAlive(prog)
	if e != 0 {
		return fmt.Errorf("seccomp: %w", e)
	}
	return nil
}

var auditArch = map[string]uint32{"amd64": unix.AUDIT_ARCH_X86_64, "arm64": unix.AUDIT_ARCH_AARCH64}
