package conntest

import (
	"errors"
	"net"
	"runtime"
	"strings"
	"syscall"
	"time"
)

var sizeCases = []testCase{
	{"Truncation", truncation},
	{"Empty", empty},
	{"EmptyBuffer", emptyBuffer},
	{"Largest", largest},
	{"TooLong", tooLong},
}

// truncation checks that a datagram is cut off where the buffer ends, and the
// rest lost. (Windows calls that an error.)
func truncation(e *env) {
	if runtime.GOOS == "windows" && !e.suite.Virtual {
		e.Skip("Windows returns an error with what fits")
	}
	a, b := e.pair()
	e.send(a, b, strings.Repeat("x", 100))
	e.send(a, b, "next")
	buf := []byte("..............")
	n, _, err := b.ReadFrom(buf[:10])
	if n != 10 || err != nil {
		e.Fatalf("ReadFrom of 100 bytes into 10 = %d, %v; want 10, no error", n, err)
	}
	if string(buf) != "xxxxxxxxxx...." {
		e.Errorf("the buffer holds %q", buf)
	}
	e.expect(b, "next", a)
}

func empty(e *env) {
	a, b := e.pair()
	e.send(a, b, "")
	if n, err := a.WriteTo(nil, b.LocalAddr()); n != 0 || err != nil {
		e.Fatalf("WriteTo(nil) = %d, %v", n, err)
	}
	e.send(a, b, "full")
	e.expect(b, "", a)
	e.expect(b, "", a)
	e.expect(b, "full", a)
}

// emptyBuffer checks that a read without a buffer consumes a datagram.
func emptyBuffer(e *env) {
	if runtime.GOOS == "windows" && !e.suite.Virtual {
		e.Skip("Windows returns an error with what fits")
	}
	a, b := e.pair()
	e.send(a, b, "lost")
	e.send(a, b, "next")
	b.SetReadDeadline(time.Now().Add(timeout))
	if n, _, err := b.ReadFrom(nil); n != 0 || err != nil {
		e.Fatalf("ReadFrom(nil) = %d, %v", n, err)
	}
	e.expect(b, "next", a)
}

// maxPayload is the longest datagram over IPv4: 65535 bytes less the headers
// of IP and UDP.
const maxPayload = 65535 - 20 - 8

func largest(e *env) {
	a, b := e.pair()
	payload := strings.Repeat("0123456789abcdef", maxPayload/16+1)[:maxPayload-e.suite.Overhead]
	_, err := a.WriteTo([]byte(payload), b.LocalAddr())
	if errors.Is(err, syscall.EMSGSIZE) && runtime.GOOS == "darwin" {
		e.Skip("this system takes only shorter datagrams (sysctl net.inet.udp.maxdgram)")
	}
	if err != nil {
		e.Fatal(err)
	}
	e.expect(b, payload, a)
}

func tooLong(e *env) {
	a, b := e.pair()
	n, err := a.WriteTo(make([]byte, maxPayload+1), b.LocalAddr())
	if n != 0 || err == nil {
		e.Fatalf("WriteTo of %d bytes = %d, %v; want 0 and an error", maxPayload+1, n, err)
	}
	if runtime.GOOS != "windows" && !errors.Is(err, syscall.EMSGSIZE) {
		e.Errorf("WriteTo of %d bytes: %v, want EMSGSIZE", maxPayload+1, err)
	}
	var op *net.OpError
	if !errors.As(err, &op) {
		e.Errorf("the error is a %T, want a *net.OpError", err)
	}
	e.send(a, b, "shorter")
	e.expect(b, "shorter", a)
}
