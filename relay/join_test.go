package relay

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// A halfPipe is an end of a connection in memory whose sending direction can be closed alone.
type halfPipe struct {
	net.Conn // reads
	out      net.Conn
}

func newHalfPipe() (a, b *halfPipe) {
	a1, b1 := net.Pipe()
	a2, b2 := net.Pipe()
	return &halfPipe{a1, a2}, &halfPipe{b2, b1}
}

func (p *halfPipe) Write(b []byte) (int, error)        { return p.out.Write(b) }
func (p *halfPipe) CloseWrite() error                  { return p.out.Close() }
func (p *halfPipe) SetWriteDeadline(t time.Time) error { return p.out.SetWriteDeadline(t) }

func (p *halfPipe) Close() error {
	return errors.Join(p.out.Close(), p.Conn.Close())
}

// An earlyAnswerer is the connection to a host that answers before it has read the request, and whose system
// then resets the connection.
type earlyAnswerer struct {
	net.Conn
	answer  []byte
	readErr error // after the answer
}

func (*earlyAnswerer) Write([]byte) (int, error) { return 0, syscall.EPIPE }
func (*earlyAnswerer) Close() error              { return nil }

func (e *earlyAnswerer) Read(b []byte) (int, error) {
	time.Sleep(time.Second) // the write has failed long ago
	if len(e.answer) == 0 {
		return 0, e.readErr
	}
	n := copy(b, e.answer)
	e.answer = e.answer[n:]
	return n, nil
}

// TestEarlyAnswer: a failed write ends one direction. What the other side had sent before the reset arrives, and
// then the reset is passed on, whichever call the system told of it.
func TestEarlyAnswer(t *testing.T) {
	for _, readErr := range []error{syscall.ECONNRESET, io.EOF} {
		synctest.Test(t, func(t *testing.T) {
			client, here := newHalfPipe()
			answer := noise(1, 100_000)
			joined := make(chan error)
			go func() {
				_, err := join(t.Context(), here, &earlyAnswerer{answer: answer, readErr: readErr}, early{}, 0)
				joined <- err
			}()
			client.Write([]byte("a request"))
			got, _ := io.ReadAll(client)
			if string(got) != string(answer) {
				t.Errorf("%d bytes of the answer arrived, want %d", len(got), len(answer))
			}
			if err := <-joined; !errors.Is(err, syscall.EPIPE) && !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("the connection ended with %v, want a reset", err)
			}
		})
	}
}

// TestEarlyAnswerLoopback: the same through sockets. The client is told of the reset after the answer.
func TestEarlyAnswerLoopback(t *testing.T) {
	server := listen(t)
	answer := noise(1, 20_000)
	go func() {
		for {
			s, err := server.Accept()
			if err != nil {
				return
			}
			go func() {
				s.Read(make([]byte, 1000))
				s.Write(answer)
				s.Close() // with bytes that are not read: a reset
			}()
		}
	}()
	l := listen(t)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- (&Forwarder{}).Forward(ctx, l, server.Addr().String()) }()
	for range 30 {
		c := dial(t, l.Addr())
		var sender sync.WaitGroup
		sender.Go(func() { io.Copy(c, neverEnding('x')) })
		if got, err := io.ReadAll(c); len(got) != len(answer) {
			t.Errorf("%d bytes of the answer arrived, want %d; %v", len(got), len(answer), err)
		}
		c.Close()
		sender.Wait()
	}
	cancel()
	<-ended
}

