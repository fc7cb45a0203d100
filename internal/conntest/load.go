package conntest

import (
	"encoding/binary"
	"errors"
	"hash/fnv"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

var loadCases = []testCase{
	{"Overflow", overflow},
	{"Concurrent", concurrent},
	{"ConcurrentDeadlines", concurrentDeadlines},
}

// overflow writes more than the receive queue holds. The rest is lost, and
// the conn works as before.
func overflow(e *env) {
	if e.suite.Delayed {
		e.Skip("nothing tells when all have arrived")
	}
	a, b := e.pair()
	small, ok := b.(interface{ SetReadBuffer(int) error })
	if !ok {
		e.Fatalf("a %T has no SetReadBuffer", b)
	}
	if err := small.SetReadBuffer(16 << 10); err != nil {
		e.Fatal(err)
	}
	const sent = 500
	payload := string(make([]byte, 1000))
	for range sent {
		e.send(a, b, payload)
	}
	got := e.drain(b)
	if got == 0 || got > sent/2 {
		e.Errorf("of %d datagrams of 1000 bytes, %d fit into 16 KiB", sent, got)
	}
	if e.suite.Overflowed != nil {
		if lost := e.suite.Overflowed(b); lost != sent-got {
			e.Errorf("%d datagrams overflowed the queue and %d arrived, of %d", lost, got, sent)
		}
	}
	e.send(a, b, "after")
	e.expect(b, "after", a)
}

// drain reads until nothing comes any more, and returns how many came. A deadline that
// passes before the read hides what is there, so one is not enough.
func (e *env) drain(b net.PacketConn) (n int) {
	e.Helper()
	defer b.SetReadDeadline(time.Time{})
	for idle := 0; idle < 3; {
		b.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
		_, _, err := b.ReadFrom(make([]byte, 2000))
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			idle++
		case err != nil:
			e.Fatal(err)
		default:
			n, idle = n+1, 0
		}
	}
	return n
}

// concurrent has several goroutines write and several read the same conns:
// each datagram arrives whole, and once.
func concurrent(e *env) {
	a, b := e.pair()
	const writers, each = 4, 20 // few enough for a socket's queue
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				if _, err := a.WriteTo(sealed(w*each+i), b.LocalAddr()); err != nil {
					e.Error(err)
				}
			}
		})
	}
	seen := make([]atomic.Int32, writers*each)
	var left atomic.Int32
	left.Store(writers * each)
	b.SetReadDeadline(time.Now().Add(timeout))
	for range 4 {
		wg.Go(func() {
			buf := make([]byte, 1000)
			for left.Load() > 0 {
				n, _, err := b.ReadFrom(buf)
				if err != nil {
					return // told below
				}
				e.count(seen, buf[:n])
				if left.Add(-1) == 0 {
					b.SetReadDeadline(longAgo()) // the other readers are done, too
				}
			}
		})
	}
	wg.Wait()
	e.allOnce(seen)
}

// count counts a datagram that sealed made.
func (e *env) count(seen []atomic.Int32, b []byte) {
	i, ok := unsealed(b)
	if !ok || i >= len(seen) {
		e.Errorf("a datagram of %d bytes was mixed up", len(b))
		return
	}
	seen[i].Add(1)
}

// allOnce checks that each datagram was counted once.
func (e *env) allOnce(seen []atomic.Int32) {
	e.Helper()
	for i := range seen {
		if n := seen[i].Load(); n != 1 {
			e.Errorf("datagram %d arrived %d times", i, n)
		}
	}
}

// sealed returns a datagram that shows whether it arrived whole.
func sealed(i int) []byte {
	b := make([]byte, 8+i)
	binary.BigEndian.PutUint32(b[4:], uint32(i))
	for k := range b[8:] {
		b[8+k] = byte(i + k)
	}
	binary.BigEndian.PutUint32(b, digest(b[4:]))
	return b
}

func unsealed(b []byte) (i int, ok bool) {
	if len(b) < 8 || binary.BigEndian.Uint32(b) != digest(b[4:]) {
		return 0, false
	}
	i = int(binary.BigEndian.Uint32(b[4:]))
	return i, len(b) == 8+i
}

func digest(b []byte) uint32 {
	h := fnv.New32a()
	h.Write(b)
	return h.Sum32()
}

// concurrentDeadlines calls everything at once, for the race detector, and
// then checks that the conns have survived it.
func concurrentDeadlines(e *env) {
	a, b := e.pair()
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() { b.SetReadDeadline(longAgo()) })
		wg.Go(func() { b.SetDeadline(time.Now().Add(time.Millisecond)) })
		wg.Go(func() { b.SetWriteDeadline(longAgo()) })
		wg.Go(func() { b.ReadFrom(make([]byte, 10)) })
		wg.Go(func() { b.WriteTo([]byte("x"), a.LocalAddr()) })
		wg.Go(func() { b.LocalAddr() })
	}
	wg.Wait()
	b.SetDeadline(time.Time{})
	e.drain(a)
	e.send(b, a, "out")
	e.expect(a, "out", b)
	e.send(a, b, "in")
	e.expect(b, "in", a)
}
