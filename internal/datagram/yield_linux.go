package datagram

import "golang.org/x/sys/unix"

// yield lets the system run another thread that waits for this processor. Go's scheduler is
// not told: this thread continues soon, like one that was preempted.
func yield() { _, _, _ = unix.RawSyscall(unix.SYS_SCHED_YIELD, 0, 0, 0) }
