package conntest

import (
	"errors"
	"net"
	"os"
	"sync"
	"time"
)

var deadlineCases = []testCase{
	{"PastReadDeadline", pastReadDeadline},
	{"FutureReadDeadline", futureReadDeadline},
	{"PresentDeadlineWakesReaders", func(e *env) { wakesReaders(e, time.Now) }},
	{"PastDeadlineWakesReaders", func(e *env) { wakesReaders(e, longAgo) }},
	{"DeadlineBroughtForward", broughtForward},
	{"DeadlinePutOff", putOff},
	{"DeadlineRemoved", removed},
	{"WriteDeadline", writeDeadline},
	{"DeadlinesApart", deadlinesApart},
}

func longAgo() time.Time { return time.Unix(1, 0) }

// timedOut checks that a call failed because of a deadline.
func (e *env) timedOut(call string, n int, err error) {
	e.Helper()
	if n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		e.Errorf("%s = %d, %v; want 0, os.ErrDeadlineExceeded", call, n, err)
	}
	var timeout net.Error
	if !errors.As(err, &timeout) || !timeout.Timeout() {
		e.Errorf("%s: %#v is not a net.Error that is a timeout", call, err)
	}
}

func (e *env) readTimesOut(b net.PacketConn) {
	e.Helper()
	n, addr, err := b.ReadFrom(make([]byte, 10))
	e.timedOut("ReadFrom", n, err)
	if addr != nil {
		e.Errorf("ReadFrom gave the address %v with an error", addr)
	}
}

// pastReadDeadline checks that an expired deadline wins over a datagram that
// waits, and stays expired, but costs no datagram.
func pastReadDeadline(e *env) {
	a, b := e.pair()
	e.send(a, b, "first")
	e.send(a, b, "second")
	e.expect(b, "first", a) // so that the second is likely to be there
	b.SetReadDeadline(longAgo())
	for range 3 {
		e.readTimesOut(b)
	}
	b.SetReadDeadline(time.Time{})
	e.expect(b, "second", a)
}

func futureReadDeadline(e *env) {
	a, b := e.pair()
	at := time.Now().Add(20 * time.Millisecond)
	b.SetReadDeadline(at)
	e.readTimesOut(b)
	if now := time.Now(); now.Before(at) {
		e.Errorf("the read ended %v before its deadline", at.Sub(now))
	}
	e.readTimesOut(b)
	e.send(a, b, "late")
	e.expect(b, "late", a)
}

// readers starts n goroutines that read b once, and returns a function that
// waits for them and returns their errors.
func (e *env) readers(n int, b net.PacketConn) (wait func() []error) {
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() { _, _, errs[i] = b.ReadFrom(make([]byte, 100)) })
	}
	e.settle()
	return func() []error {
		wg.Wait()
		return errs
	}
}

func wakesReaders(e *env, deadline func() time.Time) {
	for _, set := range []func(net.PacketConn, time.Time) error{
		net.PacketConn.SetDeadline, net.PacketConn.SetReadDeadline,
	} {
		b := e.conn()
		wait := e.readers(8, b)
		if err := set(b, deadline()); err != nil {
			e.Fatal(err)
		}
		for _, err := range wait() {
			e.timedOut("ReadFrom", 0, err)
		}
		e.readTimesOut(b)
	}
}

func broughtForward(e *env) {
	b := e.conn()
	b.SetReadDeadline(time.Now().Add(time.Hour))
	wait := e.readers(3, b)
	b.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
	for _, err := range wait() {
		e.timedOut("ReadFrom", 0, err)
	}
}

func putOff(e *env) {
	a, b := e.pair()
	b.SetReadDeadline(time.Now().Add(time.Hour))
	wait := e.readers(1, b)
	b.SetReadDeadline(time.Now().Add(2 * time.Hour))
	e.send(a, b, "in time")
	if err := wait()[0]; err != nil {
		e.Errorf("ReadFrom: %v", err)
	}
}

// removed checks that a reader that has begun with a deadline is freed of it.
func removed(e *env) {
	a, b := e.pair()
	b.SetReadDeadline(time.Now().Add(time.Minute))
	wait := e.readers(1, b)
	b.SetReadDeadline(time.Time{})
	if e.suite.Virtual {
		time.Sleep(time.Hour)
	}
	e.send(a, b, "at last")
	if err := wait()[0]; err != nil {
		e.Errorf("ReadFrom: %v", err)
	}
}

func writeDeadline(e *env) {
	a, b := e.pair()
	a.SetWriteDeadline(longAgo())
	for range 3 {
		n, err := a.WriteTo([]byte("late"), b.LocalAddr())
		e.timedOut("WriteTo", n, err)
	}
	a.SetWriteDeadline(time.Now().Add(time.Hour))
	e.send(a, b, "in time")
	e.expect(b, "in time", a)
	a.SetDeadline(time.Now())
	n, err := a.WriteTo([]byte("late"), b.LocalAddr())
	e.timedOut("WriteTo", n, err)
	a.SetDeadline(time.Time{})
	e.send(a, b, "no deadline")
	e.expect(b, "no deadline", a)
}

// deadlinesApart checks that one deadline does not touch the other direction.
func deadlinesApart(e *env) {
	a, b := e.pair()
	a.SetReadDeadline(longAgo())
	e.send(a, b, "out")
	e.expect(b, "out", a)
	a.SetDeadline(time.Time{})
	a.SetWriteDeadline(longAgo())
	e.send(b, a, "in")
	e.expect(a, "in", b)
}
