package tcpstate

import (
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// closedState is TCP_CLOSE of Linux (include/net/tcp_states.h). It is also the state of a connection in TIME-WAIT.
const closedState = 7

func read(raw syscall.RawConn) (i info, ok bool) {
	err := raw.Control(func(fd uintptr) { i, ok = readFD(fd) })
	return i, ok && err == nil
}

func readFD(fd uintptr) (info, bool) {
	t, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
	if err != nil {
		return info{}, false
	}
	i := info{
		// One probe of a closed window may always be under way. Probes counts those that were not answered.
		unacked: t.Unacked > 0 || t.Probes > 1,
		lastAck: time.Duration(t.Last_ack_recv) * time.Millisecond,
		closed:  t.State == closedState,
	}
	if n, err := unix.IoctlGetInt(int(fd), unix.SIOCOUTQ); err == nil {
		i.pending = n
	}
	return i, true
}

func setDropTime(syscall.RawConn, time.Duration) {}
