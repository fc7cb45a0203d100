package tcpstate

import (
	"io"
	"net"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// TestWatch: a host is gone when it has acknowledged none of the sent bytes for the timeout.
func TestWatch(t *testing.T) {
	for _, tt := range []struct {
		name string
		// at says what the system knows at a time.
		at   func(at time.Duration) info
		want time.Duration // when gone is called; 0: never
	}{
		{"nothing was sent", func(at time.Duration) info { return info{lastAck: at} }, 0},
		{"vanishes at once", func(at time.Duration) info { return info{unacked: true, lastAck: at} }, interval + Timeout},
		{"vanishes after 25 s", func(at time.Duration) info {
			return info{unacked: at > 25*time.Second, lastAck: at}
		}, 30*time.Second + Timeout},
		{"vanishes after 25 s of acknowledgements", func(at time.Duration) info {
			return info{unacked: true, lastAck: max(0, at-25*time.Second)}
		}, 30*time.Second + Timeout},
		{"something is always under way", func(time.Duration) info { return info{unacked: true, lastAck: time.Second} }, 0},
		{"sends once, after a long silence", func(at time.Duration) info {
			return info{unacked: at > 600*time.Second && at < 615*time.Second, lastAck: at}
		}, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				var goneAt atomic.Int64
				var closed atomic.Bool
				watch(func() (info, bool) { return tt.at(time.Since(start)), !closed.Load() }, func() { goneAt.Store(int64(time.Since(start))) })
				time.Sleep(time.Hour)
				closed.Store(true)
				time.Sleep(interval)
				gone := time.Duration(goneAt.Load())
				if gone != tt.want || gone > time.Hour {
					t.Errorf("gone after %v, want %v", gone, tt.want)
				}
				if gone > 0 && gone-tt.want > 60*time.Second {
					t.Error("later than a minute")
				}
			})
		})
	}
}

func pair(t *testing.T) (a, b *net.TCPConn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	dialed, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	accepted, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dialed.Close(); accepted.Close() })
	return dialed.(*net.TCPConn), accepted.(*net.TCPConn)
}

func linuxOnly(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux tells")
	}
}

// TestClosed: a reset shows even after the end of data was read, and nothing else does.
func TestClosed(t *testing.T) {
	linuxOnly(t)
	a, b := pair(t)
	if closed, known := Closed(a); closed || !known {
		t.Errorf("at first: %v, %v", closed, known)
	}
	b.CloseWrite()
	if _, err := io.ReadAll(a); err != nil {
		t.Fatal(err)
	}
	if closed, _ := Closed(a); closed {
		t.Error("closed when the other side has closed only its sending direction")
	}
	waited := make(chan bool)
	go func() { waited <- WaitClosed(a) }()
	b.SetLinger(0)
	b.Close()
	if !<-waited {
		t.Error("a reset is not noticed")
	}
	if closed, _ := Closed(a); !closed {
		t.Error("not closed after a reset")
	}
}

func TestWaitClosedEnds(t *testing.T) {
	linuxOnly(t)
	a, b := pair(t)
	b.CloseWrite()
	io.ReadAll(a)
	waited := make(chan bool)
	go func() { waited <- WaitClosed(a) }()
	a.SetReadDeadline(time.Unix(1, 0))
	if <-waited {
		t.Error("the deadline was taken for a reset")
	}
}

// TestDrain waits for what the other side has no room for.
func TestDrain(t *testing.T) {
	linuxOnly(t)
	a, b := pair(t)
	b.SetReadBuffer(64 << 10)
	a.SetWriteBuffer(1 << 20)
	const size = 500 << 10
	go a.Write(make([]byte, size))
	io.ReadFull(b, make([]byte, 1))
	drained := make(chan struct{})
	go func() { Drain(a, time.Minute); close(drained) }()
	io.ReadFull(b, make([]byte, size-1))
	<-drained
	raw, _ := rawConn(a)
	if i, ok := read(raw); !ok || i.pending != 0 {
		t.Errorf("%d bytes are pending, %v", i.pending, ok)
	}
}

// TestNotTCP: other connections are left alone.
func TestNotTCP(t *testing.T) {
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	Watch(a, func() { t.Error("gone") })
	Drain(a, time.Minute)
	if _, known := Closed(a); known || WaitClosed(a) {
		t.Error("something is known of a pipe")
	}
}
