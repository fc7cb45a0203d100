//go:build !linux

package tcpstate

import (
	"runtime"
	"syscall"
	"time"
)

func read(syscall.RawConn) (info, bool) { return info{}, false }

func readFD(uintptr) (info, bool) { return info{}, false }

// Options that end a connection whose data is not acknowledged, in seconds: TCP_RXT_CONNDROPTIME
// of macOS, TCP_MAXRT of Windows.
var dropTimeOptions = map[string]int{"darwin": 0x80, "windows": 5}

func setDropTime(raw syscall.RawConn, d time.Duration) {
	option, ok := dropTimeOptions[runtime.GOOS]
	if !ok {
		return
	}
	_ = raw.Control(func(fd uintptr) { _ = setsockopt(fd, option, int(d/time.Second)) })
}
