// Package tcpstate tells what the operating system knows of a TCP connection, and what reading and
// writing do not show: that the other host has vanished, that it has reset the connection, that it has
// acknowledged everything.
//
// On Linux the facts come from TCP_INFO. On macOS and Windows only [Watch] works: the system ends
// the connection. On other systems and on other connections the functions report that nothing is known.
package tcpstate

import (
	"net"
	"syscall"
	"time"
)

// The times of Watch. A host that has vanished is noticed after Timeout at the earliest and after
// Timeout and two intervals at the latest.
const (
	Timeout  = 40 * time.Second
	interval = 10 * time.Second
)

// Watch calls gone, once, when the other host has acknowledged nothing for [Timeout] although data
// was sent to it. TCP's keepalive does not cover this case, because it runs only while nothing is
// unacknowledged, and the system retransmits for 15 minutes (RFC 9293, section 3.8.3, R2).
//
// A host that answers but does not read is not gone. For this reason TCP_USER_TIMEOUT (RFC 5482) is not
// used: Linux also applies it to a closed window.
//
// Watch returns at once, and ends when conn is closed. On macOS and Windows gone is not called: reading
// and writing fail.
func Watch(conn net.Conn, gone func()) {
	raw, ok := rawConn(conn)
	if !ok {
		return
	}
	setDropTime(raw, Timeout)
	if _, ok := read(raw); ok {
		watch(func() (info, bool) { return read(raw) }, gone)
	}
}

// info is what the system says of a connection.
type info struct {
	unacked bool          // sent and not acknowledged: data, or several probes of a closed window
	lastAck time.Duration // how long ago an acknowledgement arrived
	pending int           // bytes that are not acknowledged, or not sent
	closed  bool          // reset by the other side, or ended on both
}

// watch looks at a connection in intervals until read fails.
func watch(read func() (info, bool), gone func()) {
	var since time.Time // first look at which something was unacknowledged; zero: nothing was
	var look func()
	look = func() {
		now := time.Now()
		switch i, ok := read(); {
		case !ok:
			return
		case !i.unacked:
			since = time.Time{}
		case since.IsZero(), i.lastAck < now.Sub(since):
			since = now
		case now.Sub(since) >= Timeout:
			gone()
			return
		}
		time.AfterFunc(interval, look)
	}
	time.AfterFunc(interval, look)
}

// Closed reports whether the connection has been reset by the other side or has ended on both sides.
// known is false where the system does not tell.
func Closed(conn net.Conn) (closed, known bool) {
	raw, ok := rawConn(conn)
	if !ok {
		return false, false
	}
	i, ok := read(raw)
	return i.closed, ok
}

// WaitClosed waits until [Closed]. It returns false if conn's read deadline passes first, if conn
// is closed on this side, or if the system does not tell. conn's end of data must have been read.
func WaitClosed(conn net.Conn) bool {
	raw, ok := rawConn(conn)
	if !ok {
		return false
	}
	if _, ok := read(raw); !ok {
		return false
	}
	closed := false
	err := raw.Read(func(fd uintptr) bool { // called again at each change of state
		i, ok := readFD(fd)
		closed = ok && i.closed
		return closed || !ok
	})
	return err == nil && closed
}

// Drain waits until the other side has acknowledged all that was written to conn, for as long as it
// goes on acknowledging: it gives up limit after the last progress. Where the system does not tell, it
// waits for a short time.
func Drain(conn net.Conn, limit time.Duration) {
	raw, ok := rawConn(conn)
	if !ok {
		return
	}
	if _, ok := read(raw); !ok {
		time.Sleep(min(limit, 100*time.Millisecond))
		return
	}
	pause, moved, last := time.Millisecond, time.Now(), -1
	for {
		i, ok := read(raw)
		if !ok || i.closed || i.pending == 0 {
			return
		}
		switch {
		case i.pending != last:
			moved, last = time.Now(), i.pending
		case time.Since(moved) >= limit:
			return
		}
		time.Sleep(pause)
		pause = min(2*pause, 50*time.Millisecond)
	}
}

func rawConn(conn net.Conn) (syscall.RawConn, bool) {
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return nil, false
	}
	raw, err := tcp.SyscallConn()
	return raw, err == nil
}
