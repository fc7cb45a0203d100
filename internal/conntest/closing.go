package conntest

import (
	"errors"
	"net"
	"sync"
	"time"
)

var closeCases = []testCase{
	{"Closed", closed},
	{"CloseWakesReaders", closeWakesReaders},
	{"CloseAfterDeadline", closeAfterDeadline},
	{"CloseTwice", closeTwice},
	{"CloseAtOnce", closeAtOnce},
	{"AddressAgain", addressAgain},
}

// isClosed checks that a call failed because the conn is closed.
func (e *env) isClosed(call string, err error) {
	e.Helper()
	if !errors.Is(err, net.ErrClosed) {
		e.Errorf("%s on a closed conn: %v, want net.ErrClosed", call, err)
	}
	var op *net.OpError
	if !errors.As(err, &op) {
		e.Errorf("%s on a closed conn: the error is a %T, want a *net.OpError", call, err)
	}
}

func closed(e *env) {
	a, b := e.pair()
	addr := a.LocalAddr().String()
	e.send(b, a, "never read")
	if err := a.Close(); err != nil {
		e.Fatal(err)
	}
	for range 2 {
		n, from, err := a.ReadFrom(make([]byte, 100))
		e.isClosed("ReadFrom", err)
		if n != 0 || from != nil {
			e.Errorf("ReadFrom on a closed conn gave %d bytes from %v", n, from)
		}
		n, err = a.WriteTo([]byte("late"), b.LocalAddr())
		e.isClosed("WriteTo", err)
		if n != 0 {
			e.Errorf("WriteTo on a closed conn wrote %d bytes", n)
		}
	}
	e.isClosed("SetDeadline", a.SetDeadline(time.Now()))
	e.isClosed("SetReadDeadline", a.SetReadDeadline(time.Time{}))
	e.isClosed("SetWriteDeadline", a.SetWriteDeadline(time.Time{}))
	if got := a.LocalAddr().String(); got != addr {
		e.Errorf("LocalAddr of a closed conn is %s, want %s", got, addr)
	}
}

func closeWakesReaders(e *env) {
	b := e.conn()
	wait := e.readers(8, b)
	if err := b.Close(); err != nil {
		e.Fatal(err)
	}
	for _, err := range wait() {
		e.isClosed("ReadFrom", err)
	}
}

// closeAfterDeadline checks that a closed conn is closed rather than late.
func closeAfterDeadline(e *env) {
	a, b := e.pair()
	a.SetDeadline(longAgo())
	a.Close()
	_, _, err := a.ReadFrom(make([]byte, 100))
	e.isClosed("ReadFrom", err)
	_, err = a.WriteTo([]byte("late"), b.LocalAddr())
	e.isClosed("WriteTo", err)
}

func closeTwice(e *env) {
	a := e.conn()
	if err := a.Close(); err != nil {
		e.Fatal(err)
	}
	e.isClosed("Close", a.Close())
}

// closeAtOnce checks that of many that close a conn one succeeds.
func closeAtOnce(e *env) {
	a := e.conn()
	var mu sync.Mutex
	succeeded := 0
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			err := a.Close()
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				succeeded++
			} else {
				e.isClosed("Close", err)
			}
		})
	}
	wg.Wait()
	if succeeded != 1 {
		e.Errorf("%d of 8 calls of Close succeeded, want 1", succeeded)
	}
}

// addressAgain checks that a closed conn's address is free.
func addressAgain(e *env) {
	if e.suite.OpenAt == nil {
		e.Skip("cannot open a conn at a given address")
	}
	a, b := e.pair()
	e.send(b, a, "for the first")
	e.expect(a, "for the first", b)
	a.Close()
	again := e.suite.OpenAt(e.T, a.LocalAddr())
	e.Cleanup(func() { again.Close() })
	e.send(b, again, "for the second")
	e.expect(again, "for the second", b)
	e.send(again, b, "from the second")
	e.expect(b, "from the second", a)
}
