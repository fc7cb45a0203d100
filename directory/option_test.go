package directory

import (
	"context"
	"errors"
	"net"
	"testing"
	"testing/synctest"
	"time"
)

// TestNegativeOptions: a negative option is an error, which Serve returns at once.
func TestNegativeOptions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		v := newTown(t, &Server{})
		defer v.close()
		conn := v.listen("10.0.0.3")
		for _, s := range []*Server{
			{Expiry: -1},
			{MaxPeers: -1},
			{MaxFiles: -1},
			{MaxEntries: -1},
			{MaxRequest: -1},
			{MaxAnswer: -1},
			{MaxSources: -1},
			{MaxSessions: -1},
		} {
			if err := s.Serve(ctx, conn); !errors.Is(err, errNegative) {
				t.Errorf("%+v: %v", s, err)
			}
		}
		p := &Peer{Root: openDir(t, nil), Period: -1}
		if err := p.Serve(ctx, &quietListener{addr: net.TCPAddrFromAddrPort(httpAt("10.0.0.2")), done: make(chan struct{})}); !errors.Is(err, errNegative) {
			t.Errorf("Peer.Period: %v", err)
		}
	})
}

// TestNoLimit: a negative Client.GiveUp leaves the end of a request to the context, and a
// negative Peer.MaxConns admits more connections than the default.
func TestNoLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newTown(t, &Server{})
		c := v.client("10.0.0.2")
		c.GiveUp = -1
		v.shut()
		ctx, cancel := context.WithTimeout(t.Context(), 10*DefaultGiveUp)
		defer cancel()
		start := time.Now()
		err := c.Publish(ctx, httpAt("10.0.0.2"), nil)
		if took := time.Since(start); took != 10*DefaultGiveUp || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("given up after %v: %v", took, err)
		}
		c.Conn.Close()
	})
	l := limitConns(nil, (&Peer{MaxConns: -1}).maxConns())
	now := time.Now()
	for range 2 * DefaultMaxConns {
		conn, _ := net.Pipe()
		if ok, _ := l.admit(now, conn); !ok {
			t.Fatal("a connection was refused")
		}
	}
}
