package relay

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// noise returns bytes that repeat for a seed.
func noise(seed uint64, n int) []byte {
	b := make([]byte, n)
	r := rand.NewChaCha8(sha256.Sum256([]byte{byte(seed)}))
	r.Read(b)
	return b
}

// chain starts forwarders in a row, and returns the address of the last.
func chain(t testing.TB, hops int, to net.Addr) net.Addr {
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	for range hops {
		to = startForwarder(ctx, t, &all, &Forwarder{}, to)
	}
	t.Cleanup(func() { cancel(); all.Wait() })
	return to
}

// TestChains: both sides send at the same time, close their sending direction, and receive every byte.
func TestChains(t *testing.T) {
	for hops := 1; hops <= 3; hops++ {
		server := listen(t)
		at := chain(t, hops, server.Addr())
		for _, size := range []int{2_000_003, 1, 0, 100_000} {
			up, down := noise(1, 3_000_001), noise(2, size)
			c := dial(t, at)
			s, err := server.Accept()
			if err != nil {
				t.Fatal(err)
			}
			var both sync.WaitGroup
			both.Go(func() { exchange(t, c, up, down) })
			both.Go(func() { exchange(t, s, down, up) })
			both.Wait()
		}
	}
}

// exchange sends mine, reads to the end, and checks that this is theirs.
func exchange(t *testing.T, c net.Conn, mine, theirs []byte) {
	defer c.Close()
	var writer sync.WaitGroup
	writer.Go(func() {
		c.Write(mine)
		c.(*net.TCPConn).CloseWrite()
	})
	got, err := io.ReadAll(c)
	writer.Wait()
	if err != nil || !bytes.Equal(got, theirs) {
		t.Errorf("%d bytes, %v; want %d", len(got), err, len(theirs))
	}
}

// TestHalfClose: a client that closed its sending direction receives a later answer.
func TestHalfClose(t *testing.T) {
	server := listen(t)
	c := dial(t, chain(t, 3, server.Addr()))
	s, err := server.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	send(t, c, "question")
	c.(*net.TCPConn).CloseWrite()
	if got, _ := io.ReadAll(s); string(got) != "question" {
		t.Fatalf("the server got %q", got)
	}
	send(t, s, "answer")
	if got := recv(t, c); got != "answer" {
		t.Errorf("the client got %q", got)
	}
}

// TestBrokenConnection: a reset on one side is a reset on the other, not the end of the data.
func TestBrokenConnection(t *testing.T) {
	server := listen(t)
	c := dial(t, chain(t, 2, server.Addr()))
	s, err := server.Accept()
	if err != nil {
		t.Fatal(err)
	}
	send(t, s, "half an ans")
	if got := recv(t, c); got != "half an ans" {
		t.Fatal(got)
	}
	s.(*net.TCPConn).SetLinger(0)
	s.Close()
	if _, err := io.ReadAll(c); err == nil {
		t.Error("the client was told that this was all")
	}
}

// TestForwarderStops: the end of the context resets both sides.
func TestForwarderStops(t *testing.T) {
	server := listen(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var all sync.WaitGroup
	c := dial(t, startForwarder(ctx, t, &all, &Forwarder{}, server.Addr()))
	s, err := server.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, way := range [][2]net.Conn{{c, s}, {s, c}} {
		send(t, way[0], "half a fi")
		if got := recv(t, way[1]); got != "half a fi" {
			t.Fatalf("received %q", got)
		}
	}
	cancel()
	all.Wait()
	for name, conn := range map[string]net.Conn{"client": c, "server": s} {
		if _, err := io.ReadAll(conn); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("the %s was told that this was all: %v", name, err)
		}
	}
}

// TestFirstConnectionUnused: the first connection is closed if no client came or the listener failed.
func TestFirstConnectionUnused(t *testing.T) {
	for name, listens := range map[string]bool{"nobody comes": true, "it cannot listen": false} {
		t.Run(name, func(t *testing.T) {
			upstream := listen(t)
			ctx, cancel := context.WithCancel(t.Context())
			f := Forwarder{Listen: func(context.Context, string, string) (net.Listener, error) {
				if !listens {
					return nil, syscall.EADDRINUSE
				}
				return net.Listen("tcp", "127.0.0.1:0")
			}}
			ended := make(chan error)
			go func() { ended <- f.ListenAndForward(ctx, "", upstream.Addr().String()) }()
			atServer, err := upstream.Accept()
			if err != nil {
				t.Fatal(err)
			}
			defer atServer.Close()
			if listens {
				cancel()
			}
			if err := <-ended; !listens && !errors.Is(err, syscall.EADDRINUSE) || listens && !errors.Is(err, context.Canceled) {
				t.Errorf("ListenAndForward: %v", err)
			}
			cancel()
			atServer.SetReadDeadline(time.Now().Add(10 * time.Second))
			if got := recv(t, atServer); got != "" {
				t.Errorf("the server received %q", got)
			}
		})
	}
}

// TestUpstreamAbsent: the error names the host, and no listener is opened.
func TestUpstreamAbsent(t *testing.T) {
	l := listen(t)
	addr := l.Addr().String()
	l.Close()
	var f Forwarder
	f.Listen = func(context.Context, string, string) (net.Listener, error) {
		t.Error("it listens")
		return nil, io.EOF
	}
	err := f.ListenAndForward(t.Context(), "127.0.0.1:0", addr)
	var up *UpstreamError
	if !errors.As(err, &up) || up.To != addr || !strings.Contains(err.Error(), addr) || !strings.Contains(err.Error(), "refused") {
		t.Errorf("the error is %v", err)
	}
}