// TestHalfClosed: a connection of which one side is closed lasts while something is copied, and for
// HalfCloseTimeout afterwards.
func TestHalfClosed(t *testing.T) {
	for _, tt := range []struct {
		name    string
		timeout time.Duration
		answers int // one each minute
		want    time.Duration
		err     error
	}{
		{"mute", 5 * time.Minute, 0, 5 * time.Minute, ErrIdle},
		{"answers, then mute", 5 * time.Minute, 20, 25 * time.Minute, ErrIdle},
		{"no limit", -1, 0, 24 * time.Hour, context.DeadlineExceeded},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client, here := newHalfPipe()
				there, server := newHalfPipe()
				ctx, cancel := context.WithTimeout(t.Context(), 24*time.Hour)
				defer cancel()
				go io.Copy(io.Discard, client)
				go func() {
					io.Copy(io.Discard, server)
					for range tt.answers {
						time.Sleep(time.Minute)
						server.Write([]byte("x"))
					}
				}()
				client.CloseWrite()
				start := time.Now()
				_, err := join(ctx, here, there, early{}, tt.timeout)
				// A deadline moves when it passes.
				if took := time.Since(start); !errors.Is(err, tt.err) || took < tt.want || took > tt.want+max(0, tt.timeout) {
					t.Errorf("ended after %v with %v, want %v, %v", took, err, tt.want, tt.err)
				}
				client.Close()
				server.Close()
			})
		})
	}
}

// TestHalfClosedReset: a client that has closed its sending direction and then breaks gives its place back,
// though the upstream host is mute.
func TestHalfClosedReset(t *testing.T) {
	server := listen(t)
	l := listen(t)
	closed := make(chan error, 1)
	f := Forwarder{MaxConns: 1, Trace: &Trace{Closed: func(_ netip.AddrPort, _ ConnReport, err error) { closed <- err }}}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- f.Forward(ctx, l, server.Addr().String()) }()
	c := dial(t, l.Addr()).(*net.TCPConn)
	s, err := server.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	c.CloseWrite()
	if got, err := io.ReadAll(s); len(got) > 0 || err != nil {
		t.Fatal(got, err)
	}
	c.SetLinger(0)
	c.Close()
	if err := <-closed; !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("ended with %v", err)
	}
	cancel()
	<-ended
}

// TestDialTimeout: a host that answers nothing holds a client for DialTimeout; a client that has been reset
// holds nothing.
func TestDialTimeout(t *testing.T) {
	blackHole := func(ctx context.Context, _, _ string) (net.Conn, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	for name, tt := range map[string]struct {
		timeout time.Duration
		client  func(net.Conn) net.Conn
		want    time.Duration
	}{
		"the default":          {0, nil, DefaultDialTimeout},
		"a minute":             {time.Minute, nil, time.Minute},
		"the client was reset": {0, func(c net.Conn) net.Conn { return resetConn{c} }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newMemListener()
				ctx, cancel := context.WithCancel(t.Context())
				ended := make(chan error)
				go func() {
					ended <- (&Forwarder{MaxConns: 1, Dial: blackHole, DialTimeout: tt.timeout}).Forward(ctx, l, "")
				}()
				here, there := net.Pipe()
				start := time.Now()
				if tt.client != nil {
					there = tt.client(there)
				}
				l.conns <- there
				if _, err := here.Read(make([]byte, 1)); err != io.EOF || time.Since(start) != tt.want {
					t.Errorf("closed after %v, %v; want %v", time.Since(start), err, tt.want)
				}
				cancel()
				<-ended
			})
		})
	}
}

// TestDialShortage: a client for which there is no descriptor waits for one, and no other is accepted meanwhile.
func TestDialShortage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, l := newMemListener(), newMemListener()
		start := time.Now()
		f := Forwarder{Dial: func(context.Context, string, string) (net.Conn, error) {
			if time.Since(start) < 3*time.Second {
				return nil, os.NewSyscallError("socket", syscall.EMFILE)
			}
			return server.dial(), nil
		}}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- f.Forward(ctx, l, "") }()
		c := l.dial()
		synctest.Wait()
		accepted := 0
		go func() {
			for range 2 {
				l.dial()
				accepted++
			}
		}()
		synctest.Wait()
		if accepted > 1 { // one waits to be admitted
			t.Errorf("%d clients accepted while one lacks a descriptor", accepted)
		}
		s, _ := server.Accept()
		go send(t, c, "hello")
		if got := recv(t, s); got != "hello" {
			t.Errorf("the server got %q", got)
		}
		for range 2 {
			server.Accept()
		}
		cancel()
		<-ended
	})
}
