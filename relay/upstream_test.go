package relay

import (
	"context"
	"errors"
	"io"
	"net"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// TestRetry: the server starts later than the forwarder.
func TestRetry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, l := newMemListener(), newMemListener()
		tries := 0
		f := Forwarder{
			Retry: time.Second,
			Dial: func(context.Context, string, string) (net.Conn, error) {
				if tries++; tries < 5 {
					return nil, errors.New("not yet")
				}
				return server.dial(), nil
			},
			Listen: func(context.Context, string, string) (net.Listener, error) { return l, nil },
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		start := time.Now()
		go func() { ended <- f.ListenAndForward(ctx, "", "") }()
		s, _ := server.Accept()
		if took := time.Since(start); took != 4*time.Second || tries != 5 {
			t.Errorf("%d tries in %v, want 5 in 4s", tries, took)
		}
		c := l.dial()
		go send(t, c, "hello")
		if got := recv(t, s); got != "hello" {
			t.Errorf("got %q", got)
		}
		c.Close()
		if got := recv(t, s); got != "" {
			t.Errorf("then got %q", got)
		}
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		// The upstream host is gone: the end of the context ends the tries.
		ctx, cancel = context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		f.Dial = func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("never") }
		if err := f.ListenAndForward(ctx, "", ""); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
	})
}

// A resetConn has been reset by the other side.
type resetConn struct{ net.Conn }

func (resetConn) Read([]byte) (int, error) { return 0, syscall.ECONNRESET }

// TestRetryForClients: while the upstream host cannot be reached, a client that is gone frees its place, and a
// client that stays loses no data.
func TestRetryForClients(t *testing.T) {
	for _, tt := range []struct {
		name   string
		client func(net.Conn) net.Conn // what becomes of the first
		away   time.Duration           // the upstream host
		want   []string                // what each of its connections brings
	}{
		{"waits", func(c net.Conn) net.Conn {
			go func() {
				io.WriteString(c, "one")
				time.Sleep(time.Minute)
				io.WriteString(c, "two")
				c.Close()
			}()
			return nil
		}, 59500 * ms, []string{"onetwo", "next"}},
		{"says more than is heard", func(c net.Conn) net.Conn {
			go func() {
				c.Write(noise(1, 3*maxEarly))
				c.Close()
			}()
			return nil
		}, 59500 * ms, []string{string(noise(1, 3*maxEarly)), "next"}},
		{"has closed its side", func(c net.Conn) net.Conn {
			go func() {
				io.WriteString(c, "question")
				c.Close()
			}()
			return nil
		}, endedTimeout - 2*time.Second, []string{"question", "next"}},
		{"has gone", func(c net.Conn) net.Conn {
			c.Close()
			return nil
		}, endedTimeout + 2*time.Second, []string{"next"}},
		{"is reset", func(c net.Conn) net.Conn { return resetConn{c} }, 2 * time.Second, []string{"next"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server, l := newMemListener(), newMemListener()
				start := time.Now()
				f := Forwarder{Retry: time.Second, MaxConns: 1, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
					if time.Since(start) < tt.away || ctx.Err() != nil {
						return nil, syscall.ECONNREFUSED
					}
					return server.dial(), nil
				}}
				ctx, cancel := context.WithCancel(t.Context())
				ended := make(chan error)
				go func() { ended <- f.Forward(ctx, l, "") }()
				here, there := net.Pipe()
				if c := tt.client(here); c != nil {
					there = c
				}
				l.conns <- there
				next := l.dial()
				go func() {
					io.WriteString(next, "next")
					next.Close()
				}()
				for _, want := range tt.want {
					s, _ := server.Accept()
					if got, err := io.ReadAll(s); string(got) != want || err != nil {
						t.Errorf("the server got %d bytes, %.60q, %v; want %d, %.60q", len(got), got, err, len(want), want)
					}
					s.Close()
				}
				cancel()
				if err := <-ended; !errors.Is(err, context.Canceled) {
					t.Error(err)
				}
			})
		})
	}
}
