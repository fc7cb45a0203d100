package gnutella

import (
	"context"
	"log/slog"
	"net/netip"
)

// A Trace observes a node. Any function may be nil. They are called by the goroutines of Serve, which wait
// for them.
type Trace struct {
	// Connected and Disconnected are called when a neighbour comes and goes.
	Connected    func(addr netip.AddrPort)
	Disconnected func(addr netip.AddrPort, err error)
	// Failed is called when a connection ends before its handshake has.
	Failed func(addr netip.AddrPort, err error)
}

func (t *Trace) connected(addr netip.AddrPort) {
	if t != nil && t.Connected != nil {
		t.Connected(addr)
	}
}

func (t *Trace) disconnected(addr netip.AddrPort, err error) {
	if t != nil && t.Disconnected != nil {
		t.Disconnected(addr, err)
	}
}

func (t *Trace) failed(addr netip.AddrPort, err error) {
	if t != nil && t.Failed != nil {
		t.Failed(addr, err)
	}
}

// LogTrace returns a Trace that logs to l: neighbours at slog.LevelInfo, failures at slog.LevelDebug.
func LogTrace(l *slog.Logger) *Trace {
	log := func(level slog.Level, text string, args ...any) { l.Log(context.Background(), level, text, args...) }
	return &Trace{
		Connected: func(addr netip.AddrPort) { log(slog.LevelInfo, "neighbour", "addr", addr) },
		Disconnected: func(addr netip.AddrPort, err error) {
			log(slog.LevelInfo, "neighbour gone", "addr", addr, "error", err)
		},
		Failed: func(addr netip.AddrPort, err error) {
			log(slog.LevelDebug, "no connection", "addr", addr, "error", err)
		},
	}
}
