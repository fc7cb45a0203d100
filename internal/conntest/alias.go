package conntest

import (
	"bytes"
	"net"
	"time"
)

var aliasCases = []testCase{
	{"WriteBufferAgain", writeBufferAgain},
	{"ReadBufferAgain", readBufferAgain},
	{"AddressNotKept", addressNotKept},
	{"AddressesApart", addressesApart},
}

// writeBufferAgain overwrites a buffer as soon as it has been written.
func writeBufferAgain(e *env) {
	a, b := e.pair()
	buf := make([]byte, 100)
	for i := range byte(20) {
		for k := range buf {
			buf[k] = i
		}
		if _, err := a.WriteTo(buf, b.LocalAddr()); err != nil {
			e.Fatal(err)
		}
		for k := range buf {
			buf[k] = 0xff
		}
	}
	for i := range byte(20) {
		e.expect(b, string(bytes.Repeat([]byte{i}, 100)), a)
	}
}

// readBufferAgain checks that a buffer is the caller's again after a read,
// whether that succeeded or not.
func readBufferAgain(e *env) {
	a, b := e.pair()
	first := make([]byte, 100)
	b.SetReadDeadline(longAgo())
	b.ReadFrom(first)
	b.SetReadDeadline(time.Now().Add(timeout))
	e.send(a, b, "one")
	second := make([]byte, 100)
	if n, _, err := b.ReadFrom(second); err != nil || string(second[:n]) != "one" {
		e.Fatalf("ReadFrom gave %q, %v", second[:n], err)
	}
	if !bytes.Equal(first, make([]byte, 100)) {
		e.Errorf("a read that had failed wrote %q", first[:3])
	}
	e.send(a, b, "two")
	e.expect(b, "two", a)
	if string(second[:3]) != "one" {
		e.Errorf("a later read wrote %q to the buffer of an earlier one", second[:3])
	}
}

// addressNotKept changes an address as soon as it has been written to.
func addressNotKept(e *env) {
	a, b := e.pair()
	c := e.conn()
	to := *b.LocalAddr().(*net.UDPAddr)
	to.IP = bytes.Clone(to.IP)
	for range 3 {
		if _, err := a.WriteTo([]byte("for b"), &to); err != nil {
			e.Fatal(err)
		}
	}
	other := c.LocalAddr().(*net.UDPAddr)
	copy(to.IP, other.IP)
	to.Port = other.Port
	for range 3 {
		e.expect(b, "for b", a)
	}
}

// addressesApart changes an address that a read returned.
func addressesApart(e *env) {
	a, b := e.pair()
	e.send(a, b, "one")
	e.send(a, b, "two")
	_, from := e.receive(b)
	addr := from.(*net.UDPAddr)
	clear(addr.IP)
	addr.Port = 1
	e.expect(b, "two", a)
	e.send(a, b, "three")
	e.expect(b, "three", a)
	if _, err := b.WriteTo([]byte("back"), a.LocalAddr()); err != nil {
		e.Fatal(err)
	}
	e.expect(a, "back", b)
}
