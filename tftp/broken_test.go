package tftp

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ferrygo/ferry"
)

// brokenHandler does all that a Handler should not.
type brokenHandler struct{ gate chan struct{} }

func (h brokenHandler) Open(ctx context.Context, r ferry.Request) (ferry.Source, error) {
	switch r.Name {
	case "panics":
		panic("at /home/secret")
	case "blocks":
		<-h.gate
	case "fails":
		return ferry.Source{R: &failingReader{1000, errBroken}, Size: -1}, nil
	case "nothing":
		return ferry.Source{}, nil
	case "panics later":
		return ferry.Source{R: panicReader{}, Size: -1}, nil
	case "hidden":
		return ferry.Source{}, errBroken
	}
	return ferry.Source{R: strings.NewReader("hello"), Size: 5}, nil
}

func (h brokenHandler) Accept(r ferry.Offer) (ferry.Sink, error) {
	return &brokenSink{name: r.Name}, nil
}

type panicReader struct{}

func (panicReader) Read([]byte) (int, error) { panic("at /home/secret") }

type brokenSink struct{ name string }

func (s *brokenSink) Write(b []byte) (int, error) {
	switch s.name {
	case "full":
		return 0, &fs.PathError{Op: "write", Path: "/home/secret", Err: syscall.ENOSPC}
	case "panics":
		panic("at /home/secret")
	case "short":
		return 0, nil
	}
	return len(b), nil
}

func (s *brokenSink) Commit() error {
	if s.name == "late" {
		return fs.ErrExist
	}
	return nil
}

func (s *brokenSink) Abort(error) {}

// TestBrokenHandlers: the client gets the right code and nothing about the machine, and
// the server serves on.
func TestBrokenHandlers(t *testing.T) {
	gate := make(chan struct{})
	synctest.Test(t, func(t *testing.T) {
		gate = make(chan struct{})
		p := newTestNet(t)
		p.server.Opener, p.server.Handler = brokenHandler{gate}, brokenHandler{gate}
		p.start()
		check := func(err error, code Code) {
			t.Helper()
			var said *Error
			if !errors.As(err, &said) || said.Code != code || strings.Contains(err.Error(), "secret") {
				t.Errorf("error %v, want code %d", err, code)
			}
		}
		for _, name := range []string{"panics", "fails", "nothing", "panics later", "hidden"} {
			_, _, err := p.get(Client{}, name)
			check(err, CodeUndefined)
		}
		for name, code := range map[string]Code{"full": CodeDiskFull, "panics": 0, "short": 0, "late": CodeExists} {
			_, err := p.put(Client{}, name, noise(1, 5000))
			check(err, code)
		}
		if _, _, err := p.get(Client{GiveUp: time.Second}, "blocks"); !errors.Is(err, ferry.ErrNoAnswer) {
			t.Errorf("a handler that blocks: %v", err)
		}
		if got, _, err := p.get(Client{}, "fine"); string(got) != "hello" || err != nil {
			t.Errorf("afterwards: %q, %v", got, err)
		}
		close(gate)
		p.end()
	})
}

// A ledger is a Handler that counts what begins and what ends.
type ledger struct {
	opened, closed, created, committed, aborted atomic.Int64
}

func (l *ledger) Open(context.Context, ferry.Request) (ferry.Source, error) {
	l.opened.Add(1)
	return ferry.Source{R: ledgerReader{bytes.NewReader(noise(1, 3000)), l}, Size: 3000}, nil
}

func (l *ledger) Accept(ferry.Offer) (ferry.Sink, error) {
	l.created.Add(1)
	return ledgerSink{io.Discard, l}, nil
}

type ledgerReader struct {
	io.Reader
	l *ledger
}

func (r ledgerReader) Close() error {
	r.l.closed.Add(1)
	return nil
}

type ledgerSink struct {
	io.Writer
	l *ledger
}

func (s ledgerSink) Commit() error {
	s.l.committed.Add(1)
	return nil
}

func (s ledgerSink) Abort(error) { s.l.aborted.Add(1) }

// TestHandlersHearOfTheEnd: what a handler has opened is closed, once, and each sink is
// either committed or aborted, however the transfer ends; even where it cannot begin.
func TestHandlersHearOfTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newTestNet(t)
		l := new(ledger)
		p.server.Opener, p.server.Handler = l, l
		listen := p.server.ListenPacket
		refused := false
		p.server.ListenPacket = func(ctx context.Context, a netip.AddrPort) (net.PacketConn, error) {
			if refused {
				return nil, errBroken
			}
			return listen(ctx, a)
		}
		p.start()
		if _, _, err := p.get(Client{}, "x"); err != nil {
			t.Error(err)
		}
		if _, err := p.put(Client{}, "x", noise(1, 3000)); err != nil {
			t.Error(err)
		}
		for _, r := range []Packet{rrq(), {Op: WRQ, Name: "x", Mode: "octet"}} {
			u := p.manualPeer()
			u.packet(p.addr, r)
			_, from := u.within(ms, false)
			u.packet(from, Packet{Op: ERROR})
			u.within(ms, false)
			u.conn.Close()
		}
		refused = true
		var said *Error
		if _, _, err := p.get(Client{}, "x"); !errors.As(err, &said) || said.Code != CodeUndefined || strings.Contains(err.Error(), "secret") {
			t.Error(err)
		}
		if _, err := p.put(Client{}, "x", nil); !errors.As(err, &said) {
			t.Error(err)
		}
		p.end()
		// The clients that were refused have asked twice: with options and without.
		if l.opened.Load() != 4 || l.closed.Load() != 4 || l.created.Load() != 4 || l.committed.Load() != 1 || l.aborted.Load() != 3 {
			t.Errorf("%d opened, %d closed, %d created, %d committed, %d aborted",
				l.opened.Load(), l.closed.Load(), l.created.Load(), l.committed.Load(), l.aborted.Load())
		}
	})
}
