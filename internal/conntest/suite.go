package conntest

import (
	"net"
	"runtime"
	"testing"
	"testing/synctest"
	"time"
)

// A Suite runs the cases against one kind of conn.
type Suite struct {
	// NewNet begins a case. The function it returns opens a conn at a free
	// address; every two of its conns reach each other, lose nothing while
	// they are read, and keep the order.
	NewNet func(t *testing.T) (open func() net.PacketConn)

	// OpenAt opens a conn at the address of another of the same net that was
	// closed. If it is nil, a case is skipped.
	OpenAt func(t *testing.T, closed net.Addr) net.PacketConn

	// Overflowed returns how many datagrams the receive queue of a conn had
	// no room for. If it is nil, only their loss is checked.
	Overflowed func(net.PacketConn) int

	// Overhead is by how many bytes datagrams are longer on the wire than their payload.
	Overhead int

	// NoReflection says that a conn drops the packets that it sent itself.
	NoReflection bool

	// Delayed says that datagrams arrive only some time after they were
	// written, by the system's clock. A case that needs to know when they
	// have all arrived is skipped.
	Delayed bool

	// Virtual runs each case in a bubble of testing/synctest. Conns that
	// use the system's sockets cannot.
	Virtual bool
}

// Run runs every case as a subtest of t.
func (s Suite) Run(t *testing.T) {
	for _, group := range [][]testCase{
		exchangeCases, sizeCases, deadlineCases, closeCases, errorCases, aliasCases, loadCases, batchCases,
	} {
		for _, c := range group {
			t.Run(c.name, func(t *testing.T) { s.run(t, c) })
		}
	}
}

func (s Suite) run(t *testing.T, c testCase) {
	body := func(t *testing.T) { c.run(&env{T: t, suite: s, open: s.NewNet(t)}) }
	if s.Virtual {
		synctest.Test(t, body)
	} else {
		body(t)
	}
}

type testCase struct {
	name string
	run  func(*env)
}

// An env is what one case works with.
type env struct {
	*testing.T
	suite Suite
	open  func() net.PacketConn
}

// timeout is how long a case waits for something that must happen. Only a conn
// that fails uses it up.
const timeout = 10 * time.Second

// conn opens a conn that is closed when the case ends.
func (e *env) conn() net.PacketConn {
	e.Helper()
	pc := e.open()
	e.Cleanup(func() { pc.Close() })
	return pc
}

// pair opens two conns.
func (e *env) pair() (a, b net.PacketConn) {
	e.Helper()
	return e.conn(), e.conn()
}

// settle lets goroutines that have been started block where they will. Real
// sockets give no sign of that: there it only makes it likely.
func (e *env) settle() {
	if e.suite.Virtual {
		synctest.Wait()
		return
	}
	for range 100 {
		runtime.Gosched()
	}
}

// send writes a datagram from a to b.
func (e *env) send(a, b net.PacketConn, payload string) {
	e.Helper()
	n, err := a.WriteTo([]byte(payload), b.LocalAddr())
	if n != len(payload) || err != nil {
		e.Fatalf("WriteTo of %d bytes = %d, %v", len(payload), n, err)
	}
}

// receive reads one datagram within the timeout of the suite. It leaves no
// deadline.
func (e *env) receive(b net.PacketConn) (string, net.Addr) {
	e.Helper()
	buf := make([]byte, 1<<16)
	b.SetReadDeadline(time.Now().Add(timeout))
	n, from, err := b.ReadFrom(buf)
	if err != nil {
		e.Fatalf("ReadFrom: %v", err)
	}
	b.SetReadDeadline(time.Time{})
	return string(buf[:n]), from
}

// expect reads one datagram and checks it.
func (e *env) expect(b net.PacketConn, want string, from net.PacketConn) {
	e.Helper()
	got, addr := e.receive(b)
	if got != want {
		e.Errorf("ReadFrom gave %.40q of %d bytes, want %.40q of %d", got, len(got), want, len(want))
	}
	if addr == nil || addr.String() != from.LocalAddr().String() {
		e.Errorf("ReadFrom gave the address %v, want %v", addr, from.LocalAddr())
	}
}
