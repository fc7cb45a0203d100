package conntest

import (
	"fmt"
	"net"
	"time"
)

var exchangeCases = []testCase{
	{"RoundTrip", roundTrip},
	{"Order", order},
	{"ToItself", toItself},
	{"Nobody", nobody},
	{"PeerClosed", peerClosed},
}

func roundTrip(e *env) {
	a, b := e.pair()
	for i := range 3 {
		ping := fmt.Sprint("ping ", i)
		e.send(a, b, ping)
		got, from := e.receive(b)
		if got != ping {
			e.Fatalf("got %q, want %q", got, ping)
		}
		if _, ok := from.(*net.UDPAddr); !ok {
			e.Fatalf("the address is a %T, want a *net.UDPAddr", from)
		}
		// An answer goes to the address that the datagram came from.
		if _, err := b.WriteTo([]byte("pong"), from); err != nil {
			e.Fatal(err)
		}
		e.expect(a, "pong", b)
	}
	if _, ok := a.LocalAddr().(*net.UDPAddr); !ok {
		e.Errorf("LocalAddr is a %T, want a *net.UDPAddr", a.LocalAddr())
	}
}

func order(e *env) {
	a, b := e.pair()
	for i := range 50 {
		e.send(a, b, fmt.Sprint(i))
	}
	for i := range 50 {
		e.expect(b, fmt.Sprint(i), a)
	}
}

func toItself(e *env) {
	if e.suite.NoReflection {
		e.Skip("the conn drops the packets that it sent itself")
	}
	a := e.conn()
	e.send(a, a, "to myself")
	e.expect(a, "to myself", a)
}

// nobody writes to an unused address. No write is an error, although a real network
// has answered the first with an ICMP message before the second.
func nobody(e *env) {
	a, b := e.pair()
	gone := b.LocalAddr()
	b.Close()
	for range 3 {
		if n, err := a.WriteTo([]byte("anybody?"), gone); n != 8 || err != nil {
			e.Errorf("WriteTo nobody = %d, %v; want 8, no error", n, err)
		}
		e.settle()
	}
	c := e.conn()
	e.send(c, a, "me")
	e.expect(a, "me", c)
}

// peerClosed checks that what a conn wrote before it was closed arrives.
func peerClosed(e *env) {
	a, b := e.pair()
	from := a.LocalAddr().String()
	e.send(a, b, "last words")
	a.Close()
	b.SetReadDeadline(time.Now().Add(timeout))
	buf := make([]byte, 100)
	n, addr, err := b.ReadFrom(buf)
	if err != nil || string(buf[:n]) != "last words" || addr.String() != from {
		e.Errorf("ReadFrom = %q, %v, %v; want %q from %s", buf[:n], addr, err, "last words", from)
	}
}
