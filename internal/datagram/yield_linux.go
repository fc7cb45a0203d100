package datagram

import "golang.org/x/sys/unix"

// yield has the system run who else waits for this processor. Go's scheduler is not told:
// this thread is about to go on, as one that was preempted.
func yield() { _, _, _ = unix.RawSyscall(unix.SYS_SCHED_YIELD, 0, 0, 0) }
