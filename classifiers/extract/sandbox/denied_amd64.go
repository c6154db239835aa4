package sandbox

import "golang.org/x/sys/unix"

// deniedArch are the older forms of denied calls that this architecture keeps.
var deniedArch = []uint32{unix.SYS_OPEN, unix.SYS_CREAT, unix.SYS_FORK, unix.SYS_VFORK, unix.SYS_UNLINK, unix.SYS_RENAME, unix.SYS_LINK,
	unix.SYS_SYMLINK, unix.SYS_MKDIR, unix.SYS_RMDIR, unix.SYS_CHMOD, unix.SYS_CHOWN, unix.SYS_MKNOD, unix.SYS_IOPL, unix.SYS_IOPERM}