// TestFirstConnection: it is made before the first client connects. Bytes that the server sends early are
// delivered. If the server closes the connection, a new one is made.
func TestFirstConnection(t *testing.T) {
	server := listen(t)
	at := chain(t, 1, server.Addr())
	s, err := server.Accept() // without a client
	if err != nil {
		t.Fatal(err)
	}
	send(t, s, "welcome")
	c := dial(t, at)
	if got := recv(t, c); got != "welcome" {
		t.Errorf("the client got %q", got)
	}
	send(t, c, "hello")
	if got := recv(t, s); got != "hello" {
		t.Errorf("the server got %q", got)
	}

	at = chain(t, 1, server.Addr())
	if s, err = server.Accept(); err != nil {
		t.Fatal(err)
	}
	s.Close()
	c = dial(t, at)
	send(t, c, "hello")
	server.(*net.TCPListener).SetDeadline(time.Now().Add(time.Minute))
	if s, err = server.Accept(); err != nil {
		t.Fatal(err)
	}
	if got := recv(t, s); got != "hello" {
		t.Errorf("the server got %q", got)
	}
}

// TestAliveHeldUp: alive reads again if the process was not running when the deadline passed.
func TestAliveHeldUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, c := range []struct {
			delayed int // reads
			then    error
			alive   bool
			reads   int
		}{
			{0, os.ErrDeadlineExceeded, true, 1},
			{1, os.ErrDeadlineExceeded, true, 2},
			{1, io.EOF, false, 2},
			{9, io.EOF, true, 4},
		} {
			pipe, _ := net.Pipe()
			conn := &delayedConn{Conn: pipe, delayed: c.delayed, then: c.then}
			if _, ok := new(forwarding).alive(t.Context(), conn); ok != c.alive || conn.reads != c.reads {
				t.Errorf("held up %d times, then %v: alive: %v, after %d reads", c.delayed, c.then, ok, conn.reads)
			}
		}
	})
}

// A delayedConn is a conn whose first reads begin after their deadline.
type delayedConn struct {
	net.Conn
	delayed, reads int
	then           error
}

func (c *delayedConn) Read([]byte) (int, error) {
	if c.reads++; c.reads <= c.delayed {
		time.Sleep(delayed)
		return 0, os.ErrDeadlineExceeded
	}
	return 0, c.then
}

// TestForward: Forward starts before the upstream host. Each client gets its own connection.
func TestForward(t *testing.T) {
	upstream := listen(t)
	addr := upstream.Addr().String()
	upstream.Close()
	l := listen(t)
	unreachable := make(chan error, 1)
	closed := make(chan ConnReport, 2)
	f := Forwarder{Trace: &Trace{
		Unreachable: func(_ netip.AddrPort, err error) { unreachable <- err },
		Closed:      func(_ netip.AddrPort, r ConnReport, _ error) { closed <- r },
	}}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- f.Forward(ctx, l, addr) }()
	c := dial(t, l.Addr())
	if got := recv(t, c); got != "" {
		t.Errorf("without an upstream host the client got %q", got)
	}
	var up *UpstreamError
	if err := <-unreachable; !errors.As(err, &up) {
		t.Error(err)
	}
	upstream, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer upstream.Close()
	for range 2 {
		c := dial(t, l.Addr())
		s, err := upstream.Accept()
		if err != nil {
			t.Fatal(err)
		}
		send(t, c, "12345")
		recv(t, s)
		send(t, s, "123")
		recv(t, c)
		c.Close()
		s.Close()
		if r := <-closed; r.Up != 5 || r.Down != 3 || r.Elapsed <= 0 {
			t.Errorf("%+v", r)
		}
	}
	// The end of the context ends an open connection.
	c = dial(t, l.Addr())
	if _, err := upstream.Accept(); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if _, err := io.ReadAll(c); err != nil && !strings.Contains(err.Error(), "reset") {
		t.Error(err)
	}
	if _, err := net.DialTimeout("tcp", l.Addr().String(), time.Second); err != nil {
		t.Errorf("the listener is the caller's, and closed: %v", err)
	}
}

// TestMaxConns: clients beyond the maximum wait.
func TestMaxConns(t *testing.T) {
	upstream, l := listen(t), listen(t)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- (&Forwarder{MaxConns: 1}).Forward(ctx, l, upstream.Addr().String()) }()
	a, b := dial(t, l.Addr()), dial(t, l.Addr())
	send(t, b, "b")
	send(t, a, "a")
	for _, want := range []string{"a", "b"} {
		s, err := upstream.Accept()
		if err != nil {
			t.Fatal(err)
		}
		if got := recv(t, s); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		s.Close()
		a.Close()
	}
	b.Close()
	cancel()
	<-ended
}

// TestForwarderLeavesNothing: many connects and closes leak nothing.
func TestForwarderLeavesNothing(t *testing.T) {
	check := leaks(t)
	t.Run("", func(t *testing.T) {
		upstream, l := listen(t), listen(t)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- (&Forwarder{}).Forward(ctx, l, upstream.Addr().String()) }()
		go func() {
			for {
				s, err := upstream.Accept()
				if err != nil {
					return
				}
				go func() {
					io.Copy(s, s)
					s.Close()
				}()
			}
		}()
		for i := range 500 {
			c, err := net.Dial("tcp", l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			if i%2 == 0 {
				c.(*net.TCPConn).SetLinger(0) // no port is left in TIME_WAIT
			} else {
				c.Write([]byte("x"))
				c.Read(make([]byte, 1))
				c.(*net.TCPConn).SetLinger(0)
			}
			c.Close()
		}
		cancel()
		<-ended
		upstream.Close()
	})
	check()
}
