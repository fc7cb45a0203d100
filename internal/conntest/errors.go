package conntest

import (
	"errors"
	"net"
)

var errorCases = []testCase{
	{"WrongAddress", wrongAddress},
	{"OpError", opError},
}

// noAddr is an address of no network.
type noAddr struct{}

func (noAddr) Network() string { return "nowhere" }
func (noAddr) String() string  { return "nowhere" }

func wrongAddress(e *env) {
	a, b := e.pair()
	for _, addr := range []net.Addr{
		nil,
		(*net.UDPAddr)(nil),
		&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 9},
		noAddr{},
	} {
		n, err := a.WriteTo([]byte("x"), addr)
		var op *net.OpError
		if n != 0 || !errors.As(err, &op) {
			e.Errorf("WriteTo an address of %T = %d, %#v; want 0 and a *net.OpError", addr, n, err)
			continue
		}
		if op.Op != "write" {
			e.Errorf("WriteTo an address of %T: Op is %q, want write", addr, op.Op)
		}
		_ = err.Error() // which must not panic
	}
	e.send(a, b, "well")
	e.expect(b, "well", a)
}

// opError checks what errors say besides their cause.
func opError(e *env) {
	a, b := e.pair()
	a.SetDeadline(longAgo())
	_, _, err := a.ReadFrom(make([]byte, 1))
	e.checkOp(err, "read", a, nil)
	_, err = a.WriteTo([]byte("x"), b.LocalAddr())
	e.checkOp(err, "write", a, b.LocalAddr())
	a.Close()
	_, _, err = a.ReadFrom(make([]byte, 1))
	e.checkOp(err, "read", a, nil)
	_, err = a.WriteTo([]byte("x"), b.LocalAddr())
	e.checkOp(err, "write", a, b.LocalAddr())
	e.checkOp(a.Close(), "close", a, nil)
}

func (e *env) checkOp(err error, op string, source net.PacketConn, addr net.Addr) {
	e.Helper()
	got, ok := err.(*net.OpError)
	if !ok {
		e.Errorf("%s: the error is a %T, want a *net.OpError", op, err)
		return
	}
	if got.Op != op || got.Net != "udp" {
		e.Errorf("the error is of %s %s, want %s udp", got.Op, got.Net, op)
	}
	if op == "close" {
		return // the net package swaps the addresses here
	}
	if got.Source == nil || got.Source.String() != source.LocalAddr().String() {
		e.Errorf("%s: Source is %v, want %v", op, got.Source, source.LocalAddr())
	}
	if addr != nil && (got.Addr == nil || got.Addr.String() != addr.String()) {
		e.Errorf("%s: Addr is %v, want %v", op, got.Addr, addr)
	}
	if addr == nil && got.Addr != nil {
		e.Errorf("%s: Addr is %v, want none", op, got.Addr)
	}
}
